"""What each framework prepares of training scans says whose it is: it is found when one is withdrawn."""

from __future__ import annotations

from pathlib import Path

import pytest

from headct.engine.training_job import prepared_from
from headct.frameworks.base import find_framework
from support import families
from support.label_sets import LABELS

OF_NOBODY = "elastic-noise-"
"""How the name of BLAST-CT's noise begins, which is drawn from no scan."""


@pytest.mark.parametrize("name", families.FAMILIES)
def test_all_that_is_prepared_is_found_by_scan(name: str, tmp_path: Path) -> None:
    framework, job = find_framework(name), families.job(name, tmp_path)
    framework.prepare(job.training_scans, job.settings, job.shared_folder, 1, LABELS)
    made = list(job.shared_folder.glob(framework.prepared_at))
    whose = [prepared_from(one) for one in made]
    assert all(whose)
    scans = {scan.sha256[:32] for scan in job.training_scans} if made else set()
    assert {digest for digests in whose for digest in digests or []} == scans
    files = [path for path in job.shared_folder.rglob("*") if path.is_file()]
    beside = [path for path in files if path not in made and set(path.parents).isdisjoint(made)]
    assert all(path.name.startswith(OF_NOBODY) for path in beside), "a framework may prepare nothing, too"


@pytest.mark.parametrize("name", ["lock", "abc", "0123456789abcdef", "0" * 33, "dataset"])
def test_what_does_not_say_whose_it_is_is_of_nobody_known(name: str, tmp_path: Path) -> None:
    assert prepared_from(tmp_path / name) is None
