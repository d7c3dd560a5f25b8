# ruff: noqa: E501 -- a case is one line
"""Hard images in NIfTI: each is ``head()`` in a file whose header, or bytes, make readers stumble.

What is right is known without the package: the file is made by nibabel, or byte by byte, from HU at places that
are written out here.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from nibabel.orientations import apply_orientation, inv_ornt_aff
from numpy.typing import NDArray

from cases.library import (
    CASES,
    FIRST_ORIGIN,
    GAP_MM,
    PIXEL_MM,
    Case,
    Expected,
    clipped,
    drawn,
    error,
    excluded,
    head,
    included,
    made_case,
)

RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
TILT_DEG = 18.5
SIN, COS = np.sin(np.radians(TILT_DEG)), np.cos(np.radians(TILT_DEG))
DOWN = (0.0, float(COS), float(-SIN))
"""Direction of a slice's columns under the tilt."""

CT, FLAG = "ct.nii.gz", "header_spacing"


def affine(
    pixel: float = PIXEL_MM, gap: float = GAP_MM, down: Sequence[float] = (0, 1, 0), column: Any = (0, 0, 1)
) -> NDArray[Any]:
    """Index to RAS of slices that lie ``gap`` apart along ``column``, the first one where ``head()`` begins."""
    lps = np.eye(4)
    lps[:3, 0], lps[:3, 1], lps[:3, 2] = (pixel, 0, 0), pixel * np.array(down), gap * np.array(column)
    lps[:3, 3] = FIRST_ORIGIN
    return RAS @ lps


def image(
    values: NDArray[Any] | None = None,
    at: NDArray[Any] | None = None,
    qform: NDArray[Any] | str | None = "same",
    codes: tuple[int, int] = (1, 1),
    kind: Any = nibabel.Nifti1Image,
    turn: Sequence[Sequence[int]] | None = None,
) -> Any:
    """A file's content: ``values`` (z, y, x) in LPS order, stored with the axes turned."""
    stored = np.asarray(head() if values is None else values).transpose()
    at = affine() if at is None else at
    if turn is not None:
        turned = np.array(turn)
        at = at @ inv_ornt_aff(turned, stored.shape)
        stored = apply_orientation(stored, turned)
    made = kind(stored, at)
    made.header.set_xyzt_units("mm")
    made.set_sform(at if codes[0] else None, codes[0])
    if isinstance(qform, str):
        qform = at
    made.set_qform(qform if codes[1] else None, codes[1])
    if not codes[1]:
        made.header["pixdim"][1:4] = np.linalg.norm(at[:3, :3], axis=0)
    return made


Change = Callable[[Any], None]
Edit = Callable[[bytearray], Any]


def put(
    root: Path, made: Any, change: Change | None = None, edit: Edit | None = None, called: str = CT
) -> None:
    """Write the image, and the mask on it with the same header, as raters' tools do; ``edit`` gets the bytes."""
    drawn_on = labels_like(made)
    for one, part in ((made, "whole.nii"), (drawn_on, "drawn.nii")):
        if change is not None:
            change(one.header)
        nibabel.save(one, root / part)
    content = bytearray((root / "whole.nii").read_bytes())
    if edit is not None:
        content = edit(content) or content
    (root / "whole.nii").unlink()
    (root / "mask.nii.gz").write_bytes(gzip.compress((root / "drawn.nii").read_bytes(), 1))
    (root / "drawn.nii").unlink()
    (root / called).write_bytes(gzip.compress(bytes(content), 1) if called.endswith("gz") else bytes(content))


