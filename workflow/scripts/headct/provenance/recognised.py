"""What identifies a person by its form: names as DICOM writes them, unique identifiers, days, labels."""

from __future__ import annotations

import html
import itertools
import re
import unicodedata
from collections.abc import Iterable, Iterator
from urllib.parse import unquote

from pydicom.datadict import tag_for_keyword

from headct.imaging import identifiers
from headct.provenance import days, days_of_software, in_sql, names_in_paths, said_of_patients
from headct.provenance.letters import LETTER, MARKS
from headct.provenance.texts import Fragment

UID = re.compile(r"\.(?<=[0-2].)(?<!\d..)(?<!\d\...)(?:0|[1-9]\d*)(?:\.(?:0|[1-9]\d*))+(?!\.?\d)")
"""All but its first digit, since points are rare among digits. Behind letters as well, as in names of files
(CT.1.2.840…, MR1.3.12…).
"""
JOINED_UID = re.compile(r"_(?<=[0-2].)(?<!\d..)(?<!\d_..)(?:0|[1-9]\d*)(?:_(?:0|[1-9]\d*)){4,}(?!\d)")
"""The same as it stands in names of files and of things in pages."""
DASHED_UID = re.compile(r"-(?<=[12]-)(?<!\d..)(?<!\d-..)[1-9]\d*(?:-(?:0|[1-9]\d*)){3,}(?!\d)")
"""The same; under the roots of makers and hospitals only, since lists and days are written so."""
RANDOM_UIDS = tuple(re.compile(rf"{j}25{j}(?<=2{j}25{j})(?<!\d.{{5}})\d{{20,39}}(?!\d)") for j in "-_")
"""The same, of the random root."""
ROOTS = (
    "1.2.840.",
    "1.2.826.",
    "1.2.276.",
    "1.2.392.",
    "1.2.752.",
    "1.3.6.1.4.1.",
    "1.3.12.2.",
    "1.3.46.670589.",
    "1.3.76.",
    "2.16.",
)
"""Under which makers and hospitals form theirs; below other ones six components are asked for."""
RANDOM_ROOT = "2.25."
FEWEST, FEWEST_AT_ROOT, SHORTEST, LONGEST = 6, 5, 14, 64
NOT_OF_PATIENTS = (
    "1.2.840.10008.",
    "1.2.840.113549.",
    "1.2.840.10045.",
    "1.2.840.10040.",
    "1.2.840.113533.",
    "1.3.6.1.2.1.",
    "1.3.6.1.5.5.",
    "1.3.6.1.4.1.311.",
    "1.3.6.1.4.1.11129.",
    "2.16.840.1.101.3.4.",
    "2.16.840.1.113730.",
    *(f"2.16.840.1.113883.{branch}." for branch in (5, 6, 10, 11, 12, 18)),
    "1.2.276.0.7230010.3.0.",
    "1.2.826.0.1.3680043.8.498.1.",
    "1.2.826.0.1.3680043.2.1143.107.",
    "1.2.40.0.13.1.1.",
)
"""What DICOM itself defines (classes, transfer syntaxes), what ciphers and networks do, systems of codes of
HL7's (LOINC, SNOMED), and by what writers of DICOM name themselves (DCMTK, pydicom, GDCM, dcm4che)."""

