"""A training that starts from weights which are there already: what it takes, and what it refuses."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from headct.contracts.artefacts import read_json, sha256_of, write_json, write_tsv
from headct.contracts.labels import Extent
from headct.contracts.problems import BadInput
from headct.contracts.weight_files import SUFFIXES
from headct.engine import checkpoints, starts, workfolder
from headct.engine.loop import Position
from headct.engine.training_job import TrainedModel, TrainingJob
from headct.frameworks import apart
from headct.frameworks import train as driver
from headct.frameworks.nnunet import training as nnunet_training
from headct.provenance.record import DESCRIPTIVE
from headct.run import preflight
from headct.settings import analysis_plan, blocks, configuration, models
from headct.settings.typed import plain
from support import families, monai_miniature, nnunet_miniature
from support.families import FAMILIES, changed, equal, train
from support.label_sets import LABELS, TOY
from support.snake import REPOSITORY

HEADS = {"nnunet": "decoder.seg_layers", "monai": "final_conv", "blastct": "fully_connected.2.conv"}
"""How the names of the layers that give the classes begin, in each framework's miniature."""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def former(data: Path) -> Callable[[str], Path]:
    """A folder of a model of each family that was trained before, on scans that its record names."""

    def folder(family: str) -> Path:
        out = data / f"former-{family}"
        if not out.exists():
            job = replace(families.job(family, data / family), seed=5)
            write_model(out, train(family, job, data / f"former-work-{family}"))
        return out

    return folder


def write_model(out: Path, model: TrainedModel, **record: Any) -> Path:
    out.mkdir()
    sha256 = driver.save_weights(model, out / "final.pth")
    seen = {"sha256": sha256, "labels": dict(LABELS), starts.SCANS: ["b" * 64, "c" * 64]}
    write_json(seen | record, out / "train.json")
    return out


def started(job: TrainingJob, path: Path, **more: Any) -> TrainingJob:
    """The job, from the weights in a folder or file."""
    file = path / "final.pth" if path.is_dir() else path
    return changed(job, init_from=str(path), init_sha256=sha256_of(file), **more)


