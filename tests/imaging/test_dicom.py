"""DICOM headers and pixels, grouping into series, and the choice of one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from headct.contracts.problems import BadInput
from headct.imaging import dicom, fitness, scan_selection, series
from headct.imaging.hounsfield import to_int16
from support.ct_series import AXIAL, head, table_origins, tilted, write_series


def chosen(folder: Path, **rules: object) -> series.Chosen:
    """The choice among the series of a folder."""
    found = series.group(dicom.read_folder(folder, "s1").instances)
    return scan_selection.choose(found, fitness.SeriesRules(**rules), "s1")


def volume(choice: series.Chosen) -> np.ndarray:
    return np.stack([to_int16(dicom.read_slice(i)[0]) for i in choice.instances])


def test_slices_come_upwards_whatever_names_and_numbers_say(tmp_path: Path) -> None:
    def reverse_numbers(index: int, dataset: Dataset) -> None:
        dataset.InstanceNumber = 100 - index

    write_series(tmp_path, change=reverse_numbers)
    np.testing.assert_array_equal(volume(chosen(tmp_path)), head())


def test_rescale_is_taken_from_each_slice(tmp_path: Path) -> None:
    def own_intercept(index: int, dataset: Dataset) -> None:
        dataset.RescaleIntercept = -1024 + index

    write_series(tmp_path, change=own_intercept)
    np.testing.assert_array_equal(volume(chosen(tmp_path)), head() + np.arange(12)[:, None, None])


@given(st.sampled_from([0.25, 0.5, 1.0, 2.0]), st.integers(-2000, 0), st.integers(0, 4000))
def test_rescale_gives_back_the_hounsfield_units(slope: float, intercept: int, stored: int) -> None:
    instance = dicom.Instance(Path("unread"), Dataset())
    instance.header.RescaleSlope, instance.header.RescaleIntercept = slope, intercept
    hounsfield = np.array([[stored * slope + intercept]])
    assert dicom.rescale(instance) == (slope, intercept)
    assert to_int16(hounsfield)[0, 0] == np.clip(np.rint(hounsfield), -1024, 3071)


def test_fractional_rescale_is_rounded_to_whole_units(tmp_path: Path) -> None:
    write_series(tmp_path, slope=0.3, intercept=-1024.5)
    np.testing.assert_allclose(volume(chosen(tmp_path)), head(), atol=1)


def test_hounsfield_units_are_clipped_not_wrapped() -> None:
    clipped = to_int16(np.array([-40000, -1500, 5000, 70000], dtype=np.int32))
    assert clipped.tolist() == [-1024, -1024, 3071, 3071]


def test_compressed_pixels_are_decoded(tmp_path: Path) -> None:
    def compress(_: int, dataset: Dataset) -> None:
        dataset.compress(pydicom.uid.RLELossless)

    write_series(tmp_path, change=compress)
    np.testing.assert_array_equal(volume(chosen(tmp_path)), head())


def test_duplicates_are_dropped(tmp_path: Path) -> None:
    paths = write_series(tmp_path)
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / "again.dcm").write_bytes(paths[3].read_bytes())
    choice = chosen(tmp_path)
    assert len(choice.instances) == 12
    assert "duplicates_dropped" in scan_selection.flags(choice, fitness.SeriesRules())


def test_repeated_scan_in_one_series_is_split_by_acquisition(tmp_path: Path) -> None:
    uid = pydicom.uid.generate_uid()

    def acquisition(number: int, kernel: str = "H31s"):
        def change(_: int, dataset: Dataset) -> None:
            dataset.SeriesInstanceUID, dataset.AcquisitionNumber = uid, number
            dataset.ConvolutionKernel = kernel

        return change

    write_series(tmp_path / "a", change=acquisition(1))
    write_series(tmp_path / "b", head() + 1, series=2, change=acquisition(2))
    with pytest.raises(BadInput, match="2 series are equally good"):
        chosen(tmp_path)


def test_two_different_slices_at_one_position_are_no_volume(tmp_path: Path) -> None:
    origins = table_origins()
    origins[5] = origins[4]
    write_series(tmp_path, origins=origins)
    with pytest.raises(dicom.Ineligible, match="same position"):
        chosen(tmp_path)


def test_soft_tissue_kernel_wins_over_bone_and_the_rest_is_listed(tmp_path: Path) -> None:
    def bone(_: int, dataset: Dataset) -> None:
        dataset.ConvolutionKernel = "H60s"

    def scout(_: int, dataset: Dataset) -> None:
        dataset.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]

    write_series(tmp_path / "1", head(2), orientation=(1, 0, 0, 0, 0, -1), series=1, change=scout)
    write_series(tmp_path / "2", series=2, change=bone)
    write_series(tmp_path / "3", series=3)
    choice = chosen(tmp_path)
    assert choice.series.describe()["series_number"] == 3
    reasons = {entry["series_number"]: entry["reason"] for entry in choice.rejected}
    assert reasons == {1: "scout view", 2: "another series is better by soft_tissue_kernel"}


@pytest.mark.parametrize(
    ("kernel", "sharp"),
    [("H31s", 0), ("H60s", 1), ("Hr40f", 0), ("Hr64h", 1), ("UB", 0), ("YC", 1), ("STANDARD", 0),
     ("BONEPLUS", 1), ("FC21", 0), ("FC30", 1), ("FC81", 1), ("", 0), ("J40s", 0)],
)  # fmt: skip
def test_sharp_kernels_of_the_large_makers(tmp_path: Path, kernel: str, sharp: int) -> None:
    header = Dataset()
    header.ConvolutionKernel = kernel
    one = series.Series([dicom.Instance(tmp_path, header)])
    assert scan_selection.CRITERIA["soft_tissue_kernel"](one, fitness.SeriesRules()) == 1 - sharp


def test_two_kernels_in_one_series_are_two_volumes(tmp_path: Path) -> None:
    """Some archives put all reconstructions of a scan under one series."""
    uid = pydicom.uid.generate_uid()
    for kernel in ("H31s", "H60s"):

        def change(_: int, dataset: Dataset, kernel: str = kernel) -> None:
            dataset.SeriesInstanceUID, dataset.ConvolutionKernel = uid, kernel

        write_series(tmp_path / kernel, change=change)
    choice = chosen(tmp_path)
    assert [i.kernel for i in choice.instances] == ["H31s"] * 12


def test_slices_seen_from_above_are_axial_too(tmp_path: Path) -> None:
    write_series(tmp_path, orientation=(1, 0, 0, 0, -1, 0))
    choice = chosen(tmp_path)
    np.testing.assert_array_equal(volume(choice), head())
    assert choice.geometry.moves.flip_y


def test_thickness_decides_where_the_settings_say_so(tmp_path: Path) -> None:
    write_series(tmp_path / "thick", series=1)
    write_series(tmp_path / "thin", head(24), table_origins(24, 2.5), series=2)
    with pytest.raises(BadInput) as caught:
        chosen(tmp_path)
    assert "series number 1" in str(caught.value)
    assert "thicker_slices" in str(caught.value)
    for criterion, number in (("thicker_slices", 1), ("thinner_slices", 2), ("more_slices", 2)):
        choice = chosen(tmp_path, series_preference=(criterion,))
        assert choice.series.describe()["series_number"] == number


@pytest.mark.parametrize("tilt", [0.0, 20.0])
def test_a_gap_of_twice_the_median_is_a_missing_section(tmp_path: Path, tilt: float) -> None:
    origins = np.delete(table_origins(13), 6, axis=0)
    write_series(tmp_path, origins=origins, orientation=tilted(tilt))
    with pytest.raises(dicom.Ineligible, match=r"missing section: .* between instance 6 and instance 7"):
        chosen(tmp_path)


def test_real_uneven_gaps_are_no_missing_section(tmp_path: Path) -> None:
    """4 mm through the posterior fossa, 7 mm above, as on the GE head of the real series."""
    origins = table_origins()
    origins[:, 2] = np.concatenate([np.arange(7) * 4, 24 + np.arange(1, 6) * 7])
    write_series(tmp_path, origins=origins)
    assert "uneven_gaps" in scan_selection.flags(chosen(tmp_path), fitness.SeriesRules())


def _set(**values: object):
    def change(_: int, dataset: Dataset) -> None:
        for keyword, value in values.items():
            if value is None:
                delattr(dataset, keyword)
            else:
                setattr(dataset, keyword, value)

    return change


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_set(Modality="MR"), r"not CT: modality MR"),
        (_set(ImagePositionPatient=None), "no image position"),
        (_set(ImageOrientationPatient=None), "no image position or orientation"),
        (_set(ImageOrientationPatient=[1, 0, 0, 0, 0, -1]), "not axial: slices at 90 degrees"),
        (_set(ImageOrientationPatient=[1, 0, 0, 1, 0, 0]), "perpendicular"),
        (_set(PixelSpacing=None), "no pixel spacing"),
        (_set(NumberOfFrames=2), "multi-frame"),
    ],
)
def test_ineligible_series_say_why(tmp_path: Path, change: object, reason: str) -> None:
    write_series(tmp_path, change=change)
    with pytest.raises(dicom.Ineligible, match=reason):
        chosen(tmp_path)


def test_too_few_slices(tmp_path: Path) -> None:
    write_series(tmp_path, head(9))
    with pytest.raises(dicom.Ineligible, match=r"too few slices: 9 of at least 10"):
        chosen(tmp_path)
    assert len(chosen(tmp_path, minimum_slices=9).instances) == 9


def test_truncated_pixels_are_named_by_instance(tmp_path: Path) -> None:
    paths = write_series(tmp_path)
    paths[4].write_bytes(paths[4].read_bytes()[:-100])
    with pytest.raises(dicom.Ineligible, match="truncated or damaged pixels: instance 5"):
        volume(chosen(tmp_path))


@pytest.mark.parametrize("files", [{}, {"notes.txt": b"no DICOM here"}])
def test_folder_without_dicom(tmp_path: Path, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    with pytest.raises(BadInput, match="image"):
        dicom.read_folder(tmp_path, "s1")


def test_an_empty_file_is_what_a_broken_transfer_leaves(tmp_path: Path) -> None:
    write_series(tmp_path)[3].write_bytes(b"")
    with pytest.raises(dicom.Ineligible, match="truncated or damaged file: file 4 of 12"):
        dicom.read_folder(tmp_path, "s1")


def test_missing_folder_and_broken_link(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no DICOM folder"):
        dicom.read_folder(tmp_path / "nowhere", "s1")
    (tmp_path / "link").symlink_to(tmp_path / "nothing")
    with pytest.raises(BadInput, match="broken link"):
        dicom.read_folder(tmp_path, "s1")


def test_files_without_preamble_are_read_and_others_counted(tmp_path: Path) -> None:
    for path in write_series(tmp_path):
        path.write_bytes(path.read_bytes()[132:])
    (tmp_path / "README").write_text("not DICOM")
    folder = dicom.read_folder(tmp_path, "s1")
    assert (len(folder.instances), folder.other_files) == (12, 1)


def test_facts_that_repeat_an_identifier_or_are_not_plain_are_withheld(tmp_path: Path) -> None:
    def leak(_: int, dataset: Dataset) -> None:
        dataset.Manufacturer = "scanner of CANARY-id"
        dataset.ManufacturerModelName = "for Müller\nsee notes"
        dataset.KVP = "120"

    write_series(tmp_path, orientation=AXIAL, change=leak)
    facts, withheld = dicom.acquisition_facts(dicom.read_folder(tmp_path, "s1").instances[0])
    assert withheld == ["manufacturer", "model"]
    assert facts["kernel"] == "H31s"
    assert facts["kvp_kv"] == 120
    assert "canary" not in str(facts).lower()


def test_nonsense_in_numbers_is_absent_not_an_error(tmp_path: Path) -> None:
    def nonsense(_: int, dataset: Dataset) -> None:
        dataset.add_new("KVP", "LO", "high")
        dataset.add_new("InstanceNumber", "LO", "first")

    write_series(tmp_path, change=nonsense)
    choice = chosen(tmp_path)
    assert choice.instances[0].number is None
    assert "kvp_kv" not in dicom.acquisition_facts(choice.instances[0])[0]
    assert "instance_numbers_not_consecutive" in scan_selection.flags(choice, fitness.SeriesRules())


def test_acquisition_numbers_that_start_again_are_no_repeated_scan(tmp_path: Path) -> None:
    def cycle(index: int, dataset: Dataset) -> None:
        dataset.AcquisitionNumber = index % 6

    write_series(tmp_path, change=cycle)
    assert len(chosen(tmp_path).instances) == 12
