"""Masks: values, orientation, both z spacings, partial cover, and everything that must be refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk

from headct.contracts.problems import BadInput
from headct.imaging import geometry, masks
from headct.imaging.mask_files.stored import whole_numbers
from support.ct_series import table_origins, tilted
from support.label_sets import LABELS, MASK_RULES

TILT = 18.5
SLICES, ROWS, COLUMNS = 12, 14, 16
TILTED = geometry.from_slices(tilted(TILT), (0.5, 0.5), ROWS, COLUMNS, table_origins(SLICES, 2.5))
LEVEL = geometry.from_slices(tilted(0), (0.5, 0.5), ROWS, COLUMNS, table_origins(SLICES, 2.5))


def labels(slices: int = SLICES) -> np.ndarray:
    """An asymmetric lesion of all classes, different in each slice."""
    drawn = np.zeros((slices, ROWS, COLUMNS), dtype=np.uint8)
    for index in range(slices):
        drawn[index, 2 : 5 + index % 4, 3:9] = 1
        drawn[index, 9:11, 4 : 6 + index] = 2
        drawn[index, 12, 13] = 3
    return drawn


def image(
    array: np.ndarray,
    grid: geometry.Geometry,
    *,
    spacing_z: float | None = None,
    origin: np.ndarray | None = None,
    directions: np.ndarray | None = None,
) -> sitk.Image:
    """A mask with the header of ITK's reader, unless told otherwise."""
    result = sitk.GetImageFromArray(array)
    result.SetSpacing((*grid.spacing_xy_mm, spacing_z or grid.header_spacing_z_mm))
    result.SetOrigin((grid.origins[0] if origin is None else origin).tolist())
    result.SetDirection((grid.directions if directions is None else directions).ravel().tolist())
    return result


def placed(
    path: Path, drawn: sitk.Image, grid: geometry.Geometry, rules: masks.MaskRules = MASK_RULES
) -> np.ndarray:
    sitk.WriteImage(drawn, str(path))
    return masks.on_grid(masks.read(path, rules, "mask", LABELS), grid)


@pytest.mark.parametrize("suffix", [".nii.gz", ".nii", ".nrrd", ".mha"])
@pytest.mark.parametrize("grid", [TILTED, LEVEL])
def test_formats_and_both_spacings(tmp_path: Path, suffix: str, grid: geometry.Geometry) -> None:
    for spacing in (grid.header_spacing_z_mm, grid.spacing_mm_xyz[2]):
        drawn = image(labels(), grid, spacing_z=spacing)
        np.testing.assert_array_equal(placed(tmp_path / f"m{suffix}", drawn, grid), labels())


@pytest.mark.parametrize("orientation", ["RAS", "LPI", "RPI", "SLP", "PIR"])
def test_other_storage_orders_are_brought_to_the_axes_of_the_scan(tmp_path: Path, orientation: str) -> None:
    drawn = sitk.DICOMOrient(image(labels(), TILTED), orientation)
    np.testing.assert_array_equal(placed(tmp_path / "m.nii.gz", drawn, TILTED), labels())


def test_values_map_through_the_config(tmp_path: Path) -> None:
    drawn = np.choose(labels(), [0, 7, 1, 2]).astype(np.float32)
    rules = masks.MaskRules({"ICH": (7,), "PHE": (1,), "IVH": (2,)})
    np.testing.assert_array_equal(placed(tmp_path / "m.nii.gz", image(drawn, LEVEL), LEVEL, rules), labels())


def test_several_values_mean_a_lesion_and_others_are_left_out(tmp_path: Path) -> None:
    drawn = labels().astype(np.uint8)
    drawn[drawn == 2] = 9
    drawn[0, 0, :3] = 5
    rules = masks.MaskRules({"ICH": (1, 3), "PHE": (), "IVH": (7,)}, ignored=(5, 9))
    sitk.WriteImage(image(drawn, LEVEL), str(tmp_path / "m.nii.gz"))
    mask = masks.read(tmp_path / "m.nii.gz", rules, "mask", LABELS)
    np.testing.assert_array_equal(masks.on_grid(mask, LEVEL), np.where(np.isin(drawn, (1, 3)), 1, 0))
    assert mask.ignored == {5: 3, 9: int((labels() == 2).sum())}
    nothing = masks.MaskRules({"ICH": (), "PHE": (), "IVH": (2,)}, ignored=(1, 3, 5, 9))
    with pytest.raises(BadInput, match="no voxel is labelled"):
        masks.read(tmp_path / "m.nii.gz", nothing, "mask", LABELS)


