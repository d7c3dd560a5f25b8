"""What is said to be a patient's: values behind labels ("Patient's name:", "MRN", "geb."), and below them.

A label is a word, in many languages (:mod:`headct.provenance.label_words`), that says what follows it. It is
no finding by itself: only a value that can be what the label says is one, within a line, a tag or a field
further, or below it in a table. Ids that count (scan-0012, patient-0456) and words for what was taken away
(ANONYMOUS, removed) are no values.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache

from pydicom.datadict import tag_for_keyword

from headct.contracts.untrusted import Unusable
from headct.imaging import identifiers
from headct.imaging.identifiers import GENERIC
from headct.provenance import days, label_words, names_in_paths
from headct.provenance.letters import WITHOUT_PARTS
from headct.provenance.letters import WORD as ONE_WORD


@cache
def _small(character: str) -> str:
    """A letter as a small one, without its marks in Latin and Greek, so that those of Latin are ASCII."""
    small = unicodedata.normalize("NFD", character.lower())
    return (small if len(small) > 1 and small[0] < "\u0400" else character.lower())[0].translate(
        WITHOUT_PARTS
    )


def _stems(words: str) -> tuple[str, ...]:
    """Each stem in each way that its words are joined, in the characters that texts are composed of."""
    found: dict[str, None] = {}
    for word in unicodedata.normalize("NFKC", words).split():
        forms = (
            {word.replace("_", joint) for joint in ("", " ", "_", "-")}
            if "_" in word.strip("_")
            else {word.replace("_", " ")}
        )
        found.update(dict.fromkeys("".join(map(_small, form)) for form in sorted(forms)))
    return tuple(found)


WORD = re.compile(rf"{ONE_WORD}(?:['’][^\W\d_]+)*")
TAG = re.compile(r"</?[a-zA-Z][\w:-]*(?:\s[^<>]{0,200}=[^<>]{0,200})?\s?/?>")
REACH = 160
"""Characters behind a label in which its value begins and ends."""
REACH_BEFORE = 60
"""Characters before it in which its line says more of it."""
MOST_LABELS, MOST_ROWS = 500_000, 100_000
"""In one text, and below one label of a table."""
HEXADECIMAL = re.compile(r"(?=[a-f0-9]*\d)[a-f0-9]{8,}(?![^\W_])")
BASE_64 = re.compile(r"[a-z0-9+/]{40}")
NOT_ASCII = re.compile(r"[^\x00-\x7f]")
QUOTED = re.compile(r'"[^"]{0,400}"')
"""A field of a table in which its delimiter may stand."""
IN_BRACKETS = re.compile(r"\((?!at\))\w{1,12}\)|\([^\W\d][^()\d\n]{0,60}\)(?=\s?:)")
"""What explains a label: MRN (medical record number): …"""
DELIMITERS = "\t,;|"
COUNTED = re.compile(
    rf"(?:(?:{'|'.join(sorted(GENERIC))}|sub|ses|id|p|s)[-_ ]?\d{{1,5}}(?![-.]?\d)[-_ ]?)+", re.IGNORECASE
)
"""How studies name their own scans and participants: scan-0012."""
NUMBER_VALUE = re.compile(r"(?:[^\W\d_]{1,6}[ .:/-]{0,2})?\d\w*(?:[ ./-]?\w*\d\w*)*")
PHONE_VALUE = re.compile(r"[+(]{0,2}\d(?:[ ()./-]{0,3}\d){6,14}(?!\d)")
YEARS = re.compile(r"(?:19|20)\d\d ?[-/] ?(?:19|20)\d\d")
MAIL_VALUE = re.compile(r"[\w.+-]{1,64}(?:@| ?[\[(]at[\])] ?)[\w-]{1,63}\.[\w.-]{1,63}")
ROLES = re.compile(
    r"(?i)(?:bugs?|issues?|support|info|maint|contact|admin|help|devel|no-?reply|licen|security|team|office)"
)
"""How e-mail addresses begin that are of nobody."""
OF_AUTHORS = re.compile("|".join(label_words.OF_AUTHORS.split()))
NOT_BEFORE_EXAMS = re.compile("|".join(label_words.NOT_BEFORE_EXAMS.split()))
NOT_A_PLACE = re.compile(r"://|@|=>|\(\)|\b0x|\d+\.\d+\.\d+\.\d+|(?:[0-9a-f]{2}:){3}", re.IGNORECASE)
NAMED = re.compile(
    r"name=(?<![\w-]name=)[\"']([^\W\d_a-z][^\W\d_A-Z]+(?:[ -][^\W\d_a-z][^\W\d_A-Z]{2,}){1,2})[\"']"
)
"""A name of two words or three as the value of an attribute of a page."""
POSTCODE = re.compile(r"\b(?:[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2}|[A-Z]\d[A-Z] ?\d[A-Z]\d|\d{4} ?[A-Z]{2})\b")
"""Of Great Britain, Canada and the Netherlands, which point at a street."""
SAYS_NUMBER = re.compile(label_words.NUMBER_WORDS)
SAYS_NUMBER_BEFORE = re.compile(rf"(?:{label_words.NUMBER_WORDS})\w*\W{{0,3}}(?:d\w{{1,2}}\W)?$")
"""As in «رقم المريض» and «codice del paziente»."""
SAYS_NAME = re.compile(label_words.NAME_WORDS)
KEYWORD = re.compile(
    r"(?<=[a-z])(?!(?:ID|Id|Nr|No|Num|Key|Ref)(?![a-z])|Name|Tel|Number|Nummer|Phone|Mail|Email|Surname|Last|First"
    r"|Family|Given|Full|Middle|Maiden|Contact|Home|Work|Cell|Mobile|Code|File|Record)[A-Z][a-z]+"
)
"""How words go on that say something else of a patient (PatientIdentityRemoved, PatientBirthDate)."""
MANY = re.compile(
    r"patients(?!')|patienten\b|patienter\b|pacientes|pacientů|pacienți|pazienti|pacjenci|pacjentów|пациенты|пациентов"
    r"|מטופלים|hastalar|potilai|betegek"
)
"""Of many patients no name follows."""
SHORTEST_NUMBER, LONGEST_NUMBER = 4, 30
"""Digits, and characters, of a number that can be a hospital's."""
SHORTEST_LOOSE = 6
"""Digits of such a number behind a word that has other meanings as well."""
SHORTEST_NATIONAL, DIGITS_OF_DAY = 7, 8
"""Digits of such a number that ends or begins with a letter, and of one that could be a day."""
NATIONAL_NUMBER = re.compile(r"[A-Z]{0,4}\d[\d ./+-]*(?:[A-Z]{1,2}\d{1,4})?[A-Z]?")
"""Digits with few letters before, among or behind them, as 131052A308T, X1234567L, 12345678 9 ZZ4."""
DECIMAL_OR_DAY = re.compile(r"\d+\.\d{5,}(?!\d)|(?:19|20)\d\d([-./])\d\d\1\d\d(?!\d)")
"""What is written as such a number and is none: a measure (chi 3.84145882), and a day with its time."""
LAST_PROCESS = 4_194_304
"""The highest number of a process (Linux, PID_MAX_LIMIT)."""
INTERNET = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}(?!\d)")
"""The address of a computer."""
SPACED_SCRIPTS = ("\u0530", "\u0dff")
"""Between Armenian and Sinhala: scripts without capitals that part words by blanks."""
IS_SAID = re.compile(r"は(?=[\u4e00-\u9fff\u30a0-\u30ff])")
"""The particle between what is spoken of and what is said, before a name or a word."""
OF_CITATION = re.compile(r"(?:family|given)-names")
"""Keys of CITATION.cff, for authors of software."""
OF_SOMEBODY = re.compile(
    r"(?:patient|person|subject|participant|contact|guardian|practitioner|name)[\"']?\s?[:>]\s*"
    r"(?:[\[{<]|(?<=\n)\s*)[^;<}]*(?:<\W?\w+>[^;<}]*)*$"
)
"""Before a part of a name: what it is a part of."""
GIVEN_LIST = re.compile(r"given[\"']?\s?:\s*\[")
OF_PROCESSES = re.compile(label_words.PROCESSES)
ARROWS = ("->", "=>", "→", "⇒")
ARROW = re.compile(
    rf"(?:{'|'.join(ARROWS)})\s?[\"']?(?=(?:{'|'.join(sorted(GENERIC))}|sub|ses)[-_ ]?\d{{1,6}}(?!\d))"
)
NAME_BEFORE = re.compile(r"([^\W\d_a-z][\w'’-]+,? [^\W\d_a-z][\w'’.-]*)[\"']?\s{0,2}-{0,2}$")
NUMBER_BEFORE = re.compile(r"(?<![\w.-])([A-Za-z]{0,4}\d{6,12})[\"']?\s?-{0,2}$")
AGE = re.compile(r"Y(?:(?<=\d\dY)|(?<=\d\d Y))(?![a-z])")
NAME_WITH_COMMA = re.compile(
    r"([^\W\d_a-z][\w'’-]+, ?[^\W\d_a-z][\w'’-]+|[A-Z]{3,} [A-Z]{3,})[ ,;/()MFmf-]{1,8}0?\d{2,3} ?$"
)
SMALL_NAME = re.compile(r"([a-z]{3,15})[ ,_]{1,2}([a-z]{3,15})(?![^\W_])")
BESIDE_IN_NAMES = re.compile(r"[ ,._-]{1,2}")
SHORT_DAY = re.compile(r"(?<![\w./-])\d{1,2}([./-])\d{1,2}\1\d\d(?![\w./-]*\d)")


