"""Transfer syntaxes, file structure, and layout of bits in the pixels."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    MPEG2MPML,
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    MediaStorageDirectoryStorage,
    RLELossless,
)

from cases import jpeg_lossless
from cases.library import (
    Change,
    Expected,
    as_signed,
    both,
    case,
    error,
    excluded,
    family,
    head,
    hounsfield_of,
    included,
    on,
    setting,
    signed,
    stored,
    write,
)


def encapsulated(dataset: Dataset, syntax: str, codestream: bytes, fragments: int = 1) -> None:
    """Put one compressed frame into a data set."""
    dataset.file_meta.TransferSyntaxUID = UID(syntax)
    dataset.PixelData = encapsulate([codestream], fragments_per_frame=fragments, has_bot=fragments == 1)
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True


def pixels_of(dataset: Dataset) -> NDArray[np.uint16]:
    """The bits of each stored value, unused high bits included, whatever their sign."""
    return np.frombuffer(dataset.PixelData, "<u2").reshape(dataset.Rows, dataset.Columns)


def in_twelve_bits(_: int, dataset: Dataset) -> None:
    """Unsigned 12 of 16 bits, as most scanners write."""
    dataset.BitsStored, dataset.HighBit = 12, 11


def signed_in_twelve_bits(_: int, dataset: Dataset) -> None:
    """Signed 12 of 16 bits, the high bits repeating the sign; slope 1, intercept 0."""
    as_signed(dataset, hounsfield_of(dataset), bits=12)


def junk_above(_: int, dataset: Dataset) -> None:
    """An overlay and other junk in the four high bits that don't belong to the 12-bit values."""
    pixels = pixels_of(dataset) & 0x0FFF
    junk = (np.arange(pixels.size, dtype=np.uint16).reshape(pixels.shape) % 16) << 12
    dataset.PixelData = (pixels | junk).astype("<u2").tobytes()


def native(_: int, dataset: Dataset) -> None:
    """As ``write_series`` wrote it."""


def rle(_: int, dataset: Dataset) -> None:
    dataset.compress(RLELossless)


def jpeg_2000(_: int, dataset: Dataset) -> None:
    dataset.compress(JPEG2000Lossless)


def jpeg_2000_blind_to_sign(_: int, dataset: Dataset) -> None:
    """The codestream says unsigned, Pixel Representation says signed."""
    codestream = imagecodecs.jpeg2k_encode(
        pixels_of(dataset) & 0x0FFF, level=0, bitspersample=12, codecformat="j2k", reversible=True
    )
    encapsulated(dataset, JPEG2000Lossless, codestream)


def jpeg_ls(_: int, dataset: Dataset) -> None:
    encapsulated(dataset, JPEGLSLossless, imagecodecs.jpegls_encode(pixels_of(dataset).copy()))


def jpeg_sv1(_: int, dataset: Dataset) -> None:
    codestream = jpeg_lossless.encode(pixels_of(dataset), precision=dataset.BitsStored)
    encapsulated(dataset, JPEGLosslessSV1, codestream)


def jpeg_sv1_of_all_bits(_: int, dataset: Dataset) -> None:
    """16 bits in the codestream, whatever is stored in how many of them."""
    encapsulated(dataset, JPEGLosslessSV1, jpeg_lossless.encode(pixels_of(dataset)))


def jpeg_sv1_of_twelve_bits(_: int, dataset: Dataset) -> None:
    """12 bits in the codestream, which knows no sign."""
    codestream = jpeg_lossless.encode(pixels_of(dataset) & 0x0FFF, precision=12)
    encapsulated(dataset, JPEGLosslessSV1, codestream)


def jpeg_in_fragments(_: int, dataset: Dataset) -> None:
    codestream = jpeg_lossless.encode(pixels_of(dataset), precision=dataset.BitsStored)
    encapsulated(dataset, JPEGLosslessSV1, codestream, fragments=3)


def jpeg_with_predictor(predictor: int) -> Change:
    def change(_: int, dataset: Dataset) -> None:
        codestream = jpeg_lossless.encode(
            pixels_of(dataset), precision=dataset.BitsStored, predictor=predictor
        )
        encapsulated(dataset, JPEGLossless, codestream)

    return change


def syntax(uid: str) -> Change:
    def change(_: int, dataset: Dataset) -> None:
        dataset.file_meta.TransferSyntaxUID = UID(uid)

    return change


