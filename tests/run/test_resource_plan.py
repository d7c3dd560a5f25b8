"""What ``make plan`` says of a study: hours and disk from rates whose product is known."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from headct.contracts.artefacts import write_json
from headct.frameworks.base import training_settings
from headct.run.cluster import sizes
from headct.run.cluster.counts import label_maps
from headct.run.cluster.rates import Rate, read
from headct.run.cluster.resource_plan import (
    PlannedStudy,
    card_of_profile,
    disk_stages,
    disk_table,
    jobs_table,
    models_table,
    prediction_in_words,
    training_costs,
    warnings,
)
from headct.run.cluster.training_costs import Speeds
from headct.settings import blocks
from headct.settings.blocks import Configuration, EffortCurve, LearningCurve, Model
from headct.settings.typed import plain

REPOSITORY = Path(__file__).parents[2]
ENVIRONMENT = os.environ | {"PYTHONPATH": str(REPOSITORY / "workflow/scripts")}


@pytest.fixture(scope="module")
def config() -> Configuration:
    return blocks.load(REPOSITORY / "config/config.yaml")


def job(model: str, rule: str = "train") -> tuple[str, str]:
    return rule, f"results/logs/{rule}/{model}/seed-1/fold-all.log"


RATE = partial(
    Rate,
    task="train",
    kind="monai basicunet",
    card="NVIDIA H100 80GB HBM3",
    device="cuda",
    date="2026-11-28",
    commit="fc36041",
    source="a test",
)


def planned(
    config: Configuration,
    folder: Path,
    models: list[str],
    rates: tuple[Rate, ...],
    card: str = "",
    scans: int = 1732,
) -> tuple[dict[str, list[str]], list[str], list[str]]:
    """The cells of the table of models, the sentences on hours below it, and the warnings."""
    jobs = [*map(job, models), ("ingest", "a"), *(job(model, "predict") for model in models)]
    study, speeds = PlannedStudy(config, folder, scans, jobs), Speeds(rates, card, config.device)
    costs = training_costs(study, speeds)
    lines = list(models_table(study, costs, speeds, sizes.read()))
    end = len(models) + 2
    cells = {(row := re.split("  +", line))[0]: row[1:] for line in lines[1:end]}
    assert lines[end].startswith("To be run: ")
    return cells, lines[end + 1 :], list(warnings(study, costs, speeds, sizes.read()))


def test_hours_are_rates_times_steps(config: Configuration, tmp_path: Path) -> None:
    """1800 epochs of 250 steps, at 9 h for 1000 such epochs: 16.2 h."""
    cells, told, _ = planned(config, tmp_path, ["nnunet-3d-dicece", "unet"], read())
    assert cells["nnunet-3d-dicece"] == [
        "1",
        "450,000",
        "16.2",
        "16.2",
        "7.7",
        "0.8",
        "NVIDIA A100 PCIe 40GB (published)",
    ]
    assert cells["unet"] == ["1", "1,404,000", "?", "?", "?", "0.2"]
    assert cells["all"][:4] == ["2", "1,854,000", "≥ 16.2", "≥ 7.7"]
    assert told[0] == "Sum, training only: 16.2 GPU hours, and 1 of unknown length"
    assert told[-1].startswith("No rate is measured on your card of unet: run 'make gpu' there")


def test_hours_have_a_range_from_the_fastest_to_the_slowest_measurement_on_the_card(
    config: Configuration, tmp_path: Path
) -> None:
    """1,404,000 steps; nnU-Net's 90,000 steps of validation count as well."""
    other = RATE(s_per_step=9.0, card="NVIDIA A100-SXM4-80GB", peak_gpu_memory_mb=9000.0)
    nnunet = "nnunet ExperimentPlanner configuration=3d_fullres"
    rates = (
        RATE(s_per_step=0.1),
        RATE(s_per_step=0.2, peak_gpu_memory_mb=8000.0),
        other,
        RATE(kind=nnunet, s_per_step=0.1, s_per_validation_step=0.04),
    )
    cells, told, _ = planned(config, tmp_path, ["unet", "nnunet-3d-focal"], rates, card="h100")
    assert cells["unet"][2:5] == ["39.0 to 78.0", "39.0 to 78.0", "9.0"]
    assert cells["unet"][6] == "NVIDIA H100 80GB HBM3"
    assert cells["nnunet-3d-focal"][2] == "13.5"
    assert cells["all"][2] == "52.5 to 91.5", "nothing is unknown"
    assert told[0] == "Sum, training only: 52.5 to 91.5 GPU hours"
    assert "A rate is of steps alone: the start, checkpoints and logs come on top." in told
    assert not any("make gpu" in line for line in told)


