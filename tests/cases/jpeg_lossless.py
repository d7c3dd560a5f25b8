"""A small encoder of lossless JPEG (ITU-T T.81, annex H; process 14), which no Python package offers for
every predictor. Only for the test images: it loops over pixels.
"""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

CODE_BITS = 5
"""All 17 categories of difference get codes of this length: valid, though it doesn't compress much."""


def encode(pixels: NDArray[np.uint16], precision: int = 16, predictor: int = 1) -> bytes:
    """Encode one grey image as a JPEG file with one scan, one component and no restart markers.

    Args:
        pixels: stored values below 2**precision.
        precision: bits per sample, 2 to 16.
        predictor: selection value 1 to 7 (table H.1).
    """
    rows, columns = pixels.shape
    differences = (pixels.astype(np.int64) - _predicted(pixels, precision, predictor)) & 0xFFFF
    differences = np.where(differences > 0x8000, differences - 0x10000, differences)
    huffman = bytes([0]) + bytes([0] * (CODE_BITS - 1) + [17] + [0] * (16 - CODE_BITS)) + bytes(range(17))
    frame = struct.pack(">BHHB3B", precision, rows, columns, 1, 1, 0x11, 0)
    scan = bytes([1, 1, 0, predictor, 0, 0])
    return b"".join(
        [
            b"\xff\xd8",
            _segment(0xC4, huffman),
            _segment(0xC3, frame),
            _segment(0xDA, scan),
            _entropy_coded(differences),
            b"\xff\xd9",
        ]
    )


def _segment(marker: int, content: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


def _predicted(pixels: NDArray[np.uint16], precision: int, predictor: int) -> NDArray[np.int64]:
    values = pixels.astype(np.int64)
    left, above, corner = np.zeros_like(values), np.zeros_like(values), np.zeros_like(values)
    left[:, 1:], above[1:], corner[1:, 1:] = values[:, :-1], values[:-1], values[:-1, :-1]
    predicted = {
        1: left,
        2: above,
        3: corner,
        4: left + above - corner,
        5: left + ((above - corner) >> 1),
        6: above + ((left - corner) >> 1),
        7: (left + above) >> 1,
    }[predictor]
    predicted[0], predicted[:, 0] = left[0], above[:, 0]
    predicted[0, 0] = 1 << (precision - 1)
    return predicted


def _entropy_coded(differences: NDArray[np.int64]) -> bytes:
    bits = []
    for difference in differences.ravel().tolist():
        category = abs(difference).bit_length()
        bits.append(f"{category:0{CODE_BITS}b}")
        if 0 < category < 16:
            value = difference if difference > 0 else difference + (1 << category) - 1
            bits.append(f"{value:0{category}b}")
    text = "".join(bits)
    text += "1" * (-len(text) % 8)
    return int(text, 2).to_bytes(len(text) // 8, "big").replace(b"\xff", b"\xff\x00")
