"""Which days are of software and of its runs: releases, logs, keys of files that say when they were made.

A day is excused by the words beside it, as a time in a table of jobs, or in the name of a file all of
whose words are of runs (training_log_2026_8_14_09_12_44.txt): beside a word of anybody it stands.
"""

from __future__ import annotations

import bisect
import itertools
import re
from collections.abc import Iterator
from datetime import date

from headct.provenance import label_words

_MADE = "|".join(label_words.MADE.split())
_BEFORE_YEAR = (
    r"(?:(?:(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|mon|tue|wed|thu|fri|sat|sun)[a-z]{0,6}"
    r"|\d\d?(?::\d\d){0,2}|utc|gmt|cest?)[\s,./-]{1,2}){0,6}"
)
"""Day, month and time, where the year stands last."""
_WHEN = "(?:[ _-]?(?:at|on|date|time|by|utc))?"
KEY = (
    rf"(?:(?:^|[\n{{(,;#\"'<.:%])\s*(?:last[ _-]?)?(?:{_MADE}){_WHEN}[\"']?\s?:?[=:]\s?[\"']?"
    rf"|<(?:\w+:)?(?:{_MADE}|dc:date){_WHEN}(?:\s[^\n<>]{{0,60}})?>"
    r"|\bdate:(?:create|modify)\W{1,4}|(?<![a-z])(?:submit|eligible|accrue|start|end|suspend)time="
    rf"|(?:^|\n)date:   (?=[a-z]{{3}} [a-z]{{3}} )){_BEFORE_YEAR}"
)
"""A key of a file, of a label of a container or of XML that says when something was made."""
_MODELS = "|".join(label_words.OF_MODELS.split())
IN_SENTENCE = (
    rf"(?:\btrained\b|\b(?:{_MODELS})\s(?:\w+\s)?(?:{_MADE})\b)[^\n\d]{{0,16}}{_BEFORE_YEAR}"
    rf"|(?:(?:^|\n)\W{{0,4}}|\bauto(?:matically)?[ -]?)generated\s(?:on|at)\s{_BEFORE_YEAR}"
    r"|\b(?:epoch|training|inference|fold|step|rule|pipeline|workflow|container)\b[^\n]{0,16}"
    rf"\b(?:start|finish|end|complet|stop)(?:s|ed)?(?: on| at)?:? {_BEFORE_YEAR}"
    rf"|(?:^|\n)\W{{0,4}}(?:auto-?)?(?:{_MADE})\s(?:by|with)\b[^\n]{{0,48}}"
)
"""The same in words."""

OF_SOFTWARE = re.compile(
    rf"(?i)(?:(?:{'|'.join(word.replace('_', ' ') for word in label_words.OF_SOFTWARE.split())})[^\n]{{0,48}}"
    r"(?:\n[^\n]{0,6})?"
    r"|(?<![\d.])(?:v\d{1,2}\.|\d{1,2}\.\d{1,3}\.)\d{1,3}[\w.+~-]{0,12}[\]\s,;:|/()–—-]{1,5}(?:[\w.,]{1,10}\s){0,3}"
    r"|<[^\n<>]{3,48}>(?:  \w{3}, |\n\w{0,6}Date: )[^\n]{0,28}"
    r"|\n?[-dl](?:[r-][w-][xsStT-]){3}[^\n]{0,60}"
    rf"|{KEY}|{IN_SENTENCE})$"
)
"""Before a day on which something was made that is no patient's: words of software, a version, a listing."""
FAR_BEFORE = 72
"""Characters before a day in which such words stand."""
ACCEPTED = re.compile(r"(?i)\b(?:received|submitted|revised)\b[^\n]{0,48}\b(?:accepted|revised|published)\b")
"""How articles tell when they were written."""
OF_RELEASE = re.compile(r"(?i)[^\n]{0,24}\((?:release|build|tag|version|commit)\b")
"""Behind a day."""

