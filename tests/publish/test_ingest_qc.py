"""Contact sheet: which slice, where, how large, with which outline; pages, their order and their bytes."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from io import BytesIO
from itertools import pairwise
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch

from headct.command_line import run_step
from headct.contracts.artefacts import read_tsv, write_json, write_tsv
from headct.contracts.repository import PACKAGE
from headct.publish.figures import ingest_qc, style
from headct.publish.figures.lesions_on_ct import outline
from headct.publish.figures.slices import Slice
from support.figure_inputs import assert_fit_to_print, texts, write_scan
from support.label_sets import GIVEN, LABELS

pytestmark = pytest.mark.whole

SCRIPTS = PACKAGE.parent
FLAGS = "air_not_near_minus_1000_hu,instance_numbers_not_consecutive,mask_reaches_outside_head,tilted"


def included(scan: str, flags: str = "tilted") -> dict[str, object]:
    """A row of the cohort."""
    return {
        "scan_id": scan,
        "status": "included",
        "reason": None,
        "flags": flags or None,
        "tilt_deg": 18.5,
        "spacing_z_mm": 2.371,
    }


def put_aside(scan: str, status: str, reason: str) -> dict[str, object]:
    """A row of the cohort of a scan without data."""
    return {"scan_id": scan, "status": status, "reason": reason}


def slice_of(truth: np.ndarray, pixel_mm: tuple[float, float], head: tuple[slice, slice]) -> Slice:
    """A slice with a head of brain in air."""
    ct = np.full(truth.shape, -1000, np.int16)
    ct[head] = 40
    return Slice(ct, truth, {}, pixel_mm, 4, 9, 12.0)


@pytest.fixture
def trial(tmp_path: Path) -> Path:
    """32 scans in ``data`` and, with an excluded one and one in error, in ``cohort.tsv``."""
    scans = [f"S{i:02d}" for i in range(32)]
    for scan in scans:
        write_scan(tmp_path / "data", scan)
    rows = [included(scan, FLAGS if scan == "S03" else "") for scan in reversed(scans)]
    rows.insert(3, put_aside("S90", "excluded", "missing section: 17 mm between instance 10 and instance 11"))
    rows.insert(9, put_aside("S91", "error", "there is no such mask file"))
    write_tsv(pd.DataFrame(rows), tmp_path / "cohort.tsv")
    return tmp_path


def pages_of(trial: Path) -> list[tuple[Figure, pd.DataFrame]]:
    """All pages of a trial."""
    with mpl.rc_context(style.PRINT):
        return list(ingest_qc.draw_pages(read_tsv(trial / "cohort.tsv"), trial / "data", LABELS, "Study"))


def test_pages_hold_all_scans_in_order(trial: Path) -> None:
    pages = pages_of(trial)
    assert [len(table) for _, table in pages] == [30, 2, 2]
    drawn = pd.concat([table for _, table in pages])
    assert list(drawn["scan_id"]) == [*(f"S{i:02d}" for i in range(32)), "S91", "S90"]
    assert list(drawn["page"]) == [1] * 30 + [2] * 2 + [3] * 2
    for number, (figure, table) in enumerate(pages, start=1):
        words = texts(figure)
        assert f"page {number} of 3" in words
        assert "Study" in words
        assert set(table["scan_id"]) <= set(words.split("\n"))
    assert "missing section: 17 mm between instance 10 and instance 11" in texts(pages[2][0])


def test_the_slice_with_the_largest_area_is_measured(trial: Path) -> None:
    drawn = pages_of(trial)[0][1].set_index("scan_id").loc["S03"]
    assert (drawn["slice"], drawn["n_slices"], drawn["slice_position_mm"]) == (5, 9, 12.0)
    assert drawn["lesion_area_mm2"] == 10 * 12 * 2.0 * 3.0
    assert drawn["flags"] == FLAGS
    assert drawn["mean_gap_mm"] == 2.371


def test_captions_say_geometry_and_flags_and_end_in_an_ellipsis(trial: Path) -> None:
    words = texts(pages_of(trial)[0][0])
    assert "tilt 18.5°, gap 2.37 mm\nair not near minus" in words
    caption = ingest_qc.caption_of(included("S" * 70, FLAGS))
    assert "".join(caption.title) == "S" * 70
    assert len(caption.fine) == 3
    assert caption.fine[-1].endswith("…")
    for line in caption.fine:
        assert style.text_width_mm(line, ingest_qc.FINE_PT) <= ingest_qc.PANEL_MM[0]


def test_panels_show_the_patient_upright_in_true_proportions(tmp_path: Path) -> None:
    """Lesion of the test scan: front and patient's right; pixels of 2 × 3 mm."""
    write_scan(tmp_path / "data", "S0", (2.0, 3.0, 8.0))
    write_tsv(pd.DataFrame([included("S0")]), tmp_path / "cohort.tsv")
    figure = pages_of(tmp_path)[0][0]
    axes = figure.axes[0]
    figure.savefig(BytesIO(), format="pdf")  # which places the axes
    box = axes.get_window_extent()
    head = axes.transData.transform([(5 * 2, 4 * 3), (35 * 2, 28 * 3)])
    head_right, head_front = head[0]
    assert box.x0 < head_right < head[1][0] < box.x1
    assert box.y0 < head[1][1] < head_front < box.y1
    assert (head[1][0] - head_right) / (head_front - head[1][1]) == pytest.approx(60 / 72)
    # One scale on the page: 60 mm are 60 / 190 of a panel.
    assert (head[1][0] - head_right) / box.width == pytest.approx(60 / 190)
    lesion = axes.transData.transform([(12 * 2, 11 * 3)])[0]
    assert lesion[0] < (box.x0 + box.x1) / 2
    assert lesion[1] > (box.y0 + box.y1) / 2


