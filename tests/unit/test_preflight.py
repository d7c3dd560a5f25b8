"""What a job could only refuse is refused before any job starts, with the file and the key."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from headct import configuration, preflight
from headct.problems import BadInput, Problem
from headct.statistics import plan

REPOSITORY = Path(__file__).parents[2]
PLAN = plan.load(plan.SHIPPED)


@pytest.fixture
def demo() -> dict[str, Any]:
    return configuration.load(REPOSITORY / "config/demo.yaml")


def refused(config: dict[str, Any], of: plan.Plan = PLAN, *rows: dict[str, Any]) -> list[Problem]:
    with pytest.raises(BadInput) as caught:
        preflight.check(config, lambda key: "study.yaml", of, "plan.yaml", rows)
    return caught.value.problems


@pytest.mark.parametrize("name", ["config.yaml", "demo.yaml", "simulated_full.yaml"])
def test_shipped_configurations_can_run(name: str) -> None:
    config = configuration.load(REPOSITORY / "config" / name)
    preflight.check(config, lambda key: name, PLAN, "plan.yaml", [])
    assert preflight.warnings(config, [], PLAN, "plan.yaml") == []


@pytest.mark.parametrize(
    ("model", "settings", "key", "words"),
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
    demo: dict, model: str, settings: dict, key: str, words: str
) -> None:
    demo["models"][model] |= settings
    found = refused(demo)
    assert all(problem.file == "study.yaml" for problem in found)
    assert any(problem.key.endswith(key) and words in problem.message for problem in found), found


def test_planners_are_those_that_nnunet_finds() -> None:
    import nnunetv2
    from nnunetv2.utilities.find_class_by_name import recursive_find_python_class

    assert len(preflight.planners()) > 5
    folder = str(Path(nnunetv2.__path__[0]) / "experiment_planning")
    for name in preflight.planners():
        assert recursive_find_python_class(folder, name, "nnunetv2.experiment_planning") is not None


@pytest.mark.parametrize(("side", "fits"), [(35, True), (30, False), (36, False)])
def test_blast_ct_takes_the_patches_that_are_let_through(demo: dict, side: int, fits: bool) -> None:
    from blast_ct.read_config import get_model

    from headct.training import blastct

    demo["models"]["blast-ct"]["patch_size_voxels"] = [side, 35, 35]
    asked = blastct.package_configuration(demo["blastct"] | demo["models"]["blast-ct"])
    if fits:
        preflight.check(demo, str, PLAN, "plan.yaml", [])
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


def test_a_primary_endpoint_of_no_model_is_refused_and_others_are_told(demo: dict) -> None:
    demo["models"]["blast-ct"]["replication"] = False
    (told, *_) = preflight.warnings(demo, [], PLAN, "plan.yaml")
    assert "blast-ct is not compared in this run" in told
    about = replace(PLAN, primary=replace(PLAN.primary, against=("nnunet-3d-dicecee",)))
    (problem,) = refused(demo, about)
    assert problem.file == "plan.yaml"
    assert problem.value == "nnunet-3d-dicecee"
    assert "did you mean 'nnunet-3d-dicece'" in problem.message


def test_different_patients_are_participants_of_the_sheet(demo: dict) -> None:
    demo["ingest"]["different_patients"] = ["p1", "p7"]
    (problem,) = refused(demo, PLAN, {"participant_id": "p1"})
    assert (problem.file, problem.key) == ("study.yaml", "ingest.different_patients")
    assert (problem.value, problem.message) == ("p7", "no participant of the sheet")


def test_participants_of_several_scans_are_told(demo: dict) -> None:
    rows = [{"participant_id": name, "timepoint": None} for name in ("a", "a", "b")]
    follow_up = {"participant_id": "b", "timepoint": "follow-up"}
    (told,) = preflight.warnings(demo, [*rows, follow_up], PLAN, "plan.yaml")
    assert "1 participant has several baseline scans" in told
    assert "independent" in told
