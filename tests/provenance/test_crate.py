"""The RO-Crate of a run: followed by hand, and judged by the public validator."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from headct.contracts.artefacts import sha256_of
from headct.contracts.problems import BadInput
from headct.provenance import crate
from support import crate_validator, finished_run

Graph = dict[str, dict[str, Any]]


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """A study's folder with its results and crate."""
    crate.write(finished_run.make(tmp_path / "study"))
    return tmp_path / "study"


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("contexts") / "cache"
    crate_validator.fill_cache(path)
    return path


def graph_of(study: Path) -> Graph:
    document = json.loads((study / "results" / crate.METADATA).read_text(encoding="utf-8"))
    return {entity["@id"]: entity for entity in document["@graph"]}


def references(entity: dict[str, Any], name: str) -> list[str]:
    value = entity.get(name, [])
    return [each["@id"] for each in (value if isinstance(value, list) else [value])]


def test_the_crate_follows_its_profiles(study: Path, cache: Path) -> None:
    """Provenance Run Crate includes Workflow Run Crate, which the demo's crate is held against."""
    assert crate_validator.issues(study / "results", cache, "provenance-run-crate-0.5") == []


def test_the_validator_would_notice(study: Path, cache: Path) -> None:
    (study / "results/metrics/unet.tsv").unlink()
    found = crate_validator.issues(study / "results", cache, "workflow-run-crate-0.5")
    assert len(found) == 1
    assert "metrics/unet.tsv" in found[0]


def test_a_table_leads_back_to_the_raw_series(study: Path) -> None:
    graph = graph_of(study)
    maker = {
        made: entity
        for entity in graph.values()
        if entity["@id"].startswith("#job/")
        for made in references(entity, "result")
    }
    pending, met = ["tables/table1.tsv"], set()
    while pending:
        path = pending.pop()
        met.add(path)
        pending += [each for each in references(maker.get(path, {}), "object") if each not in met]
    assert {"data/1/scan.json", "data/2/scan.json", "#trial/all%20scans.tsv"} <= met
    assert "DICOM instance" in graph["data/1/scan.json"]["description"]


def test_every_output_stands_with_digest_and_size(study: Path) -> None:
    graph = graph_of(study)
    for path in study.rglob("results/*/**/*"):
        if path.is_file():
            entity = graph[path.relative_to(study / "results").as_posix()]
            assert entity["sha256"] == sha256_of(path)
            assert entity["contentSize"] == str(path.stat().st_size)


def test_what_lies_outside_is_a_digest_or_its_copy(study: Path) -> None:
    graph = graph_of(study)
    assert graph["#trial/all%20scans.tsv"]["value"] == sha256_of(study / "trial/all scans.tsv")
    assert "audit/workflow/config/analysis_plan.yaml" in references(graph["#job/tables/table1"], "object")
    assert set(references(graph["#run"], "object")) == {"config.json", "#trial/all%20scans.tsv"}
    assert references(graph["#run"], "result") == ["tables/"]


def test_equal_records_are_equal_bytes(study: Path, tmp_path: Path) -> None:
    """Moved, written again, with the record of the job that wrote it before: nothing changes."""
    before = (study / "results" / crate.METADATA).read_bytes()
    moved = shutil.copytree(study, tmp_path / "elsewhere", copy_function=shutil.copyfile)
    finished_run.job(moved, "audit", "audit", [], [f"results/{crate.METADATA}"], minute=9)
    crate.write(moved / "results")
    assert (moved / "results" / crate.METADATA).read_bytes() == before


def test_of_two_jobs_that_made_one_file_the_last_counts(study: Path) -> None:
    finished_run.job(study, "metrics/again", "metrics", [], ["results/metrics/unet.tsv"], minute=8)
    crate.write(study / "results")
    assert graph_of(study)["metrics/unet.tsv"]["sha256"] == sha256_of(study / "results/metrics/unet.tsv")


@pytest.mark.parametrize("gone", ["results/metrics/unet.tsv", "results/logs/split.log"])
def test_what_is_gone_is_named(study: Path, gone: str) -> None:
    (study / gone).unlink()
    with pytest.raises(BadInput, match=rf"{gone}.*is gone"):
        crate.write(study / "results")


def test_without_records_there_is_no_crate(study: Path) -> None:
    shutil.rmtree(study / "results/audit/runs")
    with pytest.raises(BadInput, match="no run record"):
        crate.write(study / "results")
