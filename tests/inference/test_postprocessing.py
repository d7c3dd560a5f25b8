"""Post-processing: the voxels that it removes, and what held-out scans decide, beside nnU-Net's functions."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from multiprocessing import dummy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from nnunetv2.evaluation import evaluate_predictions
from nnunetv2.postprocessing import remove_connected_components
from nnunetv2.postprocessing.remove_connected_components import (
    determine_postprocessing,
    remove_all_but_largest_component_from_segmentation,
)

from headct.command_line import run_step
from headct.contracts import labels as label_sets
from headct.contracts import postprocessing
from headct.contracts.artefacts import read_json, read_tsv, sha256_of, write_json, write_tsv
from headct.contracts.labels import Extent
from headct.contracts.problems import BadInput
from headct.inference.largest_component import only_largest
from support import monai_miniature
from support.label_sets import LABELS

LABEL_MAPS = arrays.arrays(
    np.uint8, arrays.array_shapes(min_dims=3, max_dims=3, max_side=6), elements=st.integers(0, 3)
)
GROUPS = st.sampled_from([[1], [2], [3], [1, 2], [1, 2, 3]])

# -- voxels ------------------------------------------------------------------------------------------


@given(LABEL_MAPS, st.lists(GROUPS, max_size=3))
def test_the_voxels_that_are_removed_are_those_of_nnunet(label_map: np.ndarray, groups: list) -> None:
    expected = label_map
    for values in groups:
        expected = remove_all_but_largest_component_from_segmentation(expected, list(values))
    before = label_map.copy()
    np.testing.assert_array_equal(only_largest(label_map, groups), expected)
    np.testing.assert_array_equal(label_map, before)


@given(LABEL_MAPS, GROUPS)
def test_once_more_changes_nothing_and_what_is_removed_becomes_background(
    label_map: np.ndarray, values: list[int]
) -> None:
    """Of one group. After two that share a lesion a part may be left apart, in nnU-Net as well."""
    once = only_largest(label_map, [values])
    np.testing.assert_array_equal(only_largest(once, [values]), once)
    changed = once != label_map
    assert not once[changed].any()
    assert np.isin(label_map[changed], values).all()


@given(arrays.array_shapes(min_dims=3, max_dims=3, max_side=9), st.data())
def test_a_lesion_of_one_component_stays_as_it_is(shape: tuple[int, ...], data: st.DataObject) -> None:
    label_map = np.zeros(shape, np.uint8)
    corners = [sorted(data.draw(st.tuples(st.integers(0, n), st.integers(0, n)))) for n in shape]
    label_map[tuple(slice(low, high) for low, high in corners)] = 2
    np.testing.assert_array_equal(only_largest(label_map, [[2], [1, 2]]), label_map)


def test_components_that_touch_at_a_corner_are_one_and_equal_ones_all_stay() -> None:
    label_map = np.zeros((4, 6, 6), np.uint8)
    label_map[0, 0, 0] = label_map[1, 1, 1] = 1
    label_map[3, 4, 4] = label_map[3, 4, 5] = 1
    np.testing.assert_array_equal(only_largest(label_map, [[1]]), label_map)
    label_map[3, 4, 5] = 0
    assert only_largest(label_map, [[1]]).sum() == 2


# -- the decision ------------------------------------------------------------------------------------

SHAPE = (8, 30, 30)
Box = tuple[int, int, int, int]
"""Label, and where a cube of three voxels a side begins (z, y, x)."""

TRUTH: tuple[Box, ...] = ((1, 1, 2, 2), (2, 1, 5, 2), (3, 4, 12, 12))
"""ICH and PHE that touch, and IVH apart. A cube that begins at slice 6 is cut by the edge, and smaller."""
TOGETHER: tuple[Box, ...] = ((1, 1, 2, 2), (2, 1, 5, 2), (3, 1, 2, 5))
"""All three touch."""


def drawn(boxes: Sequence[Box], less: int = 0) -> np.ndarray:
    """A label map of some cubes; the first ``less`` voxels of the last one's edge are missing."""
    label_map = np.zeros(SHAPE, np.uint8)
    for label, z, y, x in boxes:
        label_map[z : z + 3, y : y + 3, x : x + 3] = label
    if less:
        _, z, y, x = boxes[-1]
        label_map[z, y, x : x + less] = 0
    return label_map


