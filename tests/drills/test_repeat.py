"""Two runs of the demo in different folders, sharing nothing, agree in all that counts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from headct.contracts.artefacts import sha256_of
from support import snake


@pytest.mark.slow
def test_a_second_run_in_another_folder_gives_the_same_bytes(demo: Path, tmp_path: Path) -> None:
    clone = snake.copy_repository(tmp_path / "clone")
    run = snake.make_demo(clone)
    assert run.returncode == 0, run.stdout + run.stderr
    one, other = demo / "results", clone / "demo/results"
    compared = [
        path.relative_to(one)
        for pattern in (
            "tables/*",
            "figures/*",
            "report/**/*.html",
            "audit/methods.md",
            "statistics/*",
            "metrics/*",
            "cohort/*",
            "data/*/*",
            "predictions/*/*/*",
            "models/*/*/*/final.pth",
        )
        for path in one.glob(pattern)
    ]
    assert len(compared) > 200
    differing = [str(path) for path in compared if sha256_of(one / path) != sha256_of(other / path)]
    assert differing == []
    records = [json.loads(path.read_text()) for path in other.glob("models/*/*/*/train.json")]
    assert all(record["resumed"] == 0 for record in records)
