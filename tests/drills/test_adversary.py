"""The adversary: a finished demo is changed by an insider who makes anew what states a digest of the change.

With the root digest from elsewhere everything is found. Without it a change may go unseen only where the
insider made anew every digest of it, and of all that this changed in turn; each that was forgotten is found.
Who makes all digests anew, but not what was computed from the change, is found once jobs are repeated.

The copy is of hard links, and files are replaced, never written in place.
"""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from headct.contracts.artefacts import LEDGER, known_sha256
from headct.contracts.code import KERNEL
from headct.provenance import manifest, repeating, verify
from headct.steps import STEPS
from support import insider
from support.insider import Folder, Occurrence

LONGEST_S = 10
"""Of processor time: others use the machine as well."""
MOST_FORGOTTEN = 3
MOST_REPEATED = 3
PRINTS = ("tables", "figures", "evidence", "report")
"""Of the jobs that read changed measurements, some forty, so many are repeated, those that compute first."""
WRITES = frozenset({"os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.chmod"})
EXECUTES = frozenset({"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "exec"})

SOURCE = re.compile(rb'"source": "$')
"""What stands before the digest of a module's source, comments and all, which do not count."""
CODE = re.compile(rb'"headct(?:\.(\w+))?[\w.]*": \{\s+"code": "$')
"""What stands in the start of a run before the digest of a module's code."""
NOT_THE_ROOT = "is not the list with the root"
"""What is found only where the root is known from elsewhere."""
PLAN_COLUMN = 6
"""Of the ledger: the plan at an opening of the test set, which may have been changed since."""


@dataclass(frozen=True)
class Tampering:
    """What an insider did: new contents by path, None for none, and whether every digest was made anew."""

    what: str
    files: Mapping[str, bytes | None]
    is_whole: bool


def is_held_against(folder: Folder, place: Occurrence) -> bool:
    """Whether a digest is one that ``verify`` holds against what it states."""
    path, start = place
    before = folder.files[path][:start]
    if path == LEDGER:
        return before.rpartition(b"\n")[2].count(b"\t") != PLAN_COLUMN
    module = CODE.search(before[-200:])
    return not SOURCE.search(before[-40:]) and (not module or (module[1] or b"").decode() in KERNEL)


class Adversary:
    """Makes tamperings of a folder, from seeds."""

    def __init__(self, folder: Folder) -> None:
        self.folder = folder
        times = Counter(map(insider.sha256, folder.files.values()))
        self.unlike: dict[str, list[str]] = {}
        for path, content in folder.files.items():
            if path not in manifest.OUTSIDE and content and times[insider.sha256(content)] == 1:
                self.unlike.setdefault(kind_of(path), []).append(path)
        self.kinds = sorted(self.unlike)
        self.known = dict.fromkeys(sorted(times))  # in an order that is the same each time
        self.stating: dict[str, list[str]] = {}
        for path in folder.files:
            if self.places(path):
                self.stating.setdefault(kind_of(path), []).append(path)

    def make(self, seed: int) -> Tampering:
        rng = random.Random(seed)
        kinds = {
            self.changed: 6,
            self.swapped: 2,
            self.restated: 2,
            self.added: 1,
            self.deleted: 2,
            self.meant_otherwise: 2,
            self.amended: 1,
        }
        return rng.choices(list(kinds), list(kinds.values()))[0](rng)

    def file(self, rng: random.Random, kind: str = "") -> str:
        return rng.choice(self.unlike[kind or rng.choice(self.kinds)])

    def changed(self, rng: random.Random) -> Tampering:
        """One file or two, edited."""
        paths = {self.file(rng) for _ in range(rng.choice((1, 1, 2)))}
        edits = {path: insider.edited(path, self.folder.files[path], rng) for path in sorted(paths)}
        return self.hidden(f"changed {', '.join(edits)}", edits, rng)

    def swapped(self, rng: random.Random) -> Tampering:
        """Two files of a kind in one another's place."""
        kind = rng.choice([kind for kind in self.kinds if len(self.unlike[kind]) > 1])
        one, other = rng.sample(self.unlike[kind], 2)
        both = {one: self.folder.files[other], other: self.folder.files[one]}
        return self.hidden(f"swapped {one} and {other}", both, rng)

    def hidden(self, what: str, edits: Mapping[str, bytes], rng: random.Random) -> Tampering:
        """With all digests made anew, but for none, some, or all of them."""
        whole = insider.remake(self.folder, edits)
        held = [place for place in whole.remade if is_held_against(self.folder, place)]
        n_left = rng.choice((0, 1, 1, 1, 2, MOST_FORGOTTEN, len(held)))
        left = some_of(held, n_left, rng)
        done = insider.remake(self.folder, edits, left)
        return Tampering(f"{what}; left {left}", done.files, not left)

    def restated(self, rng: random.Random) -> Tampering:
        """The digest of one file in the place of another's, and what follows from that made anew."""
        path = rng.choice(self.stating[rng.choice(sorted(self.stating))])
        start = rng.choice(self.places(path))
        content = self.folder.files[path]
        was = content[start : start + 64].decode()
        other = rng.choice([digest for digest in self.known if digest != was])
        edits = {path: content[:start] + other.encode() + content[start + 64 :]}
        return Tampering(f"restated {path} at {start}", insider.remake(self.folder, edits).files, False)

    def places(self, path: str) -> list[int]:
        """Where a text states the digest of a file that is there."""
        found = insider.digests_in(path, self.folder.files[path])
        starts = [match.start() for match in found if match[0].decode() in self.known]
        return [start for start in starts if is_held_against(self.folder, (path, start))]

    def added(self, rng: random.Random) -> Tampering:
        """A result that no job made, in the list."""
        like = self.file(rng, rng.choice([kind for kind in self.kinds if kind.split("/")[0] in RESULTS]))
        path = f"{Path(like).parent.as_posix()}/{rng.randrange(1000)}-{Path(like).name}"
        content = self.folder.files[like] + b"0"
        made_by = rng.choice(("", "seal", "start of the run", "audit/runs/split.json", "a former run"))
        return Tampering(f"added {path}", self.listed({path: content}, made_by), False)

    def deleted(self, rng: random.Random) -> Tampering:
        """A file, with its line of the list, or also with what its records say that was made."""
        path = self.file(rng)
        named = f'"results/{path}"'.encode()
        holders = [
            holder
            for holder, content in self.folder.files.items()
            if holder.startswith(insider.RECORDS) and named in content
        ]
        edits = {holder: without_file(self.folder.files[holder], f"results/{path}") for holder in holders}
        edits = edits if rng.random() < 0.5 else {}
        done = insider.remake(self.folder, edits).files
        return Tampering(f"deleted {path}", {**self.listed({path: None}, base=done)}, False)

    def meant_otherwise(self, rng: random.Random) -> Tampering:
        """What a record says of its job: rule, step, wildcards, log, opening; its digests made anew."""
        paths = [path for path in self.folder.files if path.startswith(insider.RECORDS)]
        one, other = (json.loads(self.folder.files[path]) for path in rng.sample(paths, 2))
        path = f"{insider.RECORDS}{one['log'].removeprefix('results/logs/').removesuffix('.log')}.json"
        key = rng.choice(("rule", "wildcards", "log", "step"))
        if key == "step":
            one["command"][1] = rng.choice([step for step in STEPS if step != one["command"][1]])
        else:
            one[key] = other[key] if other[key] != one[key] else {"model": "another"}
            one["rule"] = one["rule"] if isinstance(one["rule"], str) else "another"
        content = json.dumps(one, indent=1).encode()
        done = insider.remake(self.folder, {path: content}).files
        return Tampering(f"{key} of {path}", self.listed({path: content}, base=done), False)

    def amended(self, rng: random.Random) -> Tampering:
        """A table that was changed, and an amendment that says it lost rows of a scan that never was."""
        path = self.file(rng, "tables/.tsv")
        was, now = self.folder.files[path], insider.edited(path, self.folder.files[path], rng)
        changed = {path: {"before": insider.sha256(was), "after": insider.sha256(now), "size": len(now)}}
        amendment = {"number": 1, "date": "2030-01-01T00:00:00+00:00", "reason": "none"}
        amendment |= {"scans": ["scan-9999"], "participants": 1, "root": "", "deleted": {}}
        content = json.dumps(amendment | {"changed": changed}).encode()
        files = self.listed({"audit/amendments/1.json": content, path: now}, "withdrawal")
        return Tampering(f"amended {path}", files, False)

    def listed(
        self,
        files: Mapping[str, bytes | None],
        made_by: str = "",
        base: Mapping[str, bytes] | None = None,
    ) -> dict[str, bytes | None]:
        """Files that are added, changed, or gone (None), and list and root with them.

        Args:
            files: content by path.
            made_by: what the list says of those that it does not have.
            base: other files that were changed before, list and root among them.
        """
        before = {**self.folder.files, **(base or {})}
        head, *lines = before[manifest.MANIFEST].splitlines(keepends=True)
        entries = {line.split(b"\t")[0].decode(): line for line in lines}
        for path, content in files.items():
            maker = entries[path].split(b"\t")[3].decode().strip() if path in entries else made_by
            if content is None:
                del entries[path]
            else:
                line = f"{path}\t{len(content)}\t{insider.sha256(content)}\t{maker}\n"
                entries[path] = line.encode()
        listed = b"".join([head, *(entries[path] for path in sorted(entries))])
        root = manifest.line_of(insider.sha256(listed)).encode()
        return {**(base or {}), **files, manifest.MANIFEST: listed, manifest.ROOT: root}


def without_file(record: bytes, path: str) -> bytes:
    """A record that says nothing of a file that its job read or made, of the same size as before."""
    content = json.loads(record)
    for key in ("inputs", "outputs"):
        content[key].pop(path, None)
    return json.dumps(content).encode().ljust(len(record))[: len(record)]


def some_of(places: list[Occurrence], n: int, rng: random.Random) -> list[Occurrence]:
    """Some digests, each first of any file and then of any in this file: lists would be chosen else."""
    places = list(dict.fromkeys(places))
    left: list[Occurrence] = []
    while len(left) < min(n, len(places)):
        others = [place for place in places if place not in left]
        path = rng.choice(sorted({path for path, _ in others}))
        left.append(rng.choice([place for place in others if place[0] == path]))
    return left


RESULTS = ("cohort", "data", "figures", "metrics", "models", "predictions", "report", "statistics", "tables")


def kind_of(path: str) -> str:
    """Folder and suffix, for a choice that is even over kinds and not over files."""
    top, *rest = path.split("/")
    folder = f"{top}/{rest[0]}" if top == "audit" and len(rest) > 1 else top
    return f"{folder}/{Path(path).suffix}"


# -- the drill ---------------------------------------------------------------------------------------


class Watch:
    """What the interpreter says is done while it is on: files written, programs executed."""

    def __init__(self) -> None:
        self.on, self.seen = False, list[str]()
        sys.addaudithook(self.hear)

    def hear(self, event: str, arguments: tuple[object, ...]) -> None:
        if not self.on:
            return
        opens_to_write = (
            event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
        )
        if event in WRITES | EXECUTES or opens_to_write:
            self.seen.append(f"{event} {arguments[:1]}")

    @contextmanager
    def watching(self) -> Iterator[None]:
        self.on = True
        try:
            yield
        finally:
            self.on = False


class Place:
    """A copy of a sealed folder in which tamperings are tried, one at a time."""

    def __init__(self, original: Path, copy: Path) -> None:
        shutil.copytree(original, copy, copy_function=link)
        self.original, self.copy = original, copy
        self.root = manifest.root_of(original)
        self.watch = Watch()
        assert self.findings("") == []  # and all is imported that will be

    def folder(self, root: str = "") -> verify.ResultsFolder:
        return verify.ResultsFolder(self.copy, root, hashed=known_sha256)

    def findings(self, root: str) -> list[verify.Finding]:
        return verify.verify(self.folder(root), verify.INTEGRITY)

    @contextmanager
    def holding(self, files: Mapping[str, bytes | None]) -> Iterator[None]:
        """While the copy holds other files, those of an insider, or lacks some."""
        for path, content in files.items():
            (self.copy / path).unlink(missing_ok=True)
            if content is not None:
                (self.copy / path).parent.mkdir(parents=True, exist_ok=True)
                (self.copy / path).write_bytes(content)
        yield
        for path in files:
            (self.copy / path).unlink(missing_ok=True)
            if (self.original / path).is_file():
                link(str(self.original / path), str(self.copy / path))

    def tried(self, one: Tampering) -> tuple[bool, bool]:
        """Whether it is found with the root, and without."""
        with self.holding(one.files):
            began = time.process_time()
            with self.watch.watching():
                found = self.findings(self.root)
            assert time.process_time() - began < LONGEST_S, one.what
        is_of_root = [NOT_THE_ROOT in finding.what for finding in found]
        return bool(found), not all(is_of_root)

    def tried_by_repeating(self, path: str, files: Mapping[str, bytes], sheet: Path) -> tuple[bool, bool]:
        """Whether it is found by the records, and by repeating the jobs that made or read a changed file."""
        with self.holding(files):
            folder, named = self.folder(), f"results/{path}"
            by_records = bool(verify.verify(folder, verify.INTEGRITY))
            jobs = [job for job in repeating.quick_jobs(folder) if named in {*job.inputs, *job.outputs}]
            jobs.sort(key=lambda job: (named in job.inputs, job.step in PRINTS))
            done = repeating.repeat(folder, jobs[: MOST_REPEATED if named in jobs[0].inputs else 1], [sheet])
        assert done.not_repeated == (), done.not_repeated
        return by_records, bool(done.findings)


def link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # on another file system
        shutil.copyfile(source, target)


def drill(original: Path, copy: Path, seeds: range, say: Callable[[str], object] = print) -> Counter[str]:
    """Try tamperings; returns how many there were, found with and without the root, and missed by mistake."""
    adversary, place = Adversary(Folder.read(original)), Place(original, copy)
    n = Counter[str]()
    for seed in seeds:
        one = adversary.make(seed)
        with_root, without = place.tried(one)
        n += Counter(
            tried=1,
            found_with_root=with_root,
            found_without=without,
            made_anew_whole=one.is_whole,
            missed=not with_root or not (without or one.is_whole),
        )
        if not with_root or not (without or one.is_whole):
            say(f"seed {seed}: {one.what}")
    assert place.watch.seen == []
    assert place.findings("") == []
    return n


@pytest.mark.parametrize(
    "seeds", [range(60), pytest.param(range(1000, 1480), marks=pytest.mark.slow)], ids=["sample", "all"]
)
def test_what_an_insider_forgets_is_found(demo: Path, tmp_path: Path, seeds: range) -> None:
    n = drill(demo / "results", tmp_path / "moved", seeds)
    print(dict(n))
    assert n["missed"] == 0
    assert n["found_with_root"] == n["tried"] == len(seeds)
    assert n["found_without"] >= n["tried"] - n["made_anew_whole"]


def with_another_dice(table: bytes, rng: random.Random) -> bytes:
    """Measurements in which one Dice of a lesion has another first decimal; not all of groups are used."""
    lines = [line.split(b"\t") for line in table.split(b"\n")]
    column = lines[0].index(b"dice")
    scored = [line for line in lines[1:] if len(line) > column and line[column].startswith(b"0.")]
    row = rng.choice([line for line in scored if not any(b"+" in cell for cell in line)])
    decimal = (row[column][2] - 48 + rng.randint(1, 9)) % 10
    row[column] = b"0.%d" % decimal + row[column][3:]
    return b"\n".join(b"\t".join(line) for line in lines)


def drill_of_repeating(
    original: Path, copy: Path, sheet: Path, seeds: range, say: Callable[[str], object] = print
) -> Counter[str]:
    """Change a result, make all digests of it anew and nothing else; returns how many were found, and how.

    Each seed changes what a job made that is repeated, each third one measurements, which are not made again.
    """
    files, place = Folder.read(original), Place(original, copy)
    made = {path for job in repeating.quick_jobs(place.folder()) for path in job.outputs}
    unlike = Adversary(files).unlike  # what is stated of a file with a twin may be of the other
    computed = {kind: [path for path in paths if f"results/{path}" in made] for kind, paths in unlike.items()}
    computed = {kind: paths for kind, paths in computed.items() if paths}
    measured = [path for path in unlike["metrics/.tsv"] if b"\t0." in files.files[path]]
    n = Counter[str]()
    for seed in seeds:
        rng = random.Random(seed)
        of_measurements = seed % 3 == 0
        path = rng.choice(measured if of_measurements else computed[rng.choice(sorted(computed))])
        change = with_another_dice if of_measurements else partial(insider.edited, path)
        edits = {path: change(files.files[path], rng)}
        by_records, by_repeating = place.tried_by_repeating(path, insider.remake(files, edits).files, sheet)
        kind = "measured" if of_measurements else "computed"
        n += Counter({f"{kind}": 1, f"{kind}_by_records": by_records, f"{kind}_by_repeating": by_repeating})
        if not by_repeating:
            say(f"seed {seed}: changed {path}, found by records: {by_records}")
    assert place.findings("") == []
    return n


@pytest.mark.parametrize(
    "seeds", [range(6), pytest.param(range(1000, 1090), marks=pytest.mark.slow)], ids=["sample", "all"]
)
def test_what_an_insider_does_not_compute_again_is_found(demo: Path, tmp_path: Path, seeds: range) -> None:
    n = drill_of_repeating(demo / "results", tmp_path / "moved", demo / "trial/scans.tsv", seeds)
    print(dict(n))
    assert n["computed_by_repeating"] == n["computed"]
    assert n["measured_by_repeating"] == n["measured"]