NATIONAL = _stems(label_words.NATIONAL)
WHOLE, FILLERS = frozenset((*label_words.WHOLE.split(), *NATIONAL)), frozenset(_stems(label_words.FILLERS))
HONORIFICS, PARTICLES = frozenset(label_words.HONORIFICS.split()), frozenset(label_words.PARTICLES.split())
NO_NAMES = GENERIC | frozenset(label_words.NO_NAMES.split())
NOBODY = NO_NAMES.difference(["doe"]).union(label_words.PHANTOMS.split())
"""Words of which nobody's name consists as a whole."""
NO_NAMES_JOINED = tuple(word for word in NO_NAMES if word[0] >= "\u3040")
"""Those of scripts without spaces, which go on with other words."""


@dataclass(frozen=True)
class Labelled:
    """A place behind a label.

    Args:
        label: with the words that follow it and are no value, in small letters.
        text: what follows these.
        below: whether the text is a field below the label.
        written: the label alone, as it is written.
        before: the words before it in its line, in small letters.
        above: what precedes it, in lines before as well, in small letters.
    """

    label: str
    text: str
    below: bool
    written: str = ""
    before: str = ""
    above: str = ""


@dataclass(frozen=True)
class LabelKind:
    """What labels say that follows them.

    Args:
        what: it is, in the words of a finding.
        stems: of the labels, in small letters.
        value: such a value at the beginning of what is said, "" if there is none.
    """

    what: str
    stems: tuple[str, ...]
    value: Callable[[Labelled], str]


