# ruff: noqa: E501 -- a case is one line
"""Hard images in NRRD, MetaImage, zip archives and DICOMDIR trees: each is ``head()``, or says why it is not.

Headers are written out here, byte by byte, after the formats' own documents; the voxels are those of ``head()``.
"""

from __future__ import annotations

import gzip
import stat
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
from nibabel.orientations import apply_orientation

from cases.case_nifti import COS, DOWN, FLAG, SIN
from cases.case_nifti import image as as_nifti
from cases.case_nifti import put as put_nifti
from cases.library import (
    FIRST_ORIGIN,
    GAP_MM,
    Expected,
    at_heights,
    drawn,
    error,
    excluded,
    head,
    included,
    itk_header,
    made_case,
    save,
    write,
)

NRRD_DOC, META_DOC, ZIP_DOC = (
    "teem's NRRD format",
    "ITK's MetaIO document",
    "APPNOTE.TXT; CVE-2007-4559's kind",
)
HU = head().astype("<i2").tobytes()
FLIPPED = (
    apply_orientation(head().transpose(), [[0, -1], [1, -1], [2, 1]]).transpose().astype("<i2").tobytes()
)
"""The voxels as they are stored from right to left and from posterior to anterior."""


def add(name: str, source: str, about: str, expected: Expected, build: Callable[[Path], Any]) -> None:
    """Register a case of a file; the mask is drawn on the same grid."""
    made_case(f"files[{name}]", source, about, expected, build)


def taken(image: str, *flags: str, **facts: Any) -> Expected:
    facts = {"image": image, "places_mm": 1e-3, "numbers": [1], **facts}
    return included(facts.pop("hounsfield", None), *sorted({FLAG, *flags}), **facts)


def refused(image: str, *says: str, **facts: Any) -> Expected:
    return error(*says, image=image, **facts)


def nrrd(content: bytes = HU, drop: str = "", **fields: str) -> bytes:
    """A NRRD file; ``fields`` by name, an underscore for each blank."""
    header = {
        "type": "short",
        "dimension": "3",
        "space": "left-posterior-superior",
        "sizes": "36 32 18",
        "space directions": "(5,0,0) (0,5,0) (0,0,7)",
        "endian": "little",
        "encoding": "raw",
        "space origin": "(-85,-75,-40)",
    }
    header |= {name.replace("_", " "): text for name, text in fields.items()}
    header.pop(drop, None)
    extra = header.pop("extra", "")
    lines = ["NRRD0004", "# made by hand", *(f"{name}: {text}" for name, text in header.items())]
    return ("\n".join([*lines, *([extra] if extra else [])]) + "\n\n").encode() + content


def meta(content: bytes = HU, drop: str = "", **fields: str) -> bytes:
    """A MetaImage file."""
    header = {
        "ObjectType": "Image",
        "NDims": "3",
        "BinaryData": "True",
        "BinaryDataByteOrderMSB": "False",
        "CompressedData": "False",
        "TransformMatrix": "1 0 0 0 1 0 0 0 1",
        "Offset": "-85 -75 -40",
        "CenterOfRotation": "0 0 0",
        "AnatomicalOrientation": "RAI",
        "ElementSpacing": "5 5 7",
        "DimSize": "36 32 18",
        "ElementType": "MET_SHORT",
        "ElementDataFile": "LOCAL",
    } | fields  # fmt: skip
    last = header.pop("ElementDataFile")
    header.pop(drop, None)
    lines = [f"{name} = {text}" for name, text in header.items()]
    return ("\n".join([*lines, f"ElementDataFile = {last}"]) + "\n").encode() + content


def file(
    name: str,
    source: str,
    about: str,
    expected: Expected,
    content: Callable[[], bytes],
    beside: Callable[[Path], Any] = lambda root: None,
) -> None:
    """Register a case that is one file, or a header and what lies beside it."""

    def build(root: Path) -> None:
        (root / expected.image).write_bytes(content())
        beside(root)

    add(name, source, about, expected, build)