CASES: Mapping[str, tuple[list[tuple[np.ndarray, np.ndarray]], list[list[str]]]] = {
    "a second ICH where there is none": (
        [(drawn(TRUTH), drawn((*TRUTH, (1, 6, 20, 20)))), (drawn(TRUTH), drawn(TRUTH, less=1))],
        [["ICH"]],
    ),
    "nothing is wrong": ([(drawn(TRUTH), drawn(TRUTH))] * 2, []),
    "a second ICH that is right": (
        [(drawn((*TRUTH, (1, 6, 20, 20))), drawn((*TRUTH, (1, 6, 20, 20), (2, 6, 20, 24))))],
        [["PHE"]],
    ),
    "all three are one, and each has another where there is none": (
        [
            (drawn(TOGETHER), drawn((*TOGETHER, (1, 6, 20, 20), (2, 6, 24, 8), (3, 6, 10, 20))))
            for _ in range(2)
        ],
        [["ICH", "PHE", "IVH"]],
    ),
    "all as one, and then parts that hang together by another lesion": (
        [(drawn(TOGETHER), drawn((*TOGETHER, (2, 1, 8, 2), (1, 1, 11, 2), (2, 1, 12, 2), (3, 6, 20, 20))))],
        [["ICH", "PHE", "IVH"], ["ICH"], ["PHE"]],
    ),
    "no scan has an IVH, which leaves no mean over lesions": (
        [(drawn(TOGETHER[:2]), drawn((*TOGETHER[:2], (1, 6, 20, 20), (2, 6, 24, 8))))],
        [["ICH"], ["PHE"]],
    ),
    "a lesion that one map alone has": (
        [(drawn(TRUTH[:2]), drawn((*TRUTH, (1, 6, 20, 20)))), (drawn(TRUTH), drawn(TRUTH[:2]))],
        [["ICH", "PHE", "IVH"]],
    ),
}


def write_folders(folder: Path, pairs: Sequence[tuple[np.ndarray, np.ndarray]]) -> Path:
    """References and held-out label maps as the workflow has them; the manifest."""
    manifest = folder / "predictions/seed-1.tsv"
    rows = []
    for number, pair in enumerate(pairs):
        scan = f"s{number}"
        paths = (folder / "data" / scan / "labels.nii.gz", folder / "predictions/seed-1" / f"{scan}.nii.gz")
        for path, label_map in zip(paths, pair, strict=True):
            path.parent.mkdir(parents=True, exist_ok=True)
            image = sitk.GetImageFromArray(label_map)
            image.SetSpacing((0.5, 0.5, 5.0))
            sitk.WriteImage(image, str(path))
        write_json({"sha256": {"labels.nii.gz": sha256_of(paths[0])}}, paths[0].parent / "scan.json")
        rows.append(row_of(scan, f"seed-1/{scan}.nii.gz", sha256_of(paths[1])))
    write_tsv(pd.DataFrame(rows), manifest)
    return manifest


def row_of(scan: str, path: str, sha256: str, reason: str = "") -> dict[str, str]:
    return {"scan_id": scan, "path": path, "sha256": sha256, "reason": reason}


def decide(
    folder: Path, manifest: Path, labels: label_sets.LabelSet = LABELS
) -> postprocessing.Postprocessing:
    out = folder / "postprocessing.json"
    words = ["--model", "unet", "--members", "unet", "--labels", labels.written(Extent.NAMES)]
    words += ["--predictions", str(manifest), "--data", str(folder / "data"), "--out", str(out)]
    run_step("postprocessing", words)
    return postprocessing.read(out)


def decided_by_nnunet(folder: Path, labels: label_sets.LabelSet = LABELS) -> tuple[list[Any], dict[str, Any]]:
    """What nnU-Net's own function decides on the same label maps: its groups, and its record."""
    predicted, references = folder / "predictions/seed-1", folder / "references"
    references.mkdir()
    for path in predicted.glob("*.nii.gz"):
        scan = path.name.removesuffix(".nii.gz")
        (references / path.name).symlink_to(folder / "data" / scan / "labels.nii.gz")
    plans = {"image_reader_writer": "SimpleITKIO", "label_manager": "LabelManager"}
    dataset = {"labels": {"background": 0, **labels}, "file_ending": ".nii.gz"}
    _, kwargs = determine_postprocessing(str(predicted), str(references), plans, dataset, num_processes=1)
    return [one["labels_or_regions"] for one in kwargs], read_json(predicted / "postprocessing.json")


