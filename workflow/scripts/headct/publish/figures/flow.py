"""Flow of scans from the sheet to the analysis, in the manner of CONSORT (https://www.consort-spirit.org)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from headct.contracts.artefacts import read_tsv
from headct.contracts.declarations import MadeOf, PublishedFigure, Repeats
from headct.contracts.plurals import counted
from headct.contracts.problems import BadInput, Problem
from headct.publish.figures import style
from headct.publish.options import Options

FIGURE = PublishedFigure(
    name="flow",
    help="scans from the sheet to the analysis",
    inputs={"flow": "cohort/flow.tsv", "split": "cohort/split.tsv"},
    given={"study_title": "study title", "width_mm": "width in mm"},
    columns="box reason scans participants",
    keys="box reason",
    repeats=(
        Repeats(
            source="cohort/flow.tsv",
            rows="reason",
            where={"box": "Scans in the sheet"},
            of={"status": "in sheet"},
        ),
        Repeats(
            source="cohort/flow.tsv",
            rows="reason",
            where={"box": "Included"},
            of={"status": "included"},
        ),
        Repeats(
            source="cohort/flow.tsv",
            rows="reason",
            where={"box": "Excluded"},
            of={"status": "excluded"},
        ),
        Repeats(
            source="cohort/flow.tsv",
            rows="reason",
            where={"box": "In external sets"},
            of={"status": "external"},
        ),
    ),
    made_of=(MadeOf(rows="sheet"),),
)

MAIN_SHARE, SIDE_SHARE = 0.38, 0.54
"""Widths of the column of what goes on, left, and of what is put aside, right; the rest is between."""

PADDING_MM = 1.8
GAP_MM = 5.0
AFTER_COUNT_MM = 1.5
LINE_MM = style.line_height_mm(style.TEXT_PT)

IN_SHEET, INCLUDED = "Scans in the sheet", "Included"
SET_TITLES = {"train": "Training set", "test": "Test set"}
PUT_ASIDE = {
    "withdrawn": "Withdrawn, and deleted",
    "excluded": "Excluded",
    "error": "In error, to be mended",
    "external": "In external sets",
}


def draw(options: Options) -> style.Pages:
    """The figure from its files."""
    flow, split = read_tsv(options.flow), read_tsv(options.split)
    return [draw_flow(flow, split, options.study_title, options.width_mm)]


@dataclass(frozen=True)
class Line:
    """One line of a box: a count that ends, and words that begin, so many mm from the box's padding."""

    words: str
    weight: str = "normal"
    words_mm: float = 0.0
    count: str = ""
    count_end_mm: float = 0.0


@dataclass(frozen=True)
class Box:
    """A placed box; mm from the upper left corner of the diagram."""

    left_mm: float
    top_mm: float
    width_mm: float
    lines: Sequence[Line]

    @property
    def height_mm(self) -> float:
        """Height that the lines need."""
        return 2 * PADDING_MM + len(self.lines) * LINE_MM

    @property
    def bottom_mm(self) -> float:
        """Lower edge."""
        return self.top_mm + self.height_mm

    @property
    def middle_mm(self) -> tuple[float, float]:
        """Centre."""
        return self.left_mm + self.width_mm / 2, self.top_mm + self.height_mm / 2


def steps(flow: pd.DataFrame, split: pd.DataFrame) -> pd.DataFrame:
    """What the diagram shows: one row per box and, in the boxes of what is put aside, per reason.

    Args:
        flow: columns status, reason, scans, participants, as of ``flow.tsv``.
        split: columns scan_id, participant_id, set, as of ``split.tsv``.

    Returns:
        Columns box, reason, scans, participants. Most frequent reasons come first. Participants of
        a box with reasons are not known: one may have scans in several.

    Raises:
        BadInput: the counts do not add up, so the two tables are not of one run.
    """
    parts = {status: flow[flow["status"] == status] for status in ("in sheet", *PUT_ASIDE, "included")}
    rows: list[tuple[Any, ...]] = [_total(IN_SHEET, parts["in sheet"])]
    for status, title in PUT_ASIDE.items():
        reasons = parts[status].sort_values(["scans", "reason"], ascending=[False, True])
        if len(reasons) or status == "excluded":
            rows.append((title, "", int(reasons["scans"].sum()), None))
        rows += reasons.assign(box=title)[FIGURE.header].itertuples(index=False, name=None)
    rows.append(_total(INCLUDED, parts["included"]))
    for name, title in SET_TITLES.items():
        participants = split.loc[split["set"] == name, "participant_id"]
        rows.append((title, "", len(participants), participants.nunique()))
    shown = pd.DataFrame(rows, columns=FIGURE.header)
    shown = shown.astype({"participants": "Int64"})
    _check_sums(shown)
    return shown


def _total(title: str, rows: pd.DataFrame) -> tuple[str, str, int, int]:
    return title, "", int(rows["scans"].sum()), int(rows["participants"].sum())


def _check_sums(shown: pd.DataFrame) -> None:
    scans = shown[shown["reason"] == ""].set_index("box")["scans"]
    aside = scans.reindex(list(PUT_ASIDE.values()), fill_value=0).sum()
    with_set = scans[list(SET_TITLES.values())].sum()
    problems = []
    if scans[IN_SHEET] != aside + scans[INCLUDED]:
        message = (
            f"{scans[IN_SHEET]} scans in the sheet, but {aside} put aside and {scans[INCLUDED]} included"
        )
        problems.append(Problem("flow.tsv", message))
    if scans[INCLUDED] != with_set:
        problems.append(
            Problem("split.tsv", f"{scans[INCLUDED]} scans are included, but {with_set} have a set")
        )
    if problems:
        raise BadInput(problems)