def holding(*entries: tuple[str, bytes]) -> Callable[[Path], None]:
    """A builder of ``scan.zip`` with these entries."""

    def build(root: Path) -> None:
        with zipfile.ZipFile(root / "scan.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in entries:
                archive.writestr(name, content)

    return build


def zipped_series(root: Path, *others: tuple[str, bytes]) -> None:
    """``scan.zip`` with the DICOM files of ``head()``, and the mask that ITK-SNAP saves of them."""
    paths = write(root)
    save(root, itk_header(root, drawn()))
    holding(*((f"study/series/{path.name}", path.read_bytes()) for path in paths), *others)(root)
    for path in paths:
        path.unlink()


def one_link(root: Path) -> None:
    with zipfile.ZipFile(root / "scan.zip", "w") as archive:
        entry = zipfile.ZipInfo("ct.nrrd")
        entry.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(entry, "/etc/passwd")


def encrypted(root: Path) -> None:
    holding(("ct.nrrd", nrrd()))(root)
    content = bytearray((root / "scan.zip").read_bytes())
    for at in (6, content.index(b"PK\x01\x02") + 8):
        content[at] |= 1
    (root / "scan.zip").write_bytes(content)


def by_itk(root: Path, suffix: str, **options: Any) -> None:
    """A series, tilted unless ``options`` say where its slices are, as SimpleITK's reader writes it."""
    write(root, **(options or {"orientation": (1, 0, 0, *DOWN)}))
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(root / "dicom")))
    sitk.WriteImage(reader.Execute(), str(root / f"ct.{suffix}"))


def lost_tilt(image: str) -> Expected:
    """The file's own grid, along the normal of its slices, by the way of the table."""
    leaning = np.array(FIRST_ORIGIN) + np.outer(np.arange(18) * GAP_MM, (0, SIN, COS))
    return taken(image, "leaning_slices", directions=((1, 0, 0), DOWN), origins=leaning)


# fmt: off
file("nrrd", NRRD_DOC, "raw, left-posterior-superior", taken("ct.nrrd"), nrrd)
file("nrrd gzip", NRRD_DOC + "; Slicer saves so", "gzip", taken("ct.nrrd"), lambda: nrrd(gzip.compress(HU), encoding="gzip"))
file("nrrd RAS", NRRD_DOC, "right-anterior-superior, which is the other way round", taken("ct.nrrd"), lambda: nrrd(FLIPPED, space="right-anterior-superior", space_directions="(5,0,0) (0,5,0) (0,0,7)", space_origin="(-90,-80,-40)"))
file("nrrd tilted", "Slicer#5937: sheared volumes", "sheared space directions", taken("ct.nrrd", "tilted", directions=((1, 0, 0), DOWN)), lambda: nrrd(space_directions=f"(5,0,0) (0,{5 * DOWN[1]!r},{5 * DOWN[2]!r}) (0,0,7)"))
file("nrrd big-endian", NRRD_DOC, "stored big-endian", taken("ct.nrrd"), lambda: nrrd(head().astype(">i2").tobytes(), endian="big"))
file("nrrd 4-D of length 1", NRRD_DOC, "a fourth axis of length 1, without direction", taken("ct.nrrd"), lambda: nrrd(dimension="4", sizes="36 32 18 1", space_directions="(5,0,0) (0,5,0) (0,0,7) none"))
file("nrrd byte skip", NRRD_DOC, "nine bytes before the voxels", taken("ct.nrrd"), lambda: nrrd(bytes(9) + HU, byte_skip="9"))
file("nrrd CRLF", "Windows", "lines end with CR and LF", taken("ct.nrrd"), lambda: nrrd(b"").replace(b"\n", b"\r\n") + HU)
file("nhdr", NRRD_DOC, "a header, its voxels beside it", taken("ct.nhdr", numbers=[1, 2]), lambda: nrrd(b"", data_file="ct.raw"), lambda root: (root / "ct.raw").write_bytes(HU))
file("nrrd called nii", "by hand", "a NRRD file that is called .nii.gz", taken("ct.nii.gz"), nrrd)
file("nhdr elsewhere", "by hand", "a header that leads into another folder", refused("ct.nhdr", "voxels lie in other files"), lambda: nrrd(b"", data_file="../../etc/Canary.raw"))
file("nhdr of a list", NRRD_DOC, "a header with a list of files, a slice each", refused("ct.nhdr", "a list of them"), lambda: nrrd(b"", data_file="ct%03d.raw 0 17 1"))
file("nrrd no space", NRRD_DOC + "; ITK takes it for LPS", "no space: left and right are unknown", refused("ct.nrrd", "no orientation .it has no space"), lambda: nrrd(drop="space"))
file("nrrd spacings alone", NRRD_DOC, "sides of a voxel and no directions", refused("ct.nrrd", "no orientation"), lambda: nrrd(drop="space directions", spacings="5 5 7"))
file("nrrd metres", NRRD_DOC, "space units are metres", refused("ct.nrrd", "space units are m: save it in mm"), lambda: nrrd(space_units='"m" "m" "m"'))
file("nrrd bzip2", NRRD_DOC, "an encoding that is not read", refused("ct.nrrd", "encoding is 'bzip2'"), lambda: nrrd(encoding="bzip2"))
file("nrrd cut", "by hand", "the compressed voxels break off", refused("ct.nrrd", "truncated"), lambda: nrrd(gzip.compress(HU)[:-2000], encoding="gzip"))
file("nrrd vectors", NRRD_DOC, "three numbers a voxel", refused("ct.nrrd", "not one volume: its size is 3 x 36 x 32 x 18"), lambda: nrrd(HU * 3, dimension="4", sizes="3 36 32 18", space_directions="none (5,0,0) (0,5,0) (0,0,7)"))
file("nrrd flat", "by hand", "directions that span no volume", refused("ct.nrrd", "no transform of a volume"), lambda: nrrd(space_directions="(5,0,0) (0,5,0) (5,5,0)"))
file("nrrd of words", "by hand", "words where numbers should be", refused("ct.nrrd", "the header is damaged: space origin is"), lambda: nrrd(space_origin="(left,0,0)"))
file("nrrd offset", "Slicer forum", "values 1024 too high", excluded("pixel values are not HU", "1024 above", image="ct.nrrd"), lambda: nrrd((head().astype(np.int32) + 1024).astype("<u2").tobytes(), type="ushort"))
add("nrrd by ITK, uneven", "report 13's kind; itkImageSeriesReader.hxx", "uneven gaps on ITK's even grid, which ITK noted", refused("ct.nrrd", "ITK noted .* places were lost"), lambda root: by_itk(root, "nrrd", origins=at_heights([*range(0, 45, 5), *range(45, 108, 7)])))
add("nrrd by ITK, tilted", "TRAPS.md; itkImageSeriesReader.hxx", "a tilted series on ITK's straight grid: its volumes, 5.4 % above the truth, are flagged", lost_tilt("ct.nrrd"), lambda root: by_itk(root, "nrrd"))

