"""The machine and the packages that a network is trained, or predicts, with."""

from __future__ import annotations

import platform
import resource
from importlib.metadata import version

from headct.contracts.problems import BadInput, Problem


def require_device(device: str) -> None:
    """Refuse a GPU job on a machine without one, instead of training on the CPU for weeks."""
    import torch

    if device == "cuda" and not torch.cuda.is_available():
        raise BadInput(
            [
                Problem(
                    file="config",
                    key="device",
                    value=device,
                    message=f"no GPU is visible on {platform.node()}; give the job one or set 'device: cpu'",
                )
            ]
        )


def versions(package: str) -> dict[str, str]:
    """Versions of what the weights depend on, the package of the framework among it."""
    packages = ("torch", "numpy", "SimpleITK", package)
    return {"python": platform.python_version(), **{name: version(name) for name in packages}}


def device_name(device: str) -> str:
    """The GPU's product name, or the processor architecture."""
    import torch

    return torch.cuda.get_device_name() if device == "cuda" else platform.machine()


def single_precision(device: str) -> str:
    """What single precision is there: PyTorch lets recent GPUs round the factors of convolutions."""
    import torch

    rounds = device == "cuda" and torch.cuda.get_device_capability() >= (8, 0)
    return "float32, convolutions in TF32" if rounds and torch.backends.cudnn.allow_tf32 else "float32"


def peak_memory_mb(device: str) -> dict[str, int]:
    """Most memory that this process had so far: resident, and allocated on the GPU."""
    import torch

    peak = {"host": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}
    if device == "cuda":
        peak["gpu"] = torch.cuda.max_memory_allocated() // 2**20
    return peak
