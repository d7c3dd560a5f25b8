"""What identifies a patient in DICOM, and the search for it in what reaches outputs.

Identifying attributes are read for three purposes: to withhold an acquisition fact that repeats one
of them, to refuse a scan_id or participant_id that contains one, and to tell whose scan it is
(:mod:`headct.cohort.patients`). Nothing quotes a value in a message; ``in_headers`` hands them on to the
other functions only.

How values are compared. Case, accents and separators do not count; ä is sought as a and as ae.
Values of up to three characters count only as the whole id or a delimited part of it, where a change
between letters and digits delimits, too: Patient ID 12 refuses ``scan-12`` and ``P12``, not
``scan-0012`` or ``scan-112``. Longer ones count anywhere. Leading zeros of a number do not count if at
least four digits follow: Patient ID 0001234 refuses ``scan-1234``, but 0012 does not refuse ``scan-12``.
So a short number counts only as it is written: ids that count from 1 to 1732 would meet those by chance.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from datetime import date

from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

from headct.contracts.problems import Problem

NAMES = (
    "PatientName",
    "OtherPatientNames",
    "PatientBirthName",
    "PatientMotherBirthName",
    "ResponsiblePerson",
    "ReferringPhysicianName",
    "ConsultingPhysicianName",
    "PhysiciansOfRecord",
    "NameOfPhysiciansReadingStudy",
    "RequestingPhysician",
    "PerformingPhysicianName",
    "OperatorsName",
)
NUMBERS = (
    "PatientID",
    "OtherPatientIDs",
    "IssuerOfPatientID",
    "AccessionNumber",
    "AdmissionID",
    "StudyID",
    "PatientTelephoneNumbers",
    "StationName",
    "DeviceSerialNumber",
)
PLACES = (
    "PatientAddress",
    "InstitutionName",
    "InstitutionAddress",
    "InstitutionalDepartmentName",
)
BIRTH_DATE = "PatientBirthDate"
OTHER_IDS = "OtherPatientIDsSequence"
"""Items with a Patient ID each; ``in_headers`` adds them to OtherPatientIDs."""

COMPARED_WITH_SHEET = ("PatientSex", "PatientAge")
"""Attributes that are read only to be held against the sheet (:mod:`headct.cohort.patients`)."""

POINTING_KEYWORDS = (*NAMES, *NUMBERS, *PLACES, BIRTH_DATE, OTHER_IDS)
"""Attributes whose value points at somebody, which an age and a sex alone do not."""

IDENTIFYING_KEYWORDS = (*POINTING_KEYWORDS, *COMPARED_WITH_SHEET)
"""Attributes that are read only to withhold, to refuse or to compare, and never reach an output."""

SOUGHT_IN_IDS = {
    "PatientID": "the Patient ID",
    "OtherPatientIDs": "another Patient ID",
    "PatientName": "a part of the Patient's Name",
    "OtherPatientNames": "a part of the Other Patient Names",
    "PatientBirthName": "a part of the Patient's Birth Name",
    "PatientBirthDate": "the Patient's Birth Date",
    "AccessionNumber": "the Accession Number",
}
"""Keyword, and what a message calls it, of the attributes that no id in the sheet may contain."""

WITHHELD = (
    "anon anonym anonymous anonymized anonymised anonymisiert deidentified pseudonym pseudonymized "
    "pseudonymised unknown unbekannt none null nil noname noid nopatient removed redacted withheld empty "
    "undefined unspecified missing default dummy test tester testing phantom doe"
)
"""Words that stand where a value was taken away: the same in every file, they point at nobody."""

KINDS_OF_THINGS = (
    "patient patients subject participant person case scan study trial site centre center visit baseline "
    "followup stroke head brain image series male female mrs miss mister herr frau prof professor dott "
    "hospital clinic clinical medical medicine health healthcare system systems university general "
    "department radiology imaging"
)
"""Words that ids, titles, institutions and makers share."""

GENERIC = frozenset(f"{WITHHELD} {KINDS_OF_THINGS}".split())
"""Words that do not count as identifying."""

PLACEHOLDER_DATES = frozenset({date(1900, 1, 1)})
"""The registration systems' "unknown". 1 January 1970 is not among them: people are born then."""

