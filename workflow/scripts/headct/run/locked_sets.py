"""A locked set: a later test set of which nothing is read until the plan is recorded.

While the sheet says ``locked:NAME`` its scans are not ingested, and the ledger keeps which they are. Once it
says ``external:NAME`` in place of it, the run is refused unless the ledger has, after the set was locked, the
digest of the present analysis plan: ``python -m headct record-plan --help`` (docs/decisions/locked-sets.md).
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from headct.contracts.artefacts import LEDGER, sha256_of
from headct.contracts.problems import BadInput, Problem
from headct.provenance import ledger
from headct.provenance.ledger import Opening
from headct.settings import analysis_plan, sheet

logger = logging.getLogger(__name__)

Rows = Sequence[Mapping[str, Any]]

RECORD_IT = "record it: python -m headct record-plan"


def main(*, plan: Path, results: Path = Path("results")) -> None:
    """Record the analysis plan in the ledger of the test set, by its digest: then a locked set may be opened.

    Args:
        plan: the analysis plan (YAML) that the study's configuration names.
        results: results folder of the study.
    """
    analysis_plan.load(plan)
    if not results.is_dir():
        raise BadInput([Problem(str(results), "there is no such folder: name that of the study's results")])
    number = _append(results, ledger.PLAN_RECORDED, plan)
    logger.info("analysis plan %s recorded in line %d of %s", sha256_of(plan), number, results / LEDGER)


def lock(rows: Rows, results: Path, plan: Path) -> None:
    """Keep in the ledger which scans each locked set of the sheet has, where it does not say so already.

    Args:
        rows: of the sample sheet.
        results: of the study.
        plan: the analysis plan as it is then.
    """
    before = _last_locks(ledger.read(results / LEDGER))
    for name, scans in sheet.locked(rows).items():
        if name not in before or before[name].split != digest_of(scans):
            _append(results, f"{ledger.LOCKED}:{name}", plan, digest_of(scans))


def check(rows: Rows, file: str, results: Path, plan: Path) -> None:
    """Refuse an external set that was locked, until its scans are those of then and the plan is recorded.

    Args:
        rows: of the sample sheet.
        file: the sample sheet, for messages.
        results: of the study.
        plan: the analysis plan.

    Raises:
        BadInput: it names the sets.
    """
    problems = list(_problems(rows, file, ledger.read(results / LEDGER), plan))
    if problems:
        raise BadInput(problems)


def digest_of(scans: Sequence[str]) -> str:
    """SHA-256 of the identifiers of a set's scans, in alphabetical order."""
    return hashlib.sha256(json.dumps(sorted(scans)).encode()).hexdigest()


def _problems(rows: Rows, file: str, openings: Sequence[Opening], plan: Path) -> Iterator[Problem]:
    ingested = [row for row in rows if not sheet.why_not_ingested(row)]
    external, locked = sheet.external_sets(ingested), sheet.locked(rows)
    for name, last in _last_locks(openings).items():
        if name not in external:
            if name not in locked:
                message = f"the set {name} was locked on {last.scored}, and the sheet has it no more"
                yield Problem(file, f"{message}: name its scans again", key="set", value=f"locked:{name}")
            continue
        scans = [str(row["scan_id"]) for row in ingested if sheet.external_set(row) == name]
        if digest_of(scans) != last.split:
            message = (
                f"this set was locked on {last.scored} with other scans than it has now (line {last.number}"
                " of the ledger): give it the scans of then, or call it locked for a run, which locks it anew"
            )
            yield Problem(file, message, key="set", value=f"external:{name}")
        recorded = [one for one in openings[last.number :] if one.rule == ledger.PLAN_RECORDED]
        if not recorded:
            message = f"this set was locked on {last.scored}, and no plan was recorded since; {RECORD_IT}"
            yield Problem(file, message, key="set", value=f"external:{name}")
        elif recorded[-1].plan != sha256_of(plan):
            message = (
                f"the set {name} was locked, and this analysis plan is another than the one that was recorded"
                f" on {recorded[-1].scored}: put that one back, or {RECORD_IT}, which the ledger will show"
            )
            yield Problem(str(plan), message)


def _last_locks(openings: Sequence[Opening]) -> dict[str, Opening]:
    """The last line of each set that says that it was locked, by the set's name."""
    begins = f"{ledger.LOCKED}:"
    return {one.rule.removeprefix(begins): one for one in openings if one.rule.startswith(begins)}


def _append(results: Path, rule: str, plan: Path, scans: str = "") -> int:
    number, _ = ledger.append(
        results / LEDGER,
        scored=datetime.now(UTC).isoformat(timespec="seconds"),
        rule=rule,
        model="",
        predictions="",
        split=scans,
        plan=sha256_of(plan),
        metrics="",
    )
    return number
