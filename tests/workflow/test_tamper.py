"""The tamper drill: a finished demo is changed in hundreds of ways, and each is found and named.

The copy is of hard links, and files are replaced, never written in place, so that the demo stays as it
is. What was hashed once and not written since is not hashed again (by inode, size and times, which no
mutation here forges); each verification therefore costs little more than reading the records.
"""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from headct.contracts.artefacts import known_sha256
from headct.provenance import manifest, verify
from support import snake

KINDS = (
    r"data/.*/ct\.nii\.gz",
    r"data/.*/labels.*\.nii\.gz",
    r"data/.*\.(json|tsv)",
    r"cohort/split\.tsv",
    r"cohort/.*",
    r"models/.*\.pth",
    r"models/.*\.(json|tsv|html|tex)",
    r"predictions/.*\.nii\.gz",
    r"predictions/.*\.tsv",
    r"metrics/.*",
    r"statistics/.*",
    r"tables/.*\.(html|tex)",
    r"tables/.*\.tsv",
    r"figures/.*\.(pdf|svg|png)",
    r"figures/.*\.tsv",
    r"logs/.*",
    r"audit/runs/.*",
    r"audit/test_set_ledger\.tsv",
    r"audit/evidence\.json",
    r"audit/not_copied\.tsv",
    r"audit/workflow/config/.*",
    r"audit/workflow/workflow/scripts/.*\.py",
    r"audit/workflow/workflow/(rules|schemas|envs)/.*",
    r"audit/workflow/resources/.*",
    r"audit/workflow/Snakefile",
    r"(config|study|audit/start)\.json",
    r"audit/manifest\.tsv",
    r"audit/root\.sha256",
)
"""Every kind of file that a run leaves, by its path; where there is a crate, its file is one more."""

Mutation = Callable[[Path, random.Random], None]


def _replace(path: Path, content: bytes) -> None:
    """A new file in place of the old one, whose other hard links stay as they are."""
    path.unlink()
    path.write_bytes(content)


def flip(path: Path, rng: random.Random) -> None:
    data = bytearray(path.read_bytes())
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    _replace(path, bytes(data))


def truncate(path: Path, rng: random.Random) -> None:
    data = path.read_bytes()
    _replace(path, data[: rng.randrange(len(data))])


def extend(path: Path, rng: random.Random) -> None:
    _replace(path, path.read_bytes() + rng.randbytes(rng.randint(1, 50)))


def edit_digit(path: Path, rng: random.Random) -> None:
    """Another digit somewhere, as one who would like a number to be different; a flip where there is none."""
    data = bytearray(path.read_bytes())
    digits = [index for index, byte in enumerate(data) if 48 <= byte < 58]
    if not digits:
        return flip(path, rng)
    index = rng.choice(digits)
    data[index] = 48 + (data[index] - 48 + rng.randint(1, 9)) % 10
    _replace(path, bytes(data))
    return None


def delete(path: Path, _: random.Random) -> None:
    path.unlink()


MUTATIONS: tuple[Mutation, ...] = (flip, truncate, extend, edit_digit, delete)