def said_in(text: str) -> Iterator[tuple[str, str]]:
    """What stands behind or below labels: in words what it is, and the value, of a day as YYYY-MM-DD.

    Args:
        text: in composed characters (NFKC).
    """
    for name in itertools.chain(_renamed(text), _aged(text)):
        yield "holds what is said to be a patient's name", name
    for named in NAMED.finditer(text):
        words = re.split("[ -]", named[1])
        if not (names_in_paths.is_of_nobody(words) or any(word.lower() in NO_NAMES for word in words)):
            yield "holds what is said to be a patient's name", named[1]
    plain = text.isascii()
    small = text if plain else NOT_ASCII.sub(lambda letter: _small(letter[0]), text)
    lower = small.lower()  # places are the same in both
    hits = itertools.chain(PLAIN.finditer(lower), () if plain else OTHER.finditer(lower))
    for number, hit in enumerate(hits):
        if number == MOST_LABELS:
            raise Unusable(f"holds more than {MOST_LABELS} labels, and was not searched to its end")
        for stem in PREFIXES[hit[0]]:
            if _begins_a_word(text, hit.start(), stem):
                for kind in KINDS_OF[stem]:
                    for value in _values(text, lower, hit.start(), stem, kind):
                        yield kind.what, value


def _renamed(text: str) -> Iterator[str]:
    """A name of two words, or a number, before an arrow to how a study counts: "Jane Doe" -> scan-0012."""
    for arrow in ARROW.finditer(text) if any(one in text for one in ARROWS) else ():
        before = NAME_BEFORE.search(text, max(arrow.start() - 64, 0), arrow.start())
        if before and not names_in_paths.is_of_nobody(re.findall(r"[^\W\d_]+", before[1])):
            yield before[1]
        if number := NUMBER_BEFORE.search(text, max(arrow.start() - 24, 0), arrow.start()):
            yield number[1]