file("mha", META_DOC, "raw", taken("ct.mha"), meta)
file("mha zlib", META_DOC + "; ITK-SNAP saves so", "compressed", taken("ct.mha"), lambda: meta(zlib.compress(HU), CompressedData="True", CompressedDataSize=str(len(zlib.compress(HU)))))
file("mha flipped", META_DOC, "axes from right to left and back to front", taken("ct.mha"), lambda: meta(FLIPPED, TransformMatrix="-1 0 0 0 -1 0 0 0 1", Offset="90 80 -40"))
file("mha tilted", "by hand", "a sheared transform, which ITK refuses", taken("ct.mha", "tilted", directions=((1, 0, 0), DOWN)), lambda: meta(TransformMatrix=f"1 0 0 0 {DOWN[1]!r} {DOWN[2]!r} 0 0 1"))
file("mha MSB", META_DOC, "stored big-endian", taken("ct.mha"), lambda: meta(head().astype(">i2").tobytes(), BinaryDataByteOrderMSB="True"))
file("mha 4-D of length 1", META_DOC, "a fourth axis of length 1", taken("ct.mha"), lambda: meta(NDims="4", DimSize="36 32 18 1", ElementSpacing="5 5 7 1", Offset="-85 -75 -40 0", TransformMatrix="1 0 0 0 0 1 0 0 0 0 1 0 0 0 0 1"))
file("mha HeaderSize", META_DOC, "the voxels are the last bytes of the file", taken("ct.mha"), lambda: meta(bytes(77) + HU, HeaderSize="-1"))
file("mhd", META_DOC + "; LUNA16", "a header, its voxels beside it", taken("ct.mhd", numbers=[1, 2]), lambda: meta(b"", ElementDataFile="ct.raw"), lambda root: (root / "ct.raw").write_bytes(HU))
file("mhd zraw", META_DOC, "the same, compressed", taken("ct.mhd", numbers=[1, 2]), lambda: meta(b"", CompressedData="True", ElementDataFile="ct.zraw"), lambda root: (root / "ct.zraw").write_bytes(zlib.compress(HU)))
file("mhd alone", "by hand", "the voxels are not there", refused("ct.mhd", "voxels lie in other files, or in none"), lambda: meta(b"", ElementDataFile="Canary.raw"))
file("mhd elsewhere", "by hand", "a header that leads into another folder", refused("ct.mhd", "voxels lie in other files"), lambda: meta(b"", ElementDataFile="/etc/Canary.raw"))
file("mhd of a list", META_DOC, "a header with a list of files", refused("ct.mhd", "voxels lie in other files"), lambda: meta(b"a.raw\nb.raw\n", ElementDataFile="LIST"))
file("mha no transform", META_DOC + "; ITK takes it for upright", "no transform: left and right are unknown", refused("ct.mha", "no orientation"), lambda: meta(drop="TransformMatrix"))
file("mha rescaled", META_DOC, "a rescale in the header, which readers pass over", refused("ct.mha", "rescales the values"), lambda: meta(ElementToIntensityFunctionSlope="2"))
file("mha cut", "by hand", "the voxels break off", refused("ct.mha", "truncated: 41372 of the 41472 bytes"), lambda: meta(HU[:-100]))
file("mha channels", META_DOC, "three numbers a voxel", refused("ct.mha", "3 per voxel"), lambda: meta(HU * 3, ElementNumberOfChannels="3"))
file("mha of text", META_DOC, "voxels in text", refused("ct.mha", "voxels are text"), lambda: meta(BinaryData="False"))
file("mha without end", "by hand", "a header that does not end", refused("ct.mha", "does not end"), lambda: b"ObjectType = Image\n")
file("mha of a patient", "TRAPS.md; SimpleITK copies tags", "DICOM's attributes in the header name the patient as the id does", Expected("refused", None, ("scan_id contains",), image="ct.mha", scan_id="scan-CANARY7"), lambda: meta(**{"0010|0020": "CANARY7", "0010|0010": "Canary^Name"}))
file("mha of another patient", "TRAPS.md", "DICOM's attributes in the header, which the ids do not repeat", taken("ct.mha"), lambda: meta(**{"0010|0020": "CANARY8", "PatientName": "Canary^Other"}))
add("mha by ITK, tilted", "TRAPS.md; itkImageSeriesReader.hxx", "a tilted series on ITK's straight grid", lost_tilt("ct.mha"), lambda root: by_itk(root, "mha"))
add("nii by ITK, tilted", "TRAPS.md; itkImageSeriesReader.hxx", "a tilted series on ITK's straight grid", lost_tilt("ct.nii"), lambda root: by_itk(root, "nii"))

