"""What a job could only refuse is refused before any job starts, with the file and the key."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headct.contracts.problems import BadInput, Problem
from headct.frameworks.blastct.framework import FRAMEWORK
from headct.frameworks.nnunet import network_checks
from headct.frameworks.nnunet import plans as nnunet_plans
from headct.run import preflight
from headct.settings import analysis_plan, blocks, configuration
from headct.settings.blocks import configured
from support.label_sets import LABELS

REPOSITORY = Path(__file__).parents[2]
PLAN = analysis_plan.load(analysis_plan.SHIPPED)


@pytest.fixture
def demo() -> dict[str, Any]:
    return configuration.load(REPOSITORY / "config/demo.yaml")


def refused(config: dict[str, Any], of: analysis_plan.Plan = PLAN, *rows: dict[str, Any]) -> list[Problem]:
    with pytest.raises(BadInput) as caught:
        preflight.check(configured(config), lambda key: "study.yaml", of, "plan.yaml", rows)
    return caught.value.problems


@pytest.mark.parametrize("name", ["config.yaml", "demo.yaml", "simulated_full.yaml"])
def test_shipped_configurations_can_run(name: str) -> None:
    config = blocks.load(REPOSITORY / "config" / name)
    preflight.check(config, lambda key: name, PLAN, "plan.yaml", [])
    assert preflight.warnings(config, [], PLAN, "plan.yaml") == []


@pytest.mark.parametrize(
    ("model", "changed", "key", "words"),
    [
        (
            "nnunet-2d",
            {"planner": "ResEncUNetPlaner"},
            "models.nnunet-2d.planner",
            "did you mean 'ResEncUNetPlanner'",
        ),
        ("nnunet-2d", {"plan_changes": {"2d": {"patch_size": [8, 32, 32]}}}, ".2d.patch_size", "2 numbers"),
        (
            "blast-ct",
            {"patch_size_voxels": [52, 50, 50]},
            "models.blast-ct.patch_size_voxels",
            "multiple of 5",
        ),
        ("blast-ct", {"feature_maps": [8] * 8}, "blastct.patch_size_voxels", "at least 85"),
        ("unet", {"patch_size_xyz": [16, 16, 16]}, "models.unet.patch_size_xyz", "more than one voxel"),
        ("deeplabv3plus", {"scans_per_batch": 1}, "monai.patches_per_scan", "two patches"),
    ],
)
def test_settings_that_no_training_could_use(
    demo: dict, model: str, changed: dict, key: str, words: str
) -> None:
    demo["models"][model] |= changed
    found = refused(demo)
    assert all(problem.file == "study.yaml" for problem in found)
    assert any(problem.key.endswith(key) and words in problem.message for problem in found), found


@pytest.mark.parametrize(
    ("model", "configuration", "target", "changes", "words"),
    [
        ("nnunet-2d", "2d", None, {"patch_size": [40, 44]}, "multiples of [8, 8]"),
        ("nnunet-2d", "2d", None, {"patch_size": [50, 48], "features_per_stage": [8, 16, 32]}, "of [4, 4]"),
        ("nnunet-2d", "2d", None, {"patch_size": [8, 8]}, "allows 2 stages"),
        ("nnunet-2d", "2d", None, {"patch_size": [16, 16], "features_per_stage": [8] * 5}, "allows 3 stages"),
        ("nnunet-3d-dicece", "3d_fullres", None, {"patch_size": [7, 36, 64]}, "the second and third side"),
        ("nnunet-3d-dicece", "3d_fullres", [5, 0.5, 0.5], {"patch_size": [13, 64, 64]}, "the sides must be"),
        ("nnunet-3d-dicece", "3d_fullres", [1, 1, 1], {"patch_size": [14, 32, 36]}, "multiples of [2, 8, 8]"),
    ],
)
def test_a_patch_that_the_network_can_not_halve(
    demo: dict, model: str, configuration: str, target: list | None, changes: dict, words: str
) -> None:
    demo["models"][model] |= {
        "plan_changes": {configuration: changes},
        "target_spacing_mm_zyx": target,
    }
    (problem,) = refused(demo)
    assert problem.key == f"models.{model}.plan_changes.{configuration}.patch_size"
    assert words in problem.message


SIDES = st.integers(1, 40) | st.sampled_from([32, 48, 64, 96, 128, 160, 192, 224, 256, 320, 512])
MM = st.sampled_from([0.35, 0.45, 0.49, 0.6, 0.98])


@settings(max_examples=300, deadline=None)
@given(
    patch=st.tuples(SIDES, SIDES, SIDES),
    gap=st.sampled_from([0.6, 1, 1.25, 2.5, 3, 5, 7.5, 10]),
    pixel=MM,
    n_axes=st.sampled_from([2, 3]),
    n_stages=st.none() | st.integers(3, 9),
    is_known=st.booleans(),
)
def test_a_patch_is_judged_as_its_job_would(
    patch: tuple, gap: float, pixel: float, n_axes: int, n_stages: int | None, is_known: bool
) -> None:
    """With the spacing known just as the job; else what is refused would be refused for any scans."""
    spacing = [max(gap, pixel), pixel, pixel]
    features = [8] * n_stages if n_stages else None
    chosen = {"spacing": spacing[-n_axes:], "architecture": {"arch_kwargs": {}}}
    of_job = nnunet_plans._change_network(chosen, list(patch[-n_axes:]), features)
    given_mm = network_checks._spacing(spacing if is_known else None)[-n_axes:]
    found = network_checks._unfit_patch(patch[-n_axes:], given_mm, features)
    if is_known or n_axes == 2:
        assert bool(found) == bool(of_job), (found, of_job)
    elif found:
        assert of_job


def test_planners_are_those_that_nnunet_finds() -> None:
    import nnunetv2
    from nnunetv2.utilities.find_class_by_name import recursive_find_python_class

    assert len(network_checks.planners()) > 5
    folder = str(Path(nnunetv2.__path__[0]) / "experiment_planning")
    for name in network_checks.planners():
        assert recursive_find_python_class(folder, name, "nnunetv2.experiment_planning") is not None


@pytest.mark.parametrize(("side", "fits"), [(35, True), (30, False), (36, False)])
def test_blast_ct_takes_the_patches_that_are_let_through(demo: dict, side: int, fits: bool) -> None:
    from blast_ct.read_config import get_model

    from headct.frameworks.blastct import training as blastct

    demo["models"]["blast-ct"]["patch_size_voxels"] = [side, 35, 35]
    asked = blastct.package_configuration(FRAMEWORK.settings_of(configured(demo).models["blast-ct"]), LABELS)
    if fits:
        preflight.check(configured(demo), str, PLAN, "plan.yaml", [])
        assert blastct.output_size(get_model(asked), asked) == (5, 5, 5)
    else:
        refused(demo)
        with pytest.raises(BadInput):
            blastct.output_size(get_model(asked), asked)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("scan_id\tset\ns0\ttrain\n", "no scan has the set 'test'"),
        ("scan_id\tset\ns0\ttest\n", "no scan has the set 'train'"),
        ("scan_id\ns0\n", "column is missing"),
    ],
)
def test_a_split_without_test_scan_names_its_own_file(
    demo: dict, tmp_path: Path, text: str, words: str
) -> None:
    file = tmp_path / "given.tsv"
    file.write_text(text, encoding="utf-8")
    demo["split"]["file"] = str(file)
    (problem,) = refused(demo)
    assert problem.file == str(file)
    assert words in problem.message


def test_folds_by_site_need_the_sites_of_the_sheet(demo: dict, tmp_path: Path) -> None:
    demo["split"]["folds_by"] = "site"
    named = ["a", "b", None, "c", None]
    rows = [
        {"row": i + 2, "participant_id": str(i), "timepoint": None, "site": site}
        for i, site in enumerate(named)
    ]
    left_out = {**rows[2], "row": 9, "left_out": "wrong patient"}
    assert [(problem.row, problem.key) for problem in refused(demo, PLAN, *rows, left_out)] == [
        ("4", "site"),
        ("6", "site"),
    ]
    two_sites = [row for row in rows if row["site"] in ("a", "b")]
    (problem,) = refused(demo, PLAN, *two_sites)  # the demo has three folds
    assert (problem.file, problem.key, problem.value) == ("study.yaml", "split.folds", "3")
    assert "the sheet has 2 sites" in problem.message
    file = tmp_path / "given.tsv"
    file.write_text("scan_id\tset\ns0\ttrain\ns1\ttest\n", encoding="utf-8")
    demo["split"]["file"] = str(file)  # whose test scans need no site
    preflight.check(configured(demo), str, PLAN, "plan.yaml", rows)


def test_folds_by_site_of_which_none_is_trained_are_told(demo: dict) -> None:
    demo["split"]["folds_by"] = "site"
    (told,) = preflight.warnings(configured(demo), [], PLAN, "plan.yaml")
    assert "training.folds names no fold" in told
    demo["training"]["folds"] = ["all", 0]
    assert preflight.warnings(configured(demo), [], PLAN, "plan.yaml") == []


def test_a_primary_endpoint_of_no_model_is_refused_and_others_are_told(demo: dict) -> None:
    demo["models"]["blast-ct"]["replication"] = False
    (told, *_) = preflight.warnings(configured(demo), [], PLAN, "plan.yaml")
    assert "blast-ct is not compared in this run" in told
    about = replace(PLAN, primary=replace(PLAN.primary, against=("nnunet-3d-dicecee",)))
    (problem,) = refused(demo, about)
    assert problem.file == "plan.yaml"
    assert problem.value == "nnunet-3d-dicecee"
    assert "did you mean 'nnunet-3d-dicece'" in problem.message


@pytest.mark.parametrize("model", ["unet", "deeplabv3plus"])
def test_no_training_starts_from_what_the_study_makes_itself(
    demo: dict, model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither from its own weights nor from those of another of its models."""
    monkeypatch.chdir(tmp_path)
    folder = f"results/models/{model}/seed-1/fold-all"
    demo["models"]["unet"] |= {"init_from": folder, "init_sha256": "0" * 64}
    (problem,) = [problem for problem in refused(demo) if problem.key == "models.unet.init_from"]
    assert problem.file == f"{folder}/final.pth"
    assert "copy it out of its results" in problem.message