def test_published_rates_are_not_taken_for_measured_ones(config: Configuration, tmp_path: Path) -> None:
    """Each source is named once below the table; a rate without a commit is of another program."""
    rates = (
        RATE(s_per_step=0.1),
        RATE(s_per_step=0.2),
        RATE(s_per_step=0.3, commit=None, card="A100", source="a paper"),
    )
    cells, told, _ = planned(config, tmp_path, ["unet"], rates)
    assert cells["unet"][-1] == "NVIDIA H100 80GB HBM3, A100 (published)"
    sources = [line for line in told if line.startswith(("Measured", "Published"))]
    assert sources == ["Measured: a test.", "Published, not measured with this workflow: a paper."]
    _, told, _ = planned(config, tmp_path, ["unet"], rates[:2])
    assert not any("ublished" in line for line in told)


def test_cuda_itself_needs_memory_beside_the_tensors(config: Configuration, tmp_path: Path) -> None:
    for peak_mb, n_warnings in ((9600.0, 1), (9400.0, 0)):
        rates = (RATE(s_per_step=0.1, peak_gpu_memory_mb=peak_mb),)
        _, _, warned = planned(config, tmp_path, ["unet"], rates, card="h100_1g.10gb", scans=10)
        assert sum("CUDA itself" in line for line in warned) == n_warnings


def test_of_a_card_without_a_rate_those_of_another_are_said_to_be_of_another(
    config: Configuration, tmp_path: Path
) -> None:
    cells, told, _ = planned(config, tmp_path, ["unet", "blast-ct"], (RATE(s_per_step=0.1),), card="a100")
    assert cells["unet"][2] == "39.0"
    assert cells["unet"][-1] == "another card: NVIDIA H100 80GB HBM3"
    assert told[-2].startswith("No rate is measured on a100 of blast-ct: run 'make gpu' there")
    assert told[-1].startswith("Another card than a100 may be several times as fast or slow")


def test_without_any_rate_steps_are_told_alone(config: Configuration, tmp_path: Path) -> None:
    cells, told, warned = planned(config, tmp_path, ["blast-ct"], (), card="h100", scans=10)
    assert cells["blast-ct"][:4] == ["1", "180,000", "?", "?"]
    assert told == [f"No rate is measured on h100 of blast-ct: {MEASURE}."]
    assert not any("turns" in line for line in warned)


MEASURE = "run 'make gpu' there, then 'make rates'"


def test_a_rate_of_other_sizes_or_of_a_cpu_says_nothing_of_a_gpu(
    config: Configuration, tmp_path: Path
) -> None:
    rates = (
        RATE(s_per_step=0.1, kind="monai basicunet patch_size_xyz=[32,32,16]"),
        RATE(s_per_step=0.1, device="cpu"),
    )
    cells, _, _ = planned(config, tmp_path, ["unet"], rates)
    assert cells["unet"][2] == "?"