@pytest.fixture
def in_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """nnU-Net's processes are threads, so that none of them imports it anew."""
    of_threads = SimpleNamespace(get_context=lambda _kind: dummy)
    for module in (evaluate_predictions, remove_connected_components):
        monkeypatch.setattr(module, "multiprocessing", of_threads)


def voxels(path: Path) -> np.ndarray:
    return sitk.GetArrayFromImage(sitk.ReadImage(str(path)))


@pytest.mark.usefixtures("in_threads")
@pytest.mark.filterwarnings("ignore:Mean of empty slice:RuntimeWarning")  # of nnU-Net
@pytest.mark.parametrize("case", CASES)
def test_nnunet_decides_the_same_and_changes_the_same_voxels(case: str, tmp_path: Path) -> None:
    pairs, expected = CASES[case]
    found = decide(tmp_path, write_folders(tmp_path, pairs))
    groups, record = decided_by_nnunet(tmp_path)
    assert [list(group) for group in found.largest_component_of] == expected
    assert found.groups == [group if isinstance(group, list) else [group] for group in groups]
    for when, of_nnunet in (("before", "input_folder"), ("after", "postprocessed")):
        dice = {name: record[of_nnunet]["mean"][str(value)]["Dice"] for name, value in LABELS.items()}
        ours = {name: np.nan if value is None else value for name, value in found.mean_dice[when].items()}
        assert ours == pytest.approx(dice, rel=0, abs=0, nan_ok=True)
    for number, (_, predicted) in enumerate(pairs):
        written = voxels(tmp_path / f"predictions/seed-1/postprocessed/s{number}.nii.gz")
        np.testing.assert_array_equal(only_largest(predicted, found.groups), written)


