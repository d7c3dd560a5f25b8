"""Dataset, fingerprint, plans and preprocessing of nnU-Net, on synthetic scans."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from nnunetv2.experiment_planning.dataset_fingerprint.fingerprint_extractor import (
    DatasetFingerprintExtractor,
)
from nnunetv2.training.dataloading.nnunet_dataset import nnUNetDatasetBlosc2

from headct.contracts.artefacts import sha256_of
from headct.contracts.problems import BadInput
from headct.engine.training_job import TrainingScan
from headct.frameworks.nnunet import data as nnunet_data
from headct.frameworks.nnunet.data import DATASET, PreparedData, set_environment
from headct.frameworks.nnunet.plans import plans_of_configuration
from headct.frameworks.nnunet.settings import PlanChange
from headct.settings.typed import typed
from support import nnunet_miniature as miniature
from support.changed_settings import changed
from support.label_sets import LABELS

Scans = tuple[TrainingScan, ...]


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory) -> Scans:
    return miniature.training_scans(tmp_path_factory.mktemp("data"), 3)


@pytest.fixture(scope="module")
def data(scans: Scans, tmp_path_factory: pytest.TempPathFactory) -> PreparedData:
    shared = tmp_path_factory.mktemp("shared")
    data = PreparedData(shared, scans, miniature.SETTINGS, LABELS)
    set_environment(data.raw, data.preprocessed)
    data.plans(threads=1)
    return data


def files(folder: Path) -> dict[str, str]:
    return {path.name: sha256_of(path) for path in folder.iterdir()}


def test_fingerprint_is_nnunets(data: PreparedData, scans: Scans) -> None:
    n_voxels = 30_000
    extractor = DatasetFingerprintExtractor(DATASET, num_processes=1)
    extractor.num_foreground_voxels_for_intensitystats = n_voxels
    extractor.show_progress_bar = False
    theirs = extractor.run(overwrite_existing=True)
    ours = nnunet_data.fingerprint(scans, n_voxels, threads=1)
    intensity = theirs.pop("foreground_intensity_properties_per_channel")[0]
    assert ours.pop("foreground_intensity_properties_per_channel") == {"0": intensity}
    shapes = [list(shape) for shape in theirs.pop("shapes_after_crop")]
    assert ours.pop("shapes_after_crop") == shapes
    assert ours == theirs


def test_plans_are_for_ct_and_are_made_once(data: PreparedData) -> None:
    (marker,) = data.folder.glob("plans-*.json")
    before = marker.stat().st_mtime_ns
    plans = data.plans(threads=1)
    assert marker.stat().st_mtime_ns == before
    for configuration in ("2d", "3d_fullres"):
        assert plans["configurations"][configuration]["normalization_schemes"] == ["CTNormalization"]
    assert plans["configurations"]["3d_fullres"]["spacing"] == [6.0, 3.5, 3.5]


def test_preprocessing_is_made_once_in_the_same_bytes(
    data: PreparedData, scans: Scans, tmp_path: Path
) -> None:
    folder = data.preprocess(data.plans(1), "3d_fullres", threads=1)
    made = files(folder)
    assert {name.split(".")[0] for name in made} == {scan.scan_id for scan in scans}
    times = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    data.preprocess(data.plans(1), "3d_fullres", threads=1)
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == times
    again = PreparedData(tmp_path, scans, miniature.SETTINGS, LABELS)
    assert files(again.preprocess(data.plans(1), "3d_fullres", threads=1)) == made


def test_preprocessing_that_was_killed_goes_on_and_ends_the_same(
    data: PreparedData, scans: Scans, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = files(data.preprocess(data.plans(1), "2d", threads=1))
    interrupted = PreparedData(tmp_path, scans, miniature.SETTINGS, LABELS)
    real, calls = Path.replace, []

    def killed_at_the_fifth(path: Path, target: Path) -> Path:
        calls.append(path)
        if len(calls) == 5:
            raise KeyboardInterrupt
        return real(path, target)

    monkeypatch.setattr(Path, "replace", killed_at_the_fifth)
    with pytest.raises(KeyboardInterrupt):
        interrupted.preprocess(data.plans(1), "2d", threads=1)
    folder = interrupted.preprocess(data.plans(1), "2d", threads=1)
    assert files(folder) == made


def test_other_scans_have_another_folder(scans: Scans, tmp_path: Path) -> None:
    def folder(chosen: Scans, **changes: object) -> Path:
        return PreparedData(tmp_path, chosen, changed(miniature.SETTINGS, **changes), LABELS).folder

    assert folder(scans) == folder(scans[::-1])
    assert folder(scans) == folder(scans, epochs=7, plan_changes={})
    assert folder(scans) != folder(scans[:2])


def test_planners_share_the_volumes_on_which_they_agree(scans: Scans, tmp_path: Path) -> None:
    """nnU-Net's residual encoders want other networks and patches, but the same volumes."""

    def planned(**changes: object) -> dict[str, Any]:
        data = PreparedData(tmp_path, scans, changed(miniature.SETTINGS, **changes), LABELS)
        set_environment(data.raw, data.preprocessed)
        configuration: dict[str, Any] = data.plans(1)["configurations"]["3d_fullres"]
        return configuration

    usual, residual = planned(), planned(planner="nnUNetPlannerResEncL")
    assert "Residual" in residual["architecture"]["network_class_name"]
    assert residual["data_identifier"] == usual["data_identifier"]
    assert planned(target_spacing_mm_zyx=[7, 7, 7])["data_identifier"] != usual["data_identifier"]


