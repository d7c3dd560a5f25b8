"""Days in running text, in the forms in which people and devices write them.

A day with a year of four digits is found by that year: 1950-03-07, 7.3.1950, 03/07/1950, 7 March 1950,
March 7, 1950, 07MAR1950, 1950年3月7日, with the names of months in languages of Europe. Other forms
(19500307, 7.3.50, 1950.03.07, 昭和25年3月7日) can be numbers as well, and are a day only where a label
says so, or in the name of a file.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from datetime import date

MONTHS = (
    "jan january januar janner jaenner janvier enero gennaio janeiro januari janv stycznia января "
    "янв ocak ledna tammikuuta ianuarie januarja sijecnja януари січня januarius ιανουαριου εναρη "
    "sausio janvaris jaanuar يناير ינואר",
    "feb february februar fevrier febrero febbraio fevereiro februari fevr fev lutego февраля фев "
    "subat unora februarie veljace февруари лютого φεβρουαριου vasario veebruar فبراير פברואר",
    "mar march marz mars marzo marco maart mrz maerz marca марта мар mart brezna maaliskuuta mrt "
    "μαρτιου marcius martie ozujka март березня maret mac kovo marts مارس מרץ",
    "apr april avril abril aprile abr avr kwietnia апреля апр nisan dubna huhtikuuta απριλιου "
    "aprilis aprilie travnja април квітня balandzio aprill ابريل אפריל",
    "may mai mayo maggio maio mei maj maja мая mayis kvetna toukokuuta μαιου majus svibnja маи "
    "травня geguzes maijs مايو מאי",
    "jun june juni juin junio giugno junho czerwca июня июн haziran cervna kesakuuta ιουνιου "
    "junius iunie lipnja юни червня birzelio junijs يونيو יוני",
    "jul july juli juillet julio luglio julho juil lipca июля июл temmuz cervence heinakuuta "
    "ιουλιου julius iulie srpnja юли липня liepos julijs يوليو יולי",
    "aug august aout agosto augustus augusti sierpnia августа авг agustos srpna elokuuta "
    "αυγουστου augusztus kolovoza август серпня rugpjucio اغسطس אוגוסט ogos agustus",
    "sep sept september septembre septiembre settembre setembro wrzesnia сентября сен eylul zari "
    "syyskuuta szeptember septembrie rujna септември вересня rugsejo سبتمبر ספטמבר",
    "oct october oktober octobre octubre ottobre outubro okt pazdziernika октября окт ekim rijna "
    "lokakuuta octombrie октомври жовтня spalio اكتوبر אוקטובר",
    "nov november novembre noviembre novembro listopada ноября ноя kasim listopadu marraskuuta "
    "νοεμβριου noiembrie studenoga studenog ноември листопада lapkricio نوفمبر נובמבר",
    "dec december dezember decembre diciembre dicembre dezembro dez dic grudnia декабря дек "
    "aralik prosince joulukuuta desember δεκεμβριου decembrie prosinca декември грудня gruodzio "
    "disember ديسمبر דצמבר",
)
"""Names of each month, small letters without marks."""
MONTH_OF = {name: number for number, names in enumerate(MONTHS, 1) for name in names.split()}

FIRST_OF_VERSIONS = 2000
"""From this year on 2023.11.3 is a version of some software."""
FOUR_DIGITS = tuple(re.compile(rf"{century}(?<!\d..)\d\d") for century in (19, 20))
"""With which all that is sought begins; each alone, since fixed digits are found five times as fast."""
YEAR = re.compile(r"\d{4}(?!\d)")
DIGEST = re.compile(r"[0-9a-f]{32,}|[0-9A-F]{32,}")
"""MD5, SHA-256 and the like."""
LONGEST_DIGEST = 128
BEFORE, BEHIND = 40, 24
"""Characters beside a year in which its day and month stand."""

_PART = r"(?<![\w.])(?<!\d[-/])" r"(\d{1,2})"
_ORDINAL = r"(?:st|nd|rd|th|er|re|º|°|ª)?"
_WORD = r"([^\W\d_]{3,12})"
_GAP = r"[\s./_,'’-]{0,3}"
_OF = r"(?:(?:of|de|del|di|den|van)\s)?"
_CLOCK = r"(?:\d\d?:\d\d(?::\d\d)?\s(?:[A-Z]{2,5}\s)?)?"
DAY_MONTH_THEN = re.compile(r"(?<![^\W_])(?<!\d[-./])(\d{1,2})([-./_]|\. | [/-] )(\d{1,2})\2$")
DAY_WORD_THEN = re.compile(
    rf"(?<!\d)(?<!\d\.)(\d{{1,2}}){_ORDINAL}{_GAP}{_OF}(?:day of )?{_WORD}{_GAP}{_OF}{_CLOCK}$", re.IGNORECASE
)
WORD_DAY_THEN = re.compile(
    rf"(?<![^\W\d_]){_WORD}{_GAP}(?:the )?(\d{{1,2}}){_ORDINAL}[\s,./_-]{{1,3}}{_CLOCK}$", re.IGNORECASE
)
ROMAN = ("I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII")
ROMAN_THEN = re.compile(r"(?<![\w.])(\d{1,2})[-./ ]{1,2}([IVX]{1,4})[-./ ]{1,2}$")
THEN_WEEK = re.compile(r"-?W(\d\d)-?([1-7])(?!\d)")
THEN_MONTH_DAY = re.compile(r"([-/._])(\d{1,2})\1(\d{1,2})(?![\d-])(?!\.\d)")
THEN_APART = re.compile(r"(\. | [/-] )(\d{1,2})\1(\d{1,2})(?!\d)")
"""As Hungarian and Korean write: 2014. 05. 22., which no version looks like."""
THEN_WORD_DAY = re.compile(rf"{_GAP}{_WORD}{_GAP}(\d{{1,2}})(?!\d)", re.IGNORECASE)
THEN_SIGNS = re.compile(r"\s?[年년]\s?(\d{1,2})\s?[月월]\s?(\d{1,2})\s?[日일号]?")
THAI_MONTHS = (
    "มกราคม ม.ค.", "กุมภาพันธ์ ก.พ.", "มีนาคม มี.ค.", "เมษายน เม.ย.", "พฤษภาคม พ.ค.", "มิถุนายน มิ.ย.",
    "กรกฎาคม ก.ค.", "สิงหาคม ส.ค.", "กันยายน ก.ย.", "ตุลาคม ต.ค.", "พฤศจิกายน พ.ย.", "ธันวาคม ธ.ค.",
)  # fmt: skip
THAI_MONTH_OF = {name: number for number, names in enumerate(THAI_MONTHS, 1) for name in names.split()}
BUDDHIST, FIRST_BUDDHIST = 543, 2400
"""Years by which the calendar of Thailand is ahead, and from which on a year is one of it."""
THAI_LETTER = re.compile(r"[\u0e01-\u0e2e]")
THAI = re.compile(
    rf"(?<!\d)(\d{{1,2}})\s?({'|'.join(map(re.escape, THAI_MONTH_OF))})\s?"
    r"(?:[พค]\.ศ\.)?\s?((?:19|2[045])\d\d)(?!\d)"
)
STAMP = re.compile(r"(?<![\d.])(\d{4})(\d\d)(\d\d)\d{6}(?:\.\d{6}(?!\d)|(?:\.\d{1,6})?[+-]\d{4}(?!\d))")
"""A time as DICOM writes one, with parts of a second or what the clock is ahead (PS3.5, DT)."""
ERAS = {"明治": 1867, "大正": 1911, "昭和": 1925, "平成": 1988, "令和": 2018}
"""The year before the first one of each era of Japan."""
ERA_OF = {short: name for name in ERAS for short in (name, name[0])} | dict(zip("MTSHR", ERAS, strict=True))
ERA = re.compile(
    rf"((?<![^\W_])[MTSHR]|{'|'.join(ERAS)}|[明大昭平令])\s?(\d{{1,2}}|元)年\s?(\d{{1,2}})月\s?(\d{{1,2}})日"
)
SHORT_ERA = re.compile(r"([MTSHR]|[明大昭平令]\w?)\s?(\d{1,2}|元)[./-](\d{1,2})[./-](\d{1,2})(?!\d)")
"""As forms of hospitals in Japan have it: S25.3.7."""
SOLAR = re.compile(r"(1[34]\d\d)[-./](\d{1,2})[-./](\d{1,2})(?!\d)")
BEFORE_SOLAR = 621
"""Years by which the calendar of Iran is behind; days of it are told as those of the same number here."""
WITH_CLOCK = re.compile(r"(?<![\w.])\d{8}[_T](?:[01]\d|2[0-3])[0-5]\d[0-5]\d(?!\d)")
"""Digits that can hardly be but a day and a time: 20190314_142233."""
TANG = re.compile(r"(?<!\d)(\d{1,2}) tháng (\d{1,2})(?:,| năm)* ((?:19|20)\d\d)(?!\d)")
"""As Vietnamese counts months."""
INDIC_MONTHS = (
    "जनवरी জানুয়ারি", "फरवरी फ़रवरी ফেব্রুয়ারি", "मार्च মার্চ", "अप्रैल এপ্রিল", "मई মে", "जून জুন", "जुलाई জুলাই",
    "अगस्त আগস্ট", "सितंबर सितम्बर সেপ্টেম্বর", "अक्टूबर अक्तूबर অক্টোবর", "नवंबर नवम्बर নভেম্বর",
    "दिसंबर दिसम्बर ডিসেম্বর",
)  # fmt: skip
INDIC_MONTH_OF = {name: number for number, names in enumerate(INDIC_MONTHS, 1) for name in names.split()}
INDIC = re.compile(rf"(?<!\d)(\d{{1,2}}) ({'|'.join(INDIC_MONTH_OF)}),? ((?:19|20)\d\d)(?!\d)")
INDIC_LETTER = re.compile(r"[\u0904-\u09b9]")

COMPACT = re.compile(r"(?<![\d.])(?:19|20)\d{6}(?=(?:[T_-]?\d{4,6}(?:\.\d+)?)?(?!\d))")
POINTED = re.compile(r"(?:^|(?<=[/_ ]))((?:19|20)\d\d)\.(\d\d)\.(\d\d)(?![\d.]\d)")
"""At the beginning of a part of a name; elsewhere versions look like it."""
COMPACT_DAY_FIRST = re.compile(r"(?<![\d.])(\d\d)(\d\d)((?:19|20)\d\d)(?!\d)")
LIBERAL = (
    (re.compile(r"((?:19|20)\d\d)[-./\s]?(\d\d)[-./\s]?(\d\d)(?=(?:T?\d{4,6}|\D|$))"), "ymd"),
    (re.compile(r"((?:19|20)\d\d)[-./,\s]{1,2}(\d{1,2})[-./,\s]{1,2}(\d{1,2})(?!\d)"), "ymd"),
    (re.compile(r"((?:19|20)\d\d)\W{1,4}month\W{1,4}(\d{1,2})\W{1,4}day\W{1,4}(\d{1,2})"), "ymd"),
    (re.compile(r"(\d{1,2})[-./\s]{1,2}(\d{1,2})[-./\s]{1,2}((?:19|20)?\d\d)(?!\d)"), "dmy"),
    (re.compile(r"(\d\d)(\d\d)((?:19|20)\d\d)(?!\d)"), "dmy"),
    (re.compile(r"(\d{1,2})[-./\s]{1,2}(\d{1,2})[-./\s]{1,2}(2[45]\d\d)(?!\d)"), "dmy"),
    (re.compile(r"(\d\d)[-./](\d\d)[-./](\d\d)(?!\d)"), "ymd"),
)
"""The forms of digits alone at a place where a label says that a day stands, and the order in them."""
SIX_DIGITS = re.compile(r"(\d\d)(\d\d)(\d\d)(?!\d)")
LIBERAL_WORD = re.compile(rf"(\d{{1,2}}){_ORDINAL}{_GAP}{_OF}{_WORD}{_GAP}{_OF}(\d\d)(?!\d)", re.IGNORECASE)


def days_in(text: str) -> Iterator[tuple[int, date]]:
    """Each day of four-digit year, or of an era, and its place; of day and month in digits, either order."""
    for begin in sorted(found.start() for digits in FOUR_DIGITS for found in digits.finditer(text)):
        if year := YEAR.match(text, begin):
            for day in _beside(text, year):
                if not _is_in_digest(text, year.start()):
                    yield year.start(), day
        elif stamp := STAMP.match(text, begin):
            yield from _at(stamp, int(stamp[1]), int(stamp[2]), int(stamp[3]))
        elif stamp := WITH_CLOCK.match(text, begin):
            yield from _at(stamp, int(stamp[0][:4]), int(stamp[0][4:6]), int(stamp[0][6:8]))
    if not text.isascii():
        yield from _in_other_calendars(text)


def _is_in_digest(text: str, place: int) -> bool:
    """Whether a place is within hexadecimal digits, in which dec and feb are no months (9a5dec1998f0…)."""
    first = max(place - LONGEST_DIGEST, 0)
    around = DIGEST.finditer(text, first, place + LONGEST_DIGEST)
    return any(digits.start() <= place < digits.end() for digits in around)


def _in_other_calendars(text: str) -> Iterator[tuple[int, date]]:
    """The days that are counted by eras of Japan, or written in the months of Thailand."""
    for era in ERA.finditer(text) if "年" in text else ():
        number = 1 if era[2] == "元" else int(era[2])
        yield from _at(era, ERAS[ERA_OF[era[1]]] + number, int(era[3]), int(era[4]))
    for tang in TANG.finditer(text) if "tháng" in text else ():
        yield from _at(tang, int(tang[3]), int(tang[2]), int(tang[1]))
    for indic in INDIC.finditer(text) if INDIC_LETTER.search(text) else ():
        yield from _at(indic, int(indic[3]), INDIC_MONTH_OF[indic[2]], int(indic[1]))
    if not THAI_LETTER.search(text):
        return
    for thai in THAI.finditer(text):
        yield from _at(thai, _century(thai[3]), THAI_MONTH_OF[thai[2]], int(thai[1]))


def _at(match: re.Match[str], year: int, month: int, day: int) -> Iterator[tuple[int, date]]:
    for found in _first_day([(year, month, day)]):
        yield match.start(), found


def days_at(text: str) -> Iterator[date]:
    """The day at the beginning of a text that a label says is one; two digits of a year are of a life."""
    for form, order in LIBERAL:
        if match := form.match(text):
            yield from _first_day(_orders(match, order))
    if match := LIBERAL_WORD.match(text):
        yield from _first_day([(_century(match[3]), _month(match[2]), int(match[1]))])
    if match := SHORT_ERA.match(text):
        year = ERAS[ERA_OF[match[1][0]]] + (1 if match[2] == "元" else int(match[2]))
        yield from _first_day([(year, int(match[3]), int(match[4]))])
    if match := SOLAR.match(text):
        yield from _first_day([(int(match[1]) + BEFORE_SOLAR, int(match[2]), min(int(match[3]), 28))])


def days_of_six_digits(text: str) -> Iterator[date]:
    """The day at the beginning of a text, two digits each of day, month and year, in either order."""
    if match := SIX_DIGITS.match(text):
        first, month, last = map(int, match.groups())
        yield from _first_day([(_century(match[3]), month, first), (_century(match[1]), month, last)])


def days_in_name(name: str) -> Iterator[tuple[int, date]]:
    """Each day in the name of a file, where eight digits that are one count as well."""
    yield from days_in(name)
    text = name.replace("_", " ")
    yield from days_in(text)
    for match in POINTED.finditer(name):
        for day in _first_day([(int(match[1]), int(match[2]), int(match[3]))]):
            yield match.start(), day
    for match in COMPACT.finditer(text):
        digits = match[0]
        for day in _first_day([(int(digits[:4]), int(digits[4:6]), int(digits[6:8]))]):
            yield match.start(), day
    for match in COMPACT_DAY_FIRST.finditer(text):
        for day in _first_day([(int(match[3]), int(match[2]), int(match[1]))]):
            yield match.start(), day


def _beside(text: str, year: re.Match[str]) -> Iterator[date]:
    start, end = year.span()
    behind = text[end : end + BEHIND]
    before = text[max(start - BEFORE, 0) : start]
    found: list[tuple[int, int, int]] = []
    if before and not re.match(r"-?\d|\.\d", behind):
        found += _before(int(year[0]), before)
    if not re.search(r"\d[-./]$|[^\W_]$", before):
        found += _behind(int(year[0]), behind)
    if match := THEN_SIGNS.match(behind):
        found += [(int(year[0]), int(match[1]), int(match[2]))]
    yield from _first_day(found)


def _before(year: int, text: str) -> Iterator[tuple[int, int, int]]:
    """Day and month at the end of a text that a year follows."""
    if match := DAY_MONTH_THEN.search(text):
        yield year, int(match[3]), int(match[1])
        yield year, int(match[1]), int(match[3])
    if match := DAY_WORD_THEN.search(text):
        yield year, _month(match[2]), int(match[1])
    if match := ROMAN_THEN.search(text):
        yield year, ROMAN.index(match[2]) + 1 if match[2] in ROMAN else 0, int(match[1])
    if match := WORD_DAY_THEN.search(text):
        yield year, _month(match[1]), int(match[2])


def _behind(year: int, text: str) -> Iterator[tuple[int, int, int]]:
    """Month and day at the beginning of a text that a year precedes."""
    match = THEN_MONTH_DAY.match(text)
    if match and (match[1] != "." or year < FIRST_OF_VERSIONS):
        yield year, int(match[2]), int(match[3])
        yield year, int(match[3]), int(match[2])
    if match := THEN_APART.match(text):
        yield year, int(match[2]), int(match[3])
    if match := THEN_WEEK.match(text):
        yield _of_week(year, int(match[1]), int(match[2]))
    if match := THEN_WORD_DAY.match(text):
        yield year, _month(match[1]), int(match[2])


def _orders(match: re.Match[str], order: str) -> list[tuple[int, int, int]]:
    parts = dict(zip(order, match.groups(), strict=True))
    year, month, day = _century(parts["y"]), int(parts["m"]), int(parts["d"])
    return [(year, month, day), (year, day, month)]


def _century(year: str) -> int:
    """The year of two digits is one of a life; that of four digits stands, or is Buddhist."""
    if int(year) >= FIRST_BUDDHIST:
        return int(year) - BUDDHIST
    return int(year) if len(year) == 4 else 1900 + int(year) + (100 if int(year) < 30 else 0)


def _of_week(year: int, week: int, day: int) -> tuple[int, int, int]:
    """The day of a week of ISO 8601; none that exists where there is no such week."""
    try:
        found = date.fromisocalendar(year, week, day)
    except ValueError:
        return (year, 0, 0)
    return (found.year, found.month, found.day)


def _month(word: str) -> int:
    """Its number; 0, which no day has, of another word."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", word.lower()) if not unicodedata.combining(c))
    return MONTH_OF.get(plain.replace("ı", "i"), 0)


def _first_day(candidates: Iterable[tuple[int, int, int]]) -> Iterator[date]:
    for year, month, day in candidates:
        try:
            yield date(year, month, day)
            return
        except ValueError:
            continue