def labels_like(made: Any) -> Any:
    """``drawn()`` as a mask with the transforms of an image, whatever the order of its axes."""
    order = nibabel.io_orientation(RAS @ made.affine)
    stored = apply_orientation(
        drawn().transpose(), nibabel.orientations.ornt_transform(np.array([[0, 1], [1, 1], [2, 1]]), order)
    )
    mask = type(made)(stored.reshape(made.shape), made.affine)
    header = made.header
    mask.header.set_xyzt_units(*header.get_xyzt_units())
    for part in ("sform", "qform"):
        code = int(header[f"{part}_code"])
        getattr(mask, f"set_{part}")(getattr(header, f"get_{part}")() if code else None, code)
    mask.header["pixdim"] = header["pixdim"]
    return mask


def taken(*flags: str, hounsfield: NDArray[Any] | None = None, **facts: Any) -> Expected:
    """The image is converted, with the mask that has its header."""
    facts = {
        "image": CT,
        "places_mm": 1e-3,
        "masks": ("mask.nii.gz",),
        "labels": drawn(),
        "numbers": [1],
        **facts,
    }
    return included(hounsfield, *sorted({FLAG, *flags}), **facts)


def refused(*says: str, **facts: Any) -> Expected:
    return error(*says, **{"image": CT, **facts})


def not_eligible(category: str, *says: str, **facts: Any) -> Expected:
    return excluded(category, *says, **{"image": CT, **facts})


def add(name: str, source: str, about: str, expected: Expected, build: Callable[[Path], Any]) -> None:
    """Register a case of a file."""
    made_case(f"nifti[{name}]", source, about, expected, build)


def file(
    name: str, source: str, about: str, expected: Expected, made: Callable[[], Any] = image, **how: Any
) -> None:
    """Register a case that is one NIfTI file."""
    add(name, source, about, expected, lambda root: put(root, made(), **how))


def raw(
    name: str, source: str, about: str, says: str, content: Callable[[bytes], bytes], called: str = CT
) -> None:
    """Register a case whose bytes are no volume, from those of one (not compressed)."""

    def build(root: Path) -> None:
        put(root, image(), called="whole.nii")
        (root / called).write_bytes(content((root / "whole.nii").read_bytes()))

    add(name, source, about, refused(says, image=called), build)


def fields(**values: Any) -> Change:
    """Set fields of the header, as they are stored."""

    def change(header: Any) -> None:
        for name, value in values.items():
            header[name] = value

    return change


def sizes(*pixdim: float) -> Change:
    def change(header: Any) -> None:
        header["pixdim"][1:4] = pixdim

    return change


def at_byte(start: int, dtype: str, *values: Any) -> Edit:
    """Overwrite bytes of a NIfTI-1 file (nifti1.h)."""

    def edit(content: bytearray) -> None:
        new = np.array(values, dtype).tobytes()
        content[start : start + len(new)] = new

    return edit


# fmt: off
# Where the voxels are: stored in other ways, and right in every one of them.
file("lps", "nifti1.h", "stored as DICOM is, slices upwards", taken())
for called, turn in {
    "ras": ([0, -1], [1, -1], [2, 1]),
    "las": ([0, 1], [1, -1], [2, 1]),
    "downwards": ([0, 1], [1, 1], [2, -1]),
    "sagittal": ([2, 1], [0, -1], [1, 1]),
    "coronal": ([0, 1], [2, -1], [1, -1]),
}.items():
    file(f"stored {called}", "nibabel's image orientations", f"axes stored {called}", taken(), lambda turn=turn: image(turn=turn))