add("zip of DICOM", "TCIA and PACS exports", "a folder of DICOM files", included(image="scan.zip", masks=("mask.nii.gz",), labels=drawn()), zipped_series)
add("zip with leavings", "macOS, Windows", "the same, with what systems leave behind", included(image="scan.zip", masks=("mask.nii.gz",), labels=drawn()), lambda root: zipped_series(root, ("__MACOSX/study/._ct.nii", bytes(99)), ("study/.DS_Store", b"x"), ("DICOMDIR", b"index")))
add("zip of NIfTI", "Kaggle and Zenodo", "one NIfTI file", taken("scan.zip"), lambda root: [put_nifti(root, as_nifti()), holding(("a/ct.nii.gz", (root / "ct.nii.gz").read_bytes()))(root)])
add("zip of a pair", "by hand", "a header and its voxels", taken("scan.zip", numbers=[1, 2]), holding(("ct.mhd", meta(b"", ElementDataFile="ct.raw")), ("ct.raw", HU)))
add("zip called nii", "by hand", "a zip archive that is called .nii.gz", taken("ct.nii.gz"), lambda root: [holding(("ct.nrrd", nrrd()))(root), (root / "scan.zip").rename(root / "ct.nii.gz")])
add("zip of two", "by hand", "two images", refused("scan.zip", "it holds 2 images: leave those of one scan"), holding(("a.nrrd", nrrd()), ("b.mha", meta())))
add("zip of both kinds", "by hand", "an image and DICOM files", refused("scan.zip", "1 images and 1 files of DICOM"), holding(("a.nrrd", nrrd()), ("b.dcm", bytes(128) + b"DICM" + bytes(99))))
add("zip of notes", "by hand", "no image at all", refused("scan.zip", "no DICOM image: none of its files is one"), holding(("notes.txt", b"see the other folder")))
add("zip of nothing", "by hand", "an archive without an entry, whose bytes are its end", refused("scan.zip", "it is empty"), lambda root: (root / "scan.zip").write_bytes(b"PK\x05\x06" + bytes(18)))
add("zip in zip", "by hand", "an archive in an archive", refused("scan.zip", "holds another archive"), lambda root: [holding(("ct.nrrd", nrrd()))(root), holding(("inner.zip", (root / "scan.zip").read_bytes()))(root)])
add("zip upwards", ZIP_DOC, "an entry that leads out of the folder", refused("scan.zip", "an entry leads outside"), holding(("../../Canary.nrrd", nrrd())))
add("zip from the root", ZIP_DOC, "an entry with an absolute path", refused("scan.zip", "an entry leads outside"), holding(("/tmp/Canary.nrrd", nrrd())))
add("zip of Windows", ZIP_DOC, "an entry that leads out of the folder in the manner of Windows", refused("scan.zip", "an entry leads outside"), holding(("..\\..\\Canary.nrrd", nrrd())))
add("zip with a link", ZIP_DOC, "an entry that is a link", refused("scan.zip", "an entry is a link"), one_link)
add("zip encrypted", "by hand", "encrypted", refused("scan.zip", "encrypted"), encrypted)
add("zip cut", "by hand", "an archive that breaks off", refused("scan.zip", "damaged"), lambda root: [holding(("ct.nrrd", nrrd()))(root), (root / "scan.zip").write_bytes((root / "scan.zip").read_bytes()[:-60])])
add("zip spoilt", "by hand", "a byte of an entry was changed", refused("scan.zip", "damaged"), lambda root: [holding(("ct.nrrd", nrrd()))(root), (root / "scan.zip").write_bytes(spoilt((root / "scan.zip").read_bytes()))])

