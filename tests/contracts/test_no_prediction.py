"""A missing prediction crashed, or its scan was refused: told by the reason that is recorded."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

import pytest

from headct.contracts.no_prediction import CRASHED, REFUSED, kind_of, missing_in_words, reasons_in_words
from headct.contracts.problems import BadInput, Problem
from headct.inference.pipeline import Outcome
from headct.inference.trial_scan import TrialScan
from headct.metrics.predictions import Run, failure_reason


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (BadInput([Problem("a.nii.gz", "the slices are 40 mm apart"), Problem("a", "no voxel")]), REFUSED),
        (RuntimeError("CUDA error: an illegal memory access"), CRASHED),
        (ValueError(), CRASHED),
        (PermissionError(13, "Permission denied"), CRASHED),
        (MemoryError(), CRASHED),
    ],
)
def test_the_reason_that_a_prediction_records_tells_a_crash_from_a_refusal(
    error: Exception, kind: str
) -> None:
    def fail() -> NoReturn:
        raise error

    outcome = Outcome(TrialScan("scan-1", Path("ct.nii.gz"), Path("out.nii.gz")), memory_ends_run=False)
    outcome.step(fail)
    assert outcome.reason
    assert kind_of(outcome.reason) == kind


def test_a_scan_of_which_a_manifest_says_nothing_was_not_refused() -> None:
    nothing = {"path": None, "reason": ""}
    run = Run(1, Path("seed-1.tsv"), {"scan-1": nothing})
    for scan in ("scan-1", "scan-2"):
        assert kind_of(failure_reason(run, scan)) == CRASHED


def test_both_kinds_are_counted() -> None:
    reasons = ["KeyError: 'x'", "no slices", "RuntimeError: killed"]
    assert reasons_in_words(reasons) == missing_in_words(3, 2) == "3 (2 crashed, 1 refused)"
    assert reasons_in_words([]) == "0"
