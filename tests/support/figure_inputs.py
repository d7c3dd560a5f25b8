"""What the tests of figures draw from: made-up metrics, scans, predictions, and a check of the print."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from itertools import combinations
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from headct.command_line import run_step
from headct.contracts.artefacts import read_tsv, write_json, write_tsv
from headct.contracts.declarations import PublishedFigure, declared
from headct.contracts.labels import Extent, LabelSet
from headct.metrics import COLUMNS
from headct.publish.figures import style
from headct.settings import published
from support.label_sets import LABELS

SHOWN = {"nnunet-3d-dicece": "DiceCE", "nnunet-3d-focal": "Focal"}
LONG = "A study with a title that goes on for longer than a page is wide, $ and % included; " * 3
WIDTHS_MM = (style.COLUMN_MM, style.WIDTH_MM)
DPI = 150


def drawn_from_files(
    folder: Path, agreement: list[str], every: list[str], planned: list[str], models: list[str]
) -> dict[str, list[str]]:
    """Arguments of the figures that any study has, but for those of single scans.

    Args:
        folder: has dunn.tsv, second-reading.tsv, rater_agreement.tsv, site_dice.tsv, new_site.tsv and
            train.json.
        agreement: arguments of a figure of one model's volumes.
        every: of a figure of all models' metrics.
        planned: the tables of the planned comparison.
        models: the models, with their titles.
    """
    return {
        "bland_altman": agreement,
        "concordance": agreement,
        "dice_box_violin": every,
        "dice_box_violin_present": every,
        "critical_difference": every,
        "dunn_heatmap": ["--dunn", str(folder / "dunn.tsv"), *models],
        "paired_differences": [*planned, *models],
        "rater_agreement": [
            *("--metrics", str(folder / "second-reading.tsv")),
            *("--agreement", str(folder / "rater_agreement.tsv")),
        ],
        "dice_by_site": [
            *("--sites", str(folder / "site_dice.tsv"), "--new", str(folder / "new_site.tsv")),
            *("--model", "nnunet-3d-dicece", "--model-title", "DiceCE"),
        ],
        "training_curves": ["--train-records", str(folder / "train.json"), "--model-title", "Focal"],
    }


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
    table["false_positive_ml"] = (table["predicted_ml"] - table["intersection_ml"]).clip(lower=0)
    table["false_negative_ml"] = (table["reference_ml"] - table["intersection_ml"]).clip(lower=0)
    table["volume_error_ml"] = table["predicted_ml"] - table["reference_ml"]
    volumes = [name for name in table if name.endswith("_ml")]
    header = {name.replace("_ml", "_header_ml"): table[name] for name in volumes}
    return table.assign(failure="", **header).reindex(columns=list(COLUMNS))


def labels_given(figure: str, labels: LabelSet = LABELS) -> Sequence[str]:
    """The option that names the lesions, where a figure has it."""
    has_it = "labels" in declared(PublishedFigure)[figure].given
    return ("--labels", labels.written(Extent.PRINT)) if has_it else ()


def draw(figure: str, out: Path, *extra: str, labels: LabelSet = LABELS) -> pd.DataFrame:
    """Run one subcommand in this process; the numbers drawn."""
    args = ["--study-title", "Simulated data", "--out", str(out), *extra]
    run_step("figures", [figure, *args, *labels_given(figure, labels)])
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


def cases_arguments(tmp_path: Path) -> list[str]:
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


def training_record(
    epochs: int = 5,
    seed: int = 1,
    fold: str = "all",
    framework: str = "nnunet",
    labels: LabelSet = LABELS,
    **changes: Any,
) -> dict[str, Any]:
    """What a figure reads of a ``train.json``; three iterations an epoch; no last lesion in epoch 2."""
    rng = np.random.default_rng(seed)
    history = []
    for epoch in range(1, epochs + 1):
        dice: dict[str, float | None] = {
            label: float(np.clip(epoch / epochs + rng.normal(0, 0.05), 0, 1)) for label in labels
        }
        if epoch == 2:
            dice[list(labels)[-1]] = None
        entry = {"epoch": epoch, "learning_rate": 0.01 / epoch, "train_loss": 1 / epoch - 0.3}
        history.append({**entry, "pseudo_dice": dice})
        if framework == "nnunet":
            history[-1]["validation_loss"] = 1.1 / epoch - 0.2
    return {
        "model": "m",
        "framework": framework,
        "seed": seed,
        "fold": fold,
        "n_training_scans": 12,
        "epochs": epochs,
        "history": history,
        "record": {"iterations": 3 * epochs},
        "sessions": [{"from_iteration": 0}],
        **changes,
    }


def replicated(models: Iterable[str]) -> pd.DataFrame:
    """``published_vs_reproduced.tsv`` of a run of some models that gives .05 less than the paper, ± .02."""
    table = published.numbers()
    run = table["item"].isin(list(models)) | (table["table"] == "Table 2")
    difference = np.where(run, -0.05, np.nan)
    n = np.where(run, 40.0, np.nan)
    reproduced = table["published"] + difference
    ends = {"lower": reproduced - 0.02, "upper": reproduced + 0.02}
    verdicts = {name: np.where(run, "yes", "") for name in ("outside", "outside_family")}
    table = table.assign(reproduced=reproduced, difference=difference, n_reproduced=n)
    return table.assign(**ends, **verdicts)


def assert_fit_to_print(pdf: bytes, width_mm: float = style.PAGE_MM) -> None:
    """TrueType fonts, embedded; no Type 3; as wide as asked for; no date."""
    assert b"/FontFile2" in pdf
    assert b"/Type3" not in pdf
    assert b"CreationDate" not in pdf
    width_pt = float(pdf.split(b"/MediaBox [")[1].split(b"]")[0].split()[2])
    assert width_pt == pytest.approx(width_mm * style.POINTS_PER_MM, abs=0.01)


def shown_texts(figure: Figure) -> list[Text]:
    """All text that is seen; a locator's ticks beyond the ends of its axis are not."""
    beyond = {
        label
        for axes in figure.axes
        for axis in (axes.xaxis, axes.yaxis)
        for tick in axis.get_major_ticks()
        for label in (tick.label1, tick.label2)
        if not axis.get_view_interval().min() <= tick.get_loc() <= axis.get_view_interval().max()
    }
    found = [text for text in figure.findobj(Text) if text not in beyond]
    return [text for text in found if text.get_visible() and text.get_text().strip()]