def test_all_unknown_values_are_listed(tmp_path: Path) -> None:
    drawn = labels().astype(np.int16)
    drawn[0, 0, :3], drawn[0, 1, 0] = 9, -4
    with pytest.raises(BadInput) as caught:
        placed(tmp_path / "m.nii.gz", image(drawn, LEVEL), LEVEL)
    (problem,) = caught.value.problems
    assert problem.value == "-4 (1 voxels), 9 (3 voxels)"
    assert "1 ICH, 2 PHE, 3 IVH" in problem.message


@pytest.mark.parametrize("value", [1, 2, 255])
def test_any_value_of_a_file_of_one_lesion_is_that_lesion(tmp_path: Path, value: int) -> None:
    """Whatever the labels setting says of the value: 2 is PHE there, and 255 nothing."""
    path = tmp_path / "m.nii.gz"
    sitk.WriteImage(image((labels() == 3) * np.uint8(value), TILTED), str(path))
    mask = masks.read_one_lesion(path, "IVH", MASK_RULES, "mask:IVH", LABELS)
    np.testing.assert_array_equal(masks.on_grid(mask, TILTED), np.where(labels() == 3, 3, 0))
    assert (mask.ignored, mask.by_names) == ({}, False)


def test_values_that_are_ignored_are_no_lesion_in_a_file_of_one(tmp_path: Path) -> None:
    """They are left out beside the lesion's own; where there are no others, nothing tells what was meant."""
    path, rules = tmp_path / "m.nii.gz", replace(MASK_RULES, ignored=(9,), may_be_empty=True)
    sitk.WriteImage(image(np.choose(labels(), [0, 7, 0, 9]).astype(np.uint8), LEVEL), str(path))
    mask = masks.read_one_lesion(path, "ICH", rules, "mask:ICH", LABELS)
    np.testing.assert_array_equal(masks.on_grid(mask, LEVEL), np.where(labels() == 1, 1, 0))
    assert mask.ignored == {9: int((labels() == 3).sum())}
    sitk.WriteImage(image((labels() == 3) * np.uint8(9), LEVEL), str(path))
    with pytest.raises(BadInput, match=r"values under ignore") as caught:
        masks.read_one_lesion(path, "ICH", rules, "mask:ICH", LABELS)
    assert caught.value.problems[0].value == f"9 ({(labels() == 3).sum()} voxels)"


@pytest.mark.parametrize("value", [-1.0, 0.5, np.inf, np.nan])
def test_a_value_that_no_lesion_has_is_refused_in_a_file_of_one(tmp_path: Path, value: float) -> None:
    path = tmp_path / "m.nrrd"
    sitk.WriteImage(image(np.where(labels() == 2, np.float32(value), np.float32(0)), LEVEL), str(path))
    with pytest.raises(BadInput, match="a whole number from 1 on"):
        masks.read_one_lesion(path, "PHE", MASK_RULES, "mask:PHE", LABELS)


def test_a_file_of_one_lesion_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"key mask:PHE: there is no such mask file"):
        masks.read_one_lesion(tmp_path / "m.nrrd", "PHE", MASK_RULES, "mask:PHE", LABELS)


def test_fractions_are_refused_as_resampled(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="resampling"):
        placed(tmp_path / "m.nii.gz", image(labels() * np.float32(0.5), LEVEL), LEVEL)


@pytest.mark.parametrize("shift", [3, 11])
@pytest.mark.parametrize("header", ["itk", "perpendicular", "part"])
@pytest.mark.parametrize("grid", [TILTED, LEVEL])
def test_fewer_slices_are_matched_by_origin(
    tmp_path: Path, grid: geometry.Geometry, header: str, shift: int
) -> None:
    """Cropped with ITK's header or the true one of the whole scan, or drawn on a part of it."""
    count = min(5, SLICES - shift)
    spacing = grid.spacing_mm_xyz[2] if header == "perpendicular" else grid.header_spacing_z_mm
    origin = grid.origins[0] + shift * spacing * grid.directions[:, 2]
    if header == "part":
        origin = grid.origins[shift]
    drawn = image(labels()[shift : shift + count], grid, spacing_z=spacing, origin=origin)
    expected = np.zeros_like(labels())
    expected[shift : shift + count] = labels()[shift : shift + count]
    np.testing.assert_array_equal(placed(tmp_path / "m.nii.gz", drawn, grid), expected)