def _aged(text: str) -> Iterator[str]:
    """Two words before an age, as scanners write them onto images: DOE, JANE  067Y F."""
    for age in AGE.finditer(text):
        before = NAME_WITH_COMMA.search(text, max(age.start() - 64, 0), age.start())
        if before and not names_in_paths.is_of_nobody(re.findall(r"[^\W\d_]+", before[1])):
            yield before[1]


def _begins_a_word(text: str, place: int, stem: str) -> bool:
    """Long labels, and those of scripts without spaces, count within a word, too."""
    if place == 0 or not stem[0].isascii() or (len(stem) > 6 and not stem.startswith("pt")):
        return True
    before = text[place - 1]
    is_inner = before.isalnum() and not (before.islower() and text[place].isupper())  # homePhone
    return not is_inner and not BASE_64.fullmatch(text[max(place - 20, 0) : place + 20].lower())


def _values(text: str, lower: str, start: int, stem: str, kind: LabelKind) -> Iterator[str]:
    end = start + len(stem)
    if _goes_on_as_another_word(text, start, end, stem):
        return
    while end < len(text) and _is_inner(stem[-1], text[end]):
        end += 1  # to the end of the word
    if counted := COUNTED.match(text, start):  # patient-0456, of which something may be said
        end = max(end, counted.end())
    line_end = _line_end(text, end)
    behind = text[end : min(line_end, end + REACH)]
    if text[start - 1 : start] == "<" and ">" in behind:  # <PatientID root="hospital">
        behind = behind.partition(">")[2]
    names_nobody = not behind.strip() and stem not in PATIENTS
    if names_nobody or re.fullmatch(r"(?s)\W*[:=>]\W*", behind):
        behind = text[end : end + REACH]  # the value stands in the next line
    if text[start - 1 : start] == "(":  # 0041-77-8853 (MRN)
        words = text[max(start - REACH, 0) : start - 1].rpartition("\n")[2].split()[-2:]
        behind = words[-1] if words and re.search(r"\d", words[-1]) else " ".join(words)
    skipped, rest = _without_fillers(IN_BRACKETS.sub(" ", TAG.sub(" ", behind), count=1))
    before = lower[max(start - REACH_BEFORE, 0) : start].rpartition("\n")[2]
    within = re.findall(r"\w*$", before[-20:])[0] if stem not in PATIENTS else ""
    above = lower[max(start - REACH, 0) : start]
    here = Labelled(within + lower[start:end] + skipped, rest, False, text[start:end], before, above)
    if value := kind.value(here):
        yield value
        return
    for cell in _below(text, start, line_end):
        if value := kind.value(replace(here, text=cell, below=True)):
            yield value
            return


def _goes_on_as_another_word(text: str, start: int, end: int, stem: str) -> bool:
    """Whether a label is the beginning of something else: example, a digest, PatientIdentityRemoved."""
    if stem in WHOLE:
        digest = HEXADECIMAL.match(text, start)
        return text[end : end + 1].isalpha() or (digest is not None and not digest[0][len(stem) :].isdigit())
    return stem in PATIENTS and KEYWORD.match(text, end) is not None


