"""Draw the schematic pictures of docs/how-to/data.md: ``python docs/pictures/make.py`` (`make pictures`)."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Arc, Circle, Ellipse, Polygon, Rectangle

from headct.imaging.geometry import slice_weights
from headct.publish.figures.style import BLACK, BLUE, GREY, ORANGE, SKY_BLUE, VERMILLION

FOLDER = Path(__file__).parent
WIDTH_IN, DPI = 8.0, 150  # 1200 pixels
LOOK = {"font.family": ["DejaVu Sans"], "font.size": 11.5, "text.parse_math": False}

TILT_DEG, STEP_MM = 18.5, 2.5
"""Of the tilted Philips series that the tests use: tan, cos and gap are those of a real scan."""

GAPS_MM = [4.0, 4.0, 4.0, 4.0, 7.0, 7.0, 7.0]


def blank(axes: Axes, title: str) -> None:
    """A panel in true proportions without ticks."""
    axes.set_aspect("equal")
    axes.axis("off")
    axes.set_title(title, loc="left", weight="bold", fontsize=12.5)


def arrow(axes: Axes, start: np.ndarray, end: np.ndarray, colour: str, style: str = "<|-|>") -> None:
    """A dimension line, or an arrow."""
    how = {"arrowstyle": style, "color": colour, "lw": 2, "shrinkA": 0, "shrinkB": 0, "mutation_scale": 14}
    axes.annotate("", end, start, arrowprops=how)


def save(figure: Figure, name: str) -> None:
    """Write a picture of 1200 pixels in width."""
    figure.savefig(FOLDER / name, dpi=DPI, metadata={"Software": None})


def draw_tilt() -> Figure:
    """Slices stacked along the table, not along their normal. Across: z, the table. Up: anterior."""
    tilt = np.deg2rad(TILT_DEG)
    along = np.array([np.sin(tilt), np.cos(tilt)])  # within a slice, towards the front
    normal = np.array([np.cos(tilt), -np.sin(tilt)])
    figure = Figure(figsize=(WIDTH_IN, 4.1))
    whole, near = figure.add_axes((0.01, 0.01, 0.53, 0.9)), figure.add_axes((0.57, 0.01, 0.42, 0.9))

    blank(whole, "Gantry tilt, seen from the side")
    whole.add_patch(Ellipse((0, 0), 190, 150, angle=8, fc="#eeeeee", ec=GREY, lw=1.5))
    whole.plot([-125, 125], [-92, -92], color=BLACK, lw=5, solid_capstyle="butt")
    whole.text(-125, -101, "table", va="top")
    for z in np.arange(-60, 61, 15):
        back, front = np.array([z, 0]) - 82 * along, np.array([z, 0]) + 82 * along
        whole.plot(*zip(back, front, strict=True), color=BLUE, lw=2.2)
        whole.plot(*front, "o", color=BLACK, ms=5)
    arrow(whole, np.array([20.0, -108]), np.array([110.0, -108]), BLACK, "-|>")
    whole.text(65, -113, "z: the table moves", ha="center", va="top")
    base = np.array([60.0, 0]) + 15 * along
    arrow(whole, base, base + 52 * normal, VERMILLION, "-|>")
    whole.text(*(base + 54 * normal + [1, -2]), "normal", color=VERMILLION, va="center")
    whole.text(0, 93, "● position of each slice (IPP)", ha="center", va="bottom")
    whole.set(xlim=(-126, 152), ylim=(-130, 108), anchor="NW")

    blank(near, "Two neighbouring slices")
    lower = np.array([0.0, 0])
    upper = np.array([STEP_MM, 0])
    for point in (lower, upper):
        ends = point - 1.75 * along, point + 0.75 * along
        near.plot(*zip(*ends, strict=True), color=BLUE, lw=3)
    foot = upper - STEP_MM * np.sin(tilt) * along  # of the perpendicular from the lower slice's point
    arrow(near, lower, upper, ORANGE)
    near.text(1.4, 0.12, f"|ΔIPP| = {STEP_MM:.3f} mm", color=BLACK, ha="center", va="bottom")
    arrow(near, lower, foot, VERMILLION)
    gap = STEP_MM * np.cos(tilt)
    middle = (lower + foot) / 2 - 0.1 * along
    how = {"rotation": -TILT_DEG, "rotation_mode": "anchor", "ha": "center", "va": "top"}
    near.text(*middle, f"gap = {gap:.3f} mm", color=VERMILLION, **how)
    near.add_patch(Arc((0, 0), 2.6, 2.6, theta1=-TILT_DEG, theta2=0, color=BLACK, lw=1.5))
    near.text(1.48, -0.23, f"{TILT_DEG}°", va="center", ha="left", fontsize=10.5)
    corner = [foot, foot - 0.18 * normal, foot - 0.18 * normal + 0.18 * along, foot + 0.18 * along]
    near.add_patch(Polygon(corner, fc="none", ec=VERMILLION, lw=1.5))
    near.plot(*zip(lower, upper, strict=True), "o", color=BLACK, ms=7, ls="")
    words = (
        "gap = |ΔIPP| × cos(tilt)\n\nWith |ΔIPP| as z spacing, as a header has it,\n"
        "every volume is too large, by the factor\n"
        f"1 / cos({TILT_DEG}°) = {1 / np.cos(tilt):.3f}"
    )
    near.text(0.9, -1.95, words, ha="center", va="top", linespacing=1.3)
    near.set(xlim=(-0.9, 2.9), ylim=(-3.6, 0.9), anchor="NW")
    return figure


def draw_gaps() -> Figure:
    """Weights of slices with uneven gaps beside the equal thickness that a header gives them."""
    positions = np.concatenate([[0.0], np.cumsum(GAPS_MM)])
    weights = slice_weights(positions)
    mean = positions[-1] / len(GAPS_MM)
    edges = np.concatenate([[positions[0] - GAPS_MM[0] / 2], (positions[1:] + positions[:-1]) / 2])
    edges = np.append(edges, positions[-1] + GAPS_MM[-1] / 2)
    figure = Figure(figsize=(WIDTH_IN, 5.9), layout="constrained")
    axes = figure.subplots()
    axes.axis("off")
    true_x, header_x, width = 11.0, 53.0, 17.0
    error_x = header_x + width + 18
    for k, (z, weight) in enumerate(zip(positions, weights, strict=True)):
        colour = "#d6ecf8" if k % 2 else "#a9d7f1"
        axes.add_patch(Rectangle((true_x, edges[k]), width, weight, fc=colour, ec="white"))
        axes.plot([true_x, true_x + width], [z, z], color=BLUE, lw=3, solid_capstyle="butt")
        axes.text(true_x + width + 0.8, z, f"{weight:.1f} mm", va="center", color=BLUE)
        believed = k * mean
        colour = "#fbe3d3" if k % 2 else "#f4c2a0"
        axes.add_patch(Rectangle((header_x, believed - mean / 2), width, mean, fc=colour, ec="white"))
        axes.plot([header_x, header_x + width], [believed] * 2, color=VERMILLION, lw=3, solid_capstyle="butt")
        axes.plot([true_x + width + 9.5, header_x - 1], [z, believed], color=GREY, lw=1, ls=":")
        axes.text(header_x + width + 0.8, believed, f"{mean:.1f} mm", va="center", color=VERMILLION)
        error = f"{100 * (mean / weight - 1):+.0f} %".replace("-", "−")
        axes.text(error_x, believed, error, va="center", ha="right", weight="bold")
    for low, gap in ((edges[0], GAPS_MM[0]), (positions[-1], GAPS_MM[-1])):
        box = {"fc": "none", "ec": BLUE, "hatch": "////", "lw": 0, "alpha": 0.6}
        axes.add_patch(Rectangle((true_x, low), width, gap / 2, **box))
    for k, gap in enumerate(GAPS_MM):
        arrow(axes, np.array([true_x - 1.6, positions[k]]), np.array([true_x - 1.6, positions[k + 1]]), GREY)
        axes.text(true_x - 2.6, positions[k] + gap / 2, f"{gap:.0f} mm", ha="right", va="center", color=GREY)
    top = edges[-1] + 3.0
    for x, words, colour in (
        (true_x - 2.6, "gaps\n", GREY),
        (true_x + width / 2, "slices (lines),\nweights (boxes)", BLUE),
        (header_x + width / 2, "a header: mean spacing\nfor every slice", VERMILLION),
        (error_x, "error of\nvolume", BLACK),
    ):
        align = "center" if x in (true_x + width / 2, header_x + width / 2) else "right"
        axes.text(x, top, words, ha=align, va="bottom", color=colour, weight="bold")
    words = (
        "weight = half the gap below + half the gap above; an end slice mirrors its one gap (hatched)\n"
        "volume = dx × dy × sum of (weight × number of pixels)"
    )
    axes.text(0, edges[0] - 2.2, words, va="top", linespacing=1.5)
    axes.set(xlim=(0, error_x + 1), ylim=(edges[0] - 8.5, top + 5.5))
    return figure


def draw_mask_grids() -> Figure:
    """A mask drawn on the series itself; one drawn on an un-sheared image; the second put on the first."""
    tilt = np.deg2rad(TILT_DEG)
    pixel, step, radius = 2.0, 4.0, 12.0
    lesion = np.array([0.0, 15.0])
    numbers, rows = np.meshgrid(np.arange(-7, 8), np.arange(-15, 16))
    upright = np.stack([numbers * step, rows * pixel], axis=-1)
    tilted = upright @ np.array([[1, 0], [np.sin(tilt), np.cos(tilt)]])

    def in_lesion(centres: np.ndarray) -> np.ndarray:
        return np.linalg.norm(centres - lesion, axis=-1) < radius

    figure = Figure(figsize=(WIDTH_IN, 3.75))
    panels = [
        ("drawn on the series", tilted, tilt, in_lesion(tilted), SKY_BLUE, "accepted"),
        ("drawn on an\nun-sheared copy", upright, 0.0, in_lesion(upright), ORANGE, "fits the copy,"),
        (
            "the copy's mask\non the series",
            tilted,
            tilt,
            in_lesion(upright),
            ORANGE,
            "not the scan: rejected",
        ),
    ]
    for place, (title, centres, angle, mask, colour, verdict) in enumerate(panels):
        axes = figure.add_axes((place / 3 + 0.01, 0.1, 0.313, 0.76))
        blank(axes, "")
        axes.set_title(title, weight="bold", fontsize=11.5)
        along, across = pixel / 2 * np.array([np.sin(angle), np.cos(angle)]), np.array([step * 0.4, 0])
        corners = np.array([-along - across, -along + across, along + across, along - across])
        for centre, inside in zip(centres.reshape(-1, 2), mask.ravel(), strict=True):
            axes.add_patch(Polygon(centre + corners, fc=colour if inside else "#eeeeee", ec="white", lw=0.5))
        axes.add_patch(Circle(lesion, radius, fc="none", ec=BLACK, lw=2.2))
        axes.text(0, -33, verdict, ha="center", va="top")
        axes.set(xlim=(-40, 40), ylim=(-38, 33))
    words = "from the side, each column is a slice; circle: the lesion; coloured: the mask"
    figure.text(0.5, 0.02, words, ha="center", color=GREY)
    return figure


def main() -> None:
    """Draw all pictures."""
    with mpl.rc_context(LOOK):
        save(draw_tilt(), "gantry_tilt.png")
        save(draw_gaps(), "uneven_gaps.png")
        save(draw_mask_grids(), "mask_grids.png")


if __name__ == "__main__":
    main()