WEEKDAY = re.compile(r"(?<![^\W_])(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),? [^\n]{1,28}$")
IN_CHANGELOG = re.compile(r"(?:^|\n)\* [A-Z][a-z]{2} [A-Z][a-z]{2} [\d ]?\d $")
"""Before the year of an entry of an RPM package's changes: * Mon Jan 15 2024."""
BY_SOMEBODY = re.compile(r"\d{4}-\d\d-\d\d  [^\n<]{3,40}<[^\s<>]{3,60}@")
"""An entry of a ChangeLog as GNU's."""
_PROGRAMS = "|".join(label_words.PROGRAMS.split())
BY_PROGRAM = re.compile(
    rf"\d{{4}}[^\n]{{0,32}}(?<![^\W_])(?i:{_PROGRAMS})(?![^\W_])|\d{{4}} \d\d:\d\d:\d\d GMT"
)
"""Behind a weekday and a day: the time at which a program did something, or as servers tell the time."""

CITED = re.compile(r"\d{4} [A-Z][a-z]{2} \d{1,2};\d")
"""How journals are cited: 2019 Mar 7;12:441."""

BY_DATE = re.compile(
    r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) [A-Z][a-z]{2} [ \d]?\d \d\d:\d\d:\d\d (?:[AP]M )?(?:[A-Z]{2,5} )?$"
)
"""As the command date writes, before the year."""
THEN_STATUS = re.compile(
    rf"\d{{4}}[\s:,;|-]{{1,3}}(?i:{'|'.join(label_words.STATUS.split())})(?![^\W_])|\d{{4}}\s{{1,12}}\+-{{3}}"
)
"""What a job was doing; or the frame of a table, as nvidia-smi draws it."""
AT_BEGIN = re.compile(r"(?:^|\n)\W{0,2}$")
THEN_STEP = re.compile(
    r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?Z?\W{1,5}(?:[IWE] |INFO\W{1,4}|DEBUG\W{1,4})?"
    r"(?i:epoch|step|iter|train|checkpoint|loss|job|rule|tensorflow|torch|snakemake|nnunet)"
)
"""A line of a log of training or of jobs, at its beginning."""

RUNS = frozenset(label_words.RUNS.split())
IN_NAMES_OF_RUNS = RUNS.union(label_words.BESIDE_RUNS.split())
"""Of what the names of logs and checkpoints consist, endings included; one word is of RUNS."""
HASHED = re.compile(r"(run-\d{8}_\d{6})-(?=[a-z]*\d)[a-z0-9]{8}(?![^\W_])")
"""As Weights & Biases name their runs, with eight random signs behind the time."""
NUMBERED_STEP = re.compile(
    r"(?i)(?<![^\W_])(global_?step|steps?|iter(?:ation)?s?|epoch|seed|job_?id|slurm|array|voxels|random_state)[=_.-]{0,2}\d{8,10}(?!\d)"
)
"""Eight digits that count, or number a job."""
NUMBERED_OUTPUT = re.compile(r"(\.[oe])\d{5,10}(?=$|[.-]\d)")
"""What PBS and Grid Engine call the output of a job."""
DATED_FOLDER = re.compile(
    r"((?:^|/)(?:outputs|multirun|hydra|logs?|runs|tensorboard|wandb|snakemake/log|\.snakemake/log)/)"
    r"\d{4}-\d\d-\d\d[/_T-]\d\d-?\d\d-?\d\d(?:\.\d{6}\.snakemake\.log$|(?=/|$))"
)
"""What Hydra and others call the folder of a run, and Snakemake its log."""
TOKEN_BEFORE, TOKEN_BEHIND = re.compile(r"[\w.=:+-]*$"), re.compile(r"[\w.=:+-]*")

LONGEST_HEAD = 1000
"""Characters of the head of a table."""
DELIMITERS = "\t,;|"
SAYS_JOB = re.compile(r"(?:job|Job|JOB)(?![a-hj-mo-qs-z])")
JOB = re.compile(r"(?i)(?:slurm_?)?job(?:_?(?:id|name|number|raw))?")
"""The head of a column that numbers jobs, and how it is looked for."""
TIME_OF_JOB = re.compile(
    r"(?i)(?:job_?)?(?:start|end|submit|finish|complet|queu|eligible|stop)(?:ed|ted|ion)?(?:_?(?:at|time|date|utc))?"
)
OF_PEOPLE = re.compile(r"(?i)patient|birth|\bname|mrn|admission|stud(?:y|ie)|exam")
"""In the head of a table, where times may be somebody's."""


