"""Figures: the bytes, the fonts, the numbers beside them, and the data that could break a drawing."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from headct.artefacts import read_tsv, write_json, write_tsv
from headct.figures import __main__ as figures
from headct.figures import agreement, cases, dice, style
from headct.figures.slices import head_box_mm, load_slice, runs_to_show, shown_slice
from headct.labels import LABELS
from headct.metrics import COLUMNS, PREDICTS_NOTHING
from headct.problems import BadInput

SCRIPTS = Path(figures.__file__).parents[2]
SHOWN = {"nnunet-3d-dicece": "DiceCE", "nnunet-3d-focal": "Focal"}
LONG = "A study with a title that goes on for longer than a page is wide, $ and % included; " * 3


def metrics(model: str, n: int, seed: int = 0, ivh: float = 0.4, number: int = 0) -> pd.DataFrame:
    """A metrics table with plausible values: reference volumes depend on ``seed`` only."""
    truth, own = np.random.default_rng(seed), np.random.default_rng([seed, len(model)])
    rows = []
    for scan in range(n):
        for label, typical in {"ICH": 0.9, "PHE": 0.6, "IVH": 0.8}.items():
            reference = truth.lognormal(2.5, 1.0)
            absent = truth.random() > ivh and label == "IVH"
            reference = 0.0 if absent else reference
            found = own.beta(20 * typical, 20 * (1 - typical))
            predicted = reference * own.lognormal(0, 0.2)
            if absent and own.random() < 0.3:
                predicted = 0.4
            value = 1.0 if reference == predicted == 0 else 0.0 if reference == 0 else found
            overlap = value * (reference + predicted) / 2
            rows.append((model, number, f"S{scan:03d}", label, value, reference, predicted, overlap))
    table = pd.DataFrame(rows, columns=list(COLUMNS[:8]))
    table["false_positive_ml"] = table["predicted_ml"] - table["intersection_ml"]
    table["false_negative_ml"] = table["reference_ml"] - table["intersection_ml"]
    table["volume_error_ml"] = table["predicted_ml"] - table["reference_ml"]
    return table.assign(failure="").reindex(columns=list(COLUMNS))


def draw(figure: str, out: Path, *extra: str) -> pd.DataFrame:
    """Run one subcommand in this process; the numbers drawn."""
    args = ["--study-title", "Simulated data", "--out", str(out), *extra]
    figures.main(figures.arguments().parse_args([figure, *args]))
    return read_tsv(out.with_suffix(".tsv"))


def texts(figure: Figure) -> str:
    """All text in a figure, one line each."""
    return "\n".join(text.get_text() for text in figure.findobj(mpl.text.Text))


def write_scan(
    data: Path, scan: str, spacing: tuple[float, float, float] = (2.0, 3.0, 8.0), lesions: bool = True
) -> np.ndarray:
    """A box of a head on 9 slices of 40 × 32 pixels with lesions on slices 3 to 5, most on slice 4."""
    labels = np.zeros((9, 32, 40), np.uint8)
    if lesions:
        labels[3:6, 8:14, 8:16] = LABELS["PHE"]
        labels[4, 6:16, 6:18] = LABELS["PHE"]
        labels[3:6, 9:13, 9:14] = LABELS["ICH"]
    ct = np.full(labels.shape, -1000, np.int16)
    ct[:, 4:28, 5:35] = 30
    ct[labels == LABELS["ICH"]] = 60
    folder = data / scan
    folder.mkdir(parents=True)
    for name, array in (("ct", ct), ("labels", labels)):
        image = sitk.GetImageFromArray(array)
        image.SetSpacing(spacing)
        sitk.WriteImage(image, str(folder / f"{name}.nii.gz"))
    positions = [round(-20 + 8 * k, 1) for k in range(9)]
    write_json({"scan_id": scan, "geometry": {"slice_positions_mm": positions}}, folder / "scan.json")
    return labels


def write_manifest(root: Path, model: str, predictions: dict[str, np.ndarray | None], like: Path) -> Path:
    """Predictions of one model on the grid of ``like`` (a folder of scans), and their manifest."""
    rows = []
    for scan, labels in predictions.items():
        path = root / model / "seed-0" / f"{scan}.nii.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        if labels is None:
            rows.append((scan, "", "", 0.0, "out of memory"))
            continue
        image = sitk.GetImageFromArray(labels)
        image.CopyInformation(sitk.ReadImage(str(like / scan / "labels.nii.gz")))
        sitk.WriteImage(image, str(path))
        rows.append((scan, f"seed-0/{scan}.nii.gz", hashlib.sha256(path.read_bytes()).hexdigest(), 1.0, ""))
    manifest = root / model / "seed-0.tsv"
    columns = ["scan_id", "path", "sha256", "seconds", "reason"]
    write_tsv(pd.DataFrame(rows, columns=columns), manifest)
    return manifest


@pytest.fixture
def trial(tmp_path: Path) -> list[str]:
    """Four scans, metrics and predictions of two models; the arguments that name them."""
    data = tmp_path / "data"
    truth = {f"S{i:03d}": write_scan(data, f"S{i:03d}") for i in range(4)}
    arguments = ["--data", str(data), "--select-by", "nnunet-3d-dicece", "--show", json.dumps(SHOWN)]
    manifests, tables = [], []
    for shift, model in enumerate(SHOWN):
        predicted = {scan: np.roll(labels, shift, 2) for scan, labels in truth.items()}
        manifests.append(str(write_manifest(tmp_path / "predictions", model, predicted, data)))
        tables.append(str(tmp_path / f"{model}.tsv"))
        write_tsv(metrics(model, 4), tables[-1])
    return [*arguments, "--metrics", *tables, "--predictions", *manifests]


def metrics_figures(tmp_path: Path) -> dict[str, list[str]]:
    """Arguments of two figures that need metrics alone."""
    tables = []
    for model in [*SHOWN, PREDICTS_NOTHING]:
        tables.append(tmp_path / "thirty" / f"{model}.tsv")
        write_tsv(metrics(model, 30), tables[-1])
    one = ["--metrics", str(tables[1]), "--model-title", "Focal"]
    every = ["--metrics", *map(str, tables), "--models", json.dumps(SHOWN)]
    return {"bland_altman": one, "dice_box_violin": every}


def assert_fit_to_print(pdf: bytes) -> None:
    """TrueType fonts, embedded; no Type 3; 170 mm wide; no date."""
    assert b"/FontFile2" in pdf
    assert b"/Type3" not in pdf
    assert b"CreationDate" not in pdf
    width_pt = float(pdf.split(b"/MediaBox [")[1].split(b"]")[0].split()[2])
    assert width_pt == pytest.approx(170 * 72 / 25.4, abs=0.01)


def test_another_process_gives_the_same_bytes(tmp_path: Path, trial: list[str]) -> None:
    wanted = metrics_figures(tmp_path) | {"worst_cases": [*trial, "--n", "1"]}
    here, there = tmp_path / "here", tmp_path / "there"
    commands = []
    for name, arguments in wanted.items():
        draw(name, here / f"{name}.pdf", *arguments)
        assert_fit_to_print((here / f"{name}.pdf").read_bytes())
        target = ["--study-title", "Simulated data", "--out", str(there / f"{name}.pdf")]
        commands.append([name, *target, *arguments])
    program = (
        "import json, sys\n"
        "from headct.figures import __main__ as figures\n"
        "for words in json.load(sys.stdin):\n"
        "    figures.main(figures.arguments().parse_args(words))\n"
    )
    # Matplotlib names font subsets by a hash: sets of text would be hashed differently there.
    environment = os.environ | {"PYTHONPATH": str(SCRIPTS), "PYTHONHASHSEED": "4711", "TZ": "Asia/Tokyo"}
    subprocess.run(
        [sys.executable, "-c", program], input=json.dumps(commands), text=True, check=True, env=environment
    )
    for file in here.iterdir():
        assert file.read_bytes() == (there / file.name).read_bytes(), file.name
    assert len(list(here.iterdir())) == 2 * len(wanted)


def test_bland_altman_draws_the_statistics() -> None:
    _, drawn = agreement.draw_bland_altman(metrics("m", 40), "M", "Study")
    for label, volumes in metrics("m", 40).groupby("label"):
        own = drawn[drawn["label"] == label].set_index("element")
        error = volumes["volume_error_ml"]
        assert own.loc["bias", "y"] == pytest.approx(error.mean())
        assert own.loc["upper limit", "y"] == pytest.approx(error.mean() + 1.96 * error.std())
        assert own.loc["lower limit", "ci_low"] < own.loc["lower limit", "y"] < own.loc["bias", "ci_low"]
        scans = own[own["scan_id"].notna()].set_index("scan_id")
        volumes = volumes.set_index("scan_id")
        assert len(scans) == 40
        mean = (volumes["reference_ml"] + volumes["predicted_ml"]) / 2
        np.testing.assert_allclose(scans["x"], mean.loc[scans.index], rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(
            scans["y"], volumes["volume_error_ml"].loc[scans.index], rtol=1e-6, atol=1e-6
        )


def test_bland_altman_of_pefr_as_published() -> None:
    """Lancet 1986;327:307, first readings of two meters: bias −2.1, limits −78.1 to 73.9 l/min."""
    wright = [494, 395, 516, 434, 476, 557, 413, 442, 650, 433, 417, 656, 267, 478, 178, 423, 427]
    mini = [512, 430, 520, 428, 500, 600, 364, 380, 658, 445, 432, 626, 260, 477, 259, 350, 451]
    # The paper's difference is large meter − mini meter.
    lines = agreement.bland_altman_lines(np.array(mini, float), np.array(wright, float)).set_index("element")
    assert lines.loc["bias", "y"] == pytest.approx(-2.117647, abs=1e-6)
    assert lines.loc["upper limit", "y"] == pytest.approx(73.862007, abs=1e-3)
    assert lines.loc["lower limit", "y"] == pytest.approx(-78.097302, abs=1e-3)


def test_concordance_draws_the_fitted_line() -> None:
    scores = metrics("m", 40)
    scores["predicted_ml"] = 2 + 0.5 * scores["reference_ml"]
    _, drawn = agreement.draw_concordance(scores, "M", "Study")
    line = drawn[(drawn["label"] == "ICH") & (drawn["element"] == "fitted line")]
    np.testing.assert_allclose(line["y"], 2 + 0.5 * line["x"])
    ccc = drawn[(drawn["label"] == "ICH") & (drawn["element"] == "CCC")].iloc[0]
    assert ccc["ci_low"] < ccc["value"] < ccc["ci_high"] < 1


def test_absent_from_both_is_marked_and_counted() -> None:
    scores = metrics("m", 20, ivh=0.0)
    ivh = scores["label"] == "IVH"
    scores.loc[ivh, "predicted_ml"] = 0.0
    scores.loc[ivh & (scores["scan_id"] == "S000"), "predicted_ml"] = 1.0
    for draw_figure in (agreement.draw_bland_altman, agreement.draw_concordance):
        figure, drawn = draw_figure(scores, "M", "Study")
        assert "n = 20 (19 absent from both)" in texts(figure)
        assert (drawn.loc[drawn["label"] == "IVH", "element"] == agreement.ABSENT).sum() == 19


def test_a_missing_prediction_counts_as_empty_and_is_said() -> None:
    scores = metrics("m", 20)
    failed = scores["scan_id"] == "S003"
    scores.loc[failed, "failure"] = "out of memory"
    scores.loc[failed, "predicted_ml"] = 0.0
    figure, drawn = agreement.draw_bland_altman(scores, "M", "Study")
    assert "1 scan without a prediction: it counts as 0 mL." in texts(figure)
    assert (drawn["scan_id"] == "S003").sum() == len(LABELS)


def test_several_seeds_show_the_first_and_say_so() -> None:
    one = metrics("m", 20)
    scores = pd.concat([metrics("m", 20, number=7).assign(predicted_ml=99.0), one])
    figure, drawn = agreement.draw_bland_altman(scores, "M", "Study")
    assert "First of 2 seeds." in texts(figure)
    assert len(drawn) == len(agreement.draw_bland_altman(one, "M", "Study")[1])
    assert drawn["y"].max() < 90


@pytest.mark.parametrize("n", [1, 2, 3])
def test_agreement_of_few_scans_without_any_ivh(n: int) -> None:
    scores = metrics("m", n, ivh=0.0)
    scores.loc[scores["label"] == "IVH", "predicted_ml"] = 0.0
    with mpl.rc_context(style.PRINT):
        for draw_figure in (agreement.draw_bland_altman, agreement.draw_concordance):
            figure, _ = draw_figure(scores, LONG, LONG)
            figure.draw_without_rendering()
    assert "CCC not estimable" in texts(figure)


@given(st.lists(st.floats(0.001, 0.999), min_size=10, max_size=60))
def test_no_density_outside_0_and_1(values: list[float]) -> None:
    density = dice.between_0_and_1(np.array(values))
    if density is None:
        assert np.ptp(values) == 0
        return
    outside = (min(values) > dice.GRID) | (max(values) < dice.GRID)
    assert np.isnan(density[outside]).all()
    assert not np.isnan(density[~outside]).any()
    assert dice.GRID.min() == 0
    assert dice.GRID.max() == 1


def test_density_within_0_and_1_has_area_1() -> None:
    values = np.r_[0.0005, np.random.default_rng(0).uniform(0, 1, 500), 0.9999]
    density = dice.between_0_and_1(values)
    assert density is not None
    inside = ~np.isnan(density)
    assert np.trapezoid(density[inside], dice.GRID[inside]) == pytest.approx(1, abs=0.03)


def test_shares_and_quartiles_of_a_distribution() -> None:
    values = pd.Series([0.0] * 5 + [1.0] * 3 + [0.4, 0.6], index=[f"S{i}" for i in range(10)])
    drawn = dice.distribution(values)
    assert (drawn.share_at_0, drawn.share_at_1) == (0.5, 0.3)
    assert drawn.box["median"] == pytest.approx(0.2)
    assert drawn.box["q3"] == pytest.approx(np.percentile(values, 75))
    assert drawn.density is None
    assert list(drawn.dots().index) == ["S8", "S9"]


def test_dice_figure_prints_shares_and_the_trivial_row_last() -> None:
    trivial = metrics(PREDICTS_NOTHING, 12).assign(seed=np.nan)
    trivial["dice"] = (trivial["reference_ml"] == 0).astype(float)
    scores = pd.concat([trivial, metrics("b", 12), metrics("a", 12)])
    figure, drawn = dice.draw_box_violins(scores, {"b": "Model B", "a": "Model A"}, "Study")
    assert list(drawn["model"].unique()) == ["b", "a", PREDICTS_NOTHING]
    ivh = drawn[(drawn["model"] == PREDICTS_NOTHING) & (drawn["label"] == "IVH")].set_index("element")
    share = float(trivial.loc[trivial["label"] == "IVH", "dice"].mean())
    assert ivh.loc["share_at_1", "value"] == pytest.approx(share)
    assert f"{100 * share:.0f}" in texts(figure).split("\n")
    positions = figure.axes[0].get_yticks()
    assert positions[2] - positions[1] > positions[1] - positions[0]


@pytest.mark.parametrize(
    ("n_models", "n", "change"),
    [(1, 3, {}), (12, 12, {}), (2, 12, {"dice": 0.0}), (2, 12, {"dice": 1.0}), (2, 3, {"dice": np.nan})],
)
def test_dice_figure_at_the_edges(n_models: int, n: int, change: dict[str, float]) -> None:
    models = {f"model-{i}": f"{LONG if i % 2 else 'M' * 90} {i}" for i in range(n_models)}
    scores = pd.concat([metrics(model, n).assign(**change) for model in models])
    with mpl.rc_context(style.PRINT):
        figure, drawn = dice.draw_box_violins(scores, models, LONG)
        figure.draw_without_rendering()
    assert set(drawn["model"]) == set(models)


def test_ranked_by_mean_over_lesions_without_failures() -> None:
    scores = metrics("m", 5)
    scores["dice"] = [0.5, 0.5, 0.5, 1, 0, 1, 0, 0, 0, 0.5, 0.4, 0.6, 1, 1, 1]
    scores.loc[scores["scan_id"] == "S002", "failure"] = "out of memory"
    assert list(cases.ranked(scores, "m", best=True, n=3).index) == ["S004", "S001", "S000"]
    assert list(cases.ranked(scores, "m", best=False, n=2).index) == ["S000", "S003"]
    assert len(cases.ranked(scores, "m", best=False, n=9)) == 4


def test_cases_table_holds_what_is_drawn(tmp_path: Path, trial: list[str]) -> None:
    drawn = draw("worst_cases", tmp_path / "f.pdf", *trial, "--n", "2")
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
    figure, _ = cases.draw_cases(
        metrics("m", 2), [manifest], tmp_path / "data", "m", {"m": "M"}, best=True, n=3, study_title="S"
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
    edges = cases.outline(mask, (2.0, 3.0)).vertices.reshape(-1, 2, 2)
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


def test_bad_input_is_named(tmp_path: Path, trial: list[str]) -> None:
    manifest = tmp_path / "predictions" / "nnunet-3d-dicece" / "seed-0.tsv"
    with pytest.raises(BadInput, match="unet"):
        runs_to_show([manifest], ["nnunet-3d-dicece", "unet"])
    victim = manifest.parent / "seed-0" / "S000.nii.gz"
    victim.write_bytes(victim.read_bytes() + b"\0")
    with pytest.raises(BadInput, match="sha256"):
        draw("best_cases", tmp_path / "f.pdf", *trial, "--n", "4")
    assert not (tmp_path / "f.pdf").exists()
    write_tsv(metrics("m", 3).drop(columns="dice"), tmp_path / "m.tsv")
    with pytest.raises(BadInput, match="dice"):
        draw("concordance", tmp_path / "f.pdf", "--metrics", str(tmp_path / "m.tsv"), "--model-title", "M")
    failed = metrics("nnunet-3d-dicece", 4).assign(failure="out of memory")
    write_tsv(failed, tmp_path / "nnunet-3d-dicece.tsv")
    with pytest.raises(BadInput, match="no case to show"):
        draw("best_cases", tmp_path / "f.pdf", *trial)


def test_models_are_a_json_object() -> None:
    assert list(figures.titles_by_model('{"b": "B", "a": "A"}')) == ["b", "a"]
    for text in ("[]", "{}", '"a"'):
        with pytest.raises(argparse.ArgumentTypeError, match="JSON object"):
            figures.titles_by_model(text)


@pytest.mark.parametrize(
    ("value", "words"),
    [(-0.001, "0.00"), (-8.35, "−8.35"), (11.84, "11.8"), (-123.4, "−123"), (np.nan, "–"), (9.997, "10.0")],
)
def test_numbers_for_print(value: float, words: str) -> None:
    assert style.significant(value) == words