def build_encoding(root: Path, member: tuple[Any, ...]) -> Expected:
    write(root, change=both(*member[1:]))
    return included()


family(
    "encoding",
    "the same HU come back from {member}",
    [
        ("explicit little endian", native),
        ("implicit little endian", syntax(ImplicitVRLittleEndian)),
        ("deflated", syntax(DeflatedExplicitVRLittleEndian)),
        ("RLE", rle),
        ("JPEG 2000 lossless", jpeg_2000),
        ("JPEG-LS lossless", jpeg_ls),
        ("JPEG lossless SV1", jpeg_sv1),
        ("JPEG lossless SV1 in several fragments without offset table", jpeg_in_fragments),
        *((f"JPEG lossless process 14, predictor {n}", jpeg_with_predictor(n)) for n in (2, 4, 5, 6, 7)),
        ("12 of 16 bits", in_twelve_bits),
        ("12 of 16 bits in JPEG lossless", in_twelve_bits, jpeg_sv1),
        ("12 of 16 bits in JPEG 2000", in_twelve_bits, jpeg_2000),
        ("16 bits signed", signed),
        ("16 bits signed, RLE", signed, rle),
        ("16 bits signed, JPEG 2000", signed, jpeg_2000),
        ("16 bits signed, JPEG-LS", signed, jpeg_ls),
        ("16 bits signed, JPEG lossless", signed, jpeg_sv1_of_all_bits),
        ("12 bits signed", signed_in_twelve_bits),
        ("12 bits signed, JPEG 2000", signed_in_twelve_bits, jpeg_2000),
    ],
    build_encoding,
)

family(
    "signed codestream",
    "sign lost in the codestream, {member} (github.com/pydicom/pydicom/issues/1149 and 2009; "
    "github.com/dcm4che/dcm4che/pull/616)",
    [
        ("12 bits signed, JPEG 2000 says unsigned", signed_in_twelve_bits, jpeg_2000_blind_to_sign),
        ("12 bits signed, JPEG-LS", signed_in_twelve_bits, jpeg_ls),
        ("12 bits signed, JPEG lossless of 16", signed_in_twelve_bits, jpeg_sv1_of_all_bits),
        ("12 bits signed, JPEG lossless of 12", signed_in_twelve_bits, jpeg_sv1_of_twelve_bits),
    ],
    build_encoding,
)

family(
    "junk in high bits",
    "bits above those stored hold an overlay, {member} "
    "(github.com/pydicom/pydicom/pull/2066 and issues/2260; github.com/dgobbi/vtk-dicom/issues/134)",
    [
        ("12 bits unsigned", in_twelve_bits, junk_above),
        ("12 bits signed", signed_in_twelve_bits, junk_above),
        ("RLE", in_twelve_bits, junk_above, rle),
        ("JPEG 2000", in_twelve_bits, junk_above, jpeg_2000),
        ("JPEG-LS", in_twelve_bits, junk_above, jpeg_ls),
        ("JPEG lossless", in_twelve_bits, junk_above, jpeg_sv1_of_all_bits),
        ("JPEG lossless, signed", signed_in_twelve_bits, junk_above, jpeg_sv1_of_all_bits),
    ],
    build_encoding,
)


@case("values in the upper 12 of 16 bits (High Bit 15, Bits Stored 12), which no reader shifts alike")
def values_in_the_upper_bits(root: Path) -> Expected:
    def shift(_: int, dataset: Dataset) -> None:
        dataset.BitsStored, dataset.HighBit = 12, 15
        dataset.PixelData = ((stored(dataset) & 0x0FFF) << 4).astype("<u2").tobytes()

    write(root, change=shift)
    return excluded("unusual bit layout")


@case("files without the 128 bytes of preamble and the letters DICM")
def no_preamble(root: Path) -> Expected:
    for path in write(root):
        path.write_bytes(path.read_bytes()[132:])
    return included()


def to_big_endian(path: Path) -> None:
    """Rewrite a file as big endian; pydicom swaps all but the pixels."""
    dataset = pydicom.dcmread(path)
    dataset.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    dataset.PixelData = pixels_of(dataset).astype(">u2").tobytes()
    pydicom.dcmwrite(path, dataset, implicit_vr=False, little_endian=False, force_encoding=True)


