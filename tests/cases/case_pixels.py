"""What the stored values mean: rescale, polarity, padding, range, and the witness of air."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from cases.library import (
    LOWEST_HU,
    Change,
    Expected,
    as_signed,
    both,
    case,
    clipped,
    excluded,
    family,
    head,
    hounsfield_of,
    included,
    level_origins,
    misspell,
    on,
    setting,
    signed,
    stored,
    write,
)


@case("intercept of its own in each slice (github.com/ivmartel/dwv/issues/80)")
def intercept_per_slice(root: Path) -> Expected:
    def shift(index: int, dataset: Dataset) -> None:
        dataset.RescaleIntercept = -1024 - 3 * index
        dataset.PixelData = (stored(dataset) + 3 * index).astype("<u2").tobytes()

    write(root, change=shift)
    return included()


@case("slope of its own in each slice (github.com/Kitware/VolView/issues/292)")
def slope_per_slice(root: Path) -> Expected:
    def halve(_: int, dataset: Dataset) -> None:
        dataset.RescaleSlope = 0.5
        dataset.PixelData = (stored(dataset) * 2).astype("<u2").tobytes()

    write(root, change=on(range(6, 12), halve))
    return included()


@case("fractional rescale; HU are rounded")
def fractional_rescale(root: Path) -> Expected:
    write(root, slope=0.3, intercept=-1024.5)
    steps = np.rint((head() + 1024.5) / 0.3)
    return included(clipped(np.rint(steps * 0.3 - 1024.5)))


@case("rescale written with exponents, signs and spaces")
def rescale_with_exponent(root: Path) -> Expected:
    def spell(_: int, dataset: Dataset) -> None:
        dataset.add_new("RescaleSlope", "DS", " +1.0E+00 ")
        dataset.add_new("RescaleIntercept", "DS", "-1.024e3")

    write(root, change=spell)
    return included()


@case("a maker's private scale beside the rescale (github.com/icometrix/dicom2nifti/issues/49)")
def private_scale(root: Path) -> Expected:
    def add(_: int, dataset: Dataset) -> None:
        block = dataset.private_block(0x2005, "Philips MR Imaging DD 001", create=True)
        block.add_new(0x0A, "DS", "3.5")
        block.add_new(0x09, "DS", "-17")
        ge = dataset.private_block(0x0027, "GEMS_IMAG_01", create=True)
        ge.add_new(0x50, "FL", 1.25)

    write(root, change=add)
    return included()


@case("no rescale attributes, and the values are HU")
def no_rescale_but_hounsfield(root: Path) -> Expected:
    write(root, change=both(signed, setting(RescaleSlope=None, RescaleIntercept=None)))
    return included(None, "no_rescale")


@case("no rescale attributes, and the values are raw (github.com/notmatthancock/pylidc/pull/32)")
def no_rescale_and_raw(root: Path) -> Expected:
    write(root, change=setting(RescaleSlope=None, RescaleIntercept=None))
    return excluded("pixel values are not HU")


@case("slope without intercept, values raw")
def no_intercept(root: Path) -> Expected:
    write(root, change=setting(RescaleIntercept=None))
    return excluded("pixel values are not HU")


@case("no rescale in one slice of many, where the air is raw")
def no_rescale_in_one_slice(root: Path) -> Expected:
    write(root, change=on([9], setting(RescaleSlope=None, RescaleIntercept=None)))
    return excluded("pixel values are not HU")


@case("intercept with a decimal comma (github.com/fo-dicom/fo-dicom/pull/1915)")
def comma_in_intercept(root: Path) -> Expected:
    misspell(write(root, intercept=-1024.0), "RescaleIntercept", "-1024,")
    return excluded("pixel values are not HU")


@case("a look-up table instead of slope and intercept")
def modality_table(root: Path) -> Expected:
    def tabulate(_: int, dataset: Dataset) -> None:
        del dataset.RescaleSlope, dataset.RescaleIntercept
        table = Dataset()
        table.add_new("LUTDescriptor", "US", [4096, 0, 16])
        table.ModalityLUTType = "HU"
        table.add_new("LUTData", "OW", np.arange(4096, dtype="<u2").tobytes())
        dataset.ModalityLUTSequence = [table]

    write(root, change=tabulate)
    return excluded("pixel values are not HU")


@case("slope 0 in one slice")
def slope_of_zero(root: Path) -> Expected:
    write(root, change=on([5], setting(RescaleSlope=0)))
    return excluded("rescale slope of 0", "instance 6")


@case("air at 0 HU although slope and intercept are there: no air to be seen, and flagged as such")
def air_at_zero(root: Path) -> Expected:
    write(root, head() + 1000, intercept=0)
    return included(head() + 1000, "no_air_in_view")


@case("intercept wrong by 200 HU: neither air nor brain is where it should be")
def shifted_by_200(root: Path) -> Expected:
    write(root, head() + 200)
    return excluded("pixel values are not HU")


def applied_twice(hounsfield: NDArray[np.int16]) -> Change:
    """Signed pixels in HU, of which the intercept is taken off once more."""

    def take_off(index: int, dataset: Dataset) -> None:
        as_signed(dataset, hounsfield[index])
        dataset.RescaleIntercept = -1024

    return take_off


TWICE = r"all of them are 1024 below \(air lies near -2024\): add 1024"


@case("intercept applied twice (dcm2niix#474): brain reads like air, and no other witness misses anything")
def intercept_twice(root: Path) -> Expected:
    write(root, change=applied_twice(head()))
    return excluded("pixel values are not HU", TWICE)


@case("intercept applied twice, padded with -2000 and -3024 as GE pads")
def intercept_twice_with_padding(root: Path) -> Expected:
    padded = corners(head(), -2000)
    padded[::2] = corners(head(), -3024)[::2]
    write(root, change=applied_twice(padded))
    return excluded("pixel values are not HU", TWICE)


@case("intercept of 1000 applied twice: air at -2000")
def intercept_of_1000_twice(root: Path) -> Expected:
    write(root, change=both(applied_twice(head()), setting(RescaleIntercept=-1000)))
    return excluded("pixel values are not HU", r"air lies near -2000\): add 1000")


@case("air at -900 HU, brain where it should be: a badly calibrated scanner, or no air but foam")
def air_at_minus_900(root: Path) -> Expected:
    hounsfield = np.where(head() == -1000, -900, head()).astype(np.int16)
    write(root, hounsfield)
    return included(hounsfield, "air_not_near_minus_1000_hu")


@case("MONOCHROME1 says how to show, not how to read (github.com/scifio/scifio/issues/311)")
def monochrome1(root: Path) -> Expected:
    write(root, change=setting(PhotometricInterpretation="MONOCHROME1"))
    return included(None, "monochrome1")


@case(
    "MONOCHROME1 with values that are really inverted "
    "(github.com/Project-MONAI/monai-deploy-app-sdk/issues/282)"
)
def monochrome1_inverted(root: Path) -> Expected:
    def invert(_: int, dataset: Dataset) -> None:
        dataset.PhotometricInterpretation = "MONOCHROME1"
        dataset.PixelData = (4095 - stored(dataset)).astype("<u2").tobytes()

    write(root, change=invert)
    return excluded("pixel values are not HU")


@case("Rescale Type says unspecified units")
def rescale_type(root: Path) -> Expected:
    write(root, change=setting(RescaleType="US"))
    return included(None, "rescale_type_not_hu")


def corners(volume: NDArray[np.int16], value: int) -> NDArray[np.int16]:
    """The volume with padding outside of the round field of view."""
    padded = volume.copy()
    for rows in (slice(0, 3), slice(-3, None)):
        for columns in (slice(0, 3), slice(-3, None)):
            padded[:, rows, columns] = value
    return padded


@case("signed pixels padded with -2000, tag of the same sign")
def padding_signed(root: Path) -> Expected:
    def pad(index: int, dataset: Dataset) -> None:
        as_signed(dataset, corners(head(), -2000)[index])
        dataset.add_new("PixelPaddingValue", "SS", -2000)

    write(root, change=pad)
    return included(corners(head(), LOWEST_HU))


@case("signed pixels padded with -2000, which the tag gives as unsigned 63536")
def padding_as_unsigned(root: Path) -> Expected:
    def pad(index: int, dataset: Dataset) -> None:
        as_signed(dataset, corners(head(), -2000)[index])
        dataset.add_new("PixelPaddingValue", "US", 63536)

    write(root, change=pad)
    return included(corners(head(), LOWEST_HU))


def unsigned_63536(_: int, dataset: Dataset) -> None:
    """Padding of 63536 in unsigned pixels: -2000 that lost its sign, far above all tissue."""
    padded = stored(dataset).copy()
    marked = corners(np.zeros((1, *padded.shape), dtype=np.int16), 1)[0] == 1
    padded[marked] = 63536
    dataset.PixelData = padded.astype("<u2").tobytes()


@case("padding of 63536 in unsigned pixels, with its tag: air, not metal")
def padding_above_the_range(root: Path) -> Expected:
    write(root, change=both(unsigned_63536, setting(PixelPaddingValue=63536)))
    return included(corners(head(), LOWEST_HU))


@case("padding of 63536 in unsigned pixels without a tag: clipped as metal would be, and flagged")
def padding_above_the_range_without_tag(root: Path) -> Expected:
    write(root, change=unsigned_63536)
    return included(corners(head(), 3071), "values_above_range")


@case("padding from a value to a range limit")
def padding_range(root: Path) -> Expected:
    def pad(index: int, dataset: Dataset) -> None:
        padded = corners(head(), -1900)[index]
        padded[0, 0] = -1800
        as_signed(dataset, padded)
        dataset.add_new("PixelPaddingValue", "SS", -2000)
        dataset.add_new("PixelPaddingRangeLimit", "SS", -1500)

    write(root, change=pad)
    return included(corners(head(), LOWEST_HU))


@case("padding range high above tissue, its limits in reverse order")
def padding_range_above(root: Path) -> Expected:
    def pad(_: int, dataset: Dataset) -> None:
        unsigned_63536(_, dataset)
        dataset.PixelPaddingValue, dataset.PixelPaddingRangeLimit = 65535, 60000

    write(root, change=pad)
    return included(corners(head(), LOWEST_HU))


@case("padding of -3024 without a tag")
def padding_without_tag(root: Path) -> Expected:
    def pad(index: int, dataset: Dataset) -> None:
        as_signed(dataset, corners(head(), -3024)[index])

    write(root, change=pad)
    return included(corners(head(), LOWEST_HU))


@case("Pixel Padding Value 0 of signed HU: brain and water would be lost if it were believed")
def padding_value_in_tissue(root: Path) -> Expected:
    hounsfield = head()
    hounsfield[:, 16, 16:20] = 0
    write(root, hounsfield, change=both(signed, setting(PixelPaddingValue=0)))
    return included(hounsfield, "padding_within_tissue_hu")


@case("padding in all of the field around a small reconstruction circle: no air is left as witness")
def padding_all_around(root: Path) -> Expected:
    hounsfield = head()
    hounsfield[hounsfield == -1000] = -2000

    def pad(index: int, dataset: Dataset) -> None:
        as_signed(dataset, hounsfield[index])
        dataset.add_new("PixelPaddingValue", "SS", -2000)

    write(root, change=pad)
    return included(clipped(hounsfield), "no_air_in_view")


@case("metal beyond the range of a 12-bit scanner is clipped, never wrapped")
def metal(root: Path) -> Expected:
    hounsfield = head().astype(np.int32)
    hounsfield[12, 12:20, 12:20] = 30000
    write(root, hounsfield)
    return included(clipped(hounsfield), "values_above_range")


@case("a field of view within the head: nothing but tissue")
def no_air(root: Path) -> Expected:
    hounsfield = np.where(head() == -1000, 35, head()).astype(np.int16)
    write(root, hounsfield)
    return included(hounsfield, "no_air_in_view")


@case("pixels that were compressed with loss once")
def lossy(root: Path) -> Expected:
    write(root, change=setting(LossyImageCompression="01", LossyImageCompressionRatio=8))
    return included(None, "lossy_compression")


@case("a name burned into the pixels, says the tag")
def burned_in(root: Path) -> Expected:
    write(root, change=setting(BurnedInAnnotation="YES"))
    return included(None, "burned_in_annotation")


@case("a burned-in name in one slice only")
def burned_in_one_slice(root: Path) -> Expected:
    write(root, change=on([17], setting(BurnedInAnnotation="YES")))
    return included(None, "burned_in_annotation")


@case("thin slices of chin to vertex, from which a face can be made")
def face(root: Path) -> Expected:
    hounsfield = head(90)
    origins = level_origins(90, 2.0)
    write(root, hounsfield, origins=origins, change=setting(SliceThickness=2))
    return included(hounsfield, "face_may_be_recognisable", origins=origins)


family(
    "character set",
    "text in {member}, with a name that is no ASCII (the name must reach nothing)",
    [
        ("ISO_IR 100", "Canärie^Käthe".encode("latin-1")),
        ("ISO_IR 192", "Canärie^Käthe".encode()),
        ("GB18030", "金丝雀^Canary".encode("gb18030")),
        ("\\ISO 2022 IR 87", b"Canary^Hanako=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B"),
        ("NO SUCH SET", b"Canary^\xff\xfe"),
    ],
    lambda root, member: (write_names(root, *member), included())[1],
)


def write_names(root: Path, character_set: str, name: bytes) -> None:
    def change(_: int, dataset: Dataset) -> None:
        dataset.SpecificCharacterSet = character_set.split("\\")
        dataset.add_new("PatientName", "PN", "Placeholder^Name")

    for path in write(root, change=change):
        content = path.read_bytes()
        length = len(name) + len(name) % 2
        old = b"PN" + (16).to_bytes(2, "little") + b"Placeholder^Name"
        new = b"PN" + length.to_bytes(2, "little") + name.ljust(length)
        path.write_bytes(content.replace(old, new))


@case("HU as ``hounsfield_of`` sees them: the library's own check of its base series")
def plain(root: Path) -> Expected:
    seen = []
    write(root, change=lambda _, dataset: seen.append(hounsfield_of(dataset)))
    np.testing.assert_array_equal(seen, head())
    return included(numbers=list(range(1, 19)))


@case(
    "padding of 63536 in 12 stored bits: what is left of it, 2096, reads as bone, and must at least be told"
)
def padding_beyond_the_stored_bits(root: Path) -> Expected:
    def pad(index: int, dataset: Dataset) -> None:
        unsigned_63536(index, dataset)
        dataset.BitsStored, dataset.HighBit, dataset.PixelPaddingValue = 12, 11, 63536

    write(root, change=pad)
    return included(corners(head(), (63536 & 0x0FFF) - 1024), "padding_within_tissue_hu")


@case("signed pixels that claim to be unsigned: all air reads as metal")
def signed_as_unsigned(root: Path) -> Expected:
    write(root, change=both(signed, setting(PixelRepresentation=0)))
    return excluded("pixel values are not HU")


@case("negative slope: unusual, and right")
def negative_slope(root: Path) -> Expected:
    write(root, slope=-1.0, intercept=3071.0)
    return included()


@case("a wrong intercept in one slice of many: its air has vanished, that of the others has not")
def wrong_intercept_in_one_slice(root: Path) -> Expected:
    write(root, change=on([9], setting(RescaleIntercept=0)))
    return excluded("pixel values are not HU", "instance 10")


@case("one slice inverted (MONOCHROME1), the others not")
def one_slice_inverted(root: Path) -> Expected:
    def invert(_: int, dataset: Dataset) -> None:
        dataset.PhotometricInterpretation = "MONOCHROME1"
        dataset.PixelData = (4095 - stored(dataset)).astype("<u2").tobytes()

    write(root, change=on([9], invert))
    return excluded("pixel values are not HU", "instance 10")


@case("one slice of zeros only, as a broken transfer leaves it")
def slice_of_zeros(root: Path) -> Expected:
    def blank(_: int, dataset: Dataset) -> None:
        dataset.PixelData = bytes(len(dataset.PixelData))

    write(root, change=on([9], blank))
    return excluded("truncated or damaged pixels", "instance 10")


@case("65535 rows and columns claimed, of which the file has a few hundred")
def more_pixels_than_memory(root: Path) -> Expected:
    write(root, change=setting(Rows=65535, Columns=65535))
    return excluded("truncated or damaged pixels")


def pictures(centre: float, width: float) -> NDArray[np.int16]:
    """``head()`` as it is shown in a window of HU: grey levels from 0 to 255."""
    return np.clip((head() - centre + width / 2) / width * 255, 0, 255).round().astype(np.int16)


def in_eight_bits(_: int, dataset: Dataset) -> None:
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 8, 8, 7
    dataset.PixelData = stored(dataset).astype("u1").tobytes()


family(
    "windowed",
    "pictures for display instead of HU: {member}",
    [
        ("8 bits, brain window", pictures(40, 80), 0, in_eight_bits),
        ("8 bits, wide window", pictures(300, 2600), 0, in_eight_bits),
        ("8 bits, intercept left", pictures(40, 80) - 1024, -1024, in_eight_bits),
        ("16 bits, brain window", pictures(40, 80), 0, None),
        ("16 bits, HU cut off at a window's ends", np.clip(head(), -20, 180), -1024, None),
    ],
    lambda root, member: build_windowed(root, *member[1:]),
)


def build_windowed(
    root: Path, hounsfield: NDArray[np.int16], intercept: float, change: Change | None
) -> Expected:
    write(root, hounsfield, intercept=intercept, change=change)
    return excluded("pixel values are not HU", "windowed for display; ingest.intensity: windowed takes")


@case("8 bits, and the study says that its images are windowed")
def windowed_as_the_study_says(root: Path) -> Expected:
    write(root, pictures(40, 80), intercept=0, change=in_eight_bits)
    return included(pictures(40, 80), "windowed_for_display", rules={"intensity": "windowed"})
