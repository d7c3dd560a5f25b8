"""What a quality review can't do any more once test scans were predicted: move scans out of the study, or in.

Who has seen predictions could choose by them. So the scans that a quality review excludes are those that it
excluded before: of ``results/cohort/cohort.tsv``, and of the scans that came into the study since.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

from headct.contracts.artefacts import LEDGER, read_tsv
from headct.contracts.problems import Problem
from headct.provenance import ledger
from headct.settings import reviews
from headct.settings.reviews import Review

POST_HOC = (
    "Of kind results, it makes an analysis without this scan, beside the planned one and labelled post hoc "
    "(docs/how-to/review.md)"
)


def predicted(results: Path) -> str:
    """What shows that test scans were predicted or scored, in words; empty where nothing does."""
    openings = [one for one in ledger.read(results / LEDGER) if one.predictions]
    if openings:
        return f"the test set was scored on {openings[0].scored[:10]} ({results / LEDGER})"
    found = next((results / "predictions").glob("*/seed-*"), None)
    return f"{found} holds predictions of the test set" if found else ""


def changes(file: str | None, scans: Collection[str], results: Path) -> list[Problem]:
    """Why the quality review can't be what it is: what it moves out of or into a study that was predicted.

    Args:
        file: of the quality review; None where there is none.
        scans: the baseline scans of the sheet.
        results: of the study.
    """
    if not (why := predicted(results)):
        return []
    reviewed = reviews.load(Path(file)) if file else ()
    excluded = reviews.decided_by_most(reviewed, [reviews.EXCLUDE])
    late = f"can't be excluded any more: {why}. {POST_HOC}"
    moved_out = excluded & _in_study(results)
    lost = f"was excluded by a quality review, and must stay so: {why}. Put its reviews back"
    moved_in = _excluded_before(results) & set(scans) - excluded
    return [
        *(
            review.problem("scan_id", late)
            for review in reviewed
            if review.scan_id in moved_out and review.decision == reviews.EXCLUDE
        ),
        *(Problem("reviews.quality", lost, key="scan_id", value=scan) for scan in sorted(moved_in)),
    ]


def too_late(reviewed: Iterable[Review], results: Path) -> list[Problem]:
    """Quality reviews of scans that were in the sheet when test scans were predicted."""
    if not (why := predicted(results)):
        return []
    message = f"a quality review of this scan comes too late: {why}. {POST_HOC}"
    known = _reasons(results)
    return [review.problem("kind", message) for review in reviewed if review.scan_id in known]


def _reasons(results: Path) -> dict[str, str]:
    """Why each scan of the cohort is not in the study; empty where it is."""
    path = results / "cohort" / "cohort.tsv"
    if not path.is_file():
        return {}
    cohort = read_tsv(path, reason=str).fillna({"reason": ""})
    return dict(zip(cohort["scan_id"], cohort["reason"], strict=True))


def _excluded_before(results: Path) -> set[str]:
    """The scans that a quality review excluded when the cohort was gathered."""
    start = f"{reviews.EXCLUDED}: "
    return {scan for scan, reason in _reasons(results).items() if reason.startswith(start)}


def _in_study(results: Path) -> set[str]:
    """The scans that are in the training set, the test set or an external set."""
    cohort = results / "cohort"
    tables = [cohort / "split.tsv", *sorted((cohort / "external").glob("*.tsv"))]
    return {scan for table in tables if table.is_file() for scan in read_tsv(table)["scan_id"]}