family(
    "big endian",
    "explicit big endian, {member}",
    [
        ("16 bits", native),
        ("16 bits signed", signed),
        ("junk in high bits", in_twelve_bits, junk_above),
        ("junk in high bits, signed", signed_in_twelve_bits, junk_above),
    ],
    lambda root, member: build_big_endian(root, *member[1:]),
)


def build_big_endian(root: Path, *changes: Change) -> Expected:
    for path in write(root, change=both(*changes)):
        to_big_endian(path)
    return included()


def bare(path: Path) -> None:
    """Cut everything before the data set: preamble, prefix and file meta information."""
    meta = pydicom.filereader.read_file_meta_info(path)
    path.write_bytes(path.read_bytes()[132 + 12 + meta.FileMetaInformationGroupLength :])


def build_bare(root: Path, member: tuple[str, str]) -> Expected:
    _, uid = member
    for path in write(root, change=native if uid == ExplicitVRBigEndian else syntax(uid)):
        if uid == ExplicitVRBigEndian:
            to_big_endian(path)
        bare(path)
    return included()


family(
    "bare data set",
    "no preamble and no file meta information, {member}",
    [
        ("implicit little endian", ImplicitVRLittleEndian),
        ("explicit little endian", ExplicitVRLittleEndian),
        ("explicit big endian", ExplicitVRBigEndian),
    ],
    build_bare,
)


@case("a compression that no decoder at hand knows (MPEG-2 video)")
def unknown_compression(root: Path) -> Expected:
    write(root, change=lambda i, d: encapsulated(d, MPEG2MPML, b"\0\0\1\xb3" + bytes(200)))
    return excluded("no decoder for its compression")


