"""Each configuration resolves to the jobs that it should, on a sheet of empty files, in seconds."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

from headct.cohort import shards
from headct.contracts.declarations import PublishedFigure, PublishedReport, PublishedTable, declared
from headct.settings import configuration
from support import snake
from support.study_files import plan_about, write_sheet

NOT_OF_EVERY_STUDY = {
    "statistics/external_sets.tsv",
    "statistics/external_endpoints.tsv",
    "statistics/learning_curve.tsv",
    "statistics/effort_curve.tsv",
}
"""What tables and figures are of that not every study has: external sets, a learning curve, folds."""

TABLES = {
    name: table
    for name, table in declared(PublishedTable).items()
    if NOT_OF_EVERY_STUDY.isdisjoint(table.inputs.values())
}
FIGURES = {  # by their rules; those of second readings are made where there are any
    f"{name}_figure" if name in TABLES else name: 9 if figure.per_model else 1
    for name, figure in declared(PublishedFigure).items()
    if not {"metrics of second readings", *NOT_OF_EVERY_STUDY} & {*figure.inputs.values()}
}
ALL_TEN = {
    "train": 9,
    "predict": 10,
    "metrics": 11,
    **dict.fromkeys([*TABLES, *declared(PublishedReport)], 1),
    **FIGURES,
}


def sheet_of(config: str) -> str:
    path = snake.REPOSITORY / "config" / config
    return yaml.safe_load(path.read_text(encoding="utf-8"))["sheet"]


BESIDE_THE_TEN = {"demo.yaml": {"outside": 1, "metrics": 12}, "simulated_full.yaml": {}}
"""Jobs of a configuration that has a model which others made, too."""


@pytest.mark.parametrize("config", BESIDE_THE_TEN)
def test_each_config_resolves(tmp_path: Path, config: str) -> None:
    sheet = tmp_path / sheet_of(config)
    sheet.parent.mkdir(exist_ok=True)
    write_sheet(sheet, scans=5)
    jobs = snake.planned(snake.run("--directory", tmp_path, "--configfile", f"config/{config}", "-n"))
    number = configuration.load(snake.REPOSITORY / "config" / config)["resources"]["ingest"]["jobs"]
    shards_of_five = {shards.name_of(f"s{scan}", number) for scan in range(5)}
    expected = ALL_TEN | {"ingest": len(shards_of_five)} | BESIDE_THE_TEN[config]
    assert jobs.items() >= expected.items()
    assert "out_of_fold" not in jobs, "no fold is held out"
    assert not (tmp_path / "results").exists(), "a dry run writes nothing"


def test_the_real_study_is_the_default_config(tmp_path: Path) -> None:
    clone = snake.copy_repository(tmp_path / "clone")
    assert "make demo" in snake.run("-n", repository=clone).stdout, "no sheet: how to go on is said"
    write_sheet(clone / sheet_of("config.yaml"), scans=3)
    by_slurm = snake.planned(snake.run("--profile", "slurm", "-n", repository=clone))
    assert by_slurm.items() >= (ALL_TEN | {"ingest": 3}).items(), "a job for each scan, of so few"


def test_one_figure_trains_one_model(tmp_path: Path) -> None:
    (tmp_path / "trial").mkdir()
    write_sheet(tmp_path / "trial" / "scans.tsv", scans=4)
    demo = ("--directory", tmp_path, "--configfile", "config/demo.yaml", "-n")
    jobs = snake.planned(snake.run(*demo, "results/figures/bland_altman.pdf"))
    assert jobs == {
        "ingest": len({shards.name_of(f"s{scan}", 4) for scan in range(4)}),
        "cohort": 1,
        "split": 1,
        "prepare": 1,
        "train": 1,
        "predict": 1,
        "metrics": 1,
        "bland_altman": 1,
    }
    ensemble = snake.planned(snake.run(*demo, "results/metrics/nnunet-2d-3d.tsv"))
    assert (ensemble["train"], ensemble["predict"]) == (2, 1)


def test_a_model_beyond_the_replication_is_measured_but_not_compared(tmp_path: Path) -> None:
    (tmp_path / "trial").mkdir()
    write_sheet(tmp_path / "trial" / "scans.tsv", scans=2)
    config = yaml.safe_load((snake.REPOSITORY / "config" / "demo.yaml").read_text(encoding="utf-8"))
    deeplab = config["models"]["deeplabv3plus"]
    beyond = {"title": "Beyond", "planner": "nnUNetPlannerResEncL", "replication": False}
    config["models"] = {
        "beyond": config["models"]["nnunet-3d-dicece"] | beyond,
        "unet": config["models"]["unet"],
    }
    config["figures"] = {"agreement_model": "unet", "cases": {"select_by": "unet", "show": ["unet"]}}
    config["models"]["deeplabv3plus"] = deeplab
    config["analysis_plan"] = str(plan_about(tmp_path, "unet", "deeplabv3plus"))
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    targets = ("results/statistics/dunn.tsv", "results/figures/dice_box_violin.pdf")
    result = snake.run("--directory", tmp_path, "--configfile", tmp_path / "config.yaml", "-np", *targets)
    assert snake.planned(result)["train"] == 3
    assert "results/metrics/beyond.tsv" in result.stdout
    assert "--models unet deeplabv3plus --out" in result.stdout
    assert (
        """'--models={"unet": "U-Net", "deeplabv3plus": "DeepLabv3+", "beyond": "Beyond"}'""" in result.stdout
    )
    settings = next(line for line in result.stdout.splitlines() if "--model beyond" in line)
    assert "nnUNetPlannerResEncL" in settings
    assert "replication" not in settings, "no part of what defines a training run"


def test_the_full_study_is_ingested_in_fewer_than_100_jobs(tmp_path: Path) -> None:
    sheet = tmp_path / sheet_of("config.yaml")
    sheet.parent.mkdir()
    write_sheet(sheet, scans=1732)
    config = ("--configfile", "config/config.yaml", "-n", "results/cohort/cohort.tsv")
    assert snake.planned(snake.run("--directory", tmp_path, *config)) == {"ingest": 64, "cohort": 1}


@pytest.fixture(scope="module")
def folds_and_braces(tmp_path_factory: pytest.TempPathFactory) -> subprocess.CompletedProcess:
    """The plan of a study with folds, whose configuration has braces in many texts."""
    folder = tmp_path_factory.mktemp("braces")
    (folder / "trial").mkdir()
    write_sheet(folder / "trial" / "scans.tsv", scans=4)
    config = yaml.safe_load((snake.REPOSITORY / "config" / "demo.yaml").read_text(encoding="utf-8"))
    config["training"] = {"folds": [0, 2, "all"]}
    config["study"]["note"] = "interim {draft}"
    config["work_dir"] = "work/{draft}"
    config["ingest"] = {"sharp_kernels": ["^[A-Z]{2}[5-9]"]}
    for number, model in enumerate(config["models"].values()):
        model["title"] = f"-{{title}} {number}"
    config["reporting"]["title"] = "About {this}"
    (folder / "{c}.yaml").write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    return snake.run("--directory", folder, "--configfile", folder / "{c}.yaml", "-np")


def test_braces_in_the_configuration_are_text(folds_and_braces: subprocess.CompletedProcess) -> None:
    assert snake.planned(folds_and_braces)["model_cards"] == 1
    for text in ("'--title-note=interim {draft}'", "--work='work/{draft}'", "^[A-Z]{2}[5-9]"):
        assert text in folds_and_braces.stdout
    assert "'--model-title=-{title} 2'" in folds_and_braces.stdout


def test_folds_are_predicted_out_of_fold_beside_the_test_set(
    folds_and_braces: subprocess.CompletedProcess,
) -> None:
    result = folds_and_braces
    jobs = snake.planned(result)
    assert (jobs["train"], jobs["predict"], jobs["predict_out_of_fold"]) == (27, 10, 10)
    assert (jobs["metrics_out_of_fold"], jobs["out_of_fold"]) == (10, 1)
    assert jobs["new_site"] == 1
    of_sites = next(line for line in result.stdout.splitlines() if "-- new-site --labels" in line)
    assert "out-of-fold" not in of_sites, (
        "folds hold out participants, so the sites are those of the test set"
    )
    folders = [f"results/models/unet/seed-1/fold-{fold}" for fold in (0, 2)]
    command = next(
        line
        for line in result.stdout.splitlines()
        if "unet/out-of-fold/seed-1" in line and "--member" in line
    )
    assert f"--member {' '.join(folders)} --out-of-fold 0 2 --settings" in command, "not the one that saw all"


def test_a_budget_and_a_curve_are_told_to_the_trainings_and_add_jobs_for_each_share(tmp_path: Path) -> None:
    """Of two folds and nine networks; a study that does not ask for them has none of either."""
    (tmp_path / "trial").mkdir()
    write_sheet(tmp_path / "trial" / "scans.tsv", scans=6)
    folds = {"training": {"folds": [0, "all"]}}
    asked_for = {"training": {"budget": {"patches": 600}, "effort_curve": {"shares": [0.1, 0.5]}}}
    runs = []
    for name, changes in (("folds", folds), ("effort", asked_for)):
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(changes), encoding="utf-8")
        files = [tmp_path / f"{made}.yaml" for made in ("folds", "effort")[: len(runs) + 1]]
        words = ("--configfile", "config/demo.yaml", *files, "-np")
        runs.append(snake.run("--directory", tmp_path, *words))
    without, with_them = map(snake.planned, runs)
    more = {rule: n - without.get(rule, 0) for rule, n in with_them.items()}
    assert {rule: n for rule, n in more.items() if n} == {
        "predict_effort": 2 * 9,
        "metrics_effort": 2 * 9,
        "effort_curve": 1,
        "dice_by_effort": 1,
    }
    options = [[line for line in run.stdout.splitlines() if " train --model unet" in line] for run in runs]
    assert not [line for line in options[0] if "--budget" in line or "--keep-at" in line]
    of_fold = {"--fold all" in line: line for line in options[1]}
    assert all(
        "--budget '{\"patches\": 600}' --prepared results/models/preparation/monai" in line
        for line in of_fold.values()
    )
    assert "--keep-at 0.1 0.5" in of_fold[False]
    assert "--keep-at" not in of_fold[True], "no scan is held out to measure on"
    command = next(
        line
        for line in runs[1].stdout.splitlines()
        if "unet/effort/0.5/seed-1" in line and "--member" in line
    )
    assert "--member results/models/unet/seed-1/fold-0/share-0.5 --out-of-fold 0 --share 0.5" in command


def test_post_processing_is_decided_on_held_out_scans_and_followed_by_all_others(tmp_path: Path) -> None:
    """Of a network and of an ensemble; a study that does not ask for it has no job and no option of it."""
    (tmp_path / "trial").mkdir()
    write_sheet(tmp_path / "trial" / "scans.tsv", scans=6)
    asked_for = {"models": {key: {"postprocessing": "nnunet"} for key in ("unet", "nnunet-2d-3d")}}
    runs = []
    for name, changes in (("folds", {"training": {"folds": [0, "all"]}}), ("asked_for", asked_for)):
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(changes), encoding="utf-8")
        files = [tmp_path / f"{made}.yaml" for made in ("folds", "asked_for")[: len(runs) + 1]]
        runs.append(snake.run("--directory", tmp_path, "--configfile", "config/demo.yaml", *files, "-np"))
    without, with_it = map(snake.planned, runs)
    assert with_it.pop("postprocessing") == 2
    assert with_it == without
    assert "postprocessing" not in runs[0].stdout.replace("pre-", "")
    lines = [line for line in runs[1].stdout.splitlines() if "-m headct.run.job --rule" in line]
    steps = {line.split("--log results/logs/")[1].split(".log")[0]: line for line in lines}
    decision = "results/models/{}/seed-1/postprocessing.json"
    for model, members in (("unet", "unet"), ("nnunet-2d-3d", "nnunet-2d nnunet-3d-dicece")):
        assert f"--postprocessing {decision.format(model)}" in steps[f"predict/{model}/seed-1"]
        assert "--postprocessing" not in steps[f"predict/{model}/out-of-fold/seed-1"]
        of_decision = steps[f"postprocessing/{model}/seed-1"]
        assert f"--members {members} " in of_decision
        assert f"--predictions results/predictions/{model}/out-of-fold/seed-1.tsv" in of_decision
    assert "--postprocessing" not in steps["predict/nnunet-2d/seed-1"], "a member's own maps stay as they are"
    of_table = steps["tables/table_e1"]
    assert " ".join(map(decision.format, ("unet", "nnunet-2d-3d"))) in of_table


def test_dice_by_site_is_of_what_folds_of_whole_sites_held_out(tmp_path: Path) -> None:
    (tmp_path / "trial").mkdir()
    write_sheet(tmp_path / "trial" / "scans.tsv", scans=6, sites="abc")
    changes = {"training": {"folds": [0, 1, 2]}, "split": {"folds_by": "site"}}  # the demo has three folds
    (tmp_path / "sites.yaml").write_text(yaml.safe_dump(changes), encoding="utf-8")
    files = ("--configfile", "config/demo.yaml", tmp_path / "sites.yaml")
    result = snake.run("--directory", tmp_path, *files, "-np", "results/statistics/new_site.tsv")
    jobs = snake.planned(result)
    assert (jobs["new_site"], jobs["metrics_out_of_fold"]) == (1, 10)
    assert "metrics" not in jobs, "of the test set nothing is needed"


def test_each_external_set_is_predicted_and_measured_by_each_model(tmp_path: Path) -> None:
    (tmp_path / "trial").mkdir()
    sheet = tmp_path / "trial" / "scans.tsv"
    write_sheet(sheet, scans=9)
    header, *rows = sheet.read_text(encoding="utf-8").splitlines()
    demo = ("--directory", tmp_path, "--configfile", "config/demo.yaml", "-n")
    of_sets = ["", "external:near", "external:far"]
    named = [f"{row}\t{of_sets[number % 3]}" for number, row in enumerate(rows)]
    sheet.write_text("\n".join([f"{header}\tset", *named, ""]), encoding="utf-8")
    with_sets = snake.planned(snake.run(*demo))
    sheet.write_text("\n".join([header, *rows[::3], ""]), encoding="utf-8")
    alone = snake.planned(snake.run(*demo))
    more = {rule: n - alone.get(rule, 0) for rule, n in with_sets.items()}
    n_shards = len({(number % 3, shards.name_of(f"s{number}", 4)) for number in range(9) if number % 3})
    assert {rule: n for rule, n in more.items() if n} == {
        "ingest": n_shards,
        "external_set": 2,
        "predict_external": 2 * ALL_TEN["predict"],
        "outside_external": 2 * BESIDE_THE_TEN["demo.yaml"]["outside"],
        "metrics_external": 2 * BESIDE_THE_TEN["demo.yaml"]["metrics"],
        "external_analysis": 1,
        "external_sets": 1,
        "external_comparison": 1,
        "external_sets_figure": 1,
    }


def test_a_learning_curve_adds_its_own_jobs_and_takes_the_studys_network_where_it_is_the_same(
    tmp_path: Path,
) -> None:
    """Seed 1 of fold 0 is trained anyway: two models have seven networks of the curve each."""
    (tmp_path / "trial").mkdir()
    write_sheet(tmp_path / "trial" / "scans.tsv", scans=12)
    demo = ("--directory", tmp_path, "--configfile", "config/demo.yaml")
    folds = {"training": {"folds": ["all", 0]}}
    curve = {"sizes": [1, 2, 3, "all"], "models": ["unet", "nnunet-2d"], "seeds": [1, 2]}
    without, with_curve = tmp_path / "without.yaml", tmp_path / "with.yaml"
    without.write_text(yaml.safe_dump(folds), encoding="utf-8")
    with_curve.write_text(yaml.safe_dump(folds | {"learning_curve": curve}), encoding="utf-8")
    alone = snake.planned(snake.run(*demo, without, "-n"))
    result = snake.run(*demo, with_curve, "-np")
    more = {rule: n - alone.get(rule, 0) for rule, n in snake.planned(result).items()}
    assert {rule: n for rule, n in more.items() if n} == {
        "learning_subset": 8,
        "train_learning_curve": 14,
        "predict_learning_curve": 16,
        "metrics_learning_curve": 8,
        "learning_curve_analysis": 1,
        "learning_curve": 1,
        "learning_curve_figure": 1,
    }
    commands = [line for line in result.stdout.splitlines() if "-- predict --model unet" in line]
    of_all = [line for line in commands if "predictions/unet/learning-curve/size-all/seed-1.tsv" in line]
    assert len(of_all) == 1
    assert "--member results/models/unet/seed-1/fold-0 --out-of-fold 0 " in of_all[0]
    trainings = [line for line in result.stdout.splitlines() if "-- train --model unet" in line]
    folders = [line.split("--out ")[1].strip() for line in trainings if "subsets/size-2/seed-2.tsv" in line]
    assert folders == ["results/learning_curve/models/unet/size-2/seed-2/fold-0"]


def test_a_mistyped_shard_or_model_matches_no_rule(tmp_path: Path) -> None:
    (tmp_path / "trial").mkdir()
    write_sheet(tmp_path / "trial" / "scans.tsv", scans=2)
    for target in ("results/data/shards/9.tsv", "results/metrics/nnunet-4d.tsv"):
        result = snake.run("--directory", tmp_path, "--configfile", "config/demo.yaml", "-n", target)
        assert result.returncode == 1
        assert "No rule to produce" in result.stdout


def test_every_rule_has_a_docstring(tmp_path: Path) -> None:
    (tmp_path / "trial").mkdir()
    write_sheet(tmp_path / "trial" / "scans.tsv", scans=2)
    result = snake.run("--directory", tmp_path, "--configfile", "config/demo.yaml", "--list")
    rules = [line for line in result.stdout.splitlines() if line.strip()]
    assert len(rules) > 15
    assert [rule for rule in rules if "(" not in rule] == []


def test_a_fault_names_the_source_that_it_is_in(tmp_path: Path) -> None:
    (tmp_path / "trial").mkdir()
    write_sheet(tmp_path / "trial" / "scans.tsv", scans=2)
    more = tmp_path / "more.yaml"
    more.write_text("monai: {epochs: 0}\nmonai: {epochs: 1}\n", encoding="utf-8")
    demo = ("--directory", tmp_path, "-n", "--configfile", "config/demo.yaml")
    twice = snake.run(*demo, more)
    assert f"{more.name}, key monai: stands twice, in line 1 and in line 2" in twice.stdout
    more.write_text("monai: {epochs: 0}\n", encoding="utf-8")
    for said, source in (
        (snake.run(*demo, more), f"{more.name}, key monai.epochs, value 0: must be at least 1"),
        (
            snake.run(*demo, "--config", "nnunet={epochs: 0}"),
            "--config (where all that stands in braces is text), key nnunet.epochs, value 0: ",
        ),
    ):
        assert said.returncode == 1
        assert source in said.stdout


def test_a_plan_about_other_models_and_scans_of_one_participant_are_told_before_any_job(
    tmp_path: Path,
) -> None:
    sheet = tmp_path / "trial" / "scans.tsv"
    sheet.parent.mkdir()
    write_sheet(sheet, scans=3)
    config = yaml.safe_load((snake.REPOSITORY / "config" / "demo.yaml").read_text(encoding="utf-8"))
    del config["models"]["blast-ct"]
    changed = tmp_path / "config.yaml"
    changed.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    sheet.write_text(sheet.read_text(encoding="utf-8").replace("p1", "p0"), encoding="utf-8")
    done = snake.run("--directory", tmp_path, "--configfile", changed, "-n", "results/cohort/cohort.tsv")
    assert done.returncode == 0, "what a run can go on without is a warning"
    assert "Warning: trial/scans.tsv: 1 participant has several baseline scans" in done.stdout
    assert "endpoint 'PHE volume error': blast-ct is no model of this run" in done.stdout
    config["analysis_plan"] = str(plan_about(tmp_path, "unet", "nnunet-3d-focl"))
    changed.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    done = snake.run("--directory", tmp_path, "--configfile", changed, "-n", "results/cohort/cohort.tsv")
    assert done.returncode == 1
    assert "value nnunet-3d-focl: is no model of this run; did you mean 'nnunet-3d-focal'?" in done.stdout


def test_a_study_of_its_own_holds_nothing_against_the_paper(tmp_path: Path) -> None:
    sheet = tmp_path / "trial" / "scans.tsv"
    sheet.parent.mkdir()
    write_sheet(sheet, scans=3)
    config = yaml.safe_load((snake.REPOSITORY / "config" / "demo.yaml").read_text(encoding="utf-8"))
    plan = plan_about(tmp_path, "unet", "nnunet-2d", comparison="own")
    changed = tmp_path / "config.yaml"
    config["analysis_plan"] = str(plan)
    changed.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    jobs = snake.planned(snake.run("--directory", tmp_path, "--configfile", changed, "-n"))
    of_the_paper = {"claims", "published_vs_reproduced", "published_vs_reproduced_figure"}
    assert not of_the_paper & jobs.keys()
    assert {"statistics", "paired_analysis", "planned_comparison", "checklists", "audit"} <= jobs.keys()