file("version 2", "nifti2.h; nibabel", "NIfTI-2", taken(), lambda: image(kind=nibabel.Nifti2Image))
file("qform alone", "nifti1.h, method 2", "sform_code 0", taken(), lambda: image(codes=(0, 1)))
file("sform alone", "nifti1.h, method 3", "qform_code 0", taken(), lambda: image(codes=(1, 0)))
file("metres", "nifti1.h, xyzt_units", "the unit of length is the metre", taken(), lambda: image(at=np.diag([1e-3, 1e-3, 1e-3, 1]) @ affine()), change=fields(xyzt_units=1))
file("micrometres", "nifti1.h, xyzt_units", "the unit of length is the micrometre", taken(), lambda: image(at=np.diag([1e3, 1e3, 1e3, 1]) @ affine()), change=fields(xyzt_units=3))
file("no unit", "nifti1.h, xyzt_units; FSL", "the unit is unknown, and taken for mm", taken(), change=fields(xyzt_units=0))
file("qfac 0", "nifti1.h, pixdim[0]", "pixdim[0] is 0, which counts as 1", taken(), lambda: image(turn=([0, -1], [1, -1], [2, 1])), change=lambda header: header["pixdim"].__setitem__(0, 0))
for called, shape in {"4-D": (1,), "5-D": (1, 1), "7-D": (1, 1, 1, 1)}.items():
    file(f"{called} of length 1", "nnUNet#2265; nifti1.h, dim", "dimensions beyond the third of length 1", taken(), edit=at_byte(40, "<i2", 3 + len(shape), 36, 32, 18, *shape))
file("two spaces", "nifti1.h, 5 codes", "the sform of another space (code 2), moved by 40 mm", taken("sform_and_qform_differ", origins=np.array(FIRST_ORIGIN) + np.outer(np.arange(18) * 7.0, [0, 0, 1]) + (0, 0, 40)), lambda: image(at=np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 40], [0, 0, 0, 1]]) @ affine(), qform=affine(), codes=(2, 1)))

# A tilted gantry: the table moves along z, the slices lean.
SHEARED, IN_PLANE = affine(down=DOWN), affine(down=DOWN, column=(0, SIN, COS), gap=GAP_MM * COS)
SHORT = affine(down=DOWN, gap=GAP_MM * COS)
LEANING: dict[str, Any] = {"directions": ((1, 0, 0), DOWN)}
file("tilted", "heudiconv#409; nibabel", "a sheared sform, and the nearest rotation as qform", taken("tilted", **LEANING), lambda: image(at=SHEARED))
file("tilted, dcm2niix", "report 03; dcm2niix#697", "the column shortened by cos(tilt), and the plane's qform", taken("tilted", "slice_axis_restored", **LEANING), lambda: image(at=SHORT, qform=IN_PLANE))
add("tilted, mask by ITK-SNAP", "TRAPS.md: ITK reads dcm2niix's file by its qform", "the mask has the qform's upright grid", taken("tilted", "slice_axis_restored", **LEANING), lambda root: [put(root, image(at=SHORT, qform=IN_PLANE)), nibabel.save(image(drawn(), IN_PLANE), root / "mask.nii.gz")])
file("tilted, true column", "dcm2niix before 2026", "the true column, and the plane's qform", taken("tilted", **LEANING), lambda: image(at=SHEARED, qform=IN_PLANE), change=sizes(PIXEL_MM, PIXEL_MM, GAP_MM * COS))
file("tilted, gap in pixdim", "SPM", "a sheared sform alone, pixdim with the perpendicular gap", taken("tilted", **LEANING), lambda: image(at=SHEARED, codes=(1, 0)), change=sizes(PIXEL_MM, PIXEL_MM, GAP_MM * COS))
file("tilted, downwards", "by hand", "a sheared sform whose slices are stored downwards", taken("tilted", **LEANING), lambda: image(at=SHEARED, turn=([0, -1], [1, -1], [2, -1])))
file("tilted, bare", "report 03", "dcm2niix's column in a file that was saved again with its affine alone", refused("mm³ by the determinant of its sheared sform and .* mm³ by pixdim.*ingest.trust_transform"), lambda: image(at=SHORT, codes=(1, 0)), change=sizes(PIXEL_MM, PIXEL_MM, GAP_MM * COS))


def mask_of(name: str) -> dict[str, Any]:
    """A mask that was drawn by the sform of a mirrored image lies on the other side."""
    return {"masks": (), "labels": None} if name == "mirrored" else {}


