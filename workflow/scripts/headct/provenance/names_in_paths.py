"""Names of people in paths: Surname_Firstname, SURNAME_FIRSTNAME, "Margaret Ellsworth CT", 王小明, 박서연.

Where a path stands, in text or as the name of a file or of a member of an archive, a part of it is a name by
its form: two words with capitals beside each other, of which neither is a word that files are called by; or,
where words have no spaces between them, a frequent family name and as many letters as given names have.
In small letters or run together a name has no form: it is told by a frequent given or family name
(:mod:`headct.provenance.people`), by how family names end, or by the word for a patient before it.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Iterable, Iterator

from headct.provenance import path_words, people
from headct.provenance.letters import LETTER, MARKS, WITHOUT_PARTS

WORDS_OF_FILES = frozenset(path_words.FILES.split())
EPONYMS = frozenset(path_words.EPONYMS.split())
METHODS = frozenset(path_words.METHODS.split())
NOBODY = tuple(path_words.NOBODY.split())
PARTICLES = frozenset(path_words.PARTICLES.split())
FREQUENT_NAMES = frozenset(f"{people.GIVEN} {people.FAMILY}".split())
FAMILY_NAMES, FAMILY_ENDINGS = frozenset(people.FAMILY.split()), tuple(people.FAMILY_ENDINGS.split())
FAMILIES_JAPANESE = frozenset(path_words.FAMILY_JAPANESE.split())
INTRODUCING, OF_MANY = frozenset(path_words.INTRODUCING.split()), tuple(path_words.OF_MANY.split())


def _pair(capital: str, letter: str, further: str) -> re.Pattern[str]:
    """Two words with capitals, or of a script that has none; the second can begin another pair.

    Args:
        capital: a letter that words begin with, or of such a script.
        letter: any letter.
        further: a letter behind another one, or a mark.
    """
    return re.compile(
        rf"({capital}(?<![^\W_].)(?<![$%{{@#.&'’].){further}{{1,30}}(?:-{letter}{further}{{1,30}})?)"
        rf"(_|, ?| |-)(?=({capital}{further}{{2,30}})(?![^\W_]))"
    )


PAIR = _pair(r"[^\W\d_a-z]", LETTER, rf"(?:['’]?{LETTER}|[{MARKS}])")
PLAIN_PAIR = _pair("[A-Z]", "[A-Za-z]", "(?:'?[A-Za-z])")
"""The same in texts of ASCII alone, where it is found in half of the time."""
SPACELESS = re.compile(
    rf"(?<![^\W\d_])(?:[{path_words.FAMILY_HAN}][\u4e00-\u9fff]{{1,2}}"
    rf"|(?:{'|'.join(path_words.FAMILY_OF_TWO.split())})[\u4e00-\u9fff]{{1,2}}"
    rf"|(?:{'|'.join(path_words.FAMILY_JAPANESE.split())})[\u3040-\u30ff\u4e00-\u9fff]{{1,3}}"
    rf"|[{path_words.FAMILY_KOREAN}][\uac00-\ud7a3]{{2}})(?![^\W\d_])"
)
SPACELESS_WORD = re.compile(r"[\u4e00-\u9fff\uac00-\ud7a3]+")
NUMBERED = re.compile(
    r"[PpHh](?<![^\W_].)(?:(?i:at|t|n|nr|id|osp|atid|atient|atientid)[-_ ]?[A-Za-z]?(?=\d{6})|(?=\d{7}))"
    r"\d{6,12}(?![^\W_])"
)
"""As hospitals number patients and not as studies count them, which takes up to five digits."""

FILED_BY_NUMBER = re.compile(r"(?:^|(?<=/))(?i:id)[-_ ]?\d{6,12}(?![^\W_])")

_WORDY = rf"{LETTER}(?:{LETTER}|[{MARKS}]){{2,24}}"
JOINED = tuple(re.compile(rf"{joint}(?<={LETTER}.)({_WORDY})(?![^\W_])") for joint in ("_", r"\.", "-"))
"""A word behind another one and what joins words in names of files, whatever their letters; an expression for
each such sign, since fixed characters are found five times as fast.
"""
JOINED_IN_NAME = re.compile(rf"[-_. /=](?<={LETTER}.)({_WORDY})(?![^\W_])")
LAST_WORD = re.compile(rf"(?<![^\W_])(?:{LETTER}|[{MARKS}])+$")
_PART, _SHOUTED = "(?:(?:Mc|Mac|De|Di|La|Le|Van|Von)?[A-Z][a-z]{2,15})", "[A-Z]{3,15}"
_CAPITALS = rf"(?:{_PART}{{2,3}}|{_PART}{_SHOUTED}|{_SHOUTED}{_PART})(?![^\W\d_])"
CAMEL = re.compile(rf"(?<![^\W_]){_CAPITALS}")
CAMELS_IN_TEXT = tuple(re.compile(rf"{before}({_CAPITALS})") for before in ("/", r"\\", "sub-"))
"""The same in a text: as a part of a path begins, and as BIDS names participants."""
BASE_64 = re.compile(r"(?=[A-Za-z+/]*\d)(?=[a-z\d+/]*[A-Z])[A-Za-z\d+/]{40}")
"""Beside such letters a name is chance."""
INITIAL = re.compile(r"(?<![^\W_])([A-Za-z]{4,20})(_|, ?| |-)([A-Za-z])(?=[_.-])")
"""A word and a single letter: Whitfield_J, and if it is a frequent name, whitfield-j."""

BOUNDS = "/\\\"'`<>|=\n\r\t;:*?()[]{}"
"""Beside a part of a path."""
LONGEST = 80
"""Characters of a part of a path beside a name in it."""
MODALITIES = (
    r"ct|mri?|cct|ncct|cta|pet|dicom|scan|img|im|bericht|report|seg|mask|case|head|brain|subj(?:ect)?"
    r"|name|nombre|naam|namn|navn|nome"
)
_CAPITALISED = "|".join([MODALITIES, *path_words.INTRODUCING.split(), *path_words.PARTICLES.split()])
BEFORE = re.compile(rf"(?:(?:[a-z]{{1,10}}|\d{{1,14}}|(?=[A-Z])(?i:{_CAPITALISED}))[_ .-]{{1,2}})*")
"""What may stand before a name within a part of a path."""
ENDING = re.compile(
    r"[^\s.]{0,40}(?: [^\s.]{1,12}){0,7}"
    r"(?:\.(?:nii|gz|mh[ad]|seg|n[rh][rd]d|dcm|ima|zip|tar|7z|rar|png|jpe?g|tiff?|raw|stl|pdf|hdr|img|np[yz]|docx?"
    r"|xlsx?|json|csv|tsv|txt|html?|xml|svg|bz2|xz|mgz|h5|rtf|mp4|avi|iso|zraw|rek|mnc|bmp|gif|webp|jp2|pptx?|od[ts]"
    r"|eml|msg|vcf|mat))+(?![^\W_])",
    re.IGNORECASE,
)
"""The rest of a file's name, up to what says what it is."""
DATED = re.compile(r"[_-](?:(?:19|20)\d{6}|\d{4}(?:19|20)\d\d)(?![^\W_])")
"""A day behind a name, as in what headers say of their volumes: Doe_Jane_19500307."""
WEB = re.compile(r"https?://", re.IGNORECASE)
"""Addresses name authors, and are no paths of a study."""
ROOT = re.compile(r"(?:[A-Za-z]:|\\|~|\.{0,2})[/\\]")