@pytest.fixture(params=FAMILIES)
def family(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def job(family: str, data: Path) -> TrainingJob:
    return families.job(family, data / family)


def weights_in(folder: Path) -> Mapping[str, torch.Tensor]:
    weights: Mapping[str, torch.Tensor] = torch.load(folder / "final.pth", weights_only=True)["weights"]
    return weights


def at_the_start(
    family: str, job: TrainingJob, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> TrainedModel:
    """The model before its first step."""
    module = f"headct.frameworks.{family}.training"
    monkeypatch.setattr(f"{module}.fit", lambda *_arguments: Position(torch.zeros(())))
    return train(family, job, folder)


# -- what it takes -----------------------------------------------------------------------------------


def test_the_network_begins_with_these_weights_and_no_other(
    family, job, former, tmp_path, monkeypatch
) -> None:
    model = at_the_start(family, started(job, former(family)), tmp_path, monkeypatch)
    given = weights_in(former(family))
    assert model.weights.keys() == given.keys()
    assert all(torch.equal(model.weights[name], tensor) for name, tensor in given.items())


def test_a_fresh_head_is_that_of_the_seed_and_all_else_is_given(
    family, job, former, tmp_path, monkeypatch
) -> None:
    begun = started(job, former(family), init_head="fresh")
    model = at_the_start(family, begun, tmp_path / "begun", monkeypatch)
    random = at_the_start(family, job, tmp_path / "random", monkeypatch)
    given = weights_in(former(family))
    head = {name for name in given if name.startswith(HEADS[family])}
    assert head
    for name in given:
        expected = random.weights[name] if name in head else given[name]
        assert torch.equal(model.weights[name], expected), name
    assert not all(torch.equal(random.weights[name], given[name]) for name in head)


def test_it_differs_repeats_and_survives_an_interruption(family, job, former, tmp_path, monkeypatch) -> None:
    begun = started(job, former(family))
    whole = train(family, begun, tmp_path / "whole")
    assert not equal(whole, train(family, job, tmp_path / "random"))
    assert equal(whole, train(family, begun, tmp_path / "again"))

    def save(
        folder: Path, state: dict[str, Any], step: int, really: Callable[..., None] = checkpoints.save
    ) -> None:
        really(folder, state, step)
        if step == 2:
            raise InterruptedError

    at_every_batch = changed(begun, checkpoint_interval_minutes=0)
    with monkeypatch.context() as patched:
        patched.setattr(checkpoints, "save", save)
        with pytest.raises(InterruptedError):
            train(family, at_every_batch, tmp_path / "killed")
    assert equal(whole, train(family, at_every_batch, tmp_path / "killed"))


def test_a_checkpoint_of_nnunet_itself_and_a_bare_state_dict_are_taken(data: Path, tmp_path: Path) -> None:
    job = families.job("nnunet", data / "nnunet")
    changes = job.settings.plan_changes["3d_fullres"]
    plans, _ = nnunet_training._prepared(
        job.training_scans, job.settings, job.shared_folder, 1, job.labels, changes
    )
    trainer = nnunet_training.make_trainer(replace(job, seed=7), plans, tmp_path / "results")
    trainer._best_ema = np.float64(0.5)
    trainer.logger.log("train_losses", np.float32(0.5), 0)
    checkpoint, bare = tmp_path / "checkpoint_final.pth", tmp_path / "bare.pt"
    trainer.save_checkpoint(str(checkpoint))
    torch.save(trainer.network.state_dict(), bare)
    expected = trainer.network.state_dict()
    for file in (checkpoint, bare):
        start = starts.of(started(job, file).settings)
        assert start is not None
        found = start.weights()
        assert found.keys() == expected.keys()
        assert all(torch.equal(found[name], tensor) for name, tensor in expected.items())
        assert start.scans() is None


def test_its_digest_and_not_its_place_is_asked_for(job, family, former, tmp_path) -> None:
    elsewhere = shutil.copytree(former(family), tmp_path / "elsewhere")
    here, there = started(job, former(family)), started(job, elsewhere)
    identities = [workfolder.identity(one, "headct.engine.seeding", {}) for one in (job, here, there)]
    definitions = [workfolder.definition(one) for one in identities]
    assert definitions[0] != definitions[1] == definitions[2]
    assert not {"init_from", "init_sha256", "init_head"} & plain(job.settings).keys(), "as it was without"


# -- what it refuses ---------------------------------------------------------------------------------


class Hostile:
    """What makes a folder as soon as it is unpickled without care."""

    def __init__(self, mark: Path):
        self.mark = mark

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.mark),)


def write_hostile(file: Path) -> None:
    torch.save({"weights": {"a": torch.zeros(1)}, "fixed": Hostile(file.with_name("executed"))}, file)


UNUSABLE: Mapping[str, tuple[str, Callable[[Path], object], str]] = {
    "a program": ("final.pth", write_hostile, "holds more than numbers and names"),
    "no file of PyTorch": (
        "final.pth",
        lambda file: file.write_bytes(b"PK\x03\x04"),
        "can't be read by PyTorch",
    ),
    "an empty file": ("final.pth", lambda file: file.write_bytes(b""), "can't be read by PyTorch"),
    "no weights": ("x.pt", lambda file: torch.save({"epoch": 3}, file), "holds no weights"),
    "nothing at all": ("x.pt", lambda file: torch.save({}, file), "holds no weights"),
    "a tensor": ("x.pt", lambda file: torch.save(torch.zeros(3), file), "holds no weights"),
}


@pytest.mark.parametrize("what", UNUSABLE)
def test_files_that_hold_no_weights_are_refused_and_nothing_runs(tmp_path: Path, what: str) -> None:
    name, write, message = UNUSABLE[what]
    file = tmp_path / name
    write(file)
    (problem,) = starts.Start(file, sha256_of(file), False).faults()
    assert message in problem.message
    assert problem.file == str(file)
    assert not (tmp_path / "executed").exists()