def test_part_of_an_uneven_series_keeps_its_own_slices(tmp_path: Path) -> None:
    origins = table_origins(SLICES)
    origins[:, 2] = np.concatenate([np.arange(7) * 4, 24 + np.arange(1, 6) * 7])
    grid = geometry.from_slices(tilted(TILT), (0.5, 0.5), ROWS, COLUMNS, origins)
    drawn = image(labels()[8:], grid, spacing_z=7.0, origin=grid.origins[8])
    result = placed(tmp_path / "m.nii.gz", drawn, grid)
    np.testing.assert_array_equal(result[8:], labels()[8:])
    assert not result[:8].any()


UNEVEN = table_origins(SLICES)
UNEVEN[:, 2] = np.concatenate([np.arange(7) * 4, 24 + np.arange(1, 6) * 7])


@pytest.mark.parametrize("degrees", [0.0, TILT])
@pytest.mark.parametrize("gap_mm", [4.0, 7.0])
def test_the_first_or_last_gap_of_an_uneven_series_may_stand_for_all(
    tmp_path: Path, gap_mm: float, degrees: float
) -> None:
    """As dcm2niix has it, whichever end it starts from."""
    grid = geometry.from_slices(tilted(degrees), (0.5, 0.5), ROWS, COLUMNS, UNEVEN)
    for spacing in (gap_mm, gap_mm * np.cos(np.radians(degrees))):
        drawn = image(labels(), grid, spacing_z=spacing)
        np.testing.assert_array_equal(placed(tmp_path / "m.nii.gz", drawn, grid), labels())
    with pytest.raises(masks.Mismatch, match=r"z spacing of 5\.000 mm"):
        placed(tmp_path / "m.nii.gz", image(labels(), grid, spacing_z=5.0), grid)


@pytest.mark.parametrize("grid", [TILTED, LEVEL])
@pytest.mark.parametrize("depth", [SLICES, 4, 1])
@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd"])
def test_a_mask_cropped_in_plane_is_placed_by_its_origin(
    tmp_path: Path, grid: geometry.Geometry, depth: int, suffix: str
) -> None:
    part = image(labels(), grid)[2:15, 1:13, 0:depth]
    expected = np.zeros_like(labels())
    expected[:depth, 1:13, 2:15] = labels()[:depth, 1:13, 2:15]
    np.testing.assert_array_equal(placed(tmp_path / f"m{suffix}", part, grid), expected)


def test_a_smaller_matrix_at_the_place_of_the_whole_is_refused(tmp_path: Path) -> None:
    """A header copied to an image of every second pixel, say."""
    with pytest.raises(masks.Mismatch, match="8 x 7, the scan has 16 x 14, and both start at the same voxel"):
        placed(tmp_path / "m.nii.gz", image(labels()[:, ::2, ::2].copy(), LEVEL), LEVEL)


