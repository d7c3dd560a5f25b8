"""How far apart the surfaces of two masks lie, in mm, at the true places of their voxels.

A distance transform needs a regular grid, which a tilted or unevenly spaced scan has not. So the
elements of both surfaces are placed where they are, and a k-d tree finds the nearest ones, exactly.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray

from headct.metrics.grid import Grid
from headct.metrics.overlap import Measures

PERCENTILE = 95

ROUNDING = 1e-9
"""Relative. Distances of exactly the tolerance are common (two pixels of 0.5 mm) and must count as within."""

OBLIQUE = np.eye(3) - 2 * np.outer((1, 2, 3.5), (1, 2, 3.5)) / 17.25
"""A reflection: no distance changes, and no flat piece of a surface stays parallel to an axis.

SciPy's tree bounds distances by its splits alone; along an axis in which a flat piece has no extent it
has none, and a query far from a large flat surface visits nearly all of it (60 times as long).
"""

Point = tuple[float, float, float]

PATCHES: dict[tuple[Point, ...], tuple[tuple[Point, ...], ...]] = {
    ((0, 0, 0),): (((0.5, 0, 0), (0, 0.5, 0), (0, 0, 0.5)),),
    ((0, 0, 0), (1, 0, 0)): (((0, 0.5, 0), (0, 0, 0.5), (1, 0, 0.5), (1, 0.5, 0)),),
    ((0, 0, 0), (1, 0, 0), (0, 1, 0)): (
        ((0, 0, 0.5), (1, 0, 0.5), (0, 1, 0.5)),
        ((1, 0, 0.5), (0, 1, 0.5), (0.5, 1, 0), (1, 0.5, 0)),
    ),
    ((0, 0, 0), (1, 0, 0), (0, 1, 0), (1, 1, 0)): (((0, 0, 0.5), (1, 0, 0.5), (1, 1, 0.5), (0, 1, 0.5)),),
    ((0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)): (
        ((1, 0.5, 0), (0.5, 1, 0), (0, 1, 0.5), (0, 0.5, 1), (0.5, 0, 1), (1, 0, 0.5)),
    ),
    ((1, 0, 0), (0, 0, 0), (0, 0, 1), (0, 1, 1)): (
        ((0, 0.5, 0), (0, 1, 0.5), (0.5, 1, 1), (1, 0, 0.5)),
        ((1, 0.5, 0), (0, 0.5, 0), (1, 0, 0.5)),
        ((0.5, 1, 1), (0.5, 0, 1), (1, 0, 0.5)),
    ),
}
"""Marching cubes: corners of a cell that lie within a mask -> the planar polygons that wrap them.