@pytest.fixture(scope="module")
def results(demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the demo's results elsewhere, of hard links."""
    copy = tmp_path_factory.mktemp("tamper") / "moved"
    shutil.copytree(demo / "results", copy, copy_function=_link)
    return copy


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # on another file system
        shutil.copyfile(source, target)


def _findings(results: Path) -> list[verify.Finding]:
    return verify.verify(verify.ResultsFolder(results, hashed=known_sha256), verify.INTEGRITY)


def _all_files(results: Path) -> list[str]:
    return [*manifest.files_in(results), manifest.MANIFEST, manifest.ROOT]


def _undo(results: Path, original: Path, paths: list[str]) -> None:
    for path in paths:
        (results / path).unlink(missing_ok=True)
        if (original / path).is_file():
            _link(str(original / path), str(results / path))


def _named(path: str, findings: list[verify.Finding]) -> bool:
    """Whether the changed file is named; list and root stand for one another: one proves the other."""
    names = {finding.path for finding in findings}
    pair = {manifest.MANIFEST, manifest.ROOT}
    return bool(names & pair) if path in pair else path in names


def test_the_untouched_copy_passes(results: Path) -> None:
    assert _findings(results) == []


def test_read_only_it_passes_and_stays_as_it_is(results: Path, tmp_path: Path) -> None:
    copy = tmp_path / "read only"
    shutil.copytree(results, copy, copy_function=shutil.copyfile)
    for path in [*copy.rglob("*"), copy]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    before = {path: path.stat().st_mtime_ns for path in copy.rglob("*")}
    done = subprocess.run(
        [sys.executable, "-P", "-m", "headct", "audit", "verify", copy],
        env={"PYTHONPATH": str(snake.REPOSITORY / "workflow/scripts"), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert {path: path.stat().st_mtime_ns for path in copy.rglob("*")} == before
    for path in [copy, *copy.rglob("*")]:
        path.chmod(0o755)


@pytest.mark.parametrize("each", [3, pytest.param(24, marks=pytest.mark.slow)])
def test_every_change_is_found_and_named(results: Path, demo: Path, each: int) -> None:
    """So many changes of each kind of file; test_adversary.py has more, by somebody who seals anew."""
    rng = random.Random(2022)
    files = _all_files(results)
    missed, made = [], Counter[str]()
    for kind in KINDS:
        candidates = [path for path in files if re.fullmatch(kind, path)]
        assert candidates, f"the demo has no file like {kind}"
        for mutate in rng.choices(MUTATIONS, k=each):
            path = rng.choice([path for path in candidates if (results / path).stat().st_size])
            mutate(results / path, rng)
            if not _named(path, findings := _findings(results)):
                missed.append((mutate.__name__, path, findings))
            made[mutate.__name__] += 1
            _undo(results, demo / "results", [path])
    assert missed == []
    assert made.keys() == {mutate.__name__ for mutate in MUTATIONS}
    assert made.total() == each * len(KINDS)
    assert _findings(results) == []


def test_every_file_added_is_found_and_named(results: Path) -> None:
    rng = random.Random(1)
    folders = [results, *(path for path in results.rglob("*") if path.is_dir())]
    for number, folder in enumerate(rng.sample(folders, 20)):
        name = rng.choice((f"{number}.tsv", f".{number}", f"{number} copy.json", f"scan-{number}.nii.gz"))
        (folder / name).write_bytes(rng.randbytes(rng.choice((0, 100))))
        findings = _findings(results)
        assert (folder / name).relative_to(results).as_posix() in {finding.path for finding in findings}
        (folder / name).unlink()
    assert _findings(results) == []


def test_two_files_in_one_anothers_place_are_found_and_named(results: Path, demo: Path) -> None:
    rng = random.Random(2)
    files = list(manifest.files_in(results))
    for _ in range(20):
        one = rng.choice(files)
        same_kind = [path for path in files if Path(path).suffix == Path(one).suffix]
        listed = manifest.read(results)
        other = rng.choice([path for path in same_kind if listed[path].sha256 != listed[one].sha256] or files)
        first, second = results / one, results / other
        first.rename(results / "swapped")
        second.rename(first)
        (results / "swapped").rename(second)
        findings = {finding.path: finding.what for finding in _findings(results)}
        assert {one, other} <= findings.keys() or listed[one].sha256 == listed[other].sha256
        _undo(results, demo / "results", [one, other])
    assert _findings(results) == []


def test_what_is_hidden_by_sealing_anew_contradicts_the_records(results: Path, demo: Path) -> None:
    """Any file that a job made, changed and listed with its new digest; and the root is another one."""
    rng = random.Random(3)
    listed = manifest.read(results)
    root = manifest.root_of(results)
    made = [path for path, entry in listed.items() if not path.startswith(("logs/", "audit/"))]
    made = [path for path in made if listed[path].made_by.startswith("audit/runs/")]
    for path in rng.sample(made, 20):
        flip(results / path, rng)
        forged = listed[path].__class__(
            path, listed[path].size, known_sha256(results / path), listed[path].made_by
        )
        manifest.write(results, [forged if entry.path == path else entry for entry in listed.values()])
        assert path in {finding.path for finding in _findings(results)}
        folder = verify.ResultsFolder(results, root, hashed=known_sha256)
        assert any("is not the list with the root" in f.what for f in verify.verify(folder, verify.INTEGRITY))
        _undo(results, demo / "results", [path, manifest.MANIFEST, manifest.ROOT])
    assert _findings(results) == []


def test_a_run_that_has_nothing_to_do_leaves_the_seal_as_it_is(demo: Path) -> None:
    root = manifest.root_of(demo / "results")
    done = snake.in_demo("--cores", "1")
    assert "Nothing to be done" in done.stdout, done.stdout
    assert manifest.root_of(demo / "results") == root
    assert json.loads((demo / "results/audit/seal.json").read_text())["number"] >= 0
    assert verify.verify(verify.ResultsFolder(demo / "results"), verify.INTEGRITY) == []
