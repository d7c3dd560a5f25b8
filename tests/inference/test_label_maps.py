"""From class probabilities to a label map: the most probable class, in the memory of a slice."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from headct.inference import pipeline
from headct.inference.pipeline import Average, most_probable

CPU = torch.device("cpu")
SHAPE = (4, 7, 12, 9)


def coarse_probabilities() -> torch.Tensor:
    """Of few different values, so that many voxels have two most probable classes."""
    return torch.randint(0, 4, SHAPE, generator=torch.manual_seed(0)) / 4


def empty_ct() -> sitk.Image:
    return sitk.Image(*SHAPE[:0:-1], sitk.sitkInt16)


class LargestTensor(TorchDispatchMode):
    """Bytes of the largest tensor that operators make within the block; views of a tensor are none."""

    def __init__(self, given: torch.Tensor) -> None:
        super().__init__()
        self.given, self.n_bytes = given.untyped_storage().data_ptr(), 0

    def __torch_dispatch__(self, operator: Any, _: Any, given: Any = (), options: Any = None) -> Any:
        made = operator(*given, **(options or {}))
        for tensor in made if isinstance(made, list | tuple) else [made]:
            if isinstance(tensor, torch.Tensor) and tensor.untyped_storage().data_ptr() != self.given:
                self.n_bytes = max(self.n_bytes, tensor.untyped_storage().nbytes())
        return made


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (0, 3, 1, 2)])
def test_labels_are_those_of_the_whole_scan_at_once(order: tuple[int, ...]) -> None:
    """The first of equals, as NumPy has it; in whatever order the voxels lie in memory."""
    probabilities = coarse_probabilities().permute(order)
    highest = probabilities.max(dim=0, keepdim=True).values
    assert ((probabilities == highest).sum(dim=0) > 1).any(), "no voxel has two most probable classes"
    found = most_probable(probabilities, CPU)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, probabilities.numpy().argmax(axis=0))


def test_labels_take_the_memory_of_one_slice() -> None:
    probabilities = coarse_probabilities()
    with LargestTensor(probabilities) as largest:
        most_probable(probabilities, CPU)
    assert 0 < largest.n_bytes <= probabilities[:, 0].numel() * probabilities.element_size()


def test_probabilities_on_another_grid_or_not_finite_are_refused() -> None:
    average = Average()
    average.add(coarse_probabilities(), 1)
    with pytest.raises(ValueError, match=r"of shape \(4, 7, 12, 9\) for a CT of"):
        average.labels(sitk.Image(3, 3, 3, sitk.sitkInt16))
    assert average.total is not None
    average.total[2, -1, 5, 5] = torch.nan
    with pytest.raises(ValueError, match="not finite"):
        average.labels(empty_ct())


class OnGpu(torch.Tensor):
    """A tensor that says that it is on a GPU, where there is none."""

    device = torch.device("cuda")  # type: ignore[assignment]


def test_without_gpu_memory_slices_are_compared_on_the_cpu(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def on_a_full_gpu(probabilities: torch.Tensor, device: torch.device) -> np.ndarray:
        if device.type == "cuda":
            raise torch.OutOfMemoryError
        return most_probable(probabilities, device)

    monkeypatch.setattr(pipeline, "most_probable", on_a_full_gpu)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
    average = Average()
    average.add(coarse_probabilities().as_subclass(OnGpu), 1)
    np.testing.assert_array_equal(average.labels(empty_ct()), coarse_probabilities().numpy().argmax(axis=0))
    assert "goes on with label maps from the CPU" in caplog.text
