"""Files that carry a text: as text, packed, in headers of volumes, drawn, or in a name."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import matplotlib
import nibabel
import numpy as np
from matplotlib.figure import Figure


def _volume(descrip: str = "", extension: str = "") -> bytes:
    """A packed NIfTI file, whose field for a description holds 80 bytes."""
    image = nibabel.Nifti1Image(np.zeros((4, 4, 4), np.int16), np.eye(4))
    image.header["descrip"] = descrip.encode()[:80]
    if extension:
        image.header.extensions.append(nibabel.nifti1.Nifti1Extension(6, extension.encode()))
    return gzip.compress(image.to_bytes())


def _tar(text: str) -> bytes:
    stream, content = io.BytesIO(), text.encode()
    with tarfile.open(fileobj=stream, mode="w:xz") as archive:
        member = tarfile.TarInfo("notes.txt")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return stream.getvalue()


def _zip(name: str, content: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return stream.getvalue()


def _pdf(text: str) -> bytes:
    """Drawn, by a font that has Latin, Greek and Cyrillic; of other scripts in the title."""
    figure, stream = Figure(), io.BytesIO()
    others = any(ord(letter) > 0x4FF for letter in text)
    figure.text(0.1, 0.5, "Scan" if others else text, parse_math=False)
    with matplotlib.rc_context({"pdf.fonttype": 42}):
        figure.savefig(
            stream, format="pdf", metadata={"CreationDate": None, "Title": text if others else None}
        )
    return stream.getvalue()


def _metaimage(text: str) -> bytes:
    header = f"ObjectType = Image\nNDims = 3\nDimSize = 4 4 4\n{text}\nElementType = MET_SHORT\n"
    return header.encode() + b"ElementDataFile = LOCAL\n" + bytes(128)


def _nrrd(text: str) -> bytes:
    header = f"NRRD0004\ntype: short\ndimension: 3\nsizes: 4 4 4\nencoding: raw\n{text}\n\n"
    return header.encode() + bytes(128)


CARRIERS: dict[str, tuple[str, Callable[[str], bytes]]] = {
    **{name: (f"x.{name}", str.encode) for name in ("csv", "html", "json", "log", "svg", "tsv")},
    "text": ("x.txt", str.encode),
    "dicom_private": ("x.txt", str.encode),  # the value alone: a DICOM file is a finding in any case
    "utf16": ("x.txt", lambda text: text.encode("utf-16")),
    "bz2_content": ("x.bz2", lambda text: bz2.compress(text.encode())),
    "gz_content": ("x.gz", lambda text: gzip.compress(text.encode())),
    "xz_content": ("x.xz", lambda text: lzma.compress(text.encode())),
    "tar_xz_content": ("x.tar.xz", _tar),
    "zip_content": ("x.zip", lambda text: _zip("notes.txt", text)),
    "zip_member_name": ("x.zip", lambda text: _zip(text, "")),
    "mha_key": ("x.mha", _metaimage),
    "nrrd_key": ("x.nrrd", _nrrd),
    "nifti_descrip": ("x.nii.gz", lambda text: _volume(descrip=text)),
    "nifti_extension": ("x.nii.gz", lambda text: _volume(extension=text)),
    "pdf": ("x.pdf", _pdf),
}
"""What a file of each kind is called, and what is in it."""


def write(folder: Path, carrier: str, text: str) -> None:
    """Write one file that carries a text into a folder, which is made; ``file_name`` has it as its path."""
    name, content = (text, str.encode) if carrier == "file_name" else CARRIERS[carrier]
    path = folder / name
    path.parent.mkdir(parents=True)
    path.write_bytes(b"nothing" if carrier == "file_name" else content(text))