def test_several_seeds_and_folds_add_up_and_a_fold_learns_from_fewer_scans(
    config: Configuration, tmp_path: Path
) -> None:
    """Of 100 scans 90 are learnt from: 45 steps an epoch; of four folds in five, 36."""
    jobs = [
        ("train", f"results/logs/train/unet/seed-{seed}/fold-{fold}.log")
        for seed in (1, 2)
        for fold in ("all", 3)
    ]
    study, speeds = PlannedStudy(config, tmp_path, 100, jobs), Speeds((RATE(s_per_step=0.5),), "", "cuda")
    costs = training_costs(study, speeds)
    assert [cost.steps for cost in costs] == [1800 * 36, 1800 * 45] * 2
    row = re.split("  +", list(models_table(study, costs, speeds, sizes.read()))[1])
    assert row[:5] == ["unet", "4", "291,600", "9.0 to 11.2", "40.5"]


def test_networks_of_a_learning_curve_are_planned_with_their_participants(
    config: Configuration, tmp_path: Path
) -> None:
    """Of 100 scans 90 are learnt from, of four folds in five 72; two scans a step."""
    sizes_of_curve = (10, 20, "all")
    jobs = [
        ("train_learning_curve", f"results/logs/learning_curve/train/unet/size-{size}/seed-1/fold-0.log")
        for size in sizes_of_curve
    ]
    jobs += [("predict_learning_curve", "a.log"), job("unet")]
    study, speeds = PlannedStudy(config, tmp_path, 100, jobs), Speeds((RATE(s_per_step=0.5),), "", "cuda")
    costs = training_costs(study, speeds)
    assert sorted(cost.steps or 0 for cost in costs) == [1800 * steps for steps in (5, 10, 36, 45)]
    row = re.split("  +", list(models_table(study, costs, speeds, sizes.read()))[1])
    assert row[:3] == ["unet", "4", f"{1800 * 96:,}"]
    lines = list(jobs_table(jobs, config.resources))
    asked = [line.split() for line in lines if line.startswith(("train", "predict"))]
    assert {(words[0], words[5]) for words in asked} == {
        ("train", "1"),
        ("train_learning_curve", "1"),
        ("predict_learning_curve", "1"),
    }


def test_a_training_that_was_finished_is_its_own_rate(config: Configuration, tmp_path: Path) -> None:
    settings = plain(training_settings(config.models["unet"])) | {"workers": 99}  # which decides no weight
    record: dict[str, Any] = {
        "settings": settings,
        "seconds": 7200.0,
        "sessions": [{"device": "NVIDIA H100"}],
    }
    path = tmp_path / "results/models/unet/seed-1/fold-all/train.json"
    write_json(record, path)
    cells, _, _ = planned(config, tmp_path, ["unet"], read())
    assert (cells["unet"][2], cells["unet"][-1]) == ("2.0", "this study, on NVIDIA H100")
    write_json(record | {"settings": settings | {"epochs": 3}}, path)
    assert planned(config, tmp_path, ["unet"], read())[0]["unet"][2] == "?"


def test_hours_of_prediction_are_scans_times_seconds(config: Configuration, tmp_path: Path) -> None:
    """Of 1732 scans, 173 are tested: 0.5 h at 10 s."""
    study = PlannedStudy(config, tmp_path, 1732, [job("unet", "predict")])
    slow = RATE(task="predict", s_per_scan=100.0)
    rates = RATE(task="predict", s_per_scan=10.0), slow, RATE(s_per_step=1.0)
    (told,) = prediction_in_words(study, Speeds(rates, "h100", "cuda"))
    assert told.startswith(
        "Prediction of 173 test scans: 0.5 to 4.8 h each for unet; no rate is measured of blast-ct, "
    )
    folds = replace(config, training=replace(config.training, folds=(0, 1, 2, 3)))
    (told,) = prediction_in_words(replace(study, config=folds), Speeds(rates, "h100", "cuda"))
    assert told.startswith("Prediction of 173 test scans, by 4 networks each: 1.9 to 19.2 h each for unet")
    (told,) = prediction_in_words(study, Speeds((), "h100", "cuda"))
    assert told == "Prediction of 173 test scans: no rate is measured of any model"
    assert not list(prediction_in_words(replace(study, jobs=[job("unet")]), Speeds(rates, "", "cuda")))