def _is_inner(last: str, following: str) -> bool:
    """Whether a letter goes on with the word of a label; scripts without spaces have no such words."""
    if SPACED_SCRIPTS[0] <= last <= SPACED_SCRIPTS[1]:
        return following.isalpha() or unicodedata.category(following) in ("Mn", "Mc")
    return last.islower() and (following.islower() or following in "_'’")


def _without_fillers(text: str) -> tuple[str, str]:
    """The words between a label and its value, in small letters, and what follows them."""
    end = 0
    for match in WORD.finditer(text):
        if not _is_filler(match[0]) or COUNTED.match(text, match.start()):
            return text[:end].lower() + text[end : match.start()], text[match.start() :]
        end = match.end()
    return text.lower(), ""


def _is_filler(word: str) -> bool:
    """Whether a word says no more than a label before it: "of", "number", the word for a patient."""
    small = "".join(map(_small, word))
    is_one_word = word[1:] == word[1:].lower() or word.isupper()  # unlike PatientBirthDate
    return small in FILLERS or (is_one_word and small.startswith(PATIENTS) and not MANY.match(word.lower()))


def _below(text: str, start: int, line_end: int) -> Iterator[str]:
    """The fields below a place, if it is in the head of a table: the first of lines with as many fields."""
    line_start = text.rfind("\n", 0, start) + 1
    delimiter = next((one for one in DELIMITERS if text.find(one, line_start, line_end) >= 0), "")
    if not delimiter or line_end == len(text):
        return
    count = text.count(delimiter, line_start, line_end)
    before = text.rfind("\n", 0, max(line_start - 1, 0)) + 1
    if line_start and text.count(delimiter, before, line_start) == count:
        return
    column = text.count(delimiter, line_start, start)
    for _ in range(MOST_ROWS):
        row = text[line_end + 1 : (line_end := _line_end(text, line_end + 1))]
        if '"' in row:
            row = QUOTED.sub(lambda field: field[0].replace(delimiter, " "), row)
        fields = row.split(delimiter)
        if len(fields) != count + 1:
            return
        yield fields[column].strip(" \"'\r")


def _line_end(text: str, place: int) -> int:
    found = text.find("\n", place)
    return len(text) if found < 0 else found


def _is_name_word(word: str) -> bool:
    """Whether a word is written as a part of a name: with a capital, or in a script that has none."""
    first = word[0]
    if any(c.isdigit() for c in word) or word.lower() in NO_NAMES or word.lower().startswith(PATIENTS):
        return False
    if word.startswith(NO_NAMES_JOINED + NAMES_JOINED) or len(re.findall("[a-z][A-Z]", word)) > 1:
        return False
    if "".join(map(_small, word)) in NAMES:
        return False  # one label behind another, as in the list of them that an older release has
    return first.isupper() or (not first.islower() and len(word) > 1) or word[:2].lower() in ("d'", "d’")


def _name(here: Labelled) -> str:
    """A name: two words of one, or one where the label is of names only or its script has no capitals."""
    if OF_CITATION.match(here.label):
        return ""
    text = IS_SAID.sub("", here.text[:80], count=1)
    words: list[str] = []
    is_addressed = False
    for match in WORD.finditer(text):
        word = match[0]
        if word.lower().rstrip(".") in HONORIFICS | PARTICLES and not words:
            is_addressed |= word.lower() in HONORIFICS
            continue
        if word.lower() in PARTICLES and words:
            continue
        if not _is_name_word(word):
            break
        words.append(word)
    if not words:
        return _small_name(here)
    uncased = not words[0][0].isupper() and not words[0][0].islower()
    if uncased and SAYS_NUMBER.search(words[0]):
        return ""
    says_all = not here.label.startswith(PATIENTS) or SAYS_NAME.search(here.label) or is_addressed
    beside = (word for word in WORD.findall(here.text) if word.lower() not in HONORIFICS | PARTICLES)
    if here.below and len(words) < sum(1 for _ in beside):
        return ""  # a sentence
    if MANY.match(here.label) and not re.search(r"[:=/\\]", here.label):
        return ""
    return " ".join(words) if len(words) >= (1 if uncased or says_all else 2) else ""