REFUSED = {
    "matrix": (image(labels()[:, :, :-1], LEVEL), LEVEL, "matrix: 15 x 14, the scan has 16 x 14"),
    "slices": (image(labels(SLICES + 1), LEVEL), LEVEL, "13 slices, the scan has 12"),
    "unsheared": (
        image(labels(), TILTED, directions=np.eye(3)),
        TILTED,
        r"turned by 18.5 degrees .*un-sheared",
    ),
    "enlarged": (image(np.pad(labels(), ((0, 0), (0, 9), (0, 0))), TILTED), TILTED, "un-sheared"),
    "spacing": (image(labels(), LEVEL, spacing_z=5.0), LEVEL, r"z spacing of 5.000 mm, expected 2.500"),
    "shifted": (
        image(labels(), LEVEL, origin=LEVEL.origins[0] + [0.5, 0, 0]),
        LEVEL,
        "0.50 mm from that of any slice",
    ),
    "one slice up": (image(labels(), LEVEL, origin=LEVEL.origins[1]), LEVEL, "2.50 mm from that"),
    "between slices": (
        image(labels()[:4], LEVEL, origin=LEVEL.origins[1] + [0, 0, 1.25]),
        LEVEL,
        "1.25 mm from that",
    ),
    "other scan": (image(labels(), LEVEL, origin=LEVEL.origins[0] + 40), LEVEL, "another scan"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_masks_that_do_not_fit_are_refused_with_the_mismatch(tmp_path: Path, case: str) -> None:
    drawn, grid, message = REFUSED[case]
    with pytest.raises(masks.Mismatch, match=message):
        placed(tmp_path / "m.nii.gz", drawn, grid)


def test_other_pixel_size_is_refused(tmp_path: Path) -> None:
    drawn = image(labels(), LEVEL)
    drawn.SetSpacing((0.51, 0.5, 2.5))
    with pytest.raises(masks.Mismatch, match=r"pixels of 0.5100 x 0.5000 mm, the scan has 0.5000"):
        placed(tmp_path / "m.nii.gz", drawn, LEVEL)


def test_unreadable_masks(tmp_path: Path) -> None:
    (tmp_path / "broken.nii.gz").write_bytes(b"no gzip")
    (tmp_path / "mask.txt").write_text("1 2 3")
    sitk.WriteImage(image(labels() * 0, LEVEL), str(tmp_path / "empty.nii"))
    vector = sitk.Compose(image(labels(), LEVEL), image(labels(), LEVEL))
    sitk.WriteImage(vector, str(tmp_path / "vector.nrrd"))
    for name, message in {
        "nowhere.nii.gz": "no such mask",
        "broken.nii.gz": "can't be read",
        "mask.txt": "a mask is NIfTI, NRRD",
        "empty.nii": "is empty",
        "vector.nrrd": "not one 3-D label map",
    }.items():
        with pytest.raises(BadInput, match=message) as caught:
            masks.read(tmp_path / name, MASK_RULES, "mask_intra", LABELS)
        assert caught.value.problems[0].key == "mask_intra"


def segmentation(array: np.ndarray, **names: int) -> sitk.Image:
    """A mask with the names that 3D Slicer writes into a ``.seg.nrrd``."""
    drawn = image(array, LEVEL)
    for number, (name, value) in enumerate(names.items()):
        drawn.SetMetaData(f"Segment{number}_ID", f"Segment_{number + 1}")
        drawn.SetMetaData(f"Segment{number}_LabelValue", str(value))
        drawn.SetMetaData(f"Segment{number}_Layer", "0")
        drawn.SetMetaData(f"Segment{number}_Name", name)
    return drawn


SAME_NAMES: list[dict[str, int]] = [
    {"ICH": 1, "PHE": 2, "IVH": 3},
    {"intracerebral haemorrhage": 1, "Perihematomal edema": 2, "IVH (intraventricular)": 3},
    {"Segment_1": 1, "lesion": 2},
    {"ICH and IVH": 1},
    {"IVH": 7},
    {"left_ich_2": 1, "unknown": 9},
    {"Hemorrhage": 1, "Perihemorrhagic edema": 2, "Intra-ventricular hemorrhage": 3},
    {"IntracerebralHemorrhage": 1, "Peri-haematomal oedema": 2, "Ventricular blood": 3},
    {"sICH": 1, "PHEvolume": 2, "IVHVolume": 3},
    {"Hämatom": 1, "Ödem": 2, "Ventricles": 3},
    {"ICH (no IVH)": 1, "Edema around hematoma": 2, "IVH, not ICH": 3},
    {"Hematoma without ventricular extension": 1, "Periventricular edema": 2},
    {"Hemorrhage, IVH excluded": 1, "region with hemorrhage and edema": 2},
    {"ICH no. 2": 1, "microhemorrhage": 2, "Which one": 3},
    {"Intracerebral hemorrhage + ventricular extension": 1},
    {"Periventricular hemorrhage": 1},
]


@pytest.mark.parametrize("names", SAME_NAMES, ids=str)
def test_names_in_the_file_that_contradict_nothing(tmp_path: Path, names: dict[str, int]) -> None:
    drawn = segmentation(labels(), **names)
    np.testing.assert_array_equal(placed(tmp_path / "m.seg.nrrd", drawn, LEVEL), labels())


OTHER_NAMES: list[tuple[dict[str, int], str]] = [
    ({"IVH": 1, "ICH": 3}, r"calls 1 'IVH', the labels setting calls it ICH; .*calls 3 'ICH'"),
    ({"IVH": 1, "PHE": 2, "ICH and IVH": 3}, "calls 1 'IVH'"),
    ({"IVH": 1, "PHE": 2, "haematoma, IVH": 3}, "calls 1 'IVH'"),
    ({"Hemorrhage": 1, "PHE": 2, "haematoma": 3}, "calls 3 'haematoma'"),
    ({"oedema": 1}, "calls 1 'oedema'"),
    ({"Intraventricular hemorrhage": 2}, "calls it PHE"),
    ({"Intra-ventricular hemorrhage": 1}, "calls it ICH"),
    ({"IntraVentricularHemorrhage": 1}, "calls it ICH"),
    ({"Ventricular blood": 1}, "calls it ICH"),
    ({"IVHvolume": 1}, "calls it ICH"),
    ({"IVH, not ICH": 1}, "calls it ICH"),
    ({"Perihemorrhagic edema": 1}, "calls it ICH"),
    ({"Peri-haematomal": 1}, "calls it ICH"),
    ({"Oedeme": 1}, "calls it ICH"),
    ({"Hemorrhage": 2}, "calls it PHE"),
    ({"left haematoma": 2}, "calls it PHE"),
    ({"IntracerebralHemorrhage": 2}, "calls it PHE"),
    ({"Hemorrhage": 3}, "calls it IVH"),
]


@pytest.mark.parametrize(("names", "said"), OTHER_NAMES, ids=str)
def test_names_in_the_file_that_contradict_the_labels_setting(
    tmp_path: Path, names: dict[str, int], said: str
) -> None:
    with pytest.raises(BadInput, match=said) as caught:
        placed(tmp_path / "m.seg.nrrd", segmentation(labels(), **names), LEVEL)
    assert "mend the setting" in str(caught.value)


def test_names_of_all_lesions_decide_where_values_are_others(tmp_path: Path) -> None:
    """Programs number segments as they were drawn; a flag tells that the names were believed."""
    drawn = segmentation(labels(), IVH=1, PHE=2, ICH=3)
    sitk.WriteImage(drawn, str(tmp_path / "m.seg.nrrd"))
    mask = masks.read(tmp_path / "m.seg.nrrd", MASK_RULES, "mask", LABELS)
    assert mask.by_names
    np.testing.assert_array_equal(masks.on_grid(mask, LEVEL), np.choose(labels(), [0, 3, 2, 1]))
    none = masks.MaskRules({"ICH": (1,), "PHE": (), "IVH": (3,)}, ignored=(2,))
    with pytest.raises(BadInput, match="calls 1 'IVH'"):  # PHE is named, and the setting says to ignore it
        masks.read(tmp_path / "m.seg.nrrd", none, "mask", LABELS)


def test_a_name_without_a_voxel_does_no_harm(tmp_path: Path) -> None:
    drawn = np.where(labels() == 1, 1, 0).astype(np.uint8)
    placed(tmp_path / "m.seg.nrrd", segmentation(drawn, ICH=1, IVH=2), LEVEL)


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize(("name", "is_refused"), [("IVH", True), ("ICH", False)])
def test_a_label_table_in_nifti_counts(tmp_path: Path, suffix: str, name: str, is_refused: bool) -> None:
    """The extension that Connectome Workbench writes (code 30)."""
    path = tmp_path / f"m{suffix}"
    sitk.WriteImage(image(labels(), LEVEL), str(path))
    table = (
        '<?xml version="1.0"?><CaretExtension><VolumeInformation Index="0"><LabelTable>'
        '<Label Key="0" Red="0"><![CDATA[???]]></Label>'
        f'<Label Key="1" Red="1"><![CDATA[{name}]]></Label></LabelTable>'
        "</VolumeInformation></CaretExtension>"
    )
    stored = nibabel.load(path)
    stored.header.extensions.append(nibabel.nifti1.Nifti1Extension(30, table.encode()))
    nibabel.save(nibabel.Nifti1Image(np.array(stored.dataobj), stored.affine, stored.header), path)
    if not is_refused:
        assert masks.read(path, MASK_RULES, "mask", LABELS).labels.any()
        return
    with pytest.raises(BadInput, match="calls 1 'IVH'"):
        masks.read(path, MASK_RULES, "mask", LABELS)


def test_stamped_image_has_true_spacing_and_no_text(tmp_path: Path) -> None:
    stamped = masks.to_image(labels(), TILTED)
    assert stamped.GetSpacing() == pytest.approx((0.5, 0.5, 2.5 * np.cos(np.radians(TILT))))
    sitk.WriteImage(stamped, str(tmp_path / "m.nii"))
    header = (tmp_path / "m.nii").read_bytes()[:348]
    assert header[148:252].strip(b"\0") == b""  # descrip, aux_file
    assert header[328:344].strip(b"\0") == b""  # intent_name
    assert header[4:36].strip(b"\0") == b""  # data_type, db_name


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.int64])
def test_integers_stay_as_they_are_stored(kind: type[np.integer]) -> None:
    stored = np.array([0, 3, 100], kind)
    assert whole_numbers(stored) is stored, "np.rint makes half floats of bytes, which ingest was slow with"


def test_floats_near_whole_numbers_mean_these() -> None:
    np.testing.assert_array_equal(whole_numbers(np.float32([0.9995, 2.0])), [1, 2])
    np.testing.assert_array_equal(whole_numbers(np.float32([0.996, 2.0]), step=0.01), [1, 2])
    np.testing.assert_array_equal(whole_numbers(np.float32([0.5, 2.0])), np.float32([0.5, 2.0]))