def test_all_that_is_predicted_is_told_of_and_the_test_set_is_that_of_the_split(
    config: Configuration, tmp_path: Path
) -> None:
    """Of 1732 scans 1559 are trained on, of which each of five folds holds out 312: 0.9 h at 10 s."""
    config = replace(config, training=replace(config.training, folds=(0, 1)))
    rules = ("predict", "predict_external", "predict_out_of_fold", "predict_effort")
    study = PlannedStudy(config, tmp_path, 1732, [job("unet", rule) for rule in rules], 40, split_test=171)
    rate = RATE(task="predict", s_per_scan=10.0)
    told = list(prediction_in_words(study, Speeds((rate,), "h100", "cuda")))
    assert [line.split(" each for")[0] for line in told] == [
        "Prediction of 171 test scans, by 2 networks each: 0.95 h",
        "Prediction of 40 scans of external sets, by 2 networks each: 0.22 h",
        "Prediction of 312 scans that a fold holds out: 0.87 h",
        "What is predicted for curves comes on top.",
    ]


def test_what_is_to_be_run_is_told_as_a_part_of_all_trainings(config: Configuration, tmp_path: Path) -> None:
    curve = LearningCurve(sizes=(50, 100), models=("unet",), seeds=(1,), fold=0)
    config = replace(config, learning_curve=curve)
    trained = sum(model.is_trained for model in config.models.values())
    study, speeds = (
        PlannedStudy(config, tmp_path, 1732, [job("unet"), job("blast-ct")]),
        Speeds((), "", "cpu"),
    )
    lines = models_table(study, training_costs(study, speeds), speeds, sizes.read())
    assert f"To be run: 2 of the study's {trained + 2} trainings." in lines


def test_what_does_not_fit_is_warned_of(config: Configuration, tmp_path: Path) -> None:
    asked = config.resources
    small = replace(
        config,
        resources=replace(
            asked,
            ingest=replace(asked.ingest, jobs=1, runtime_min=10),
            predict=replace(asked.predict, runtime_min=5, mem_mb=64000),
            mem_mb_cap=32000,
        ),
    )
    kind = "monai basicunet"
    rates = (
        RATE(s_per_step=0.5, peak_gpu_memory_mb=12000.0),
        RATE(task="predict", kind=kind, s_per_scan=10.0),
        RATE(task="ingest", kind="scan", device="cpu", s_per_scan=1.0),
    )
    _, _, warned = planned(small, tmp_path, ["unet"], rates, card="h100_1g.10gb", scans=10**6)
    assert len(warned) == 6
    training, ingest, predict, memory, gpu, disk = warned
    assert "unet" in training
    assert "turns" in training
    assert "96.0 h" in training
    assert ingest.startswith("a job of ingest takes up to 277.8 h for 1000000 scans, and its limit")
    assert "resources.ingest.runtime_min" in ingest
    assert predict.startswith("a job of predict takes up to 277.8 h for 100000 scans")
    assert memory.startswith("predict asks for 64000 MB of memory, more than resources.mem_mb_cap (32000 MB)")
    assert gpu == (
        "h100_1g.10gb has 10.0 GB of memory, "
        "less than was measured of unet (12.0 GB) with 0.5 GB for CUDA itself"
    )
    assert disk.startswith("the study may take ")
    assert "GB are free here" in disk


def test_what_fits_is_not_warned_of(config: Configuration, tmp_path: Path) -> None:
    rates = (
        RATE(s_per_step=0.2, peak_gpu_memory_mb=12000.0),
        RATE(task="predict", s_per_scan=10.0),
        RATE(task="ingest", kind="scan", device="cpu", s_per_scan=1.0),
    )
    warnings = planned(config, tmp_path, ["unet"], rates, card="h100", scans=100)[2]
    assert [text for text in warnings if "free here" not in text] == [], "this machine's disk may be full"