def is_one(text: str, place: int) -> bool:
    """Whether a day is that of a release, a citation or the like, by the words beside it."""
    before = text[max(place - FAR_BEFORE, 0) : place]
    if OF_SOFTWARE.search(before) or CITED.match(text, place) or OF_RELEASE.match(text, place):
        return True
    if BY_SOMEBODY.match(text, place) or IN_CHANGELOG.search(before):
        return True
    for behind, ahead in ((BY_PROGRAM, WEEKDAY), (THEN_STATUS, BY_DATE), (THEN_STEP, AT_BEGIN)):
        if behind.match(text, place) and ahead.search(before):
            return True
    if before.endswith(("_", "-", "=", ".")):
        token = TOKEN_BEFORE.findall(before)[0] + TOKEN_BEHIND.findall(text[place : place + FAR_BEFORE])[0]
        if _is_of_run(token):
            return True
    return ACCEPTED.search(before + text[place : place + FAR_BEFORE]) is not None


def _is_of_run(name: str) -> bool:
    """Whether the name of a file begins with a word, and has no words but of runs."""
    words = re.findall(r"[^\W\d_]+", HASHED.sub(r"\1", name).lower())
    return name[:1].isalpha() and not RUNS.isdisjoint(words) and IN_NAMES_OF_RUNS.issuperset(words)


def without_days_of_runs(name: str) -> str:
    """The name of a file or of a member of an archive without the times and counts of runs in it."""
    name = DATED_FOLDER.sub(r"\1", name)
    for numbered in (NUMBERED_STEP, NUMBERED_OUTPUT):
        name = numbered.sub(r"\1", name)
    return "/".join(re.sub(r"\d", "", part) if _is_of_run(part) else part for part in name.split("/"))


def without_times_of_jobs(text: str, found: list[tuple[int, date]]) -> Iterator[date]:
    """The days that do not stand below a start or an end in a table of jobs.

    Args:
        text: in which the days were found.
        found: places and days.
    """
    times = _times_of_jobs(text) if found else []  # in the order of the text
    for place, day in found:
        last = bisect.bisect_right(times, (place, len(text))) - 1
        if last < 0 or place >= times[last][1]:
            yield day


def _times_of_jobs(text: str) -> list[tuple[int, int]]:
    """From where to where the times of jobs stand in the tables of a text, cell by cell."""
    cells: list[tuple[int, int]] = []
    columns: list[int] = []
    delimiter, width, begin = "", 0, 0
    for line in text.split("\n") if SAYS_JOB.search(text) else ():
        fields = _fields(line, delimiter) if columns else []
        if columns and len(fields) == width:  # a row of the table
            cells += [(begin + fields[column][0], begin + fields[column][1]) for column in columns]
        else:
            columns = []
            if len(line) <= LONGEST_HEAD and SAYS_JOB.search(line):
                delimiter = next((one for one in DELIMITERS if one in line), "")
                fields = _fields(line, delimiter)
                columns, width = _columns_of_times(line, fields), len(fields)
        begin += len(line) + 1
    return cells


def _fields(line: str, delimiter: str) -> list[tuple[int, int]]:
    """Where the fields of a line begin and end; where it has no delimiter, its words."""
    if not delimiter:
        return [word.span() for word in re.finditer(r"\S+", line)]
    ends = list(itertools.accumulate(len(field) + 1 for field in line.split(delimiter)))
    return list(zip([0, *ends], [end - 1 for end in ends], strict=False))


def _columns_of_times(line: str, fields: list[tuple[int, int]]) -> list[int]:
    """The numbers of the columns of starts and ends, if a line is the head of a table of jobs."""
    heads = [line[start:end].strip(" \"'\r") for start, end in fields]
    if OF_PEOPLE.search(line) or not any(map(JOB.fullmatch, heads)):
        return []
    return [number for number, head in enumerate(heads) if TIME_OF_JOB.fullmatch(head)]