def _small_name(here: Labelled) -> str:
    """A name in small letters, which is told by a frequent given name; behind a colon or in a table."""
    name = SMALL_NAME.match(here.text)
    if (
        not name
        or not (here.below or re.search("[:=]", here.label))
        or not NO_NAMES.isdisjoint(name.groups())
    ):
        return ""
    return name[0] if names_in_paths.has_frequent_name(name[1], name[2]) else ""


def _titled(here: Labelled) -> str:
    """A name behind a title that is written as such: Mr, and neither MR nor mr."""
    if here.written.isascii() and (not here.written[0].isupper() or here.written[1:2].isupper()):
        return ""
    words = _words_of_name(here.text)
    return " ".join(words) if words and not any(map(names_in_paths.is_of_files, words)) else ""


def _name_of_somebody(here: Labelled) -> str:
    """Two words and more behind a label of things as well, of which none is a thing's, and no sentence."""
    if here.before[-1:].isalnum() or re.search("[\"']", here.label):
        return ""  # within a word, or a value of JSON and of pages
    words = _words_of_name(here.text)
    if not words and here.written == "name=":
        return _small_name(here)
    if here.written[-1] in DELIMITERS and not (
        here.below and names_in_paths.has_frequent_name(*map(str.lower, words))
    ):
        return ""
    if not 2 <= len(words) <= 4 or max(map(len, words)) < 4 or names_in_paths.is_of_nobody(words):
        return ""
    rest = here.text[here.text.find(words[-1]) + len(words[-1]) :]
    return "" if re.match(r"[ _-]{0,2}[a-z](?!\w{0,20}=)|[\w(/\\@^.]", rest) else " ".join(words)


def _name_in_structure(here: Labelled) -> str:
    """A part of a name in JSON, YAML or XML, in what is said of somebody who wrote no software."""
    words = _words_of_name(here.text)
    if here.before.endswith(("-", "\\")) or not words or any(map(names_in_paths.is_of_files, words)):
        return ""
    is_list = GIVEN_LIST.match(here.label)  # as HL7's HumanName has it
    if not is_list and (not OF_SOMEBODY.search(here.above) or OF_AUTHORS.search(here.above)):
        return ""
    return " ".join(words) if len(words) >= (2 if here.label.startswith("display") else 1) else ""


def _words_of_name(text: str) -> list[str]:
    """The words at the beginning of a text that are written as a name's, beside each other."""
    words: list[str] = []
    end = 0
    for match in WORD.finditer(text[:80]):
        if not words and match[0].lower() in HONORIFICS:
            continue
        if words and not BESIDE_IN_NAMES.fullmatch(text[end : match.start()]):
            break
        if not _is_name_word(match[0]):
            break
        words.append(match[0])
        end = match.end()
    return words


def _number(here: Labelled, shortest: int = SHORTEST_NUMBER) -> str:
    """A number of at least some digits that is not how studies count."""
    if here.label.startswith(PATIENTS):
        if not (SAYS_NUMBER.search(here.label) or SAYS_NUMBER_BEFORE.search(here.before)):
            return ""
        if MANY.match(here.label) and not re.search(r"[/\\]", here.label):
            return ""
    match = NUMBER_VALUE.match(here.text.lstrip("#№ :"))
    if (
        not match
        or len(match[0]) > LONGEST_NUMBER
        or COUNTED.match(here.text)
        or match[0].startswith("0.")
        or (here.label.startswith("pid") and _can_be_of_a_process(here, match[0]))
        or sum(c.isdigit() for c in match[0]) < shortest
    ):
        return ""
    return match[0]


def _can_be_of_a_process(here: Labelled, number: str) -> bool:
    """Whether the number is one that a system gives, or what stands beside it is of processes."""
    if not number.isdigit() or number.startswith("0"):
        return False
    beside = f"{here.before} {here.text[len(number) :][:24].lower()}"
    return int(number) <= LAST_PROCESS or OF_PROCESSES.search(beside) is not None