def test_the_card_is_the_one_that_the_profile_asks_for(tmp_path: Path) -> None:
    assert card_of_profile() == "", "as it is shipped"
    profile = tmp_path / "config.yaml"
    for text, card in (
        ("set-resources:\n  train:\n    gpu_model: a100\n", "a100"),
        ("set-resources:\n  train:\n", ""),
        ("executor: slurm\n", ""),
    ):
        profile.write_text(text, encoding="utf-8")
        assert card_of_profile(profile) == card


def test_a_rule_is_listed_with_what_its_jobs_ask_for(config: Configuration) -> None:
    lines = list(jobs_table([job("unet"), job("nnunet-2d"), ("table1", "a"), ("all", "b")], config.resources))
    assert lines[1].split() == ["train", "2", "8", "32000", "96.0", "1"]
    assert lines[2].split()[:2] == ["others", "2"]


def test_disk_grows_with_scans_and_every_configured_part_has_a_rate(
    config: Configuration, tmp_path: Path
) -> None:
    few, many = (
        list(disk_table(PlannedStudy(config, tmp_path, scans, []), sizes.read())) for scans in (100, 1000)
    )
    assert few[1].split() == ["results/data", "0.9"] or few[1].split() == ["results/data", "1.0"]
    assert many[1].split() == ["results/data", "9.5"]
    assert sum("work: nnunet" in line for line in few) == 2, "2d and 3d are prepared apart"


def test_what_commands_make_lies_in_the_work_folder_too(config: Configuration, tmp_path: Path) -> None:
    command = Model("Rival", "command", True, (), None, frozenset(), {})
    with_it = replace(config, models={**config.models, "rival": command})
    before, after = (
        disk_stages(PlannedStudy(of, tmp_path, 100, [], external=7), sizes.read()) for of in (config, with_it)
    )
    assert "work/outside" not in before
    assert after["work/outside"] == [pytest.approx(17 * 0.1)], "of 10 test scans and 7 of external sets"


def test_label_maps_are_those_of_all_that_is_predicted(config: Configuration) -> None:
    """Of 90 training scans 30 in each of three folds, of 10 test scans, of 7 in external sets; two seeds."""
    models = {key: config.models[key] for key in ("unet", "nnunet-2d", "nnunet-3d-dicece", "nnunet-2d-3d")}
    stated = Model("Rival", "external", True, (), None, frozenset(), {})
    plain_one = replace(
        config,
        models=models,
        split=replace(config.split, test_fraction=0.1, folds=3),
        training=replace(config.training, seeds=(1, 2), folds=("all",)),
    )
    assert label_maps(plain_one, 100, 0) == 2 * 4 * 10
    assert label_maps(plain_one, 100, 7) == 2 * 4 * 17
    folded = replace(plain_one, training=replace(plain_one.training, folds=(0, 2, "all")))
    assert label_maps(folded, 100, 0) == 2 * 4 * (10 + 60)
    with_rival = replace(folded, models={**models, "rival": stated})
    assert label_maps(with_rival, 100, 0) == 2 * (5 * 10 + 4 * 60), "which holds nothing out"
    effort = EffortCurve(shares=(0.1, 0.5), models=("unet", "nnunet-2d"))
    by_effort = replace(folded, training=replace(folded.training, effort_curve=effort))
    assert label_maps(by_effort, 100, 0) == 2 * (4 * (10 + 60) + 2 * 2 * 60)
    curve = LearningCurve(sizes=(4, 8, "all"), models=("unet",), seeds=(1, 2, 3), fold=0)
    assert label_maps(replace(plain_one, learning_curve=curve), 100, 0) == 2 * 4 * 10 + 3 * 3 * 30