@pytest.mark.usefixtures("in_threads")
@pytest.mark.parametrize("seed", range(4))
def test_nnunet_decides_the_same_on_noise(seed: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(seed)
    chances = [0.8, *rng.dirichlet((1, 1, 1)) / 5]
    maps = rng.choice(4, (4, 2, 5, 9, 9), p=chances).astype(np.uint8)
    found = decide(tmp_path, write_folders(tmp_path, list(maps)))
    groups, _ = decided_by_nnunet(tmp_path)
    assert found.groups == [group if isinstance(group, list) else [group] for group in groups]


@pytest.mark.usefixtures("in_threads")
def test_a_single_lesion_is_asked_of_once(tmp_path: Path) -> None:
    one = label_sets.label_set(["ICH"])
    pairs = [(drawn(TRUTH[:1]), drawn((*TRUTH[:1], (1, 6, 20, 20))))]
    found = decide(tmp_path, write_folders(tmp_path, pairs), one)
    assert found.largest_component_of == [["ICH"]]
    assert decided_by_nnunet(tmp_path, one)[0] == [[1]]
    assert found.in_words() == "only the largest component of ICH (decided on 1 held-out scan)"


# -- what is refused ---------------------------------------------------------------------------------


def test_a_scan_without_a_label_map_is_left_out_and_counted(tmp_path: Path) -> None:
    pairs, expected = CASES["a second ICH where there is none"]
    manifest = write_folders(tmp_path, pairs)
    with manifest.open("a", encoding="utf-8") as stream:
        stream.write("\t".join(row_of("s9", "", "", "MemoryError").values()) + "\n")
    found = decide(tmp_path, manifest)
    assert found.largest_component_of == expected
    assert (found.held_out_scans, found.without_prediction) == (2, 1)


def test_label_maps_that_can_not_be_used_are_told_together(tmp_path: Path) -> None:
    manifest = write_folders(tmp_path, [(drawn(TRUTH), drawn(TRUTH))] * 3)
    (tmp_path / "data/s0/labels.nii.gz").write_bytes(b"another")
    smaller = sitk.GetImageFromArray(drawn(TRUTH)[1:])
    sitk.WriteImage(smaller, str(tmp_path / "predictions/seed-1/s2.nii.gz"))
    rows = pd.read_csv(manifest, sep="\t")
    rows.loc[2, "sha256"] = sha256_of(tmp_path / "predictions/seed-1/s2.nii.gz")
    write_tsv(rows, manifest)
    with pytest.raises(BadInput, match=r"(?s)s0/labels\.nii\.gz.*s2\.nii\.gz.*matrix"):
        decide(tmp_path, manifest)


def test_nothing_is_decided_where_nothing_was_predicted(tmp_path: Path) -> None:
    manifest = tmp_path / "seed-1.tsv"
    write_tsv(pd.DataFrame([row_of("s0", "", "", "MemoryError")]), manifest)
    with pytest.raises(BadInput, match="no held-out scan has a label map"):
        decide(tmp_path, manifest)


DECISION: Mapping[str, Any] = {
    "model": "unet",
    "members": ["unet"],
    "seed": 1,
    "labels": dict(LABELS),
    "largest_component_of": [["ICH", "PHE", "IVH"], ["IVH"]],
    "held_out_scans": 4,
    "without_prediction": 0,
    "mean_dice": {when: dict.fromkeys(LABELS, 0.5) for when in ("before", "after")},
}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{}", "no decision on post-processing can be read from it"),
        ("[", "no decision on post-processing can be read from it"),
        (json.dumps({**DECISION, "more": 1}), "no decision on post-processing can be read from it"),
        (json.dumps({**DECISION, "largest_component_of": [["SDH"]]}), "is no decision on post-processing"),
        (json.dumps({**DECISION, "largest_component_of": [[["SDH"]]]}), "no decision"),
        (json.dumps({**DECISION, "largest_component_of": [[]]}), "is no decision"),
        (json.dumps({**DECISION, "labels": {"ICH": "1"}}), "is no decision"),
        (json.dumps({**DECISION, "seed": "1"}), "is no decision"),
    ],
)
def test_what_is_no_decision_is_refused(content: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "postprocessing.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(BadInput, match=message):
        postprocessing.read(path)


def test_the_decision_on_another_model_is_refused_by_all_that_differs(tmp_path: Path) -> None:
    path = tmp_path / "postprocessing.json"
    write_json(dict(DECISION), path)
    one = label_sets.label_set(["ICH"])
    with pytest.raises(BadInput) as refused:
        postprocessing.read_for(path, [{"model": "a", "seed": 2}, {"model": "b", "seed": 2}], one)
    assert {problem.key for problem in refused.value.problems} == {"members", "seed", "labels"}
    assert postprocessing.read_for(path, [{"model": "unet", "seed": 1}], LABELS).groups == [[1, 2, 3], [3]]


def test_words_say_what_is_done_and_each_seed_where_they_differ() -> None:
    first = postprocessing.Postprocessing(**DECISION)
    other = postprocessing.Postprocessing(**{**DECISION, "seed": 2, "largest_component_of": []})
    decided = "(decided on 4 held-out scans)"
    together = f"only the largest component of ICH, PHE and IVH taken as one; of IVH {decided}"
    assert postprocessing.of_seeds([first]) == postprocessing.of_seeds([first, first]) == together
    both = f"seed 1: {together}; seed 2: none {decided}"
    assert postprocessing.of_seeds([first, other]) == both


# -- label maps of networks --------------------------------------------------------------------------


@pytest.fixture
def network(tmp_path: Path) -> Path:
    """A network that finds something of each lesion everywhere, with a decision of its study beside it."""
    (tmp_path / "seed-1").mkdir()
    folder = monai_miniature.write_untrained(tmp_path / "seed-1/fold-0")
    write_json(dict(DECISION), tmp_path / "seed-1/postprocessing.json")
    return folder


@pytest.fixture
def ct(tmp_path: Path) -> Path:
    """Noise in air."""
    image = sitk.GetImageFromArray(np.random.default_rng(0).normal(35, 20, (16, 24, 24)).astype(np.int16))
    image = sitk.ConstantPad(image, (3, 3, 1), (3, 3, 1), -1000.0)
    image.SetSpacing((6.0, 6.0, 8.0))
    path = tmp_path / "data/s0/ct.nii.gz"
    path.parent.mkdir(parents=True)
    sitk.WriteImage(image, str(path))
    return path


def predict_test(ct: Path, members: Sequence[Path], *more: str | Path) -> np.ndarray:
    """The label map of the scan, as the one test scan of a study."""
    folder = ct.parents[2]
    (folder / "split.tsv").write_text(f"scan_id\tset\tct_sha256\ns0\ttest\t{sha256_of(ct)}\n")
    words = f"--model m --split {folder}/split.tsv --data {folder}/data --threads 1 --device cpu"
    words += f" --work {folder}/work --manifest {folder}/test/seed-1.tsv"
    words += "".join(f" --member {member}" for member in members)
    run_step("predict", [*words.split(), *map(str, more)])
    return voxels(folder / "test/seed-1/s0.nii.gz")


def test_test_scans_are_treated_as_decided_and_not_taken_from_before(network: Path, ct: Path) -> None:
    decision = ("--postprocessing", network.parent / "postprocessing.json")
    before, treated, again = (predict_test(ct, [network], *more) for more in ((), decision, ()))
    np.testing.assert_array_equal(treated, only_largest(before, [[1, 2, 3], [3]]))
    assert (before != treated).any()
    np.testing.assert_array_equal(again, before)


def test_an_ensemble_has_its_own_decision_and_not_those_of_its_members(network: Path, ct: Path) -> None:
    other = monai_miniature.write_untrained(network.parent / "other", seed=1)
    write_json(read_json(other / "train.json") | {"model": "other"}, other / "train.json")
    members, of_member = [network, other], network.parent / "postprocessing.json"
    before = predict_test(ct, members)
    with pytest.raises(BadInput, match=r"was decided for members \['unet'\], and is given for another"):
        predict_test(ct, members, "--postprocessing", of_member)
    of_both = network.parent / "of_both.json"
    write_json({**DECISION, "model": "both", "members": ["unet", "other"]}, of_both)
    treated = predict_test(ct, members, "--postprocessing", of_both)
    np.testing.assert_array_equal(treated, only_largest(before, [[1, 2, 3], [3]]))
    assert (before != treated).any()


def predict_new(name: str, network: Path, ct: Path, *more: str | Path) -> Path:
    """Predict a scan, as one that is of no study, into a folder of this name."""
    out = ct.parents[2] / name
    words = ["--member", network, "--scans", ct, "--out", out, "--device", "cpu", "--threads", 1, *more]
    run_step("new-scans", [str(word) for word in [*words, "--report", '{"cases": "none"}']])
    return out


def test_new_scans_are_treated_as_the_study_decided(network: Path, ct: Path) -> None:
    decision = network.parent / "postprocessing.json"
    without = predict_new("without", network, ct, "--postprocessing", "none")
    treated = predict_new("treated", network, ct, "--postprocessing", decision)
    before, after = (voxels(folder / "ct.nii.gz") for folder in (without, treated))
    np.testing.assert_array_equal(after, only_largest(before, [[1, 2, 3], [3]]))
    assert (before != after).any()
    tables = [read_tsv(folder / "predictions.tsv") for folder in (without, treated)]
    assert tables[0]["networks"][0] != tables[1]["networks"][0]
    page = (treated / "report/index.html").read_text(encoding="utf-8")
    assert "ICH, PHE and IVH taken as one; of IVH" in page
    assert "Post-processing" not in (without / "report/index.html").read_text(encoding="utf-8")


def test_whether_a_decision_beside_the_networks_counts_must_be_told(network: Path, ct: Path) -> None:
    with pytest.raises(BadInput, match=r"postprocessing\.json.*the study post-processes"):
        predict_new("out", network, ct)
    with pytest.raises(BadInput, match="no decision on post-processing can be read"):
        predict_new("out", network, ct, "--postprocessing", "nowhere.json")
    assert not (ct.parents[2] / "out").exists()


def test_a_decision_that_changes_nothing_is_as_none(network: Path, ct: Path) -> None:
    """So are the networks called as in folders that were predicted before there was post-processing."""
    decision = network.parent / "postprocessing.json"
    write_json({**DECISION, "largest_component_of": []}, decision)
    folders = [predict_new("a", network, ct, "--postprocessing", decision)]
    decision.unlink()
    folders.append(predict_new("b", network, ct))
    first, second = (read_tsv(folder / "predictions.tsv")[["sha256", "networks"]] for folder in folders)
    pd.testing.assert_frame_equal(first, second)
