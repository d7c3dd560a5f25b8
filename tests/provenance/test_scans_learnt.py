"""The scans that a training says it learnt from are those of its split, whatever digests were made anew."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from headct.contracts.artefacts import read_json, write_json
from headct.provenance import verify
from support import audit_study, insider

SETS = {"s1": "train", "s2": "train", "s3": "test"}
CT = {scan: hashlib.sha256(scan.encode()).hexdigest() for scan in SETS}
"""Digests of the converted CT: each file holds the name of its scan."""
SPLIT, TRAINED = "results/cohort/split.tsv", "models/unet/seed-1/fold-all/train.json"
OWN = sorted(CT[scan] for scan, of_set in SETS.items() if of_set == "train")
ELSEWHERE = "e" * 64


def padded(record: dict[str, Any]) -> str:
    """A record of a training, always of the same size, which list and crate state as well."""
    return json.dumps(record).ljust(800)


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of a study with one training; they must not be written to."""
    folder, repository = (tmp_path_factory.mktemp(name) for name in ("sealed", "repository"))
    weights = "weights"
    rows = [f"{scan}\t{of_set}\t{CT[scan]}" for scan, of_set in SETS.items()]
    of_training = {"sha256": hashlib.sha256(weights.encode()).hexdigest(), "resumed": 0, "scans_sha256": OWN}
    with contextlib.chdir(folder):
        audit_study.run()
        audit_study.job("ingest", [], {f"results/data/{scan}/ct.nii.gz": scan for scan in SETS}, shard="0")
        split = "\n".join(["scan_id\tset\tct_sha256", *rows]) + "\n"
        audit_study.job("split", ["scans.tsv"], {SPLIT: split})
        made = {"final.pth": weights, "train.json": padded(of_training)}
        made = {f"results/models/unet/seed-1/fold-all/{name}": content for name, content in made.items()}
        audit_study.job("train", [SPLIT], made, ["--split", SPLIT], model="unet", seed="1", fold="all")
        audit_study.score("scan_id\tdice\ns3\t0.81\n")
        audit_study.tabulate()
        audit_study.close_small(repository)
    return folder / "results"


def found(results: Path) -> dict[str, str]:
    findings = verify.verify(verify.ResultsFolder(results), verify.INTEGRITY)
    return {finding.path: finding.what for finding in findings}


def forged(sealed: Path, to: Path, **changes: Any) -> Path:
    """The results with another record of the training, and every digest of it made anew."""
    before = insider.Folder.read(sealed)
    record = read_json(sealed / TRAINED) | changes
    done = insider.remake(before, {TRAINED: padded(record).encode()})
    shutil.copytree(sealed, to)
    for path, content in done.files.items():
        (to / path).write_bytes(content)
    return to


def test_what_the_training_wrote_has_no_finding(sealed: Path, tmp_path: Path) -> None:
    assert found(sealed) == {}
    assert found(forged(sealed, tmp_path / "results", note="")) == {}, "all digests are made anew"


@pytest.mark.parametrize(
    "stated",
    [
        pytest.param([OWN[0]], id="one less"),
        pytest.param([OWN[0], ELSEWHERE], id="another in the place of one"),
        pytest.param([*OWN, CT["s3"]], id="one of the test set more"),
        pytest.param([*OWN, ELSEWHERE], id="one of elsewhere more"),
        pytest.param([*OWN, OWN[0]], id="one twice"),
        pytest.param(None, id="not told, and not begun from other weights"),
        pytest.param("all", id="no list"),
        pytest.param([1, 2], id="no digests"),
    ],
)
def test_other_scans_than_those_of_the_split_are_found(sealed: Path, tmp_path: Path, stated: object) -> None:
    results = forged(sealed, tmp_path / "results", scans_sha256=stated)
    assert found(results) == {
        TRAINED: "states other scans than those of cohort/split.tsv that it learnt from"
    }


@pytest.mark.parametrize(
    ("stated", "is_found"),
    [
        pytest.param([*OWN, ELSEWHERE], False, id="those of the start as well"),
        pytest.param(None, False, id="those of the start are not known"),
        pytest.param([ELSEWHERE], True, id="its own are left out"),
        pytest.param([*OWN, CT["s3"]], True, id="the start knew one of the test set"),
    ],
)
def test_a_training_that_began_from_weights_knows_their_scans_too(
    sealed: Path, tmp_path: Path, stated: object, is_found: bool
) -> None:
    start = {"sha256": "a" * 64, "head": "given", "scans": 1}
    results = forged(sealed, tmp_path / "results", scans_sha256=stated, start=start)
    assert bool(found(results)) == is_found


def test_scans_that_were_withdrawn_since_may_be_stated(sealed: Path, tmp_path: Path) -> None:
    results = forged(sealed, tmp_path / "results", scans_sha256=[*OWN, ELSEWHERE])
    folder = verify.ResultsFolder(results)
    assert TRAINED in {finding.path for finding in verify.listed_files(folder)}
    (results / "audit/amendments").mkdir()
    amendment = {
        "number": 1,
        "date": "2026-11-30T10:00:00+00:00",
        "reason": "consent withdrawn",
        "scans": ["s9"],
        "participants": 1,
        "root": "",
        "deleted": {"data/s9/ct.nii.gz": ELSEWHERE},
        "changed": {},
    }
    write_json(amendment, results / "audit/amendments/1.json")
    folder = verify.ResultsFolder(results)
    assert folder.faults == []
    assert TRAINED not in {finding.path for finding in verify.listed_files(folder)}


def test_trainings_of_older_releases_do_not_say_what_they_learnt(sealed: Path, tmp_path: Path) -> None:
    results = forged(sealed, tmp_path / "results")
    record = read_json(results / TRAINED)
    del record["scans_sha256"]
    write_json(record, results / TRAINED)
    findings = verify.listed_files(verify.ResultsFolder(results))
    assert [finding for finding in findings if finding.path == TRAINED] == []