def test_the_hostile_file_would_run_without_care(tmp_path: Path) -> None:
    write_hostile(tmp_path / "x.pth")
    torch.load(tmp_path / "x.pth", weights_only=False)
    assert (tmp_path / "executed").exists()


def test_another_file_a_missing_one_and_another_kind_are_refused(former, tmp_path: Path) -> None:
    file = former("monai") / "final.pth"
    for path, message in (
        (file, "is another file than init_sha256 names"),
        (tmp_path / "none.pth", "is not there"),
        (REPOSITORY / "README.md", "must end with .pth or .pt"),
    ):
        (problem,) = starts.Start(path, "0" * 64, False).faults()
        assert message in problem.message
    assert set(SUFFIXES) <= DESCRIPTIVE, "else its digest would not get into the record of the job"


def test_every_layer_that_does_not_fit_is_told_with_its_sizes(data: Path, former, tmp_path: Path) -> None:
    wider = families.job("monai", data / "monai", features=[4, 4, 4, 4, 8, 4])
    with pytest.raises(BadInput) as refused:
        train("monai", started(wider, former("monai")), tmp_path)
    told = {problem.key: (problem.value, problem.message) for problem in refused.value.problems}
    assert told["down_4.convs.conv_0.conv.weight"] == (
        "(4, 4, 3, 3, 3)",
        "this network has it as (8, 4, 3, 3, 3)",
    )
    assert "final_conv.weight" not in told, "which fits"

    given = dict(weights_in(former("monai")))
    given["of_another_network"] = given.pop("final_conv.bias")
    torch.save(given, tmp_path / "other.pt")
    job = families.job("monai", data / "monai")
    with pytest.raises(BadInput) as refused:
        train("monai", started(job, tmp_path / "other.pt"), tmp_path)
    told = {problem.key: (problem.value, problem.message) for problem in refused.value.problems}
    assert told == {
        "final_conv.bias": ("lacking", f"this network has it as (4,); {starts.ANEW}"),
        "of_another_network": ("(4,)", "this network has no such layer"),
    }


def test_a_network_of_other_lesions_needs_a_fresh_head(family, job, former, tmp_path, monkeypatch) -> None:
    job = started(replace(job, labels=TOY, shared_folder=tmp_path / "shared"), former(family))
    with pytest.raises(BadInput) as refused:
        at_the_start(family, job, tmp_path / "given", monkeypatch)
    assert {problem.key.split(".")[0] for problem in refused.value.problems} == {
        "labels",
        HEADS[family].split(".")[0],
    }
    assert all(problem.message.endswith(starts.ANEW) for problem in refused.value.problems)
    fresh = changed(job, init_head="fresh")
    model = at_the_start(family, fresh, tmp_path / "fresh", monkeypatch)
    given = weights_in(former(family))
    kept = [name for name in given if not name.startswith(HEADS[family])]
    assert all(torch.equal(model.weights[name], given[name]) for name in kept)


def test_equal_numbers_of_other_lesions_are_told_apart(data: Path, former, tmp_path: Path) -> None:
    other = shutil.copytree(former("monai"), tmp_path / "other")
    record = read_json(other / "train.json")
    write_json(record | {"labels": {"EDH": 1, "SDH": 2, "SAH": 3}}, other / "train.json")
    job = families.job("monai", data / "monai")
    with pytest.raises(BadInput, match="knows other lesions than this study"):
        train("monai", started(job, other), tmp_path / "work")
    (tmp_path / "fresh").mkdir()
    train(
        "monai", started(job, other, init_head="fresh", epochs=1, iterations_per_epoch=1), tmp_path / "fresh"
    )


# -- scans that were learnt before -------------------------------------------------------------------


