"""Masks in NRRD and MetaImage, with what 3D Slicer writes into the header of a ``.seg.nrrd``.

Slicer crops a segmentation to what is drawn (its origin says where) and stores segments that overlap, or
once did, in several layers, in each of which label values begin at 1 again
(https://slicer.readthedocs.io/en/latest/developer_guide/modules/segmentations.html).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from headct.imaging import label_names, nifti
from headct.imaging.label_names import NamedSegment
from headct.imaging.mask_files.stored import StoredMask, one_map, whole_numbers
from headct.imaging.nifti_geometry import Trusted

SUFFIXES = (".nrrd", ".mha")
DETACHED = re.compile(rb"(?im)^(data ?file:|ElementDataFile *= *+(?!LOCAL))")
"""Of NRRD and MetaImage: the voxels are in another file."""

FIRST_BYTES = re.compile(rb"NRRD0|\s*(ObjectType|NDims|Comment)\s*=")


def takes(start: bytes) -> bool:
    """Whether a file is NRRD or MetaImage, by its first bytes."""
    return FIRST_BYTES.match(start) is not None


def read(path: Path, trusted: Trusted) -> StoredMask:  # noqa: ARG001  # one signature for all formats
    """Voxels, place and segments.

    Raises:
        Unreadable: the file can't be used.
    """
    if DETACHED.search(nifti.first_bytes(path)):
        raise nifti.Unreadable("its voxels lie in another file: save it as one")
    image = _image(path)
    n_channels = image.GetNumberOfComponentsPerPixel()
    if image.GetDimension() == 4:
        volumes = [image[..., index] for index in range(image.GetSize()[3])]
    else:
        volumes = [image]
    if volumes[0].GetDimension() != 3 or (len(volumes) > 1 and n_channels > 1):
        raise nifti.Unreadable("it is not one 3-D label map")
    segments = label_names.segments_of(image)
    turned = [sitk.DICOMOrient(volume, "LPS") for volume in volumes]
    affine = np.eye(4)
    affine[:3, :3] = np.reshape(turned[0].GetDirection(), (3, 3)) * turned[0].GetSpacing()
    affine[:3, 3] = turned[0].GetOrigin()
    arrays = [sitk.GetArrayFromImage(volume) for volume in turned]
    values = whole_numbers(np.moveaxis(arrays[0], -1, 0) if n_channels > 1 else np.stack(arrays))
    if len(values) == 1:
        return StoredMask(values[0], affine, [(one.value, one.name) for one in segments])
    return _of_layers(values, affine, segments) if segments else StoredMask(values, affine)


def _image(path: Path) -> sitk.Image:
    start = nifti.first_bytes(path)
    reader = sitk.ImageFileReader()
    reader.SetImageIO("NrrdImageIO" if start.startswith(b"NRRD") else "MetaImageIO")
    reader.SetFileName(str(path))
    try:
        return reader.Execute()
    except RuntimeError as error:
        sheared = ": its axes are sheared; save it in ITK-SNAP on the original DICOM series"
        raise nifti.Unreadable(f"damaged{sheared if 'orthonormal' in str(error) else ''}") from error


def _of_layers(layers: NDArray[Any], affine: NDArray[np.float64], segments: list[NamedSegment]) -> StoredMask:
    """Segments in several layers, as one map: by their values, or numbered anew where these repeat.

    Raises:
        Unreadable: voxels belong to two segments.
    """
    names = {(one.layer, one.value): one.name for one in segments}
    drawn = [
        (layer, value) for layer, values in enumerate(layers) for value in np.unique(values[values != 0])
    ]
    is_numbered_here = len({value for _, value in drawn}) < len(drawn)
    voxels, titles, named = {}, {}, []
    for place, (layer, value) in enumerate(drawn, start=1):
        number, name = place if is_numbered_here else int(value), names.get((layer, int(value)), "")
        voxels[number] = layers[layer] == value
        titles[number] = f"segment {name!r}"
        named.append((number, name))
    if not voxels:
        return StoredMask(layers[0], affine)
    return StoredMask(one_map(voxels, titles), affine, named, is_numbered_here)
