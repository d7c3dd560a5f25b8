"""The benchmark of verification: on the tree that it makes there is nothing to be found."""

from __future__ import annotations

from pathlib import Path

import pytest

from headct.provenance import privacy
from headct.provenance.verify import INTEGRITY

pytestmark = pytest.mark.whole

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


def test_an_untouched_tree_has_no_findings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(BENCHMARKS)
    import verify as benchmark

    for name, number in {"SCANS": 60, "TEST_SCANS": 10, "MODELS": 2}.items():
        monkeypatch.setattr(benchmark, name, number)
    results = tmp_path / "results"
    benchmark.build(results)
    benchmark.verify_all(results, (*INTEGRITY, privacy.patterns))()
    (results / "metrics/model-0.tsv").write_text("model-0\t0.9\n")
    with pytest.raises(RuntimeError, match="findings"):
        benchmark.verify_all(results, INTEGRITY)()
