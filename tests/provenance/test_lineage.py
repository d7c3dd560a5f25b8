"""Lineages from records alone, at the size of the published study, and the words of what changed."""

from __future__ import annotations

import json
import re
import shutil
import time
from pathlib import Path

import pytest

from headct.contracts.artefacts import sha256_of
from headct.contracts.problems import BadInput
from headct.provenance import drawing, trace, why
from headct.provenance.lineage import Study, lineage
from support.sealed_miniature import extracted

N_SCANS = 1732
MODELS = [f"model-{i}" for i in range(10)]
PER_SHARD = 10
FIGURE = "results/figures/bland_altman.pdf"


def digest(path: str) -> str:
    """Any 64 digits that depend on the path."""
    return f"{abs(hash(path)):064x}"[-64:]


def digest_of_output(file: Path, path: str) -> str:
    """That of the file, where there is one."""
    return sha256_of(file) if file.is_file() else digest(path)


def write_record(
    results: Path, name: str, rule: str, inputs: list[str], outputs: list[str], **names: str
) -> None:
    record = {
        "rule": rule,
        "wildcards": names,
        "command": ["python", "-m", "headct.x", "--out", outputs[0]],
        "inputs": {path: digest(path) for path in inputs},
        "outputs": {path: digest_of_output(results.parent / path, path) for path in outputs},
        "log": f"results/logs/{name}.log",
        "started": "2026-11-23T10:00:00+00:00",
        "ended": "2026-11-23T10:00:09+00:00",
        "seconds": 9,
        "peak_memory_mb": 400,
        "host": {"name": "node-1", "gpus": [], "cpu": "x", "cores": 2, "memory_mb": 1, "driver": None},
        "seeds": {},
        "python": "3.11.7",
        "packages": {},
        "scheduler": None,
        "resumed": None,
        "opening": None,
        "workflow": {
            "version": "1",
            "snakemake": "9",
            "commit": "a" * 40,
            "dirty": False,
            "code": "",
            "modules": {},
        },
    }
    path = results / "audit" / "runs" / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record))