QUOTED = re.compile(r"%(?:2[Ee]|5[Ee]|20|2C|2F|3A|40|[C-Ec-e][0-9A-Fa-f]%)")
"""What matters of the escapes of addresses: a point, a caret, a blank, a letter beyond ASCII; and a comma, a
slash, a colon and an at sign, which stand in capitals, since programs have %2f for a number.
"""
_FIELD = r"[\w.+\[\]%-]{1,40}="
QUERY, FURTHER = (re.compile(rf"{sign}{_FIELD}[^\s\"'<>`]{{0,2000}}") for sign in (r"\?", "&"))
"""The fields of a form in an address, and from the second on in what is sent of one."""
FIRST_FIELD, LONGEST_FIRST = re.compile(rf"{_FIELD}[^\s&\"'<>`=]{{1,400}}$"), 441
QUOTED_DIGEST, ANY_ID = re.compile(r'"[0-9a-f]{64}"'), f'"{"y0" * 32}"'
"""SHA-256 as records have it by the hundred, and what is read in its place: as many letters and digits, among
which no label, name, day or number begins, so that they are passed in half of the time.
"""
DIGIT = re.compile(r"[^\W\D\x00-\x7f]")
"""Of a script that has its own."""
DASHES = [chr(code) for code in (*range(0x2010, 0x2016), 0x2212)]
CARET = re.compile(r"\\\^\{\}|\\textasciicircum(?:\{\})?|\\\^")
NAME = re.compile(rf"\^(?:(?<={LETTER}\^)|(?<=[{MARKS}.]\^))\^*{LETTER}")
FAMILY, GIVEN = re.compile(rf"[\w'’.{MARKS}-]*$"), re.compile(rf"[\w'’.{MARKS}-]*")
ENDS_ALONE = re.compile(r"\^(?<!\^\^)\^{0,3}(?![^\s\"'<,;|])")
ALONE = re.compile(rf"(?<![^\s\"'=>:,;|\\])(?:[A-Z]{{3,64}}|(?![a-z])(?:{LETTER}|[{MARKS}]){{4,64}})$")
"""A family name alone, as headers have it whose other parts are empty."""
MARKUP = r"(?:</?[a-zA-Z][^<>]{0,80}>|\s){1,4}"
THEN_APART = re.compile(rf"\^(?<!\w\^){MARKUP}?(?=[^\W\d_a-z])({LETTER}{{3,64}})")
APART_BEFORE = re.compile(rf"((?![a-z]){LETTER}{{3,64}}){MARKUP}$")
"""Words with blanks or tags of a page around the caret."""
LONGEST_APART = 400
"""Characters of a word and of tags beside a caret."""
CODES = frozenset(
    [
        "SRT",
        "SCT",
        "DCM",
        "LN",
        "UCUM",
        "RADLEX",
        "SNM3",
        "FMA",
        "UMLS",
        "NCIt",
        "LOINC",
        "SNOMED",
        "IBSI",
        "MESH",
    ]
)
"""Schemes of codes, which stand beside a code or its meaning (DICOM PS3.16, HL7's CE, 3D Slicer)."""
CODE = re.compile(r"[A-Z]-[\dA-F]{5}|RID\d{3,6}|C\d{5,7}")
"""A code of SNOMED RT, RadLex, UMLS or of the thesaurus of NCI: T-D0050."""
LONGEST_NAME = 64
"""Characters of a part of a name in DICOM (PS3.5, table 6.2-1)."""
STEEPEST = 5
"""Between the codes of letters that follow each other, in smooth pictures."""


def tags_as_written(tags: Iterable[int]) -> re.Pattern[str]:
    """As programs that print headers write tags, and ITK into the headers of NRRD and MetaImage: 0010|0010.

    Args:
        tags: of groups below 0100, so that all begin with the same digits, by which they are found quickly.
    """
    written = [f"{tag >> 16:04x}[|,_]? ?{tag & 0xFFFF:04x}" for tag in tags]
    in_any_case = [
        re.sub("[a-f]", lambda letter: f"[{letter[0]}{letter[0].upper()}]", one) for one in written
    ]
    behind = "|".join(one.removeprefix("00") for one in in_any_case)
    return re.compile(rf"00(?<!\d..)(?:{behind})(?![0-9a-fA-F])")


DAY_TAG = tags_as_written((0x00080012, *range(0x00080020, 0x00080024), 0x0008002A, 0x00100030, 0x00400244))
IDENTIFYING_TAG = tags_as_written(tag_for_keyword(keyword) or 0 for keyword in identifiers.POINTING_KEYWORDS)

FAMILY_GIVEN = re.compile(
    rf"{LETTER}[\w'’-]+, {LETTER}{{2,}}|[\u0386-\u1fff]{{2,}}(?:[ _-][\u0386-\u1fff]+){{1,3}}(?![^\W\d_])"
)
"""Names of files that people are filed by: "Family, Given", or words of a script other than Latin."""

UID_FOUND = "holds a DICOM unique identifier (UID)"
NAME_FOUND = "holds what looks like a person's name in DICOM (Family^Given)"
NAMED = "its name looks like a person's"
PATH_FOUND = "holds a path in which a person's name or number seems to stand"
ATTRIBUTE_FOUND = "gives a DICOM attribute that identifies patients"
DAY_FOUND = "holds a date that is neither of the run nor of the analysis plan"


def in_text(text: str) -> Iterator[tuple[str, str]]:
    """What is recognised, in words, and the value, which is never shown; of a day as YYYY-MM-DD."""
    by_chance = isinstance(text, Fragment)
    text = QUOTED_DIGEST.sub(ANY_ID, plain(text))
    for uid in _uids(text):
        yield UID_FOUND, uid
    if "^" in text:
        for name in _names(text):
            if not by_chance or _is_written_well(name):
                yield NAME_FOUND, name
    found = [(place, day) for place, day in days.days_in(text) if not days_of_software.is_one(text, place)]
    for day in days_of_software.without_times_of_jobs(text, found):
        yield DAY_FOUND, day.isoformat()
    yield from said_of_patients.said_in(text)
    if inserted := in_sql.labelled_lines(text):
        yield from said_of_patients.said_in(inserted)
    for name in names_in_paths.in_text(text):
        yield PATH_FOUND, name
    yield from _tagged(text)
    yield from _in_messages(text)