def test_an_evaluation_only_trains_nothing(demo: dict) -> None:
    demo["split"]["test_fraction"] = 1
    problems = [problem for problem in refused(demo) if problem.key == "split.test_fraction"]
    trained = [key for key, model in configured(demo).models.items() if model.is_trained]
    assert len(problems) == len(trained) > 5
    assert all(f"model {key} on" in problem.message for key, problem in zip(trained, problems, strict=True))


def test_scans_kept_from_a_test_that_nobody_trains_on_are_told(demo: dict) -> None:
    rival = {"title": "Rival", "framework": "external", "folder": "rival"}
    demo["models"] = {"rival": rival | {"replication": True}}
    config = configured(demo)
    (warning,) = [
        text for text in preflight.warnings_of_settings(config, PLAN, "plan.yaml") if "kept" in text
    ]
    assert "67% of the participants are kept from the test set" in warning
    demo["split"]["test_fraction"] = 1
    config = configured(demo)
    assert not any("kept" in text for text in preflight.warnings_of_settings(config, PLAN, "plan.yaml"))


def test_different_patients_are_participants_of_the_sheet(demo: dict) -> None:
    demo["ingest"]["different_patients"] = ["p1", "p7"]
    (problem,) = refused(demo, PLAN, {"participant_id": "p1"})
    assert (problem.file, problem.key) == ("study.yaml", "ingest.different_patients")
    assert (problem.value, problem.message) == (
        "p7",
        "no participant of the sheet: mend the name, or take it out",
    )