@case("colour pictures with position and orientation, such as perfusion maps")
def colour(root: Path) -> Expected:
    def paint(_: int, dataset: Dataset) -> None:
        grey = (stored(dataset) // 16).astype(np.uint8)
        dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 3, "RGB"
        dataset.PlanarConfiguration = 0
        dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 8, 8, 7
        dataset.PixelData = np.repeat(grey[..., None], 3, axis=-1).tobytes()
        dataset["PixelData"].VR = "OB"

    write(root, change=paint)
    return excluded("not one grey image")


@case("two bytes too many after the pixels, as some archives pad")
def pixels_padded_by_two_bytes(root: Path) -> Expected:
    def pad(_: int, dataset: Dataset) -> None:
        dataset.PixelData = dataset.PixelData + b"\0\0"

    write(root, change=pad)
    return included()


@case("32 bits allocated per pixel")
def thirty_two_bits(root: Path) -> Expected:
    def widen(_: int, dataset: Dataset) -> None:
        dataset.PixelData = stored(dataset).astype("<u4").tobytes()
        dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 32, 32, 31

    write(root, change=widen)
    return included()


@case("one slice without pixels")
def no_pixels_in_one_slice(root: Path) -> Expected:
    write(root, change=on([8], setting(PixelData=None)))
    return excluded("truncated or damaged pixels", "instance 9")


@case("one file cut off within its pixels, as by a broken transfer")
def truncated_pixels(root: Path) -> Expected:
    path = write(root)[4]
    path.write_bytes(path.read_bytes()[:-100])
    return excluded("truncated or damaged pixels", "instance 5")


def build_truncated(root: Path, member: tuple[str, Change, float]) -> Expected:
    """Cut the codestream of one slice, its wrapping intact: decoders may fill up silently."""
    _, compress, kept = member

    def cut(index: int, dataset: Dataset) -> None:
        compress(index, dataset)
        if index == 6:
            frame = pydicom.encaps.get_frame(dataset.PixelData, 0, number_of_frames=1)
            encapsulated(
                dataset, dataset.file_meta.TransferSyntaxUID, frame[: int(kept * len(frame)) // 2 * 2]
            )

    write(root, change=cut)
    return excluded("truncated or damaged pixels", "instance 7")


family(
    "truncated codestream",
    "one slice's compressed pixels cut off, {member}: decoders fill the rest without complaint",
    [
        (f"{name}, {kept:.0%} kept", compress, kept)
        for name, compress in (
            ("RLE", rle),
            ("JPEG 2000", jpeg_2000),
            ("JPEG-LS", jpeg_ls),
            ("JPEG lossless", jpeg_sv1),
        )
        for kept in (0.5, 0.9)
    ],
    build_truncated,
)


@case("a compressed file cut off within its pixels")
def truncated_compressed_file(root: Path) -> Expected:
    path = write(root, change=jpeg_2000)[10]
    path.write_bytes(path.read_bytes()[:-60])
    return excluded("truncated or damaged pixels", "instance 11")


@case("one file cut off within its header")
def truncated_header(root: Path) -> Expected:
    path = write(root)[12]
    path.write_bytes(path.read_bytes()[:420])
    return excluded("truncated or damaged file")


@case("one file cut off within the file meta information")
def truncated_meta(root: Path) -> Expected:
    path = write(root)[12]
    path.write_bytes(path.read_bytes()[:180])
    return excluded("truncated or damaged file")


@case("a deflated file cut off")
def truncated_deflated(root: Path) -> Expected:
    path = write(root, change=syntax(DeflatedExplicitVRLittleEndian))[3]
    path.write_bytes(path.read_bytes()[:-80])
    return excluded("truncated or damaged file")


@case("one file of zero bytes where a slice should be")
def empty_file(root: Path) -> Expected:
    write(root)[14].write_bytes(b"")
    return excluded("truncated or damaged file")


@case("one file that is all zero bytes, as left by a full disk")
def zeroed_file(root: Path) -> Expected:
    path = write(root)[14]
    path.write_bytes(bytes(path.stat().st_size))
    return excluded("missing section", "instance 14 and instance 16")


@case("the last slice zeroed: no gap betrays it, only the announced count")
def zeroed_last_file(root: Path) -> Expected:
    path = write(root, change=setting(ImagesInAcquisition=18))[-1]
    path.write_bytes(bytes(path.stat().st_size))
    return excluded("slices missing", "17 of 18")


@case("a link to a file that is not there")
def broken_link(root: Path) -> Expected:
    write(root)
    (root / "dicom" / "link.dcm").symlink_to(root / "nowhere.dcm")
    return error("can't be read|unreadable")


@case("no folder at the path in the sheet")
def no_folder(root: Path) -> Expected:
    return error("no image: .*no such file")


@case("a folder without files")
def empty_folder(root: Path) -> Expected:
    (root / "dicom").mkdir()
    return error("empty folder")


@case("a folder of files that are not DICOM")
def nothing_of_dicom(root: Path) -> Expected:
    (root / "dicom").mkdir()
    (root / "dicom" / "notes.txt").write_text("see the other folder")
    (root / "dicom" / "scan.jpg").write_bytes(b"\xff\xd8\xff\xe0" + bytes(300))
    return error("no DICOM image")


def without(paths: list[Path], *keywords: str) -> None:
    """Take attributes out of the data sets; the file meta information keeps its own."""
    for path in paths:
        dataset = pydicom.dcmread(path)
        for keyword in keywords:
            delattr(dataset, keyword)
        dataset.save_as(path)


RSNA = [
    "SOPInstanceUID",
    "Modality",
    "PatientID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "Rows",
    "Columns",
    "PixelSpacing",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "RescaleIntercept",
    "RescaleSlope",
    "PixelData",
]


@case("headers as in RSNA's data of 2019: few attributes, no SOP Class UID, ids that are no UIDs")
def rsna_headers(root: Path) -> Expected:
    def shorten(index: int, dataset: Dataset) -> None:
        for element in list(dataset):
            if element.keyword not in RSNA:
                del dataset[element.tag]
        dataset.PatientID, dataset.StudyInstanceUID = "ID_b81a287f", "ID_dd37ba3adb"
        dataset.SeriesInstanceUID, dataset.SOPInstanceUID = "ID_15dcd6057a", f"ID_{index:09x}"

    write(root, change=shorten)
    return included(None, "instance_numbers_not_consecutive")


family(
    "absent",
    "an anonymiser took {member} out of all files: they are whole all the same",
    [
        ("SOP Class UID", "SOPClassUID"),
        ("Series Instance UID", "SeriesInstanceUID"),
        ("Study Instance UID", "StudyInstanceUID"),
        ("all UIDs", "SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID"),
    ],
    lambda root, member: build_without(root, member[1:]),
)


def build_without(root: Path, keywords: tuple[str, ...]) -> Expected:
    without(write(root), *keywords)
    return included()


@case("files without preamble and SOP Class UID")
def bare_without_class(root: Path) -> Expected:
    paths = write(root)
    without(paths, "SOPClassUID")
    for path in paths:
        bare(path)
    return included()


@case("SOP Class UID taken out of some files only")
def class_in_some_files(root: Path) -> Expected:
    without(write(root)[::3], "SOPClassUID")
    return included()


@case("markers of programs and leavings of systems, all empty, some called almost like a slice")
def empty_markers(root: Path) -> Expected:
    first = write(root)[0]
    folder = root / "dicom"
    for name in ("_SUCCESS", ".complete", ".DS_Store", "DONE", "lock.txt", f"._{first.name}", "@tmp1.dcm"):
        (folder / name).touch()
    (folder / "@eaDir").mkdir()
    (folder / "@eaDir" / f"{first.name}@SynoEAStream").touch()
    (folder / "@eaDir" / first.name).touch()
    return included()


@case("empty markers beside slices whose names have no suffix")
def empty_markers_without_suffix(root: Path) -> Expected:
    for index, path in enumerate(write(root)):
        path.rename(path.with_name(f"IM{index:05d}"))
    for name in ("_SUCCESS", "DONE", "VERSION2"):
        (root / "dicom" / name).touch()
    return included()


family(
    "lost slice",
    "an empty file that is called like the slices, whose names are {member}",
    [
        ("numbered", "IM{:05d}"),
        ("UIDs", "1.2.840.113619.2.55.3.{}.7"),
        ("digests", "a9f{:05x}"),
        ("dcm", "{}.DCM"),
    ],
    lambda root, member: build_lost(root, member[1]),
)


def build_lost(root: Path, name: str) -> Expected:
    for index, path in enumerate(write(root)):
        path.rename(path.with_name(name.format(index)))
    (root / "dicom" / name.format(99)).touch()
    return excluded("truncated or damaged file", r"file \d+ of 19 by name")


@case("nothing but empty files, as a transfer leaves them")
def all_files_empty(root: Path) -> Expected:
    for path in write(root):
        path.write_bytes(b"")
    return excluded("truncated or damaged file", "and 13 more")


family(
    "instead of images",
    "a folder that holds {member} only: said in its own words",
    [
        ("an archive", "study.zip", "an archive, .*unpack"),
        ("the index of a disc", "DICOMDIR", "DICOMDIR.* whole disc"),
        ("NIfTI", "ct.nii.gz", "files of other formats .1.; name this scan's own"),
    ],
    lambda root, member: build_instead(root, *member[1:]),
)


def build_instead(root: Path, name: str, words: str) -> Expected:
    (root / "dicom").mkdir()
    path = root / "dicom" / name
    if name == "DICOMDIR":
        index = Dataset()
        index.file_meta = pydicom.dataset.FileMetaDataset()
        index.file_meta.MediaStorageSOPClassUID = MediaStorageDirectoryStorage
        index.file_meta.MediaStorageSOPInstanceUID = pydicom.uid.generate_uid()
        index.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        index.DirectoryRecordSequence = []
        index.save_as(path, enforce_file_format=True)
    else:
        path.write_bytes(b"PK\3\4" + bytes(300))
    return error(f"no DICOM image.*{words}")


@case("a link to a subfolder elsewhere, and links that lead in circles or out of the scan's folder")
def linked_folders(root: Path) -> Expected:
    write(root, into="../store/of/scan")
    write(root, head() + 3, into="../another patient", series=5, change=setting(PatientID="CANARY-OTHER"))
    folder = root / "dicom"
    (folder / "series").symlink_to(root / "store" / "of", target_is_directory=True)
    (folder / "again").symlink_to(root / "store" / "of", target_is_directory=True)
    (root / "store" / "of" / "circle").symlink_to(folder, target_is_directory=True)
    (folder / "out").symlink_to("..", target_is_directory=True)
    return included()


@case("a link that leads to itself")
def link_to_itself(root: Path) -> Expected:
    write(root)
    (root / "dicom" / "loop").symlink_to("loop")
    return error("unreadable file")


@case("a pipe between the slices, which would wait for ever to be read")
def pipe(root: Path) -> Expected:
    write(root)
    os.mkfifo(root / "dicom" / "pipe.dcm")
    return error("unreadable file", "no regular file")


@case("a subfolder that may not be opened (not to be shown to root, who may)")
def closed_subfolder(root: Path) -> Expected:
    if os.geteuid() == 0:
        pytest.skip("root may open every folder")
    write(root, into="bone", change=setting(ConvolutionKernel="H60s"))
    write(root, head() + 1, into="soft", series=2)
    (root / "dicom" / "soft").chmod(0)
    return error("unreadable folder", "permissions")