def _total_lines(row: pd.Series, width_mm: float) -> list[Line]:
    """Title, number of scans, number of participants."""
    inner = width_mm - 2 * PADDING_MM
    title = style.wrap(row["box"], inner, style.TEXT_PT, weight="bold")
    counts = [counted(row["scans"], "scan"), counted(row["participants"], "participant")]
    return [*(Line(words, "bold") for words in title), *map(Line, counts)]


def _reason_lines(rows: pd.DataFrame, width_mm: float) -> list[Line]:
    """Title with the number of scans, then each reason beside its counts, which are aligned."""
    inner = width_mm - 2 * PADDING_MM
    total, reasons = rows.iloc[0], rows.iloc[1:]
    title = f"{total['box']}: {counted(total['scans'], 'scan') if total['scans'] else 'none'}"
    lines = [Line(words, "bold") for words in style.wrap(title, inner, style.TEXT_PT, weight="bold")]
    counts = [f"{row.scans} ({row.participants})" for row in reasons.itertuples()]
    count_end = max((style.text_width_mm(count, style.TEXT_PT) for count in counts), default=0.0)
    words_mm = count_end + AFTER_COUNT_MM
    for count, reason in zip(counts, reasons["reason"], strict=True):
        first, *further = style.wrap(reason, inner - words_mm, style.TEXT_PT)
        lines.append(Line(first, words_mm=words_mm, count=count, count_end_mm=count_end))
        lines += [Line(words, words_mm=words_mm) for words in further]
    return lines


def place(shown: pd.DataFrame, width_mm: float) -> dict[str, Box]:
    """The boxes by title: from top to bottom, as high as their texts need."""
    main, side = MAIN_SHARE * width_mm, SIDE_SHARE * width_mm
    side_left = width_mm - side
    rows = {str(title): part for title, part in shown.groupby("box", sort=False)}
    boxes: dict[str, Box] = {}
    top = 0.0
    for title, part in rows.items():
        if title in PUT_ASIDE.values():
            box = Box(side_left, top, side, _reason_lines(part, side))
        elif title == SET_TITLES["test"]:
            box = Box(side_left, boxes[SET_TITLES["train"]].top_mm, side, _total_lines(part.iloc[0], side))
        else:
            box = Box(0.0, top, main, _total_lines(part.iloc[0], main))
        boxes[title] = box
        top = box.bottom_mm + GAP_MM
    return boxes


def _draw_box(axes: Axes, box: Box) -> None:
    axes.add_patch(
        Rectangle((box.left_mm, box.top_mm), box.width_mm, box.height_mm, fc="none", ec="black", lw=0.7)
    )
    left, baseline = box.left_mm + PADDING_MM, box.top_mm + PADDING_MM + 0.74 * LINE_MM
    for number, line in enumerate(box.lines):
        y = baseline + number * LINE_MM
        axes.text(left + line.words_mm, y, line.words, size=style.TEXT_PT, weight=line.weight)
        if line.count:
            axes.text(left + line.count_end_mm, y, line.count, size=style.TEXT_PT, ha="right")


def _draw_line(axes: Axes, *points: tuple[float, float]) -> None:
    """A line through points; the last stretch ends in an arrowhead."""
    axes.plot(*zip(*points, strict=True), color="black", lw=0.7, solid_joinstyle="miter")
    arrow = {"arrowstyle": "-|>,head_length=0.5,head_width=0.2", "lw": 0.7, "fc": "black"}
    arrow |= {"shrinkA": 0, "shrinkB": 0, "mutation_scale": 7}
    axes.annotate("", points[-1], points[-2], arrowprops=arrow)


def draw_flow(
    flow: pd.DataFrame, split: pd.DataFrame, study_title: str, width_mm: float = style.WIDTH_MM
) -> tuple[Figure, pd.DataFrame]:
    """The diagram, and the numbers in it (:func:`steps`).

    Args:
        flow: ``flow.tsv``.
        split: ``split.tsv``.
        study_title: in the lower right corner.
        width_mm: of the figure.
    """
    shown = steps(flow, split)
    boxes = place(shown, width_mm)
    # The lowest boxes' lower edge would be cut in half at the edge of the axes.
    height_mm = max(box.bottom_mm for box in boxes.values()) + 1
    has_brackets = (shown["reason"] != "").any()
    notes = ["In brackets: participants, who may have scans in several places."] if has_brackets else []
    sheet = style.sheet("Flow of scans", study_title, height_mm, [], notes, width_mm)
    axes = style.Page(sheet.body, height_mm, width_mm).axes(0, 0, width_mm, height_mm)
    axes.set(xlim=(-0.2, width_mm + 0.2), ylim=(height_mm - 0.2, -0.2))
    for box in boxes.values():
        _draw_box(axes, box)
    trunk = boxes[INCLUDED].middle_mm[0]
    _draw_line(axes, (trunk, boxes[IN_SHEET].bottom_mm), (trunk, boxes[INCLUDED].top_mm))
    for title in PUT_ASIDE.values():
        if title in boxes:
            y = boxes[title].middle_mm[1]
            _draw_line(axes, (trunk, y), (boxes[title].left_mm, y))
    train, test = (boxes[title] for title in SET_TITLES.values())
    bottom = boxes[INCLUDED].bottom_mm
    fork = bottom + GAP_MM * 0.4
    _draw_line(axes, (trunk, bottom), (trunk, train.top_mm))
    _draw_line(axes, (trunk, fork), (test.middle_mm[0], fork), (test.middle_mm[0], test.top_mm))
    return sheet.figure, shown