def assert_readable(figure: Figure, width_mm: float) -> None:
    """As wide as asked for, no higher than a page, text of 6 pt or more, inside of it, none on another.

    Call it within ``mpl.rc_context(style.PRINT | {"text.hinting": "none"})``: hinting makes letters wider
    on a screen; a PDF has none.
    """
    canvas = FigureCanvasAgg(figure)
    figure.set_dpi(DPI)
    canvas.draw()
    assert figure.get_figwidth() * style.MM_PER_INCH == pytest.approx(width_mm)
    assert figure.get_figheight() * style.MM_PER_INCH <= style.TALLEST_MM
    seen = shown_texts(figure)
    assert min(text.get_size() for text in seen) >= style.SMALLEST_PT
    renderer, page = canvas.get_renderer(), figure.bbox
    boxes = [(text.get_text(), text.get_window_extent(renderer)) for text in seen]
    on_page = [(words, box) for words, box in boxes if box.width]
    for words, box in on_page:
        assert box.x0 >= page.x0 - 1, words
        assert box.x1 <= page.x1 + 1, words
        assert box.y0 >= page.y0 - 1, words
        assert box.y1 <= page.y1 + 1, words
    # Lines of one paragraph may touch by their descenders; half a letter's height they may not share.
    for (one_words, one), (other_words, other) in combinations(on_page, 2):
        across = min(one.x1, other.x1) - max(one.x0, other.x0)
        down = min(one.y1, other.y1) - max(one.y0, other.y0)
        assert across <= 1 or down <= 0.25 * style.TEXT_PT / 72 * DPI, (one_words, other_words)


def readable() -> AbstractContextManager[None]:
    """The settings under which :func:`assert_readable` measures."""
    return mpl.rc_context(style.PRINT | {"text.hinting": "none"})