def _long_number(here: Labelled) -> str:
    """One of many digits, and neither a day nor a computer's address."""
    if INTERNET.match(here.text) or any(days.days_at(here.text)):
        return ""
    return _number(here, SHORTEST_LOOSE)


def _national(here: Labelled) -> str:
    """One as states number people: of eight digits and more, or seven and a letter, and no day."""
    number = _number(here, SHORTEST_NATIONAL)
    n_digits = sum(c.isdigit() for c in number)
    if not NATIONAL_NUMBER.fullmatch(number) or INTERNET.match(here.text) or DECIMAL_OR_DAY.match(number):
        return ""
    if n_digits <= DIGITS_OF_DAY and any(days.days_at(number)):
        return ""
    return number if n_digits > SHORTEST_NATIONAL or number[0].isalpha() or number[-1].isalpha() else ""


def _phone(here: Labelled) -> str:
    found = PHONE_VALUE.match if here.label.startswith(PATIENTS) else PHONE_VALUE.search
    match = found(here.text[:32])
    return match[0] if match and not YEARS.fullmatch(match[0]) else ""


def _mail(here: Labelled) -> str:
    match = MAIL_VALUE.search(here.text[:80])
    if not match or ROLES.match(match[0]):
        return ""
    is_of_author = OF_AUTHORS.search(f"{here.before} {here.label} {here.text[: match.start()].lower()}")
    return "" if is_of_author else match[0]


def mails_in(text: str) -> list[str]:
    """The e-mail addresses in a text, but those of roles (support@…)."""
    found = [match[0] for match in MAIL_VALUE.finditer(text)]
    return [mail for mail in found if not ROLES.match(mail)]


def _address(here: Labelled) -> str:
    """A place: a word with a capital, or of a script without, and the number of a house."""
    place = here.text[:70]
    if here.label.startswith("street") and not here.below and not re.search('[:="]', here.label):
        return ""  # within an address of somebody
    if POSTCODE.search(place):
        return place
    if NOT_A_PLACE.search(place) or not re.search(r"\d", place):
        return ""
    words = [word for word in WORD.findall(place) if len(word) > 2 and _is_name_word(word)]
    words += re.findall(r"[\u3040-\u9fff\uac00-\ud7af]{2,}", place)
    return place if words else ""


def day(here: Labelled) -> str:
    """A day at the beginning, or, of four-digit year, soon after."""
    of_birth = here.label.startswith(BIRTHS)
    if not of_birth and NOT_BEFORE_EXAMS.search(f"{here.before[-24:]} {here.label} {here.text[:16].lower()}"):
        return ""
    start = here.text[:60]
    short = SHORT_DAY.search(start)
    found = itertools.chain(
        days.days_at(here.text),
        (one for _, one in days.days_in(start)),
        days.days_at(short[0]) if short and not re.search("(?i)ver|soft", start[: short.start()]) else (),
        days.days_of_six_digits(here.text) if of_birth else (),
    )
    return next((one.isoformat() for one in found), "") or _seconds(here)


def _seconds(here: Labelled) -> str:
    """A day counted in seconds or days, or written in words; the text itself."""
    number = re.match(r"\d{9,10}(?!\d)|\d{4}[.-]\d{3}(?!\d)", here.text)
    if number:
        return number[0]
    words = [word for word in WORD.findall(here.text[:60].lower()) if len(word) > 3]
    in_words = here.label.startswith(BIRTHS) and any(word in days.MONTH_OF for word in words)
    return here.text[:60] if in_words else ""


def is_withheld(value: str) -> bool:
    """Whether a value is a word for what was taken away, or an id of this study."""
    return value.lower() in NO_NAMES or COUNTED.fullmatch(value) is not None