def in_name(name: str) -> Iterator[tuple[str, str]]:
    """As :func:`in_text`, of the name of a file or of a member of an archive."""
    undated = days_of_software.without_days_of_runs(name)
    for what, value in in_text(undated.replace("_", " ")):
        yield f"its name {what}", value
    for uid in _uids(name):
        yield f"its name {UID_FOUND}", uid
    composed = plain(name)
    for value in names_in_paths.in_name(composed):
        yield NAMED, value
    for part in composed.split("/"):
        filed = FAMILY_GIVEN.match(part)
        if filed and not any(word.islower() for word in re.split(r"[ _-]", filed[0])):
            yield NAMED, filed[0]
    for value in said_of_patients.mails_in(name.replace("_", " ")):
        yield "its name holds an e-mail address", value
    for _, day in days.days_in_name(undated):
        yield f"its name {DAY_FOUND}", day.isoformat()


def plain(text: str) -> str:
    """Without the escapes of JSON, HTML, TeX and addresses, in composed characters."""
    if "\\u" in text:
        text = re.sub(r"\\u([0-9a-fA-F]{4})", lambda match: chr(int(match[1], 16)), text)
    if "&" in text:
        text = html.unescape(text)
    if "+" in text:
        text = _without_pluses(text)
    if "%" in text and QUOTED.search(text):
        text = unquote(text)
    if ("\\" in text and "^" in text) or "textascii" in text:
        text = CARET.sub("^", text)
    if text.isascii():
        return text
    composed = unicodedata.normalize("NFKC", text)
    for dash in DASHES:  # one after the other, which is faster than str.translate
        composed = composed.replace(dash, "-")
    return DIGIT.sub(lambda digit: str(int(digit[0])), composed)


def _without_pluses(text: str) -> str:
    """With blanks for the signs that stand for them in the fields of forms: name=Doe+Jane&mrn=4811."""
    text = QUERY.sub(lambda fields: fields[0].replace("+", " "), text)
    parts, end = [], 0
    for fields in FURTHER.finditer(text):
        first = FIRST_FIELD.search(text, max(fields.start() - LONGEST_FIRST, end), fields.start())
        start = (first or fields).start()
        parts += [text[end:start], text[start : fields.end()].replace("+", " ")]
        end = fields.end()
    return "".join((*parts, text[end:]))


def _uids(text: str) -> Iterator[str]:
    found = (form.finditer(text) for form in (UID, JOINED_UID, DASHED_UID, *RANDOM_UIDS))
    for match in itertools.chain.from_iterable(found):
        start = match.start() - 1  # its first digit
        uid = text[start : match.end()].replace("_", ".").replace("-", ".")
        if f"{uid}.".startswith(NOT_OF_PATIENTS):
            continue
        if match.re is DASHED_UID and not uid.startswith(ROOTS):
            continue
        components = uid.count(".") + 1
        near = text[max(start - 40, 0) : match.end() + 40].lower()
        if "implementationclass" in near:  # of the software that wrote it
            continue
        if (
            ("uid" in near and components > 2 and (len(uid) > 7 or uid.startswith(RANDOM_ROOT)))
            or (uid.startswith(RANDOM_ROOT) and len(uid) > 10)
            or (len(uid) >= SHORTEST and components >= (FEWEST_AT_ROOT if uid.startswith(ROOTS) else FEWEST))
        ):
            yield uid


def _names(text: str) -> Iterator[str]:
    for caret in NAME.finditer(text):
        before = FAMILY.findall(text[max(caret.start() - LONGEST_NAME, 0) : caret.start()])[0]
        behind = GIVEN.findall(text[caret.end() - 1 : caret.end() + LONGEST_NAME])[0]
        is_coded = before in CODES or behind in CODES or CODE.fullmatch(behind)
        if _is_name(before, behind) and not is_coded and not _is_of_nobody(before, behind):
            yield f"{before}^{behind}"
    for given in THEN_APART.finditer(text):
        family = APART_BEFORE.search(text, max(given.start() - LONGEST_APART, 0), given.start())
        if family and not _is_of_nobody(family[1], given[1]):
            yield f"{family[1]}^{given[1]}"
    for end in ENDS_ALONE.finditer(text):
        alone = ALONE.search(text[max(end.start() - LONGEST_NAME, 0) : end.start()])
        if alone and not names_in_paths.is_of_files(alone[0]) and alone[0] not in CODES:
            yield f"{alone[0]}^"


def _is_of_nobody(family: str, given: str) -> bool:
    """Whether the words are a method's (Bland^Altman) or a phantom's, or small ones a key of literature."""
    words = [word.lower() for word in re.findall(r"[^\W\d_]+", f"{family} {given.partition('.')[0]}")]
    if all(
        (word[0] in "xyz" and len(set(word)) == 1)  # XXXX
        or word in said_of_patients.NOBODY
        or word in names_in_paths.EPONYMS
        or names_in_paths.is_of_files(word)
        for word in words
    ):
        return True
    return f"{family}{given}".islower() and any(map(names_in_paths.is_of_files, words))