@pytest.fixture(scope="module")
def older(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of a small study that an older release sealed."""
    return extracted(tmp_path_factory.mktemp("older"))


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """The records of a study of the published size, and the scan.json of its scans."""
    results = tmp_path_factory.mktemp("study") / "results"
    scans = [f"scan-{i:04}" for i in range(N_SCANS)]
    shards = [scans[i : i + PER_SHARD] for i in range(0, N_SCANS, PER_SHARD)]
    manifests = [f"results/data/shards/{i}.tsv" for i in range(len(shards))]
    for i, of_shard in enumerate(shards):
        records = [f"results/data/{scan}/scan.json" for scan in of_shard]
        for scan in of_shard:
            (results / "data" / scan).mkdir(parents=True)
            instances = [{"number": n, "sha256": digest(f"{scan}/{n}")} for n in range(30)]
            (results / "data" / scan / "scan.json").write_text(json.dumps({"instances": instances}))
        write_record(
            results, f"ingest/{i}", "ingest", ["trial/scans.tsv"], [manifests[i], *records], shard=str(i)
        )
    cohort, split = "results/cohort/cohort.tsv", "results/cohort/split.tsv"
    write_record(results, "cohort", "cohort", ["trial/scans.tsv", *manifests], [cohort])
    write_record(results, "split", "split", [cohort], [split])
    for model in MODELS:
        folder = f"results/models/{model}/seed-1/fold-all"
        trained = [f"{folder}/final.pth", f"{folder}/train.json"]
        predicted = f"results/predictions/{model}/seed-1.tsv"
        names = {"fold": "all", "model": model, "seed": "1"}
        write_record(results, f"train/{model}", "train", [split], trained, **names)
        write_record(
            results, f"predict/{model}", "predict", [split, trained[1]], [predicted], model=model, seed="1"
        )
        metrics = f"results/metrics/{model}.tsv"
        write_record(
            results, f"metrics/{model}", "metrics", [split, predicted, *manifests], [metrics], model=model
        )
    of_all = [f"results/metrics/{model}.tsv" for model in MODELS]
    write_record(results, "figures/bland_altman", "bland_altman", of_all, [FIGURE])
    return Study(results)


def test_a_lineage_of_the_published_size_is_short_and_quick(published: Study, tmp_path: Path) -> None:
    began = time.process_time()
    words, right = trace.words_of_file(published, FIGURE)
    found = lineage(published, FIGURE)
    drawing.draw(found, tmp_path / "lineage.svg")
    assert time.process_time() - began < 10
    assert right
    assert [stage.rule for stage in found.stages] == [
        "bland_altman",
        "metrics",
        "predict",
        "train",
        "split",
        "cohort",
        "ingest",
    ]
    assert "1732 scans, 51960 DICOM instances" in words
    assert "10 × train" in words
    assert "174 × ingest" in words
    assert len(words.splitlines()) < 50
    assert max(map(len, words.splitlines())) < 300
    assert (tmp_path / "lineage.svg").read_text().count("<rect") < 15


def test_all_jobs_are_named_on_request(published: Study) -> None:
    words, _ = trace.words_of_file(published, FIGURE, full=True)
    assert "model-7/1/all" in words
    assert "results/data/scan-1700/scan.json" in words


@pytest.mark.parametrize(
    ("path", "full"),
    [
        ("metrics/unet.tsv", False),
        ("models/unet/seed-1/fold-all/train.json", False),
        ("data/scan-0004/scan.json", False),
        ("cohort/split.tsv", False),
        ("predictions/unet/seed-1/scan-0004.nii.gz", True),
        ("figures/bland_altman.pdf", False),
    ],
)
def test_a_file_on_the_way_that_was_changed_is_never_unbroken(older: Path, path: str, full: bool) -> None:
    """Of a figure; --full names what each job wrote, as label maps, and compares these, too."""
    before = (older / path).read_bytes()
    assert trace.words_of_file(Study(older), FIGURE, full)[1]
    (older / path).write_bytes(before + b"\n")
    try:
        words, right = trace.words_of_file(Study(older), FIGURE, full)
    finally:
        (older / path).write_bytes(before)
    assert not right
    assert "NOT THE SAME" in words
    assert "Unbroken" not in words


def test_what_was_not_compared_is_named(older: Path, tmp_path: Path) -> None:
    shutil.copytree(older, tmp_path / "results")
    (tmp_path / "results/metrics/unet.tsv").unlink()
    words, right = trace.words_of_file(Study(tmp_path / "results"), FIGURE)
    assert right
    assert "not here, and not compared, files of jobs:\n  results/metrics/unet.tsv\n" in words
    n, of = map(int, re.findall(r"; (\d+) of (\d+) files compared, all as recorded", words)[0])
    assert 10 < n < of


def test_what_was_read_and_what_was_made_must_be_the_same(published: Study, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    for path in (published.results / "audit" / "runs").rglob("*.json"):
        copy = moved / path.relative_to(published.results)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    record = moved / "audit/runs/split.json"
    record.write_text(record.read_text().replace(digest("results/cohort/split.tsv"), "f" * 64))
    found = lineage(Study(moved), FIGURE)
    assert {words.partition(" read ")[0] for words in found.broken} == {"train", "predict", "metrics"}
    words, right = trace.words_of_file(Study(moved), FIGURE)
    assert "NOT THE SAME, the way is broken" in words
    assert not right


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "can't be read: No such file"),
        ("{", "is no JSON"),
        ("[]", "does not list the DICOM instances"),
        ('{"instances": [1]}', "does not list the DICOM instances"),
        ('{"instances": [{"number": 1}]}', "does not list the DICOM instances"),
    ],
)
def test_a_scan_whose_instances_are_unknown_is_named(tmp_path: Path, content: str | None, said: str) -> None:
    results = tmp_path / "results"
    path = "results/data/s1/scan.json"
    write_record(results, "ingest/1", "ingest", ["trial/scans.tsv"], [path])
    if content is not None:
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).write_text(content)
    found = lineage(Study(results), path)
    assert found.instances == {}
    assert said in found.unread[path]
    words, _ = trace.words_of_file(Study(results), path)
    assert f"UNKNOWN, which DICOM instances these scans were made from:\n  {path}: " in words


def test_an_unknown_file_is_one_error_that_says_what_is_near(published: Study, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"no job of this study made this file; near: .*bland_altman\.pdf"):
        published.recorded_path("bland_altman.png")
    with pytest.raises(BadInput, match="no run records"):
        Study(tmp_path).recorded_path("x")


def test_a_path_may_be_given_from_anywhere(published: Study) -> None:
    assert published.recorded_path(FIGURE) == FIGURE
    assert published.recorded_path("figures/bland_altman.pdf") == FIGURE
    assert published.recorded_path(str(published.results / "figures" / "bland_altman.pdf")) == FIGURE


# -- why ---------------------------------------------------------------------------------------------


def changed(named: dict[str, object], before: list[object]) -> list[str]:
    """The sentences on parameters, as Snakemake keeps them: by repr, without names."""
    new = {repr(value) for value in named.values()}
    old = {repr(value) for value in before}
    return list(why._changed_parameters(named, sorted(old - new), sorted(new - old), {}, {}))


SETTINGS = {"epochs": 5, "patch": [8, 32, 32], "plan": {"batch": 4}}


@pytest.mark.parametrize(
    ("now", "before", "said"),
    [
        ([json.dumps(SETTINGS | {"epochs": 6})], [json.dumps(SETTINGS)], ["the setting epochs was 5, is 6"]),
        (
            [json.dumps(SETTINGS | {"plan": {"batch": 2}, "loss": "focal"})],
            [json.dumps(SETTINGS)],
            ["the setting loss was not there, is focal", "the setting plan.batch was 4, is 2"],
        ),
        ([json.dumps(SETTINGS)], [json.dumps(SETTINGS)], []),
    ],
)
def test_the_key_that_differs_is_named(now: list[object], before: list[object], said: list[str]) -> None:
    assert changed({"settings": now[0]}, before) == said


def test_code_is_told_from_settings() -> None:
    named = {"settings": json.dumps(SETTINGS), "code": "b" * 64, "width": 170}
    before = [json.dumps(SETTINGS), "a" * 64, 85]
    assert set(changed(named, before)) == {"the width was 85, is 170", "code of its step changed"}
    assert changed({"device": "cuda"}, ["cpu"]) == ["the device was cpu, is cuda"]


def test_modules_that_changed_are_named() -> None:
    same = {"headct.contracts.labels": why.module_digest("headct.contracts.labels")}
    assert (
        why._changed_code(same | {"headct.engine.losses": "0" * 64}, {})
        == "code of headct.engine.losses changed"
    )
    assert why._changed_code(same, {"headct.gone": "0" * 64}) == "code of headct.gone changed"
    assert why._changed_code(same, same) == "code of its step changed"


def test_the_answer_counts_jobs_by_cause_and_rule() -> None:
    jobs = [
        why.Planned("train", "focal/1/all", ("the setting epochs was 5, is 6",)),
        why.Planned("train", "unet/1/all", ("the setting epochs was 5, is 6",)),
        why.Planned("table1", "", ()),
    ]
    said = why.in_words(jobs, 109)
    assert said.startswith(
        "3 of 109 jobs would run.\n\nThe setting epochs was 5, is 6:\n  2 × train: focal/1/all, unet"
    )
    assert "made anew:\n  1 × table1" in said
    assert "published again from the work folder" in said
    assert why.in_words([], 109) == "Nothing would run: all 109 jobs are up to date."