def in_text(text: str) -> Iterator[str]:
    """Names of people, and numbers of patients, in the paths that stand in a text (NFKC)."""
    is_plain = text.isascii()
    for pair in (PLAIN_PAIR if is_plain else PAIR).finditer(text):
        start, end = pair.start(), pair.end(3)
        if _is_of_a_person(pair) and _stands_in_a_path(text, start, end, by_form=True):
            yield text[start:end]
    for word in () if is_plain else SPACELESS_WORD.finditer(text):
        name = SPACELESS.match(text, word.start())
        if name and not name[0].startswith(NOBODY) and _stands_in_a_path(text, *name.span(), by_form=False):
            yield name[0]
    for camel in itertools.chain.from_iterable(form.finditer(text) for form in CAMELS_IN_TEXT):
        if (
            _is_joined_by_capitals(camel[1])
            and not BASE_64.search(text, max(camel.start() - 40, 0), camel.start())
            and not BASE_64.match(text, camel.end())
            and (camel[0][0] == "s" or _stands_in_a_path(text, *camel.span(1), by_form=False))
        ):
            yield camel[1]
    for number in NUMBERED.finditer(text):
        if _stands_in_a_path(text, *number.span(), by_form=False):
            yield number[0]
    yield from _told_by_words(text)


def _told_by_words(text: str) -> Iterator[str]:
    """Names in paths that are told by one of their words, or by one before them."""
    for joined in itertools.chain.from_iterable(form.finditer(text) for form in JOINED):
        start, second = _word_before(text, joined.start()), joined[1]
        first = text[start : joined.start()]
        is_small = first.islower() and second.islower()
        if (
            (is_small or joined[0][0] == "_")
            and _is_told_by_words(first, second, ENDING.match(text, joined.end()) is not None)
            and _stands_in_a_path(text, start, joined.end(), by_form=True)
        ):
            yield f"{first}_{second}"