def tables(folder: Path) -> tuple[Path, Path]:
    """A split and an external set."""
    rows = [
        ("s1", "train", 0, "a"),
        ("s2", "train", 1, "b"),
        ("s3", "test", None, "c"),
        ("s4", "test", None, "d"),
    ]
    split = pd.DataFrame(
        [
            {"scan_id": scan, "set": name, "fold": fold, "ct_sha256": digit * 64}
            for scan, name, fold, digit in rows
        ]
    ).astype({"fold": "Int64"})
    external = pd.DataFrame([{"scan_id": "e1", "set": "external:far", "ct_sha256": "e" * 64}])
    write_tsv(split, folder / "split.tsv")
    write_tsv(external, folder / "far.tsv")
    return folder / "split.tsv", folder / "far.tsv"


@pytest.mark.parametrize(
    ("learnt", "fold", "told"),
    [
        ("a", "all", []),
        ("ab", "1", [("s2", "the held-out fold 1")]),
        ("ab", "all", []),
        ("acd", "all", [("s3", "the set 'test'"), ("s4", "the set 'test'")]),
        ("ce", "0", [("s3", "the set 'test'"), ("e1", "the set 'external:far'")]),
    ],
)
def test_weights_that_know_a_tested_scan_are_refused(
    tmp_path: Path, learnt: str, fold: str, told: list[tuple[str, str]]
) -> None:
    split, external = tables(tmp_path)
    (tmp_path / "final.pth").write_bytes(b"weights")
    start = starts.Start(tmp_path / "final.pth", sha256_of(tmp_path / "final.pth"), False)
    write_json(
        {"sha256": start.sha256, starts.SCANS: [digit * 64 for digit in learnt]}, tmp_path / "train.json"
    )
    found: list[tuple[str, str]] = []
    try:
        apart.check(start, split, fold, [external])
    except BadInput as refused:
        found = [
            (problem.row, problem.message.split(", and")[0].removeprefix("is in "))
            for problem in refused.problems
        ]
    assert found == told


def test_a_record_of_other_weights_says_nothing_of_these(tmp_path: Path) -> None:
    split, external = tables(tmp_path)
    (tmp_path / "final.pth").write_bytes(b"weights")
    write_json({"sha256": "0" * 64, starts.SCANS: ["c" * 64]}, tmp_path / "train.json")
    start = starts.Start(tmp_path / "final.pth", sha256_of(tmp_path / "final.pth"), False)
    assert start.scans() is None
    apart.check(start, split, "all", [external])


def test_scans_are_handed_on_from_start_to_start(data: Path, former, tmp_path: Path) -> None:
    job = families.job("monai", data / "monai")
    known = tuple(
        replace(scan, ct_sha256=digit * 64) for scan, digit in zip(job.training_scans, "abd", strict=True)
    )
    job = replace(job, training_scans=known)
    assert driver.origin(job) == {starts.SCANS: [digit * 64 for digit in "abd"]}
    begun = started(job, former("monai"))
    assert driver.origin(begun) == {
        starts.SCANS: [digit * 64 for digit in "abcd"],
        "start": {"sha256": begun.settings.init_sha256, "head": "given", "scans": 2},
    }
    alone = shutil.copy(former("monai") / "final.pth", tmp_path / "final.pth")
    of_unknown = driver.origin(started(job, Path(alone), init_head="fresh"))
    assert of_unknown[starts.SCANS] is None, "nor are those known of what starts from this"
    assert of_unknown["start"] == {"sha256": begun.settings.init_sha256, "head": "fresh", "scans": None}