def test_a_target_spacing_that_is_asked_for_is_planned(scans: Scans, tmp_path: Path) -> None:
    data = PreparedData(tmp_path, scans, changed(miniature.SETTINGS, target_spacing_mm_zyx=[7, 7, 7]), LABELS)
    set_environment(data.raw, data.preprocessed)
    assert data.plans(1)["configurations"]["3d_fullres"]["spacing"] == [7.0, 7.0, 7.0]
    folder = data.preprocess(data.plans(1), "3d_fullres", threads=1)
    volume = nnUNetDatasetBlosc2(str(folder)).load_case(nnunet_data.case_name("S00"))[0]
    assert volume.shape == (1, 14, 24, 24)


def test_scans_named_alike_do_not_share_files(scans: Scans, tmp_path: Path) -> None:
    alike = tuple(
        TrainingScan(name, scan.ct, scan.labels, scan.sha256)
        for name, scan in zip(("A", "A_seg"), scans[:2], strict=True)
    )
    data = PreparedData(tmp_path, alike, miniature.SETTINGS, LABELS)
    set_environment(data.raw, data.preprocessed)
    folder = data.preprocess(data.plans(1), "3d_fullres", threads=1)
    assert len(list(folder.iterdir())) == 6
    names = [nnunet_data.case_name(scan.scan_id) for scan in alike]
    volumes = [nnUNetDatasetBlosc2(str(folder), [name]).load_case(name)[0][:] for name in names]
    assert (volumes[0] != volumes[1]).any()


def test_changed_plans_keep_the_data_and_pool_by_nnunets_rule(data: PreparedData) -> None:
    planned = data.plans(1)["configurations"]["3d_fullres"]
    changes = PlanChange(patch_size=(8, 32, 32), batch_size=5, features_per_stage=(4, 8, 8))
    plans = plans_of_configuration(data.plans(1), "3d_fullres", changes)
    assert list(plans["configurations"]) == ["3d_fullres"]
    changed = plans["configurations"]["3d_fullres"]
    network = changed["architecture"]["arch_kwargs"]
    assert changed["data_identifier"] == planned["data_identifier"]
    assert (changed["patch_size"], changed["batch_size"]) == ([8, 32, 32], 5)
    assert network["strides"] == [[1, 1, 1], [2, 2, 2], [1, 2, 2]]
    assert network["n_conv_per_stage"] == [2, 2, 2]
    assert network["n_conv_per_stage_decoder"] == [2, 2]


@pytest.mark.parametrize("changes", [None, PlanChange()])
def test_without_changes_the_plans_are_nnunets(data: PreparedData, changes: PlanChange | None) -> None:
    plans = data.plans(1)
    chosen = plans_of_configuration(plans, "2d", changes)["configurations"]["2d"]
    assert chosen == plans["configurations"]["2d"]


def test_repeating_the_planned_patch_gives_the_planned_network(data: PreparedData) -> None:
    for configuration, planned in data.plans(1)["configurations"].items():
        changes = PlanChange(patch_size=tuple(planned["patch_size"]))
        plans = plans_of_configuration(data.plans(1), configuration, changes)
        assert plans["configurations"][configuration] == planned


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"patch_size": [32, 32]}, "needs 3 numbers"),
        ({"patch_size": [8, 32, 32], "features_per_stage": [4, 8, 8, 8, 8, 8]}, "at most 4"),
        ({"patch_size": [8, 32, 32], "features_per_stage": [4, 8]}, "at least 3"),
        ({"patch_size": [9, 33, 32], "features_per_stage": [4, 8, 8]}, r"multiple of \[2, 4, 4\]"),
    ],
)
def test_impossible_plans_are_refused(
    data: PreparedData, changes: dict[str, list[int]], message: str
) -> None:
    with pytest.raises(BadInput, match=message):
        plans_of_configuration(data.plans(1), "3d_fullres", typed(PlanChange, changes))


def test_a_configuration_that_is_not_planned_is_refused(data: PreparedData) -> None:
    with pytest.raises(BadInput, match="none of this name"):
        plans_of_configuration(data.plans(1), "3d_lowres", None)