def attribute(here: Labelled) -> str:
    """Anything that is no word for a value that was taken away."""
    word = WORD.match(here.text)
    if (
        not word
        or word[0].lower() in NO_NAMES
        or COUNTED.fullmatch(word[0])
        or re.fullmatch(r"00[0-9a-fA-F]{6}", word[0])
        or re.search(r"\[\]|\"\"|''", here.label)
        or tag_for_keyword(word[0])
    ):
        return ""
    marked = re.search(r"[:=>\[\t|]", here.label) or here.below
    number = NUMBER_VALUE.match(here.text)
    n_digits = sum(c.isdigit() for c in number[0]) if number else 0
    telling = word[0][0].isupper() or n_digits >= SHORTEST_NUMBER
    return word[0] if marked or telling else ""


NAMES = frozenset(_stems(label_words.NAME))
NAMES_JOINED = tuple(word for word in NAMES if word[0] >= "\u3040")
PATIENTS, BIRTHS = _stems(label_words.PATIENT), _stems(label_words.BIRTH)
"""How labels of a patient's name and of a birth begin."""
TIMES = "studytime seriestime acquisitiontime contenttime patientbirthtime"
KINDS = (
    LabelKind("holds what is said to be a patient's name", PATIENTS + _stems(label_words.NAME), _name),
    LabelKind("holds what is said to be a patient's name", _stems(label_words.TITLE), _titled),
    LabelKind(
        "holds what is said to be a patient's name",
        (
            *_stems(label_words.MARKED_NAME),
            *(f"{word}{delimiter}" for word in label_words.HEADS.split() for delimiter in DELIMITERS),
        ),
        _name_of_somebody,
    ),
    LabelKind(
        "holds what is said to be a patient's name", _stems(label_words.IN_STRUCTURE), _name_in_structure
    ),
    LabelKind("holds what is said to be a patient's number", PATIENTS + _stems(label_words.NUMBER), _number),
    LabelKind("holds what is said to be a patient's number", _stems(label_words.LOOSE_NUMBER), _long_number),
    LabelKind("holds what is said to be a patient's number", NATIONAL, _national),
    LabelKind("holds what is said to be a telephone number", PATIENTS + _stems(label_words.PHONE), _phone),
    LabelKind("holds an e-mail address of a patient", PATIENTS + _stems(label_words.MAIL), _mail),
    LabelKind("holds what is said to be an address", _stems(label_words.ADDRESS), _address),
    LabelKind("holds what is said to be a date of birth", _stems(label_words.BIRTH), day),
    LabelKind("holds what is said to be the date of an examination", _stems(label_words.EXAM), day),
    LabelKind(
        "gives a DICOM attribute that identifies patients",
        (*map(str.lower, identifiers.POINTING_KEYWORDS), *TIMES.split()),
        attribute,
    ),
)


def _either(stems: Iterable[str]) -> str:
    """A regular expression for the longest of some texts, which looks at each letter once."""
    by_letter: dict[str, list[str]] = {}
    for stem in stems:
        by_letter.setdefault(stem[:1], []).append(stem[1:])
    ends = by_letter.pop("", None)
    branches = "|".join(re.escape(letter) + _either(rest) for letter, rest in by_letter.items())
    if not branches:
        return ""
    return f"(?:{branches}){'?' if ends else ''}"


KINDS_OF: dict[str, list[LabelKind]] = {}
for _kind in KINDS:
    for _stem in _kind.stems:
        KINDS_OF.setdefault(_stem, []).append(_kind)
PREFIXES = {stem: [stem[:n] for n in range(1, len(stem) + 1) if stem[:n] in KINDS_OF] for stem in KINDS_OF}
PLAIN = re.compile(_either(filter(str.isascii, KINDS_OF)))
OTHER = re.compile(_either(stem for stem in KINDS_OF if not stem.isascii()))
"""The labels in ASCII, and those that begin with a letter of another script, which pass ASCII quickly."""


def behind_tag(text: str, end: int) -> Labelled:
    """What is said behind a DICOM tag that ends at a place of a text."""
    skipped, rest = _without_fillers(text[end : end + REACH].partition("\n")[0])
    return Labelled(skipped or ":", rest, below=False)