def test_participants_of_several_scans_are_told(demo: dict) -> None:
    rows = [{"participant_id": name, "timepoint": None} for name in ("a", "a", "b")]
    follow_up = {"participant_id": "b", "timepoint": "follow-up"}
    (told,) = preflight.warnings(configured(demo), [*rows, follow_up], PLAN, "plan.yaml")
    assert "1 participant has several baseline scans" in told
    assert "leaves out whole participants" in told


def test_a_plan_is_about_the_lesions_of_the_study(demo: dict) -> None:
    margin = {"ICH": 0.02, "PHE": 0.02, "SDH": 0.02}
    about = replace(PLAN, dice_margin=margin, primary=replace(PLAN.primary, label="IVHH"))
    problems = {(problem.key, problem.value): problem.message for problem in refused(demo, about)}
    assert set(problems) == {
        ("endpoint 'IVH Dice'", "IVHH"),
        ("equivalence.dice_margin", "SDH"),
        ("equivalence.dice_margin", "IVH"),
    }
    unknown = problems["equivalence.dice_margin", "SDH"]
    assert "labels: in study.yaml has only ICH, PHE, IVH" in unknown
    assert unknown.endswith("add it under labels: in study.yaml, or take it out of the plan")
    without = problems["equivalence.dice_margin", "IVH"]
    assert without.endswith("add one to the plan, or take the lesion out of labels: in study.yaml")


def test_a_study_of_windowed_images_is_told_what_its_settings_in_hu_mean(demo: dict[str, Any]) -> None:
    before = preflight.warnings(configured(demo), [], PLAN, "plan.yaml")
    demo["ingest"]["intensity"] = "windowed"
    (told,) = set(preflight.warnings(configured(demo), [], PLAN, "plan.yaml")) - set(before)
    assert "hu_window" in told
    assert "grey levels" in told


@pytest.mark.parametrize(
    ("split", "most"),
    [({}, 4), ({"folds_by": "site"}, 5), ({"file": "given.tsv"}, 7)],
    ids=["folds of equal size", "folds of whole sites", "a split that was drawn elsewhere"],
)
def test_sizes_that_no_fold_leaves_are_told_before_any_job(
    demo: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, split: dict[str, str], most: int
) -> None:
    """Nine participants: six to train on, of whom a fold has two, or one at least."""
    monkeypatch.chdir(tmp_path)
    Path("given.tsv").write_text("scan_id\tset\ns0\ttrain\ns1\ttest\n", encoding="utf-8")
    demo["split"] |= split
    sizes = [most - 1, most, 500]
    demo["learning_curve"] = {"sizes": sizes, "models": ["unet"], "seeds": [1], "fold": 0}
    rows = [
        {"row": i + 2, "participant_id": str(i), "timepoint": None, "site": "abc"[i % 3]} for i in range(9)
    ]
    found = refused(demo, PLAN, *rows)
    assert [(problem.key, problem.value) for problem in found] == [
        ("learning_curve.sizes", str(most)),
        ("learning_curve.sizes", "500"),
    ]
    assert f"a fold leaves {most} at most" in found[0].message
