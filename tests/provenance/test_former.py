"""Results that a study no longer asks for: told apart by the seal and by ``verify``, deleted on request."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from headct.command_line import app_of_step, parsed
from headct.contracts.artefacts import read_json, write_json
from headct.contracts.problems import BadInput
from headct.provenance import crate, former, manifest, privacy, seal, verify
from support import audit_study
from support.audit_study import forked_command

CHECKS = (*verify.INTEGRITY, privacy.patterns)
TABLE = ["results/tables/table1.tsv", "results/audit/evidence.json"]
OF_OLD = [
    "audit/runs/train/old/seed-1/fold-all.json",
    "logs/train/old/seed-1/fold-all.log",
    "models/old/seed-1/fold-all/final.pth",
    "models/old/seed-1/fold-all/train.json",
    "report/models/old.html",
]


def close(number: int, asked: list[str]) -> None:
    settings = [audit_study.REPOSITORY / "config/demo.yaml"]
    seal.seal(Path("results"), audit_study.REPOSITORY, settings, audit_study.PLAN, number, asked)


def pages(*models: str) -> list[str]:
    """The job that makes the page of every model."""
    made = {f"results/report/models/{model}.html": f"<p>{model}</p>" for model in models}
    audit_study.job("model_cards", ["results/metrics/unet.tsv"], made)
    return list(made)


def train(model: str) -> str:
    folder, weights = f"results/models/{model}/seed-1/fold-all", f"weights of {model}"
    record = json.dumps({"sha256": hashlib.sha256(weights.encode()).hexdigest(), "resumed": 0})
    made = {f"{folder}/final.pth": weights, f"{folder}/train.json": record}
    audit_study.job("train", ["results/cohort/split.tsv"], made, model=model, seed="1", fold="all")
    return f"{folder}/final.pth"


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of two models, sealed; then one was taken out, and it was sealed again, twice.

    It must not be written to.
    """
    folder = tmp_path_factory.mktemp("sealed")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        audit_study.run()
        Path("results/note.txt").write_text("by hand")
        close(0, [*TABLE, train("unet"), train("old"), *pages("unet", "old")])
        assert verify.ResultsFolder(folder / "results").former == []
        asked = [*TABLE, "results/models/unet/seed-1/fold-all/final.pth", *pages("unet")]
        close(1, asked)
        close(1, asked)
    return folder


@pytest.fixture
def results(sealed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, in which the test works."""
    shutil.copytree(sealed, tmp_path / "study")
    monkeypatch.chdir(tmp_path / "study")
    return tmp_path / "study/results"


def test_they_are_told_apart_and_are_no_finding(results: Path) -> None:
    folder = verify.ResultsFolder(results)
    assert verify.verify(folder, CHECKS) == []
    assert folder.former == sorted(OF_OLD)
    assert verify.unrecorded(folder) == ["note.txt"]
    listed = manifest.read(results)
    assert listed["report/models/old.html"].made_by == former.MADE_BY
    assert "models/old" not in (results / crate.METADATA).read_text()
    said = forked_command("verify", results).stdout
    assert "Made by no job   1 files: note.txt" in said
    assert "Former results   5 files: audit/runs/train/old/seed-1/fold-all.json" in said


def test_what_they_were_made_from_may_change_and_they_may_not(results: Path) -> None:
    audit_study.job("split", ["scans.tsv"], {"results/cohort/split.tsv": "scan_id\tset\ns1\ttrain\n"})
    audit_study.score("scan_id\tdice\ns1\t0.7\n")
    audit_study.tabulate()
    close(2, [*TABLE, train("unet"), *pages("unet")])
    assert verify.verify(verify.ResultsFolder(results), CHECKS) == []
    (results / "models/old/seed-1/fold-all/final.pth").write_text("other weights")
    found = verify.verify(verify.ResultsFolder(results), CHECKS)
    assert {finding.path for finding in found} == {"models/old/seed-1/fold-all/final.pth"}


def test_a_model_that_comes_back_is_no_former_one(results: Path) -> None:
    close(
        2,
        [
            *TABLE,
            "results/models/unet/seed-1/fold-all/final.pth",
            "results/models/old/seed-1/fold-all/final.pth",
            *pages("unet", "old"),
        ],
    )
    folder = verify.ResultsFolder(results)
    assert verify.verify(folder, CHECKS) == []
    assert folder.former == []


def test_they_are_listed_and_deleted(results: Path) -> None:
    done = forked_command("former", results)
    assert done.stdout.split() == sorted(OF_OLD)
    assert all((results / path).is_file() for path in OF_OLD)
    done = forked_command("former", results, "--delete")
    assert "5 files deleted; run the workflow once more" in done.stderr
    assert not any((results / path).exists() for path in OF_OLD)
    assert not (results / "models/old").exists()
    assert not (results / manifest.MANIFEST).exists(), "what is missing, Snakemake makes"
    assert (results / "note.txt").is_file()
    close(2, [*TABLE, "results/models/unet/seed-1/fold-all/final.pth", "results/report/models/unet.html"])
    folder = verify.ResultsFolder(results)
    assert verify.verify(folder, CHECKS) == []
    assert folder.former == []
    assert forked_command("former", results).stdout == "There are no former results.\n"


def test_nothing_is_deleted_while_the_seal_is_older_than_the_results(results: Path) -> None:
    train("other")
    with pytest.raises(
        BadInput, match=r"train/other/seed-1/fold-all\.json: has changed since the seal; run the workflow"
    ):
        former.delete(results)
    (results / "audit/runs/train/other/seed-1/fold-all.json").unlink()
    write_json(read_json(results / "config.json") | {"models": {}}, results / "config.json")
    done = forked_command("former", results, "--delete")
    assert done.returncode == 1
    assert "config.json: has changed since the seal" in done.stderr
    assert all((results / path).is_file() for path in OF_OLD)


def test_a_seal_that_does_not_know_what_was_asked_for_deletes_nothing(results: Path) -> None:
    close(2, [])
    assert verify.ResultsFolder(results).former == ["report/models/old.html"]
    with pytest.raises(BadInput, match="does not say what was asked for"):
        former.delete(results)


def test_lost_weights_are_told_with_what_brings_them_back(results: Path) -> None:
    (results / "models/unet/seed-1/fold-all/final.pth").unlink()
    with pytest.raises(BadInput) as error:
        close(2, [*TABLE, "results/models/unet/seed-1/fold-all/final.pth"])
    told = error.value.problems[0]
    assert told.file == "results/models/unet/seed-1/fold-all/final.pth"
    assert "Put it back from a copy (its SHA-256 is " in told.message
    assert (
        "delete results/models/unet/seed-1/fold-all/train.json, which lists it, and start the run again"
        in told.message
    )


def test_a_lost_file_of_a_former_model_is_no_obstacle(results: Path) -> None:
    (results / "models/old/seed-1/fold-all/final.pth").unlink()
    close(2, [*TABLE, "results/models/unet/seed-1/fold-all/final.pth", "results/report/models/unet.html"])


def test_the_command_knows_what_the_rule_gives_it(results: Path) -> None:
    words = [
        "seal",
        "results",
        "--repository=.",
        "--settings",
        "a.yaml",
        "--plan=p.yaml",
        "--requested",
        "a",
        "b",
    ]
    assert parsed(app_of_step("audit"), words).arguments["requested"] == ["a", "b"]
