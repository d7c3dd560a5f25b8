"""A locked set: a later test set of which nothing is read until the plan is recorded.

While the sheet says ``locked:NAME`` its scans are not ingested, and the ledger keeps which they are. Once it
says ``external:NAME`` in place of it, the run is refused unless the ledger has, after the set was locked, the
digest of the present analysis plan: ``python -m headct record-plan --help`` (docs/decisions/locked-sets.md).
A scan that was locked once is in that set or in none, and what was scored can't be locked.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from headct.contracts import amendments
from headct.contracts.artefacts import LEDGER, read_tsv, sha256_of
from headct.contracts.problems import BadInput, Problem
from headct.provenance import ledger
from headct.provenance.ledger import Opening
from headct.settings import analysis_plan, sheet

logger = logging.getLogger(__name__)

Rows = Sequence[Mapping[str, Any]]

_LOCKED = f"{ledger.LOCKED}:"
"""What the rule of a line begins with that says that a set was locked."""

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
        noted = " ".join([digest_of(scans), *map(_digest, sorted(scans))])
        if name not in before or before[name].split != noted:
            _append(results, f"{ledger.LOCKED}:{name}", plan, noted)


def check(rows: Rows, file: str, results: Path, plan: Path) -> None:
    """Refuse an external set that was locked, until its scans are those of then and the plan is recorded.

    Scans that were locked are refused in any other set, and so are scored ones in a locked set.

    Args:
        rows: of the sample sheet.
        file: the sample sheet, for messages.
        results: of the study.
        plan: the analysis plan.

    Raises:
        BadInput: it names the sets.
    """
    openings = ledger.read(results / LEDGER)
    problems = [
        *_opened_too_early(rows, file, openings, plan, amendments.withdrawn(amendments.load(results))),
        *sheet.together([*_moved(rows, file, openings), *_scored(rows, file, openings, results)]),
    ]
    if problems:
        raise BadInput(problems)


def digest_of(scans: Sequence[str]) -> str:
    """SHA-256 of the identifiers of a set's scans, in alphabetical order."""
    return hashlib.sha256(json.dumps(sorted(scans)).encode()).hexdigest()


def _digest(scan: str) -> str:
    return hashlib.sha256(scan.encode()).hexdigest()


def _opened_too_early(
    rows: Rows, file: str, openings: Sequence[Opening], plan: Path, withdrawn: Collection[str]
) -> Iterator[Problem]:
    """Sets that were locked and are external now, with other scans or without a plan; sets that are gone."""
    ingested = [row for row in rows if not sheet.why_not_ingested(row)]
    external, locked = sheet.external_sets(ingested), sheet.locked(rows)
    scored = _first_scorings(openings)
    for name, last in _last_locks(openings).items():
        if name not in external:
            if name not in locked:
                message = f"the set {name} was locked on {last.scored}, and the sheet has it no more"
                yield Problem(file, f"{message}: name its scans again", key="set", value=f"locked:{name}")
            continue
        scans = [str(row["scan_id"]) for row in ingested if sheet.external_set(row) == name]
        if not _are_those_of(last, scans, withdrawn):
            message = (
                f"this set was locked on {last.scored} with other scans than it has now (line {last.number}"
                " of the ledger): give it the scans of then"
                + ("" if name in scored else ", or call it locked for a run, which locks it anew")
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


def _are_those_of(lock: Opening, scans: Sequence[str], withdrawn: Collection[str]) -> bool:
    """Whether a set has the scans that it was locked with, but for those whose data were withdrawn since."""
    of_set, *of_scans = lock.split.split(" ")
    if not of_scans:  # of a release that did not note each scan
        return digest_of(scans) == of_set
    return set(map(_digest, scans)) == set(of_scans) - set(map(_digest, withdrawn))


def _moved(rows: Rows, file: str, openings: Sequence[Opening]) -> Iterator[Problem]:
    """Scans that were locked, and are in the study now, or in another set."""
    locks = [one for one in openings if one.rule.startswith(_LOCKED)]
    lock_of = {scan: lock for lock in locks for scan in lock.split.split(" ")[1:]}
    for row in rows:
        lock = lock_of.get(_digest(str(row["scan_id"])))
        if lock is None or (sheet.why_not_ingested(row) and not sheet.is_locked(row)):
            continue
        name = lock.rule.removeprefix(_LOCKED)
        if name not in (sheet.external_set(row), sheet.locked_set(row)):
            message = (
                f"this scan was locked in the set {name} on {lock.scored}, and belongs to no other: write"
                f" locked:{name}, or external:{name} in all of its rows, which opens it by the recorded plan"
            )
            yield Problem(file, message, str(row["row"]), "set", row["set"] or "")


def _scored(rows: Rows, file: str, openings: Sequence[Opening], results: Path) -> Iterator[Problem]:
    """Scans of locked sets that were scored, or learnt from, before."""
    locked = [row for row in rows if sheet.is_locked(row)]
    scored = _first_scorings(openings) if locked else {}
    scored_in = {scan: name for name in scored for scan in _scans_of(name, results)}
    for row in locked:
        name = scored_in.get(str(row["scan_id"]), sheet.locked_set(row))
        if name in scored:
            whose = f"the external set {name}" if name else "the study"
            message = (
                f"{whose} was scored on {scored[name]}, so that this scan can't be kept unseen any more: give"
                " it the set that it had"
            )
            yield Problem(file, message, str(row["row"]), "set", row["set"])


def _first_scorings(openings: Sequence[Opening]) -> dict[str, str]:
    """When each external set was scored first, and by the name "" the study's own test set."""
    found: dict[str, str] = {}
    for opening in filter(ledger.is_scoring, openings):
        found.setdefault(ledger.scored_set(opening), opening.scored)
    return found


def _scans_of(name: str, results: Path) -> list[str]:
    """The scans of an external set, or with "" of the study itself, by its table; none without one."""
    table = results / "cohort" / (f"external/{name}.tsv" if name else "split.tsv")
    return list(read_tsv(table)["scan_id"]) if table.is_file() else []


def _last_locks(openings: Sequence[Opening]) -> dict[str, Opening]:
    """The last line of each set that says that it was locked, by the set's name."""
    return {one.rule.removeprefix(_LOCKED): one for one in openings if one.rule.startswith(_LOCKED)}


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
