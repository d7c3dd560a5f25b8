"""Predicting with BLAST-CT's network: patches, borders, native grid."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from headct.frameworks.blastct import inference, training
from headct.frameworks.blastct.data import resample
from headct.frameworks.train import save_weights
from support.blastct_cases import OF_INFERENCE, SMALL, small_job
from support.label_sets import LABELS


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    save_weights(training.train(small_job(folder, epochs=2), folder), folder / "final.pth")
    return folder


class CentreOfThePatch(torch.nn.Module):
    """Stands in for the network: its logits are the image itself, so what comes out is known."""

    def get_output_size(self, input_size: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(size - 20 for size in input_size)

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, dict[str, Any]]:
        centre = image[:, :, 10:-10, 10:-10, 10:-10]
        return torch.cat([centre, -centre, 2 * centre, 0 * centre], dim=1), {}


@settings(max_examples=20, deadline=None)
@given(shape=st.tuples(*[st.integers(2, 37)] * 3), batch_size=st.integers(1, 7))
def test_every_voxel_is_predicted_once_and_in_its_place(shape: tuple[int, ...], batch_size: int) -> None:
    # An axis of one voxel is out of reach: blast_ct squeezes it away, and ingest asks for ten slices.
    hu = np.random.default_rng(0).integers(-1000, 1000, shape).astype(np.int16)
    fixed = {
        "configuration": training.package_configuration(SMALL, LABELS),
        "input_patch_size": [30, 30, 30],
    }
    found = inference.predict_array(hu, CentreOfThePatch(), fixed, batch_size, "cpu")
    image = (2 * np.clip(hu, -15, 100) - 85) / 115
    expected = torch.tensor(np.stack([image, -image, 2 * image, 0 * image], axis=-1)).softmax(-1)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def scan_image(size: tuple[int, int, int], flips: tuple[bool, bool, bool]) -> sitk.Image:
    image = sitk.GetImageFromArray(np.random.default_rng(1).integers(-20, 90, size[::-1]).astype(np.int16))
    image.SetSpacing([3.0, 3.5, 6.0])
    image.SetOrigin([10.0, -20.0, 30.0])
    return sitk.Flip(image, flips)


@pytest.mark.parametrize("size", [(24, 20, 11), (40, 50, 20), (3, 2, 1)])
def test_probabilities_on_the_native_grid(model_folder: Path, size: tuple[int, int, int]) -> None:
    ct = scan_image(size, (False, False, False))
    found = inference.load(model_folder, "cpu", OF_INFERENCE, LABELS)(ct)
    assert (found.shape, found.dtype) == ((4, *size[::-1]), np.float32)
    np.testing.assert_allclose(found.sum(axis=0), 1, atol=1e-5)
    assert found.min() >= 0


def test_storage_order_of_the_axes_changes_nothing(model_folder: Path) -> None:
    predict = inference.load(model_folder, "cpu", OF_INFERENCE, LABELS)
    straight = predict(scan_image((24, 20, 11), (False, False, False)))
    flipped = predict(scan_image((24, 20, 11), (True, False, True)))
    assert np.array_equal(straight, flipped[:, ::-1, :, ::-1])


@pytest.mark.parametrize("size", [(24, 20, 11), (40, 50, 20), (3, 2, 1)])
@pytest.mark.parametrize("spacing_mm", [[4.1, 3.9, 4.3], [2.1, 3.1, 5.3]])
def test_a_gpu_interpolates_as_simpleitk_does(size: tuple[int, int, int], spacing_mm: list[float]) -> None:
    """By the same function, on a CPU; no voxel lies just half a sample outside, where SimpleITK cuts."""
    native = scan_image(size, (False, False, False))
    shape = resample(native, spacing_mm, is_discrete=False).GetSize()[::-1]
    probabilities = np.random.default_rng(0).random((*shape, 4))
    expected = inference.to_native_grid(probabilities, spacing_mm, native)
    found = inference.interpolated(probabilities, spacing_mm, native, "cpu")
    assert found.dtype == torch.float32
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_linear_ramp_survives_the_way_there_and_back() -> None:
    z, y, x = np.indices((12, 24, 20)).astype(np.float32)
    native = sitk.GetImageFromArray(100 * (z + 2 * y + 3 * x))
    native.SetSpacing([5.0, 5.0, 8.0])
    there = sitk.GetArrayFromImage(resample(native, (4, 4, 4), is_discrete=False))
    back = inference.to_native_grid(np.stack([there, -there], axis=-1), [4.0, 4.0, 4.0], native)
    inner = (slice(1, -1),) * 3
    expected = sitk.GetArrayFromImage(native)[inner]
    np.testing.assert_allclose(back[0][inner], expected, rtol=1e-4)
    np.testing.assert_allclose(back[1][inner], -expected, rtol=1e-4)