add("pictures", "CT-ICH before 1.3; PHE-SICH-CT-IDS", "a folder of PNG slices", refused("png", "1 of PNG, JPG .* windowed for display"), lambda root: [(root / "png").mkdir(), (root / "png" / "1.png").write_bytes(b"\x89PNG" + bytes(99))])
file("picture", "by hand", "one PNG", refused("1.png", "windowed for display"), lambda: b"\x89PNG\r\n" + bytes(99))
add("folder of NIfTI", "by hand", "a folder that holds a NIfTI file", refused("nii", "files of other formats .1.; name this scan's own"), lambda root: [(root / "nii").mkdir(), put_nifti(root / "nii", as_nifti()), (root / "nii" / "mask.nii.gz").unlink()])
add("folder of a zip", "PACS exports", "a folder that holds a zip archive", refused("zips", "an archive, not opened here: name the one"), lambda root: [(root / "zips").mkdir(), (root / "zips" / "a.zip").write_bytes(b"PK")])
add("DICOMDIR", "DICOM PS3.10", "the index of a disc in place of its folder", included(image="disc/DICOMDIR", masks=("mask.nii.gz",), labels=drawn()), lambda root: disc(root))
add("DICOMDIR alone", "DICOM PS3.10", "the index without the files", refused("disc/DICOMDIR", "holds a DICOMDIR, which is the index of a disc"), lambda root: [(root / "disc").mkdir(), (root / "disc" / "DICOMDIR").write_bytes(b"index")])
# fmt: on


def spoilt(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 255]) + content[middle + 1 :]


def disc(root: Path) -> None:
    """A disc as a PACS burns it: an index, and files without suffix in folders of short names."""
    paths = write(root)
    save(root, itk_header(root, drawn()))
    (root / "disc" / "IMAGES").mkdir(parents=True)
    (root / "disc" / "DICOMDIR").write_bytes(b"index")
    for number, path in enumerate(sorted(paths)):
        path.rename(root / "disc" / "IMAGES" / f"IM{number:06d}")