def test_the_step_records_a_start_and_refuses_it_once_a_tested_scan_is_known(former, tmp_path: Path) -> None:
    """Even where the network is there already: an external set may come later."""
    scans = nnunet_miniature.training_scans(tmp_path / "data", 3)
    rows = [{"scan_id": scan.scan_id, "set": "train", "ct_sha256": scan.sha256} for scan in scans]
    rows.append({"scan_id": "S9", "set": "test", "ct_sha256": "d" * 64})
    split, far = tmp_path / "split.tsv", tmp_path / "far.tsv"
    write_tsv(pd.DataFrame(rows).assign(fold=0, labels_sha256="0" * 64), split)
    write_tsv(pd.DataFrame([{"scan_id": "e1", "set": "external:far", "ct_sha256": "b" * 64}]), far)
    begun = started(monai_miniature.job(scans, tmp_path), former("monai"), epochs=1, iterations_per_epoch=1)
    step = partial(
        driver.main,
        model="unet",
        settings=json.dumps(models.having(begun.settings, *models.OF_TRAINING)),
        speed=json.dumps(models.having(begun.settings, "speed")),
        labels=LABELS.written(Extent.NAMES),
        split=split,
        data=tmp_path / "data",
        seed=0,
        fold="all",
        device="cpu",
        threads=1,
        work=tmp_path / "work",
        run="unet/seed-0-fold-all",
        out=tmp_path / "out",
    )
    step()
    record = read_json(tmp_path / "out/train.json")
    assert record["start"] == {"sha256": begun.settings.init_sha256, "head": "given", "scans": 2}
    assert record[starts.SCANS] == sorted(["b" * 64, "c" * 64, *(scan.sha256 for scan in scans)])
    with pytest.raises(BadInput, match="row e1, key ct_sha256: is in the set 'external:far'"):
        step(external=[far])


# -- before any job ----------------------------------------------------------------------------------


def configured(**entered: Mapping[str, Any]) -> blocks.Configuration:
    demo = configuration.load(REPOSITORY / "config/demo.yaml")
    entries = {
        key: {"title": key, "framework": "monai", "network": "basicunet", **own}
        for key, own in entered.items()
    }
    return blocks.configured(
        configuration.complete(demo | {"models": demo["models"] | entries}, "study.yaml")
    )


def test_settings_that_need_each_other_are_told_before_any_job() -> None:
    config = configured(a={"init_from": "x.pth"}, b={"init_sha256": "0" * 64}, c={"init_head": "fresh"})
    plan = analysis_plan.load(analysis_plan.SHIPPED)
    with pytest.raises(BadInput) as refused:
        preflight.check_settings(config, lambda _key: "study.yaml", plan, "plan.yaml")
    assert {problem.key: problem.message.split(":")[0] for problem in refused.value.problems} == {
        "models.a.init_from": "means nothing without init_sha256",
        "models.b.init_sha256": "means nothing without init_from",
        "models.c.init_head": "means nothing without init_from",
    }


def test_files_are_looked_at_before_any_job_and_unknown_scans_are_told(former, tmp_path: Path) -> None:
    folder = former("monai")
    alone = Path(shutil.copy(folder / "final.pth", tmp_path / "alone.pth"))
    sha256 = sha256_of(alone)
    otherwise = Path(shutil.copy(alone, tmp_path / "alone.bin"))
    config = configured(
        known={"init_from": str(folder), "init_sha256": sha256},
        unknown={"init_from": str(alone), "init_sha256": sha256},
        lost={"init_from": "nowhere", "init_sha256": sha256},
        otherwise={"init_from": str(otherwise), "init_sha256": sha256},
    )
    plan = analysis_plan.load(analysis_plan.SHIPPED)
    with pytest.raises(BadInput) as refused:
        preflight.check(config, lambda _key: "study.yaml", plan, "plan.yaml", [])
    told = {problem.key: problem for problem in refused.value.problems if problem.key.startswith("models")}
    assert told.keys() == {"models.lost.init_from", "models.otherwise.init_from"}
    assert told["models.lost.init_from"].file == "nowhere/final.pth"
    assert told["models.otherwise.init_from"].file == str(otherwise)
    assert "must end with .pth or .pt" in told["models.otherwise.init_from"].message
    warned = [words for words in preflight.warnings(config, [], plan, "plan.yaml") if "not recorded" in words]
    assert [words.split(" ")[0] for words in warned] == [
        "models.unknown",
        "models.lost",
        "models.otherwise",
    ]