def test_outlines_are_those_of_the_mask_at_full_resolution(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "S0"
    folder.mkdir(parents=True)
    labels = np.zeros((3, 512, 512), np.uint8)
    labels[1, 200:203, 151:158] = LABELS["ICH"]
    labels[1, 300, 301] = LABELS["IVH"]
    ct = np.full(labels.shape, -1000, np.int16)
    ct[:, 60:450, 90:420] = 40
    for name, array in (("ct", ct), ("labels", labels)):
        image = sitk.GetImageFromArray(array)
        image.SetSpacing((0.45, 0.45, 5.0))
        sitk.WriteImage(image, str(folder / f"{name}.nii.gz"))
    write_json({"geometry": {"slice_positions_mm": [0, 5, 10]}}, folder / "scan.json")
    write_tsv(pd.DataFrame([included("S0")]), tmp_path / "cohort.tsv")
    axes = pages_of(tmp_path)[0][0].axes[0]
    drawn = [patch.get_path().vertices for patch in axes.patches if isinstance(patch, PathPatch)]
    expected = [outline(labels[1] == LABELS[name], (0.45, 0.45)).vertices for name in ("IVH", "ICH")]
    assert len(drawn) == 2
    for own, wanted in zip(drawn, expected, strict=True):
        np.testing.assert_allclose(own, wanted)
    (image,) = axes.images
    assert max(image.get_array().shape) < 270, "CT is averaged"


@given(
    st.tuples(st.floats(0.2, 3.0), st.floats(0.2, 3.0)),
    st.tuples(st.integers(8, 90), st.integers(8, 90)),
    st.integers(0, 2**32 - 1),
)
def test_averaged_grey_values_stay_where_they_are(
    pixel_mm: tuple[float, float], shape: tuple[int, int], seed: int
) -> None:
    """The centre of mass of a bright spot is within half a pixel of where it is in the slice, in mm."""
    random = np.random.default_rng(seed)
    row, column = random.integers(0, shape[0]), random.integers(0, shape[1])
    truth = np.zeros(shape, np.uint8)
    truth[row, column] = 1
    shown = slice_of(truth, pixel_mm, (slice(None), slice(None)))
    shown.ct_hu[:] = -1000
    shown.ct_hu[row, column] = 3000
    dx, dy = pixel_mm
    box = np.array([-10.0, max(180, shape[1] * dx + 10), -10.0, max(220, shape[0] * dy + 10)])
    grey, (left, right, bottom, top) = ingest_qc.grey_values(shown, box)
    assert (left, top) == (0, 0)
    cell_x, cell_y = (right - left) / grey.shape[1], (bottom - top) / grey.shape[0]
    for cell, pixel in ((cell_x, dx), (cell_y, dy)):
        assert cell / pixel == pytest.approx(round(cell / pixel))
        assert cell <= max(pixel, 1.5 * ingest_qc.SAMPLE_MM * max(1, (box[1] - box[0]) / 190)) + 1e-9
    y, x = np.unravel_index(grey.argmax(), grey.shape)
    assert top + y * cell_y <= (row + 0.5) * dy <= top + (y + 1) * cell_y
    assert left + x * cell_x <= (column + 0.5) * dx <= left + (x + 1) * cell_x


def test_grey_values_are_the_mean_of_the_brain_window() -> None:
    shown = slice_of(np.zeros((4, 4), np.uint8), (0.45, 0.45), (slice(None), slice(None)))
    shown.ct_hu[:2, :2] = [[0, 80], [2000, -1000]]
    grey, extent = ingest_qc.grey_values(shown, np.array([0.0, 190, 0, 230]))
    assert grey.tolist() == [[128, 128], [128, 128]]
    assert extent == pytest.approx((0, 1.8, 1.8, 0))
    odd = slice_of(np.zeros((5, 3), np.uint8), (0.45, 0.45), (slice(None), slice(None)))
    assert (ingest_qc.grey_values(odd, np.array([0.0, 190, 0, 230]))[0] == 128).all()


def test_head_and_mask_are_always_whole_in_view() -> None:
    field = ingest_qc.FIELD_MM
    truth = np.zeros((300, 300), np.uint8)
    small = slice_of(truth, (1.0, 1.0), (slice(100, 280), slice(60, 200)))
    assert ingest_qc.view_box_mm(small) == pytest.approx([35, 225, 75, 305])
    huge = slice_of(truth, (1.0, 1.0), (slice(10, 290), slice(60, 200)))
    assert ingest_qc.view_box_mm(huge)[2:] == pytest.approx([7, 293])
    outside = truth.copy()
    outside[5:8, 290:299] = 1
    box = ingest_qc.view_box_mm(slice_of(outside, (1.0, 1.0), (slice(100, 280), slice(60, 200))))
    assert box[0] < 60
    assert box[1] > 299
    assert box[2] < 5
    assert box[3] > 280
    assert (box[1] - box[0]) / (box[3] - box[2]) == pytest.approx(field[0] / field[1])


def test_a_page_needs_the_scans_on_it_only(trial: Path) -> None:
    """Pages are made one by one, so memory does not grow with the trial."""
    shutil.rmtree(trial / "data" / "S31")
    pages = ingest_qc.draw_pages(read_tsv(trial / "cohort.tsv"), trial / "data", LABELS, "Study")
    assert len(next(pages)[1]) == 30
    with pytest.raises(RuntimeError, match="S31"):
        next(pages)


def test_an_empty_mask_shows_the_middle_slice(tmp_path: Path) -> None:
    write_scan(tmp_path / "data", "S0", lesions=False)
    write_tsv(pd.DataFrame([included("S0")]), tmp_path / "cohort.tsv")
    ((_, table),) = pages_of(tmp_path)
    assert table["slice"].item() == 5
    assert table["lesion_area_mm2"].item() == 0


@pytest.mark.parametrize("n", [1, 60])
def test_the_list_is_broken_into_pages_without_overlap(n: int) -> None:
    long = "different slices at the same position: " + "instance 3 and instance 4, " * 12 + "x" * 300
    rows = [
        put_aside(
            f"{'long-id-' * 9 if i % 7 == 0 else 'S'}{i:03d}", "excluded", long if i % 3 else "not axial"
        )
        for i in range(n)
    ]
    cohort = pd.DataFrame(rows, columns=[*included("S")])
    with mpl.rc_context(style.PRINT | {"text.hinting": "none"}):
        pages = list(ingest_qc.draw_pages(cohort, Path("nowhere"), LABELS, "Study"))
        for figure, table in pages:
            canvas = FigureCanvasAgg(figure)
            canvas.draw()
            body = figure.subfigs[1]
            boxes = [text.get_window_extent() for text in body.texts]
            assert len(boxes) == 3 * (len(table) + 1)
            for box in boxes:
                assert box.x1 <= figure.bbox.x1 + 1
            for column in range(3):
                for above, below in pairwise(boxes[column::3]):
                    assert below.y1 <= above.y0 + 1
            for row in range(0, len(boxes), 3):
                assert boxes[row].x1 < boxes[row + 1].x0
                assert boxes[row + 1].x1 < boxes[row + 2].x0
    assert sum(len(table) for _, table in pages) == n
    assert len(pages) == 1 if n == 1 else len(pages) > 2


def test_another_process_gives_the_same_bytes(trial: Path) -> None:
    words = ["ingest_qc", *GIVEN, "--study-title", "Study", "--data", str(trial / "data")]
    words += ["--cohort", str(trial / "cohort.tsv"), "--out"]
    here, there = trial / "here" / "ingest_qc.pdf", trial / "there" / "ingest_qc.pdf"
    run_step("figures", [*words, str(here)])
    environment = os.environ | {"PYTHONPATH": str(SCRIPTS), "PYTHONHASHSEED": "4711", "TZ": "Asia/Tokyo"}
    command = [sys.executable, "-m", "headct", "figures", *words, str(there)]
    subprocess.run(command, check=True, env=environment)
    assert {file.suffix for file in here.parent.iterdir()} == {".pdf", ".tsv"}, "it is leafed through"
    for suffix in (".pdf", ".tsv"):
        assert here.with_suffix(suffix).read_bytes() == there.with_suffix(suffix).read_bytes()
    pdf = here.read_bytes()
    assert_fit_to_print(pdf)
    assert len(re.findall(rb"/Type /Page\b", pdf)) == 3
    assert len(read_tsv(here.with_suffix(".tsv"))) == 34
    # One grey channel an image, also in memory until the file is closed.
    assert len(re.findall(rb"/Subtype /Image\b", pdf)) == 32
    assert len(re.findall(rb"/ColorSpace /DeviceGray", pdf)) == 32
