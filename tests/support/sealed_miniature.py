"""A small study that an older release ran and sealed: ten scans, two models."""

from __future__ import annotations

import shutil
from pathlib import Path

from headct.contracts.repository import REPOSITORY

FIXTURE = REPOSITORY / "tests/fixtures/sealed_miniature"
ROOT = "fd365adbb1e9a196910bd4012b6bebbce607248a3137ce603f0f7d23c57ead67"
"""The digest that was printed when it was sealed."""


def extracted(folder: Path) -> Path:
    """Its results, unpacked into a folder."""
    shutil.unpack_archive(FIXTURE / "results.tar.xz", folder)
    return folder / "results"