def in_name(name: str) -> Iterator[str]:
    """The same in the name of a file or of a member of an archive, which is a path as a whole."""
    yield from in_text(f'"/{name}"')
    for joined in JOINED_IN_NAME.finditer(name):
        first = name[_word_before(name, joined.start()) : joined.start()]
        is_in_folder = joined[0][0] == "/"
        if is_in_folder and (first.lower() not in INTRODUCING or joined[1].islower()):
            continue
        if _is_told_by_words(first, joined[1], is_named=True):
            yield f"{first} {joined[1]}"
    for camel in CAMEL.finditer(name):
        if _is_joined_by_capitals(camel[0]):
            yield camel[0]
    for initial in INITIAL.finditer(name):
        word, joint, letter = initial.groups()
        has_form = word.istitle() and joint[0] in "_," and letter.isupper() and not is_of_nobody([word])
        if has_form or word.lower() in FAMILY_NAMES:
            yield initial[0]
    for number in FILED_BY_NUMBER.finditer(name):
        yield number[0]


def _is_joined_by_capitals(words: str) -> bool:
    """Whether of words that are told apart by their capitals one is a frequent name."""
    return has_frequent_name(*map(str.lower, re.findall("[A-Z][a-z]+|[A-Z]+(?![a-z])", words)))


def _word_before(text: str, end: int) -> int:
    """Where the word begins that ends at a place."""
    word = LAST_WORD.search(text, max(end - 26, 0), end)
    return word.start() if word else end


def _is_told_by_words(first: str, second: str, is_named: bool) -> bool:
    """Whether of two words beside each other one says that the other is a name.

    Args:
        is_named: they stand in the name of a file, where small words are names sooner.
    """
    if first.lower() in INTRODUCING:
        if is_of_files(second) or second.lower() in INTRODUCING | EPONYMS:
            return False
        if not second.islower():
            return second.isupper() <= (len(second) > 3) and _is_written_as_name(second.capitalize())
        return is_named and not second.removesuffix("s").endswith(OF_MANY)
    first, second = first.lower(), second.lower()
    if first in FAMILIES_JAPANESE and len(second) <= 3:
        return True
    if first in PARTICLES or second in PARTICLES:
        return _is_frequent(second if first in PARTICLES else first)
    return len(first) > 2 and has_frequent_name(first, second)


