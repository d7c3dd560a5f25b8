"""What two places of the results say of the same thing: one is changed, and its digests do not matter."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from headct.contracts.artefacts import read_json, write_json
from headct.provenance import manifest, verify
from support.sealed_miniature import extracted

TRAINING = "models/unet/seed-1/fold-all/train.json"
JOB = "#job/metrics/unet"


@pytest.fixture(scope="module")
def older(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return extracted(tmp_path_factory.mktemp("older"))


@pytest.fixture
def results(older: Path, tmp_path: Path) -> Path:
    """A copy, in which the test works."""
    shutil.copytree(older, tmp_path / "results")
    return tmp_path / "results"


def found(results: Path, *checks: verify.Check) -> list[str]:
    folder = verify.ResultsFolder(results)
    return [f"{each.path}: {each.what}" for each in verify.verify(folder, checks)]


def edited(path: str, change: Callable[[Any], object]) -> Callable[[Path], None]:
    """A change of a JSON file of the results."""

    def edit(results: Path) -> None:
        content = read_json(results / path)
        change(content)
        write_json(content, results / path)

    return edit


def of_table(path: str, before: str, after: str) -> Callable[[Path], None]:
    def edit(results: Path) -> None:
        text = (results / path).read_text()
        assert before in text
        (results / path).write_text(text.replace(before, after, 1))

    return edit


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            edited("study.json", lambda study: study["participants"].update({"scan-0001": "P9"})),
            "study.json: says that scan-0001 is of another participant than cohort/cohort.tsv does",
        ),
        (
            of_table("cohort/split.tsv", "\tP0001\t", "\tP0002\t"),
            "cohort/split.tsv: has another participant_id of scan-0001 than cohort/cohort.tsv",
        ),
        (
            edited("config.json", lambda config: config["models"]["unet"].update(learning_rate=7)),
            "config.json: has another learning_rate than audit/runs/train/unet/seed-1/fold-all.json ran with",
        ),
        (
            edited("config.json", lambda config: config["training"].update(seeds=[1, 2, 3])),
            "config.json: has other seeds than those of which there are trainings",
        ),
        (
            edited(TRAINING, lambda told: told["settings"].update(learning_rate=7)),
            f"{TRAINING}: states another learning_rate than audit/runs/train/unet/seed-1/fold-all.json ran",
        ),
        (edited(TRAINING, lambda told: told.update(epochs=300)), "states other epochs than its settings"),
        (
            edited(TRAINING, lambda told: told.update(seed=7)),
            f"{TRAINING}: states another seed than audit/runs/train/unet/seed-1/fold-all.json ran with",
        ),
    ],
)
def test_a_contradiction_is_found(results: Path, change: Callable[[Path], None], said: str) -> None:
    checks = (verify.scans, verify.trainings)
    assert found(results, *checks) == []
    change(results)
    assert any(said in each for each in found(results, *checks)), found(results, *checks)


def _of_crate(change: Callable[[dict[str, dict[str, Any]]], object]) -> Callable[[Path], None]:
    def edit(results: Path) -> None:
        path = results / manifest.CRATE
        content = read_json(path)
        entities = {entity["@id"]: entity for entity in content["@graph"]}
        change(entities)
        path.write_text(json.dumps(content | {"@graph": list(entities.values())}))

    return edit


def swap_results(entities: dict[str, dict[str, Any]]) -> None:
    one, other = entities[JOB], entities["#job/metrics/blast-ct"]
    one["result"], other["result"] = other["result"], one["result"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (swap_results, "says otherwise than audit/runs/metrics/unet.json: result"),
        (lambda entities: entities.pop(JOB), "does not tell of the job of audit/runs/metrics/unet.json"),
        (lambda entities: entities[JOB].update(name="split"), "than audit/runs/metrics/unet.json: name"),
        (lambda entities: entities[JOB].pop("object"), "than audit/runs/metrics/unet.json: object"),
        (lambda entities: entities["./"].update(name="Results of X"), "is of another study than config.json"),
        (
            lambda entities: entities.update({"#job/x": {**entities[JOB], "@id": "#job/x"}}),
            "tells of a job that has no record: #job/x",
        ),
    ],
)
def test_the_crate_follows_from_the_records(
    results: Path, change: Callable[[dict[str, dict[str, Any]]], object], said: str
) -> None:
    assert found(results, verify.crate) == []
    _of_crate(change)(results)
    assert any(said in each for each in found(results, verify.crate)), found(results, verify.crate)


@pytest.mark.parametrize(
    "path", ["audit/start.json", "audit/seal.json", "audit/not_copied.tsv", "study.json", manifest.CRATE]
)
def test_what_every_seal_has_can_not_be_taken_out(results: Path, path: str) -> None:
    (results / path).unlink()
    listed = manifest.read(results)
    manifest.write(results, [entry for name, entry in listed.items() if name != path])
    assert f"{path}: is missing: every seal has it" in found(results, verify.files)


@pytest.mark.parametrize("root", ["", "0" * 64])
def test_an_amendment_for_a_scan_that_never_was_excuses_nothing(results: Path, root: str) -> None:
    table = "tables/table1.tsv"
    before = manifest.read(results)[table].sha256
    changed = {table: {"before": before, "after": "0" * 64, "size": 1}}
    made_up = {"number": 1, "date": "2030-01-01T00:00:00+00:00", "reason": "none", "scans": ["scan-0099"]}
    made_up |= {"participants": 1, "root": root, "deleted": {}, "changed": changed}
    (results / "audit/amendments").mkdir()
    write_json(made_up, results / "audit/amendments/1.json")
    said = found(results, verify.amended)
    assert "audit/amendments/1.json: is of scan-0099, and deleted nothing of this scan" in said
    file = "data/scan-0099/ct.nii.gz"
    write_json(made_up | {"deleted": {file: "1" * 64}}, results / "audit/amendments/1.json")
    said = found(results, verify.amended)
    assert any("which no job made" in each or "is not the list with the root" in each for each in said), said