Up to symmetry these are all sets of at most four corners that edges of the cell (x, y, z) connect. The
polygons run through the middles of the cut edges (Lorensen and Cline 1987).
"""


@dataclass(frozen=True)
class Surface:
    """The surface of a mask in elements.

    Attributes:
        present: which cells or voxels hold an element, shape (z, y, x).
        points_mm: where the elements are, shape (elements, 3), in the order of ``present``.
        weights: what each counts, shape (elements,): its area in mm², or 1.
    """

    present: NDArray[np.bool_]
    points_mm: NDArray[np.float64]
    weights: NDArray[np.float64]


def measure(
    reference: NDArray[np.bool_],
    predicted: NDArray[np.bool_],
    grid: Grid,
    tolerance_mm: float,
    elements: str = "area",
) -> Measures:
    """95th percentile Hausdorff distance, mean surface distance, normalised surface Dice.

    Args:
        reference, predicted: masks of equal shape (z, y, x).
        grid: their grid.
        tolerance_mm: distance up to which a surface counts as right.
        elements: ``area`` weighs by area (Nikolov 2021), ``voxels`` counts border voxels (as MONAI).

    Returns:
        Distances are NaN where a mask is empty; the surface Dice is then 0, and NaN where both are.
    """
    if not (reference.any() and predicted.any()):
        one = reference.any() or predicted.any()
        return _named(math.nan, math.nan, 0.0 if one else math.nan)
    surface_of = {"area": area_elements, "voxels": border_voxels}[elements]
    percentile = {"area": weighted_percentile, "voxels": _plain_percentile}[elements]
    a, b = surface_of(reference, grid), surface_of(predicted, grid)
    distances = (distances_mm(a, b), distances_mm(b, a))
    weights = (a.weights, b.weights)
    together, weight = np.concatenate(distances), np.concatenate(weights)
    return _named(
        max(percentile(*pair, PERCENTILE) for pair in zip(distances, weights, strict=True)),
        float(np.average(together, weights=weight)),
        float(weight[together <= tolerance_mm * (1 + ROUNDING)].sum() / weight.sum()),
    )


def _named(hd95: float, mean: float, dice: float) -> Measures:
    return {"hd95_mm": hd95, "mean_surface_distance_mm": mean, "surface_dice": dice}


def distances_mm(origin: Surface, target: Surface) -> NDArray[np.float64]:
    """Distance of each element of one surface to the nearest of the other."""
    from scipy.spatial import cKDTree

    apart = ~target.present[origin.present]
    found = np.zeros(len(apart))
    if apart.any():
        tree = cKDTree(target.points_mm @ OBLIQUE, balanced_tree=False, compact_nodes=False)
        found[apart] = tree.query(origin.points_mm[apart] @ OBLIQUE)[0]
    return found


def weighted_percentile(
    values: NDArray[np.float64], weights: NDArray[np.float64], percentile: float
) -> float:
    """The least value up to which at least this share of the weight lies."""
    order = np.argsort(values)
    share = np.cumsum(weights[order])
    index = np.searchsorted(share, percentile / 100 * share[-1] * (1 - ROUNDING))
    return float(values[order[index]])


def _plain_percentile(values: NDArray[np.float64], _: NDArray[np.float64], percentile: float) -> float:
    return float(np.percentile(values, percentile))


def border_voxels(mask: NDArray[np.bool_], grid: Grid) -> Surface:
    """Voxels of a mask with a face neighbour outside of it; what lies beyond the image is outside."""
    padded = np.pad(mask, 1)
    core = padded[1:-1, 1:-1, 1:-1]
    inner = core.copy()
    for axis in range(3):
        for shift in (-1, 1):
            inner &= np.roll(padded, shift, axis)[1:-1, 1:-1, 1:-1]
    present = core & ~inner
    z, y, x = np.nonzero(present)
    return Surface(present, _points_mm(grid.slices_mm[1:-1][z], y, x, grid), np.ones(len(z)))


def area_elements(mask: NDArray[np.bool_], grid: Grid) -> Surface:
    """Cells between eight voxel centres that the surface cuts, each with the area of its part.

    The definition of Nikolov et al. 2021 (J Med Internet Res 23:e26151) and its implementation
    "surface-distance": an element lies at the centre of its cell. Here a cell may be sheared, and
    as high as its own gap.
    """
    codes = _corner_codes(mask)
    present = (codes != 0) & (codes != 255)
    z, y, x = np.nonzero(present)
    centres = (grid.slices_mm[:-1] + grid.slices_mm[1:]) / 2
    return Surface(present, _points_mm(centres[z], y, x, grid), areas_mm2(grid)[z, codes[z, y, x]])


def _points_mm(
    begin_mm: NDArray[np.float64], y: NDArray[np.intp], x: NDArray[np.intp], grid: Grid
) -> NDArray[np.float64]:
    """Places of elements in row y and column x of slices that begin there; half a pixel is left out."""
    dx, dy = grid.pixel_mm
    begin_mm[:, 0] += x * dx
    begin_mm[:, 1] += y * dy
    return begin_mm


def _corner_codes(mask: NDArray[np.bool_]) -> NDArray[np.integer]:
    """For each cell of the mask padded by one voxel, which corners are set: bit 4z + 2y + x."""
    # Neighbours along x, then y, then z are put into one byte, shifted each time by the bits that are in use:
    # three passes, of which each serves the next. Corner by corner, the mask would be read eight times.
    padded = np.pad(mask, 1).view(np.uint8)
    pairs = padded[:, :, :-1] | (padded[:, :, 1:] << 1)
    squares = pairs[:, :-1] | (pairs[:, 1:] << 2)
    return squares[:-1] | (squares[1:] << 4)


def areas_mm2(grid: Grid) -> NDArray[np.float64]:
    """Area of the surface in a cell, by gap between slices and corner code; shape (slices + 1, 256)."""
    steps = np.diff(grid.slices_mm, axis=0)
    return np.stack([_cell_areas_mm2(grid.pixel_mm, tuple(step)) for step in steps.tolist()])


@lru_cache(maxsize=1000)  # most gaps of a scan are equal, and each is asked for by every mask
def _cell_areas_mm2(pixel_mm: tuple[float, float], step_mm: Point) -> NDArray[np.float64]:
    """Area by corner code in a cell with these pixels below and, one step further, above."""
    edges = np.diag([*pixel_mm, 0.0])
    edges[:, 2] = step_mm
    # A linear map M turns an area vector by its cofactor matrix, det(M) · M⁻ᵀ.
    cofactor = np.linalg.det(edges) * np.linalg.inv(edges).T
    areas: NDArray[np.float64] = np.linalg.norm(facets() @ cofactor.T, axis=-1).sum(axis=-1)
    return areas


@cache
def facets() -> NDArray[np.float64]:
    """Area vectors of the facets in the unit cell for each corner code, shape (256, 4, 3); 0 is none.

    The rarer corners, inside or outside, are wrapped; those that share no edge are wrapped apart.
    """
    patches = _all_patches()
    table = np.zeros((256, 4, 3))
    for code in range(1, 255):
        corners = {k for k in range(8) if code >> k & 1}
        rarer = corners if len(corners) <= 4 else set(range(8)) - corners
        vectors = [vector for group in _edge_connected(rarer) for vector in patches[group]]
        table[code, : len(vectors)] = vectors
    return table


def _all_patches() -> dict[frozenset[int], list[NDArray[np.float64]]]:
    """The patches turned and mirrored in all 48 ways: corner numbers -> area vectors."""
    found: dict[frozenset[int], list[NDArray[np.float64]]] = {}
    orders, flips = itertools.permutations(range(3)), itertools.product((0, 1), repeat=3)
    for order, flip in itertools.product(orders, flips):
        for corners, polygons in PATCHES.items():
            numbers = frozenset((_moved(corners, order, flip) @ (1, 2, 4)).astype(int).tolist())
            vectors = [_area_vector(_moved(polygon, order, flip)) for polygon in polygons]
            found.setdefault(numbers, vectors)
    return found


def _moved(points: Sequence[Point], order: Sequence[int], flip: Sequence[int]) -> NDArray[np.float64]:
    """Points of the unit cell with axes exchanged and mirrored."""
    return np.abs(np.asarray(points, dtype=float)[:, order] - np.asarray(flip))


def _area_vector(polygon: NDArray[np.float64]) -> NDArray[np.float64]:
    following = np.roll(polygon, -1, axis=0)
    vector: NDArray[np.float64] = np.cross(polygon, following).sum(axis=0) / 2
    return vector


def _edge_connected(corners: set[int]) -> Iterator[frozenset[int]]:
    """Groups of corners that edges of the cell connect; neighbours' numbers differ in one bit."""
    left = set(corners)
    while left:
        group, reached = set[int](), {min(left)}
        while reached:
            group |= reached
            reached = {k ^ bit for k in group for bit in (1, 2, 4)} & left - group
        left -= group
        yield frozenset(group)
