"""Where the tests' Slurm can't be started, its tests are skipped and say why."""

from __future__ import annotations

from pathlib import Path

import pytest

from support import cluster


def test_what_kept_slurm_from_starting_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "up.sh"
    script.write_text("#!/bin/sh\necho slurmctld: fatal: no such host >&2\necho gpu01 down\nexit 1\n")
    script.chmod(0o755)
    monkeypatch.setattr(cluster, "HERE", tmp_path)
    with pytest.raises(
        cluster.CannotStart, match=r"did not start: slurmctld: fatal: no such host / gpu01 down"
    ):
        cluster.start()


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "DAEMONS", ("sh", "slurm-that-nobody-has"))
    assert cluster.obstacle() in (
        "Slurm's daemons need root",
        "slurm-that-nobody-has not found: apt-get install --no-install-recommends slurm-wlm munge",
        "munged needs a /dev/null that everybody may write: chmod 666 /dev/null",
    )
