"""Best and worst cases: which are chosen, which slice is shown, and that nothing is distorted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk
from hypothesis import given
from hypothesis import strategies as st

from headct.contracts.artefacts import write_json
from headct.publish.figures import cases, lesions_on_ct, shown_scores
from headct.publish.figures.slices import head_box_mm, load_slice, shown_slice
from support.figure_inputs import (
    SHOWN,
    assert_readable,
    cases_arguments,
    draw,
    metrics,
    readable,
    texts,
    write_manifest,
    write_scan,
)
from support.label_sets import LABELS


def test_ranked_by_mean_over_lesions_without_failures() -> None:
    scores = metrics("m", 5)
    scores["dice"] = [0.5, 0.5, 0.5, 1, 0, 1, 0, 0, 0, 0.5, 0.4, 0.6, 1, 1, 1]
    scores.loc[scores["scan_id"] == "S002", "failure"] = "out of memory"
    assert list(shown_scores.ranked(scores, "m", best=True, n=3).index) == ["S004", "S001", "S000"]
    assert list(shown_scores.ranked(scores, "m", best=False, n=2).index) == ["S000", "S003"]
    assert len(shown_scores.ranked(scores, "m", best=False, n=9)) == 4


def test_ranked_over_the_lesions_that_a_scan_has() -> None:
    scores = metrics("m", 3)
    scores["dice"] = [0.5, 0.5, 1.0, 0.6, 0.6, 0.6, 0, 0, 1.0]
    scores["reference_ml"] = [1.0, 1, 0, 1, 1, 1, 0, 0, 0]
    assert list(shown_scores.ranked(scores, "m", best=True, n=3).index) == ["S000", "S001", "S002"]
    own = shown_scores.ranked(scores, "m", best=True, n=3, rank_by="dice_present")
    assert own.to_dict() == pytest.approx({"S001": 0.6, "S000": 0.5}), "S002 has no lesion to be ranked by"


@pytest.mark.parametrize(("n_models", "width_mm"), [(1, 170.0), (4, 85.0)])
def test_cases_are_readable_and_each_is_on_one_page(tmp_path: Path, width_mm: float, n_models: int) -> None:
    scans = [f"S{i:03d}" for i in range(4)]
    truth = {scan: write_scan(tmp_path / "data", scan) for scan in scans}
    models = {f"model-{i}": f"FocalTversky {i}" for i in range(n_models)}
    manifests = [write_manifest(tmp_path / "p", model, truth, tmp_path / "data") for model in models]
    scores = pd.concat([metrics(model, 4) for model in models])
    with readable():
        pages = cases.draw_cases(
            scores, manifests, tmp_path / "data", "model-0", models, False, 4, LABELS, "Study", width_mm
        )
        for figure, _ in pages:
            assert_readable(figure, width_mm)
    ranks = [rank for _, rows in pages for rank in rows["rank"].unique()]
    assert ranks == [1, 2, 3, 4]
    assert len(pages) == 2


def test_cases_table_holds_what_is_drawn(tmp_path: Path) -> None:
    drawn = draw("worst_cases", tmp_path / "f.pdf", *cases_arguments(tmp_path), "--n", "2")
    scores = metrics("nnunet-3d-dicece", 4)
    expected = scores.groupby("scan_id")["dice"].mean().nsmallest(2)
    assert list(drawn["scan_id"].unique()) == list(expected.index)
    np.testing.assert_allclose(drawn["mean_dice"].unique(), expected)
    assert len(drawn) == 2 * len(SHOWN) * len(LABELS)
    assert set(drawn["slice"]) == {5}
    assert set(drawn["slice_position_mm"]) == {12.0}
    own = drawn[drawn["model"] == "nnunet-3d-dicece"].set_index(["scan_id", "label"])["dice"]
    truth = scores.set_index(["scan_id", "label"])["dice"]
    np.testing.assert_allclose(own, truth.loc[own.index])


def test_cases_keep_true_proportions_and_one_scale(tmp_path: Path) -> None:
    spacings = {"S000": (2.0, 3.0, 8.0), "S001": (3.0, 2.0, 8.0)}
    for scan, spacing in spacings.items():
        write_scan(tmp_path / "data", scan, spacing)
    predicted = dict.fromkeys(spacings)
    manifest = write_manifest(tmp_path / "predictions", "m", predicted, tmp_path / "data")
    ((figure, _),) = cases.draw_cases(
        metrics("m", 2), [manifest], tmp_path / "data", "m", {"m": "M"}, True, 3, LABELS, "S"
    )
    assert "no prediction" in texts(figure)
    sizes = set()
    for axes in figure.axes:
        box = axes.get_position()
        width_mm = box.width * figure.get_figwidth()
        height_mm = box.height * axes.figure.bbox.height / axes.figure.bbox.width * figure.get_figwidth()
        across, down = np.ptp(axes.get_xlim()), np.ptp(axes.get_ylim())
        assert height_mm / width_mm == pytest.approx(down / across, rel=1e-6)
        sizes.add((round(across, 6), round(down, 6)))
    # The largest head is 30 pixels of 3 mm wide, and 24 of 3 mm high, with a margin all around.
    assert sizes == {(90 + 2 * cases.MARGIN_MM, 72 + 2 * cases.MARGIN_MM)}


def test_slice_is_the_same_however_the_grid_is_stored(tmp_path: Path) -> None:
    write_scan(tmp_path, "plain")
    (tmp_path / "turned").mkdir()
    for name in ("ct", "labels"):
        image = sitk.ReadImage(str(tmp_path / "plain" / f"{name}.nii.gz"))
        sitk.WriteImage(sitk.DICOMOrient(image, "RAS"), str(tmp_path / "turned" / f"{name}.nii.gz"))
    write_json({"geometry": {"slice_positions_mm": list(range(9))}}, tmp_path / "turned" / "scan.json")
    plain, turned = load_slice(tmp_path / "plain", {}), load_slice(tmp_path / "turned", {})
    np.testing.assert_array_equal(plain.ct_hu, turned.ct_hu)
    np.testing.assert_array_equal(plain.truth, turned.truth)
    assert plain.truth[:, :20].any()
    assert not plain.truth[:, 20:].any()


def test_slice_shown_falls_back_to_the_prediction_then_to_the_middle() -> None:
    empty, predicted = np.zeros((9, 4, 4)), np.zeros((9, 4, 4))
    predicted[7] = 1
    assert shown_slice([empty, predicted]) == 7
    assert shown_slice([empty]) == 4


def test_head_box_ignores_the_table() -> None:
    ct = np.full((40, 50), -1000)
    ct[5:25, 10:30] = 40
    ct[35:37, :] = 200
    assert head_box_mm(ct, (0.5, 2.0)) == (5.0, 15.0, 10.0, 50.0)
    assert head_box_mm(np.full((4, 5), -1000), (1.0, 2.0)) == (0.0, 5.0, 0.0, 8.0)


@given(st.integers(0, 2**20 - 1))
def test_outline_encloses_the_mask(bits: int) -> None:
    """Every inner and outer edge is drawn once: their signed area is that of the mask."""
    mask = np.array([(bits >> k) & 1 for k in range(20)], bool).reshape(4, 5)
    edges = lesions_on_ct.outline(mask, (2.0, 3.0)).vertices.reshape(-1, 2, 2)
    upright = edges[edges[:, 0, 0] == edges[:, 1, 0]]
    area = 0.0
    for (x, y), _ in upright:
        row, column = round(y / 3), round(x / 2)
        inside_left = column > 0 and mask[row, column - 1]
        area += x * 3 if inside_left else -x * 3
    assert area == pytest.approx(mask.sum() * 6)
    n_level = len(edges) - len(upright)
    padded = np.pad(mask, 1).astype(int)
    assert n_level == np.abs(np.diff(padded, axis=0)).sum()
