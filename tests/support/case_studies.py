"""Cases for the page's viewer: simulated heads, tilted or with uneven gaps, and how to read them."""

from __future__ import annotations

import base64
import gzip
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from headct.imaging import geometry
from headct.publish.page.case_content import TRUTH, Case
from headct.simulate.participant import simulate
from headct.simulate.settings import from_block
from support.label_sets import LABELS
from support.phantom_settings import MASK_VALUES, PHANTOM

MODELS = tuple(f"model {number}" for number in range(10))
TILTED, UNEVEN = 0, 1
"""Sites of the phantom."""


@cache
def simulated_case(site: int, matrix: int = 64) -> Case:
    """A simulated head with the reference and the label maps of two models.

    One model draws all lesions some pixels to the left and one to the back, the other leaves out the oedema.
    """
    settings = from_block(replace(PHANTOM, matrix=matrix, sites=PHANTOM.sites), MASK_VALUES, "test")
    participant = simulate(settings, f"P000{site}", settings.sites[site])
    acquired = participant.geometry
    n_slices = len(participant.image)
    placed = geometry.from_slices(
        acquired.orientation,
        (acquired.pixel_mm, acquired.pixel_mm),
        matrix,
        matrix,
        [acquired.origin_mm(index) for index in range(n_slices)],
    )
    truth = participant.fractions.argmax(axis=0).astype(np.uint8)
    maps = {
        TRUTH: truth,
        "moved": np.roll(truth, (1, 2), axis=(1, 2)),
        "unaware": np.where(truth == LABELS["PHE"], 0, truth).astype(np.uint8),
    }
    name = {TILTED: "tilted", UNEVEN: "uneven"}[site]
    return Case(name, participant.image, maps, placed.as_json(), list(LABELS))


def plain_geometry(shape: tuple[int, int, int], pixel_mm: float = 1.0, gap_mm: float = 5.0) -> dict[str, Any]:
    """The geometry of a straight stack, shape (z, y, x)."""
    origins = [(0, 0, gap_mm * index) for index in range(shape[0])]
    stack = geometry.from_slices((1, 0, 0, 0, 1, 0), (pixel_mm, pixel_mm), shape[1], shape[2], origins)
    return stack.as_json()


def largest_case(models: Sequence[str] = MODELS) -> Case:
    """A made-up case of 512 × 512 × 40 voxels, as noisy as a scan, with the ragged maps of ten models."""
    shape = (40, 512, 512)
    random = np.random.default_rng(1)
    z, y, x = np.ogrid[-1:1:40j, -1:1:512j, -1:1:512j]
    radius = np.sqrt((x / 0.85) ** 2 + (y / 0.95) ** 2 + (z / 1.3) ** 2)
    image = np.where(radius < 1, 35, -1000).astype(np.float32)
    image[(radius > 0.88) & (radius < 0.95)] = 1000
    image += random.normal(0, 6.5, shape).astype(np.float32)  # as at the noisiest simulated site
    lesion = np.exp(-((x - 0.2) ** 2 + y**2) / 0.04 - z**2 / 0.1)
    ragged = ndimage.gaussian_filter(random.normal(0, 1, shape).astype(np.float32), (0.5, 2, 2))
    maps = {
        model: np.digitize(lesion + np.roll(ragged, 17 * shift, 1), [0.5, 0.7, 0.9]).astype(np.uint8)
        for shift, model in enumerate([TRUTH, *models])
    }
    return Case("S1", image.astype(np.int16), maps, plain_geometry(shape, 0.45), ["ICH", "PHE", "IVH"])


@dataclass(frozen=True)
class Read:
    """What a script says, as the page has to read it; arrays of shape (z, y, x)."""

    content: dict[str, Any]
    hu: NDArray[np.int16]
    maps: dict[str, NDArray[np.uint8]]

    @property
    def box(self) -> tuple[slice, slice, slice]:
        """What the crop keeps of the scan's arrays."""
        (columns, rows, _), (x, y) = self.content["shape"], self.content["crop"]
        return slice(None), slice(y, y + rows), slice(x, x + columns)


def read_case(script: str) -> Read:
    """Read a case's script, by other means than it was written by."""
    found = re.fullmatch(r"headct\.registerCase\((\{.*\})\);\n", script)
    assert found, "no call of registerCase"
    content = json.loads(found[1])

    def voxels(packed: str) -> NDArray[np.uint8]:
        stored = np.frombuffer(gzip.decompress(base64.b64decode(packed, validate=True)), np.uint8)
        return stored.reshape(content["shape"][::-1])

    hu = np.array(content["hu"], np.int16)[voxels(content["ct"])]
    return Read(content, hu, {name: voxels(packed) for name, packed in content["maps"].items()})