def has_frequent_name(*words: str) -> bool:
    """Whether of small words one is a frequent name or ends as family names do, and none is of files."""
    if not any(map(_is_frequent, words)):
        return False
    return not is_of_nobody(words)


def _is_frequent(word: str) -> bool:
    if not word.isascii():
        word = "".join(c for c in unicodedata.normalize("NFD", word) if c < "\u0300" or c > "\u036f")
        word = word.translate(WITHOUT_PARTS)
        word = unicodedata.normalize("NFC", word)
    return word in FREQUENT_NAMES or word.endswith(FAMILY_ENDINGS)


def is_of_files(word: str) -> bool:
    """Whether files and things of software are called by a word."""
    small = word.lower()
    if len(small) > 5 and small.removesuffix("s").endswith(path_words.ABSTRACT):
        return True
    return not WORDS_OF_FILES.isdisjoint((small, small.removesuffix("s")))


def is_of_nobody(words: Iterable[str]) -> bool:
    """Whether of words beside each other one is of files, or all are of people whom methods are called by."""
    words = list(words)
    if any(map(is_of_files, words)) or all(word.lower() in EPONYMS for word in words):
        return True
    return "_".join(words).lower() in METHODS


def _is_of_a_person(pair: re.Match[str]) -> bool:
    words = [word for part in (pair[1], pair[3]) for word in re.split("-", part)]
    if is_of_nobody(words):
        return False
    if pair[2] == "-" and (pair[1].isupper() or "-" in pair[1]):
        return False
    if all(word.isupper() for word in words):
        return all(len(word) >= 3 for word in words)
    return all(_is_written_as_name(word) for word in words)


def _is_written_as_name(word: str) -> bool:
    """With one capital, after Mc and the like with a second; or in a script without capitals."""
    if not word[0].isupper():
        return not word[0].islower() and not SPACELESS_WORD.match(word) and len(word) > 1
    inner = re.sub(r"^(?:Mc|Mac|[OD]['’]|De|Di|Le|La|Van|Von|Fitz)(?=[^\W\d_a-z])", "", word)
    return inner[1:] == inner[1:].lower() and len(word) >= 2


def _stands_in_a_path(text: str, start: int, end: int, by_form: bool) -> bool:
    """Whether what stands between two places is in a part of a path, or in a file's name.

    Args:
        by_form: it is a name by its form alone, and counts only in the beginning of its part.
    """
    name = text[start:end]
    apart = by_form and " " in name and "," not in name
    if apart and not name[0].isupper():  # words of a script without capitals, as in any sentence
        return False
    bounds = BOUNDS if apart else f"{BOUNDS} ,"
    left = _run_back(text, start, bounds)
    token = _run_back(text, left, "\"'`<>|=\n\r\t;*?()[]{} ,")
    if WEB.search(text, token, left) or (left and text[left - 1] in "*?)]}:" and apart):
        return False
    if by_form and not BEFORE.fullmatch(text, left, start):
        return False
    behind = text[end : end + LONGEST]
    if ENDING.match(behind) or (by_form and DATED.match(behind)):
        return True
    rest = itertools.takewhile(lambda letter: letter not in bounds, behind)
    end += sum(1 for _ in rest)
    rooted = ROOT.match(text, token) is not None
    in_folder = text[left - 1 : left] in ("/", "\\")
    if text[end : end + 1] in ("/", "\\"):
        return in_folder or (not name.isupper() and not apart and _names_a_file(text, end))
    return rooted and in_folder and not apart


def _names_a_file(text: str, end: int) -> bool:
    """Whether what follows a separator goes on as a path does."""
    return re.match(r"[/\\][\w.-]", text[end : end + 2]) is not None


def _run_back(text: str, place: int, bounds: str) -> int:
    """Where the run of characters begins that are no bounds and end at a place."""
    start = place
    while start > 0 and place - start < LONGEST and text[start - 1] not in bounds:
        start -= 1
    return start