@pytest.mark.parametrize(
    ("cases", "gigabytes", "looked_at"),
    [("all", "0.5", "4.8"), ("worst 20", "0.1", "4.8"), ("none", "0.0", "0.0")],
)
def test_the_plan_tells_what_the_cases_of_the_pages_take(
    config: Configuration, tmp_path: Path, cases: str, gigabytes: str, looked_at: str
) -> None:
    shown = replace(config, report=replace(config.report, cases=cases))
    lines = list(disk_table(PlannedStudy(shown, tmp_path, 1000, []), sizes.read()))
    of_results, before_results = (line.split() for line in lines if "report/cases" in line)
    assert of_results == ["results/report/cases", gigabytes], "half of 9.5 MB for each of 100 test scans"
    assert (before_results[0], before_results[-1]) == ("qc/report/cases,", looked_at), "and for each of all"


def test_a_new_network_or_framework_is_of_unknown_size_and_ends_nothing(
    config: Configuration, tmp_path: Path
) -> None:
    unet = config.models["unet"]
    beyond = replace(unet, settings={**unet.settings, "network": "segresnet"})
    with_it = replace(config, models={**config.models, "new": beyond})
    lines = list(disk_table(PlannedStudy(with_it, tmp_path, 100, []), sizes.read()))
    before = list(disk_table(PlannedStudy(config, tmp_path, 100, []), sizes.read()))
    said = [line.split("and 1 of")[0].split()[0] for line in lines if "and 1 of unknown size" in line]
    assert said == ["results/models", "work/training"]
    assert lines[-1].startswith(before[-1].split(";")[0] + ", and what is unknown;")


def plan(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "headct", "plan", "--directory", str(folder), *words]
    return subprocess.run(command, cwd=REPOSITORY, env=ENVIRONMENT, capture_output=True, text=True)


def test_without_a_sheet_one_line_says_what_is_missing(tmp_path: Path) -> None:
    planned = plan(tmp_path)
    assert planned.returncode == 1
    (line,) = planned.stderr.splitlines()
    assert str(tmp_path / "config/scans.tsv") in line
    assert "make plan SCANS=" in line
    assert not list(tmp_path.iterdir())


def test_other_rates_and_another_card_are_taken_and_a_bad_file_ends_in_one_line(tmp_path: Path) -> None:
    folder, rates = tmp_path / "study", tmp_path / "rates.tsv"
    folder.mkdir()
    header = "task\tkind\tcard\tdevice\tdate\ts_per_step\tsource\n"
    rates.write_text(header + "train\tmonai basicunet\tNVIDIA L40S\tcuda\t2026\tfast\tme\n", encoding="utf-8")
    refused = plan(folder, "--scans", "20", "--rates", str(rates))
    assert refused.returncode == 1
    (line,) = refused.stderr.splitlines()
    assert line.startswith(f"{rates}, row 2, key s_per_step, value fast: ")
    rates.write_text(rates.read_text(encoding="utf-8").replace("fast", "0.1"), encoding="utf-8")
    answered = plan(folder, "--scans", "20", "--rates", str(rates), "--card", "l40s")
    assert answered.returncode == 0, answered.stderr
    assert re.search(r"^unet .* 0\.45 .*NVIDIA L40S \(published\)$", answered.stdout, re.MULTILINE)
    assert "No rate is measured on l40s of blast-ct, " in answered.stdout


def test_a_number_of_scans_will_do_instead_of_a_sheet(tmp_path: Path) -> None:
    planned = plan(tmp_path, "--scans", "200")
    assert planned.returncode == 0, planned.stderr
    assert "200 scans, 10 models" in planned.stdout
    assert re.search(r"^train +9 ", planned.stdout, re.MULTILINE)
    assert re.search(r"^results/data +1\.9$", planned.stdout, re.MULTILINE)
    assert re.search(r"^IVH Dice \(primary\) +20 +0\.3 +0\.14 ", planned.stdout, re.MULTILINE)
    assert "first step of Holm's correction over 27" in planned.stdout
    assert not (tmp_path / "config").exists(), "no sheet is left behind"