# Transforms that contradict each other: refused with the values, or resolved by the setting that names one.
DOUBLE = np.diag([2.0, 2, 2, 1]) @ affine()
for name, source, made, change, says, rightly in (
    ("pixdim of 1", "report 02; nifti_clib#127", lambda: image(), sizes(1, 1, 1), "5 x 5 x 7 mm by sform, of 1 x 1 x 1 mm by pixdim", "sform"),
    ("pixdim z of 0", "report 02; dcm2niix#837", lambda: image(), sizes(5, 5, 0), r"\(pixdim\) is 5 x 5 x 0 mm", "sform"),
    ("pixdim of NaN", "by hand", lambda: image(), sizes(np.nan, 5, 7), r"\(pixdim\) is nan x 5 x 7 mm", "sform"),
    ("sform of before", "report 02; medpy#86", lambda: image(at=DOUBLE, qform=affine()), sizes(5, 5, 7), "10 x 10 x 14 mm by sform, of 5 x 5 x 7 mm by pixdim", "qform"),
    ("sform z is the thickness", "report 02; dcm2niix#1018", lambda: image(at=affine(gap=9.0), qform=affine()), sizes(5, 5, 7), "5 x 5 x 9 mm by sform, of 5 x 5 x 7 mm by pixdim", "pixdim"),
    ("moved", "report 02; nifti1.h", lambda: image(at=np.array([[1, 0, 0, 9], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]) @ affine(), qform=affine()), None, "place the same voxel up to 9.0 mm apart", "qform"),
    ("mirrored", "by hand", lambda: image(at=affine() @ np.array([[-1, 0, 0, 35], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]), qform=affine()), None, "sform and qform contradict each other", "qform"),
    ("quaternion of 2", "by hand", lambda: image(), fields(quatern_b=2), "qform is no rotation", "sform"),
    ("tilted, bare, short", "report 03", lambda: image(at=SHORT, codes=(1, 0)), sizes(PIXEL_MM, PIXEL_MM, GAP_MM * COS), "by pixdim", "pixdim"),
    ("tilted, bare, true", "report 03", lambda: image(at=SHEARED, codes=(1, 0)), None, "by pixdim", "sform"),
):
    of_tilt = LEANING if name.startswith("tilted") else {}
    file(name, source, f"{name}: refused, with both values", refused(says, "ingest.trust_transform names it"), made, change=change)
    file(f"{name}, resolved", source, f"{name}: {rightly} is trusted", taken("contradicting_transforms", *(["tilted"] if of_tilt else []), rules={"trust_transform": rightly}, **of_tilt, **mask_of(name)), made, change=change)
file("sform of NaN", "by hand", "a sform of NaN", refused("sform is no transform"), edit=at_byte(296, "<f4", np.nan))
file("sform of NaN, resolved", "by hand", "a sform of NaN, and the qform is trusted", taken("contradicting_transforms", rules={"trust_transform": "qform"}), edit=at_byte(296, "<f4", np.nan))
file("no orientation", "HemSeg: 50 files have sform_code 0", "both codes are 0", refused("no orientation"), lambda: image(codes=(0, 0)))
file("trusted and not there", "by hand", "the transform that is trusted has the code 0", refused("names the qform, and qform_code is 0", rules={"trust_transform": "qform"}), lambda: image(codes=(1, 0)), change=sizes(1, 1, 1))
file("unit 7", "by hand", "a unit of length that means nothing", refused("unit of length has the code 7"), change=fields(xyzt_units=7))
file("1 mm throughout", "tools' defaults", "a header that agrees with itself, and of no head", refused("no head CT is of the size"), lambda: image(at=affine(1, 1)))
file("mm called metres", "by hand", "the unit is said to be the metre, the values are mm", refused("voxels of 5000 x 5000 x 7000 mm"), change=fields(xyzt_units=1))
file("skewed", "by hand", "rows and columns of a slice at 84 degrees", refused("not at right angles"), lambda: image(at=affine(down=(0.1, 1, 0))))
file("thick sagittal", "by hand", "thick slices that lie across the axial plane", not_eligible("not axial", "slices of 11 mm lie across the axial plane"), lambda: image(at=affine() @ np.diag([2.2, 1, 0.9, 1])))