def _is_name(family: str, given: str) -> bool:
    """Single letters are names in scripts without capitals, or an initial behind a name; else mathematics."""
    if family[0].isdigit():
        return False
    head, tail = (re.findall(LETTER, part) for part in (family, given))
    if not all(c.isupper() or c.islower() for c in (*head, *tail)):
        return True
    if len(head) >= 2 and len(tail) >= 2:
        return True
    return len(head) >= 3 and tail[0].isupper() and given[1:2] in ("", ".") and head[0].isupper()


def _is_written_well(name: str) -> bool:
    """Whether a name is written with its capitals in their places, and is no slope of grey values."""
    family, _, given = name.partition("^")
    words = [*re.findall(r"[^\W\d_]+", family)[-1:], *re.findall(r"[^\W\d_]+", given)[:1]]
    letters = "".join(words)
    steps = [abs(ord(a) - ord(b)) for a, b in itertools.pairwise(letters)]
    return (
        len(words) == 2 and all(word.istitle() or word.isupper() for word in words) and max(steps) > STEEPEST
    )


def _tagged(text: str) -> Iterator[tuple[str, str]]:
    for match in DAY_TAG.finditer(text):
        if day := said_of_patients.day(said_of_patients.behind_tag(text, match.end())):
            yield DAY_FOUND, day
    for match in IDENTIFYING_TAG.finditer(text):
        if value := said_of_patients.attribute(said_of_patients.behind_tag(text, match.end())):
            yield ATTRIBUTE_FOUND, value


SEGMENT = re.compile(r"\|(?<=(?:MSH|EVN|PID|NK1|PV1|PV2|ORC|OBR|OBX|IN1|SCH)\|)(?<![^\W_]....)")
"""The end of the name of a segment of a message (HL7 version 2)."""
LONGEST_SEGMENT = 2000
IDS, PEOPLE, BIRTHS, PLACES, PHONES = (
    ("holds what is said to be a patient's number", re.compile(r"\d[\w-]{3,}|[A-Za-z]{1,4}\d{4,}")),
    ("holds what is said to be a patient's name", re.compile(r"(?:[\w-]{1,20}\^)?([^\W\d_]{2,})")),
    ("holds what is said to be a date of birth", re.compile(r"(?:19|20)\d{6}")),
    ("holds what is said to be an address", re.compile(r"[^\W_]*\d[^^]*[^\W\d_]{3}|[^\W\d_]{3}[^^]*\d")),
    ("holds what is said to be a telephone number", re.compile(r"[+(]{0,2}\d[\d ()./-]{6,}")),
)
"""What fields hold, and what they are then like."""
FIELDS = (
    (IDS, {"PID": (2, 3, 4, 18, 19), "ORC": (2, 3), "OBR": (2, 3), "PV1": (19, 50), "IN1": (36, 49)}),
    (
        PEOPLE,
        {"PID": (5, 6, 9), "NK1": (2,), "PV1": (7, 8, 9, 17), "ORC": (12,), "OBR": (16, 28), "IN1": (16,)},
    ),
    (BIRTHS, {"PID": (7,), "NK1": (16,), "IN1": (18,)}),
    (PLACES, {"PID": (11,), "NK1": (4,), "IN1": (19,)}),
    (PHONES, {"PID": (13, 14), "NK1": (5, 6)}),
)
"""The numbers of these fields by segment (HL7 version 2.5, chapters 3, 4 and 6)."""
DAY_OF_FIELD = re.compile(
    r"(?<![^|^~])(?:19|20)\d{6}(?:\d{2}|\d{4}|\d{6}(?:\.\d{1,4})?)?(?:[+-]\d{4})?(?![^|^~])"
)


def _in_messages(text: str) -> Iterator[tuple[str, str]]:
    """The days in segments of messages, and whom their fields name."""
    for bar in SEGMENT.finditer(text):
        segment = text[bar.start() - 3 : bar.start()]
        line = re.split(r"[\r\n]", text[bar.end() : bar.end() + LONGEST_SEGMENT], maxsplit=1)[0]
        for field in DAY_OF_FIELD.finditer(line):
            for day in days.days_at(field[0][:8]):
                yield DAY_FOUND, day.isoformat()
        fields = [segment, *line.split("|")]
        for (what, form), numbers in FIELDS:
            for number in numbers.get(segment, ()):
                value = form.match(fields[number]) if number < len(fields) else None
                if value and not said_of_patients.is_withheld(value[value.lastindex or 0]):
                    yield what, value[value.lastindex or 0]
