"""Files of NRRD, MetaImage and zip with damaged bytes: each is read, or told in words that name no file."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
import zlib
from contextlib import suppress
from dataclasses import asdict

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cases.case_files import HU, meta, nrrd
from headct.contracts.problems import BadInput, Ineligible
from headct.imaging import sources, text_headers
from headct.imaging.fitness import SeriesRules
from headct.imaging.nifti import Unreadable
from headct.imaging.sources.image_source import ImageFacts


def zipped(content: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.nrrd", content)
    return packed.getvalue()


WHOLE = {
    "raw.nrrd": nrrd(),
    "gzip.nrrd": nrrd(gzip.compress(HU), encoding="gzip"),
    "raw.mha": meta(),
    "zlib.mha": meta(zlib.compress(HU), CompressedData="True"),
    "archive.zip": zipped(nrrd()),
}
WORDS = [b"nan", b"inf", b"-1", b"1e400", b"9" * 40, b"", b"(", b"%", b"\0", b"\xff\xfe", b"LIST", b"none"]


@example(name="zlib.mha", place=300, length=2, word=b"9" * 40)
@settings(max_examples=250, deadline=None)
@given(
    name=st.sampled_from(list(WHOLE)),
    place=st.integers(0, 450) | st.integers(0, 50_000),
    length=st.integers(0, 6),
    word=st.sampled_from(WORDS) | st.binary(min_size=1, max_size=3),
)
def test_any_damage_is_read_or_told(
    tmp_path_factory: pytest.TempPathFactory, name: str, place: int, length: int, word: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / f"damaged-{name}"
    content = bytearray(WHOLE[name])
    at = place % len(content)
    content[at : at + length] = word
    path.write_bytes(content)
    facts = ImageFacts()
    with suppress(BadInput, Ineligible, sources.NoImage):
        source = sources.find(path, "s1")
        assert source.refusals({"scan_id": "s1", "participant_id": "p1"}, False) == []
        source.read(SeriesRules(), lambda _grid: True, facts)
    json.dumps(asdict(facts), allow_nan=False)


def test_compressed_voxels_without_their_end_are_refused() -> None:
    """All voxels are there; what vouches for them is not."""
    packed, shape = gzip.compress(HU), (36, 32, 18)
    dtype = text_headers.np.dtype("<i2")
    assert text_headers.voxels(packed, shape, dtype, compressed=True).shape == shape
    for cut in (packed[:-1], packed[:-8], packed[:-8] + bytes(8)):
        with pytest.raises(Unreadable, match="compression breaks off"):
            text_headers.voxels(cut, shape, dtype, compressed=True)