SHORT = 3
"""Values of up to this many characters count only as a delimited part; shorter words of names don't
count at all, since initials and syllables such as Li and Ma are common in ids."""

NUMBER_RUN = 6
"""A run of so many digits within a number identifies without the letters around it."""

DECIMAL = re.compile(r"(?<![\w.^/+-])[+-]?\d+\.\d+(?:e[+-]?\d+)?(?![\w^/+-]|\.\w)")
"""A number with a decimal point that is no part of anything longer, such as a date or a code."""

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")

SPELT_OUT = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ø": "oe", "å": "aa"})
WITHOUT_MARKS = str.maketrans(
    {"ø": "o", "æ": "ae", "œ": "oe", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i"}
)


def in_headers(headers: Iterable[Dataset]) -> dict[str, str]:
    """The identifying values in the headers of a scan, for the other functions of this module.

    Values that differ between files, and several values of one attribute, are joined by a backslash.
    """
    found: dict[str, dict[str, None]] = {}
    for header in headers:
        for keyword in IDENTIFYING_KEYWORDS:
            key = "OtherPatientIDs" if keyword == OTHER_IDS else keyword
            found.setdefault(key, {}).update(dict.fromkeys(_texts(header, keyword)))
    return {keyword: "\\".join(texts) for keyword, texts in found.items() if texts}


def _texts(header: Dataset, keyword: str) -> list[str]:
    """The values of an attribute as text, none where they can't be read."""
    try:
        value = header.get(keyword)
        if value is None:
            return []
        if keyword == OTHER_IDS:
            return [text for item in value for text in _texts(item, "PatientID")]
        several = value if isinstance(value, MultiValue) else [value]
        return [text for each in several if (text := str(each).strip())]
    except Exception:  # pydicom converts on access, and damaged values can raise anything
        return []


def repeats_identifier(text: str, values: Mapping[str, str]) -> bool:
    """Whether an acquisition fact repeats an identifying value of at least three characters."""
    return any(_repeats(text, keyword, value) for keyword, value in values.items())


def _repeats(text: str, keyword: str, value: str) -> bool:
    if keyword == BIRTH_DATE:
        return _contains_birth_date(text, value)
    return any(_contains(text, piece) for piece in _pieces(keyword, value) if len(piece) >= SHORT)


def identifiers_in(ids: Mapping[str, str], values: Mapping[str, str]) -> list[tuple[str, str]]:
    """Which ids contain which identifying attribute of their DICOM.

    Args:
        ids: the sheet's column and the id in it.
        values: DICOM keyword and value, several values joined by a backslash.

    Returns:
        Pairs of column and keyword.
    """
    return [
        (column, keyword)
        for column, text in ids.items()
        for keyword in SOUGHT_IN_IDS
        if _holds(text, keyword, values.get(keyword, ""))
    ]


def refusals(
    ids: Mapping[str, str], values: Mapping[str, str], patient_id_is_pseudonym: bool = False
) -> list[Problem]:
    """One problem for each identifying attribute that an id contains; values are never named.

    Where the Patient ID is the trial's own pseudonym, it counts no more, nor does any attribute that
    repeats it as a whole: de-identification often writes one pseudonym into name and accession number.
    """
    if patient_id_is_pseudonym:
        values = _without_pseudonym(values)
    problems = []
    for column, keyword in identifiers_in(ids, values):
        message = f"contains {SOUGHT_IN_IDS[keyword]} of its DICOM files; choose another name"
        if keyword == "PatientID":
            message += (
                " (or, where the Patient ID is already the trial's own pseudonym, "
                "set ingest.patient_id_is_pseudonym)"
            )
        problems.append(Problem("sheet", message, key=column))
    return problems


def _without_pseudonym(values: Mapping[str, str]) -> dict[str, str]:
    pseudonyms = {_squeezed(_folded(part)) for part in values.get("PatientID", "").split("\\")}

    def others(value: str) -> str:
        parts = value.split("\\")
        return "\\".join(part for part in parts if _squeezed(_folded(part)) not in pseudonyms)

    return {keyword: others(value) for keyword, value in values.items() if keyword != "PatientID"}


def _holds(text: str, keyword: str, value: str) -> bool:
    if keyword == BIRTH_DATE:
        return _contains_birth_date(text, value)
    return any(_contains(text, piece) for piece in _pieces(keyword, value))


def texts_to_look_for(values: Mapping[str, str]) -> set[str]:
    """What to look for in text: words of names and places, numbers, birth dates, folded and squeezed.

    Values of up to three characters are left out, since in running text they say nothing.
    """
    found = {piece for keyword, value in values.items() for piece in _pieces(keyword, value)}
    for value in values.get(BIRTH_DATE, "").split("\\"):
        if re.fullmatch(r"\d{8}", value) and _contains_date(value, value):
            year, month, day = value[:4], value[4:6], value[6:]
            found |= {value, f"{day}{month}{year}", f"{month}{day}{year}"}
    return {piece for piece in found if len(piece) > SHORT}


def words_of(text: str) -> set[str]:
    """The words of a text, and what stands together without a space, folded and squeezed as ``sought``.

    Numbers with a decimal point are left out: of the thousands of coordinates in a drawing, one without its
    point is some patient's number by chance.
    """
    folded = DECIMAL.sub(" ", _folded(text))
    together = re.findall(r"[\w.^/+-]+", folded)
    return {_squeezed(run) for run in together} | set(_parts(folded))


def patient_numbers(values: Mapping[str, str]) -> set[str]:
    """All Patient IDs, folded, leading zeros off as in the search, without those that point at nobody."""
    written = "\\".join(values.get(keyword, "") for keyword in ("PatientID", "OtherPatientIDs"))
    numbers = set()
    for part in written.split("\\"):
        folded = _folded(_mended(part))
        number = _squeezed(folded)
        if _points_at_nobody(number) or all(map(_points_at_nobody, _parts(folded))):
            continue
        short = number.lstrip("0") if number.isdigit() else number
        numbers.add(short if len(short) > SHORT else number)
    return numbers


def full_names(values: Mapping[str, str]) -> set[str]:
    """Family and given names of the patient, in one order, in each way that umlauts are spelt.

    Of several given names the first alone counts, too: some headers have no more than that.
    """
    names = set()
    for part in values.get("PatientName", "").split("\\"):
        for letters in (SPELT_OUT, WITHOUT_MARKS):
            writings = [text for text in _folded(_mended(part), letters).split("=") if text.strip("^ ")]
            family, _, given = " ".join(writings[:1]).partition("^" if "^" in part else ",")
            given = given.partition("^")[0].strip()
            for name in (f"{family} {given}", f"{family} {given.partition(' ')[0]}"):
                words = [word for word in _parts(name) if not _points_at_nobody(word)]
                names |= {" ".join(sorted(words))} if words else set()
    return names


def birth_dates(values: Mapping[str, str]) -> set[str]:
    """All birth dates that are days of the calendar and no placeholder."""
    written = values.get(BIRTH_DATE, "").split("\\")
    return {born.isoformat() for part in written if (born := _date_of(part.strip()))}


def _pieces(keyword: str, value: str) -> set[str]:
    """What is sought of a value: folded, without separators, without what points at nobody."""
    pieces: set[str] = set()
    for part in value.split("\\"):
        for folded in {_folded(_mended(part), SPELT_OUT), _folded(_mended(part), WITHOUT_MARKS)}:
            if keyword in NUMBERS:
                pieces |= _pieces_of_number(folded)
            elif keyword in (*NAMES, *PLACES):
                for writing in folded.split("="):  # alphabetic, ideographic and phonetic
                    pieces |= _pieces_of_words(writing)
    return {piece for piece in pieces if not _points_at_nobody(piece)}


def _pieces_of_words(folded: str) -> set[str]:
    """Each word of a name or an address, and the first two written together."""
    components = [c for c in re.split(r"[\^\s,]+", folded) if not _points_at_nobody(_squeezed(c))]
    words = {word for component in components for word in _parts(component)}
    words |= {_squeezed(component) for component in components}
    first_two = [_squeezed(component) for component in components[:2]]
    words |= {"".join(first_two), "".join(reversed(first_two))} if len(first_two) == 2 else set()
    return {word for word in words if len(word) > SHORT or (len(word) == SHORT and word.isalpha())}


def _pieces_of_number(folded: str) -> set[str]:
    """A number or code as a whole, its words that hold a digit, and its long runs of digits."""
    pieces = {_squeezed(folded)}
    words = re.split(r"[\^\s/]+", folded)
    pieces |= {_squeezed(word) for word in words if len(word) > SHORT and re.search(r"\d", word)}
    pieces |= {run for run in re.findall(r"\d+", folded) if len(run) >= NUMBER_RUN}
    return pieces | {
        piece.lstrip("0") for piece in pieces if piece.isdigit() and len(piece.lstrip("0")) > SHORT
    }


def _points_at_nobody(piece: str) -> bool:
    """Empty, a word for "withheld" or for a kind of thing, or one character over and over (0, 000, XXX)."""
    return piece in GENERIC or len(set(piece)) <= 1


def _contains(text: str, piece: str) -> bool:
    folded = _folded(text)
    if len(piece) <= SHORT:
        return piece in {_squeezed(folded), *_parts(folded), *re.findall(r"[^\W\d_]+|\d+", folded)}
    return piece in _squeezed(folded)


def _contains_birth_date(text: str, value: str) -> bool:
    """Whether any birth date (YYYYMMDD) is in the text, in any of the common writings.

    Values that are no day of the calendar (00000000, 19500000) or a placeholder point at nobody. The
    year alone does not count.
    """
    return any(_contains_date(text, part.strip()) for part in value.split("\\"))


def _date_of(value: str) -> date | None:
    """A birth date; None where it is no day of the calendar, or a placeholder."""
    match = re.fullmatch(r"(\d{4})[.-]?(\d\d)[.-]?(\d\d)", value)
    try:
        born = date(*map(int, match.groups())) if match else None
    except ValueError:
        return None
    return None if born in PLACEHOLDER_DATES else born


def _contains_date(text: str, value: str) -> bool:
    born = _date_of(value)
    if born is None:
        return False
    year, month, day = f"{born.year:04d}", f"{born.month:02d}", f"{born.day:02d}"
    name = MONTHS[born.month - 1]
    written = {
        "".join(order)
        for y in (year, year[2:])
        for order in ((y, month, day), (day, month, y), (month, day, y), (str(born.day), name, y))
    }
    squeezed = _squeezed(_folded(text))
    if any(writing in squeezed for writing in written):
        return True
    runs = [int(run) for run in re.findall(r"\d+", text)]  # 1950-3-7, without leading zeros
    orders = [
        (born.year, born.month, born.day),
        (born.day, born.month, born.year),
        (born.month, born.day, born.year),
    ]
    return any(tuple(runs[i : i + 3]) in orders for i in range(len(runs) - 2))


def _folded(text: str, letters: Mapping[int, str] = WITHOUT_MARKS) -> str:
    """Lower case without marks; ``letters`` says how those are written that have no mark to lose."""
    plain = unicodedata.normalize("NFC", text.casefold()).translate(letters).translate(WITHOUT_MARKS)
    if plain.isascii():
        return plain
    return "".join(c for c in unicodedata.normalize("NFKD", plain) if not unicodedata.combining(c))


def _mended(text: str) -> str:
    """UTF-8 that was read as Latin-1, as where the file names no or a wrong character set."""
    try:
        return text.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return text


def _parts(folded: str) -> list[str]:
    return [part for part in re.split(r"[\W_]+", folded) if part]


def _squeezed(folded: str) -> str:
    return "".join(_parts(folded))