# How values are stored: right in each, by the header's own rule.
file("float", "nifti1.h, datatype 16", "whole HU as float32", taken(), lambda: image(head().astype(np.float32)))
file("double", "nifti1.h, datatype 64", "whole HU as float64", taken(), lambda: image(head().astype(np.float64)))
file("big-endian", "nifti1.h", "stored big-endian", taken(), lambda: big_endian())
SCALE = at_byte(112, "<f4", 1, -1024)
file("unsigned with intercept", "TCIA; nifti1.h, scl_inter", "uint16, scl_inter -1024", taken(), lambda: image((head() + 1024).astype(np.uint16)), edit=SCALE)
file("slope 2", "nifti1.h, scl_slope", "int16, half of the HU and slope 2", taken(hounsfield=head() // 2 * 2), lambda: image(head() // 2), edit=at_byte(112, "<f4", 2, 0))
file("slope 0", "nifti1.h, scl_slope", "slope 0 means none, whatever the intercept", taken(), edit=at_byte(112, "<f4", 0, 500))
file("slope NaN", "dcm2niix and nibabel write it", "slope and intercept are NaN, which means none", taken(), edit=at_byte(112, "<f4", np.nan, np.nan))
file("metal", "by hand", "metal of 20000 HU in four voxels a slice", taken("values_above_range", hounsfield=clipped(np.where(np.indices((18, 32, 36))[1:].sum(0) < 3, 20000, head()))), lambda: image(np.where(np.indices((18, 32, 36))[1:].sum(0) < 3, 20000, head()).astype(np.int32)))
file("extension", "nifti1.h, vox_offset; nibabel", "a comment of 64 bytes between header and voxels", taken(), lambda: with_extension())
file("bytes after the voxels", "by hand", "the file goes on behind its voxels", taken(), edit=lambda content: content + bytes(999))
file("not gzipped", "report 14; kits19#39", "called .nii.gz, and not compressed", taken(image="ct.nii.gz"), called="plain.nii")
file("gzipped", "nibabel#898", "called .nii, and compressed", taken(image="ct.nii"), called="packed.gz")
file("no suffix", "by hand", "a name without suffix", taken(image="ct"), called="packed.gz")
for name, then in (("nifti[not gzipped]", ("plain.nii", "ct.nii.gz")), ("nifti[gzipped]", ("packed.gz", "ct.nii")), ("nifti[no suffix]", ("packed.gz", "ct"))):

    def renamed(root: Path, build: Any = CASES[name].build, then: Any = then) -> Expected:
        expected = build(root)
        (root / then[0]).rename(root / then[1])
        return expected

    CASES[name] = Case(name, CASES[name].about, renamed, CASES[name].source)


def pair(root: Path) -> None:
    put(root, image())
    nibabel.save(nibabel.Nifti1Pair.from_image(image()), root / "ct.img")


add("pair", "report 16; nnUNet#1755", "a pair of .hdr and .img", taken(image="ct.hdr", numbers=[1, 2]), pair)


def named_after_patient(root: Path) -> None:
    (root / "Canary_Name").mkdir()
    put(root, image())
    (root / CT).rename(root / "Canary_Name" / "Canary.nii.gz")
    (root / CT).symlink_to(root / "Canary_Name" / "Canary.nii.gz")


add("a link", "report 16; git-annex", "a link to a file that is called after the patient", taken(), named_after_patient)

# Values that are not HU: what is measurable is measured.
OTHER_VALUES: tuple[tuple[str, str, str, Callable[[], Any], str], ...] = (
    ("1024 too high", "TotalSegmentator#461; Slicer forum", "the rescale intercept was not applied", lambda: head().astype(np.int32) + 1024, r"all of them are 1024 above \(air lies near 24\): subtract 1024"),
    ("1000 too high", "by hand", "air is 0", lambda: head().astype(np.int32) + 1000, r"all of them are 1000 above \(air lies near 0\): subtract 1000"),
    ("1024 too low", "dcm2niix#474", "the intercept was applied twice", lambda: head().astype(np.int32) - 1024, r"all of them are 1024 below \(air lies near -2024\): add 1024"),
    ("no sign", "ITK forum; RSNA 2019", "negative values of 16 bits read as unsigned", lambda: head().astype(np.int16).view(np.uint16), r"lost their sign \(64536 stands for -1000\)"),
    ("no sign of 12 bits", "RSNA 2019, PUBLIC_DATA.md", "negative values of 12 bits wrapped", lambda: np.where(head() < 0, head().astype(np.int32) + 4096, head()).astype(np.uint16), r"lost their sign \(3096 stands for -1000\)"),
    ("8 bits", "CT-ICH 1.0, brain window of 80", "windowed to 0...255", lambda: window().astype(np.uint8), "windowed for display; ingest.intensity: windowed"),
    ("8 bits of int16", "PHE-SICH-CT-IDS", "the same, stored in 16 bits", lambda: window().astype(np.int16), "windowed for display"),
    ("0 to 1", "MONAI's ScaleIntensityRange", "scaled to 0...1", lambda: ((head().astype(float) + 1000) / 1900).astype(np.float32), "scaled to 0 ... 1"),
    ("steps of 16", "nibabel#1069", "8 bits with a slope of 16: HU in steps of 16", lambda: ((head() + 1024) // 16).astype(np.uint8), "steps of 16 HU"),
    ("a label map", "by hand", "the mask was named where the CT should be", drawn, "not HU"),
    ("MR", "by hand", "an MR image", lambda: (np.abs(head().astype(np.int32) + 1000) // 3).astype(np.int16), "not HU"),
)


def window() -> NDArray[np.int32]:
    """The grey levels of a brain window, 0 to 80 HU, with ties and edges as in a picture."""
    smooth = head().astype(np.int32) + np.arange(32)[:, None] % 16
    return np.clip(np.where(head() > 500, 80, np.where(head() < 0, 0, smooth)) * 255 // 80, 0, 255)


for name, source, about, values, says in OTHER_VALUES:
    edit = at_byte(112, "<f4", 16, -1024) if name.startswith("steps") else None
    file(name, source, about, not_eligible("pixel values are not HU", says), lambda values=values: image(values()), edit=edit)
file("8 bits, accepted", "CT-ICH 1.0, brain window of 80", "windowed, as the study says", taken(hounsfield=window(), rules={"intensity": "windowed"}), lambda: image(window().astype(np.uint8)))
file("0 to 1, windowed", "by hand", "windowed, but scaled to 0...1", not_eligible("windowed values from 0 to 1 with 2 whole ones", rules={"intensity": "windowed"}), lambda: image((window() / 255).astype(np.float32)))
file("16 bits, windowed", "by hand", "windowed, but to 0...65535", not_eligible("windowed values from 0 to 65535", rules={"intensity": "windowed"}), lambda: image((window() * 257).astype(np.uint16)))
file("skull-stripped", "report 16", "a brain, 0 around it", not_eligible("skull-stripped"), lambda: image(np.where((head() > 0) & (head() < 200), head() + np.indices((32, 36)).sum(0) % 16, -1024).astype(np.int16)))
file("blank slice", "by hand", "a slice of one value between others", not_eligible("truncated or damaged pixels", "slice 8 of 18 from below is blank"), lambda: image(np.where(np.arange(18)[:, None, None] == 7, -1000, head())))
file("slice without air", "by hand", "a slice that was scaled otherwise", not_eligible("pixel values are not HU", "slice 8 of 18 from below has no air"), lambda: image(np.where((np.arange(18)[:, None, None] == 7) & (head() < 0), 10, head())))
file("few slices", "by hand", "six slices", not_eligible("too few slices"), edit=at_byte(40, "<i2", 3, 36, 32, 6))
file("one slice", "report 16", "a single slice", refused("a single slice"), edit=at_byte(40, "<i2", 3, 36, 32, 1))
file("NaN", "report 01; nibabel#1002, ITK PR 6683", "NaN outside of the round field of view", refused("voxels have no value"), lambda: image(np.where(np.hypot(*(np.indices((32, 36)) - 16)) > 17, np.nan, head().astype(np.float32))))
file("infinite", "by hand", "a voxel of infinity", refused("1 of 20736 voxels have no value"), lambda: image(np.where(np.arange(20736).reshape(18, 32, 36) == 5, np.inf, head().astype(np.float32))))

# Bytes that are no volume: each says what it is.
raw("LFS pointer", "report 16; TotalSegmentator#461", "a pointer of Git LFS", "a Git LFS pointer", lambda _: b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n")
raw("annex pointer", "report 16; git-annex", "a pointer of git-annex", "a git-annex pointer", lambda _: b"/annex/objects/SHA256E-s5--0.nii.gz\n")
raw("web page", "by hand", "what a failed download leaves", "a web page", lambda _: b"<!DOCTYPE html><html>403</html>")
raw("empty", "by hand", "an empty file", "an empty file", lambda _: b"")
raw("cut, compressed", "by hand", "a compressed file that breaks off", "truncated or damaged", lambda whole: gzip.compress(whole)[:-99])
raw("cut", "report 16; ITK fills with 0", "a file that breaks off", "truncated: 41824 of the 41825 bytes|truncated: .* of the", lambda whole: whole[:-1], "ct.nii")
raw("HDF5", "MINC", "another format", "but HDF5", lambda _: b"\x89HDF\r\n\x1a\n" + bytes(500), "ct.nii")
raw("DICOM", "by hand", "one file of DICOM", "but DICOM: name the folder", lambda _: bytes(128) + b"DICM" + bytes(400), "ct.nii")
raw("Analyze", "nifti1.h; report 16", "a header of Analyze 7.5", "Analyze 7.5", lambda whole: whole[:344] + bytes(4), "ct.hdr")
raw("header alone", "report 16", "a header whose .img is not there", "one of a pair", lambda whole: whole[:344] + b"ni1\0", "ct.hdr")
raw("two volumes", "nifti1.h, dim", "a series of two volumes", "not one volume: its size is 36 x 32 x 9 x 2", lambda whole: whole[:40] + np.array([4, 36, 32, 9, 2, 1, 1, 1], "<i2").tobytes() + whole[56:])
raw("colours", "report 16; SimpleITK#1452", "a colour image", "a colour image", lambda whole: whole[:70] + np.array([128, 24], "<i2").tobytes() + whole[74:])
raw("complex", "nifti1.h, datatype 32", "complex numbers", "complex64", lambda whole: whole[:70] + np.array([32, 64], "<i2").tobytes() + whole[74:])
add("broken link", "report 16; datalad", "a link that leads nowhere", refused("a broken link"), lambda root: (root / CT).symlink_to("/nowhere/Canary.nii.gz"))
add("text", "by hand", "a note", refused("neither a MetaImage file .* nor a folder: by its first bytes it is none", image="note"), lambda root: (root / "note").write_text("see the other folder"))
add("evened out", "dcm2niix on uneven gaps; report 13", "dcm2niix's volume beside the copy that it resampled", refused("uneven: dcm2niix wrote a copy with even ones"), lambda root: [put(root, image()), (root / "ct_Tilt_Eq_1.nii.gz").touch()])

# fmt: on


def big_endian() -> Any:
    made = image(head().astype(">i2"))
    return nibabel.Nifti1Image(made.dataobj, made.affine, made.header.as_byteswapped(">"))


def with_extension() -> Any:
    made = image()
    made.header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", b"Canary" * 9))
    return made
