"""The rules as the audit declares them, against the Snakefile; and records that say otherwise."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from headct.contracts import run_records
from headct.contracts.repository import REPOSITORY
from headct.provenance import verify
from headct.provenance.rules import RULES, contradictions
from headct.steps import STEPS
from support.sealed_miniature import extracted

HEAD = re.compile(r"(?m)^(?=(?:use )?rule \w)")
NAMES = re.compile(r"(?:use rule (?P<like>\w+) as )?(?:rule )?(?P<name>\w+)(?: with)?:")
RECORDED = re.compile(r"recorded\(\s*(?:\"+([a-z-]+)|(GATHER))")
GATHERS = "cohort"


def written_rules() -> Iterator[tuple[str, str, str, str]]:
    """Name of each rule that is written with a name and leaves records, its step, its log, its outputs."""
    texts = [path.read_text(encoding="utf-8") for path in (REPOSITORY / "workflow/rules").glob("*.smk")]
    bodies = {match: body for text in texts for body in HEAD.split(text) if (match := NAMES.match(body))}
    recorded = {match["name"]: RECORDED.search(body) for match, body in bodies.items()}
    for match, body in bodies.items():
        log = re.search(r'log:\s+"results/logs/(.+)\.log"', body)
        runs = recorded[match["like"] or match["name"]]
        if log and runs:
            outputs = body.partition("output:\n")[2].partition("\n    log:")[0]
            yield match["name"], runs[1] or GATHERS, log[1], outputs


def test_they_are_those_of_the_workflow() -> None:
    found = {name: (step, log) for name, step, log, _ in written_rules()}
    assert found == {name: (rule.step[0], rule.record) for name, rule in RULES.items()}
    assert {step for step, _ in found.values()} <= STEPS.keys()


def test_what_they_make_is_what_the_workflow_says() -> None:
    for name, _, _, outputs in written_rules():
        paths = re.findall(r'"results/([^"]+)"', outputs)
        assert paths or "written_by" in outputs or "CASE_LIST" in outputs, name
        assert all(path.startswith(RULES[name].makes) for path in paths), (name, paths)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return extracted(tmp_path_factory.mktemp("older"))


def test_records_of_jobs_fit_their_rules(results: Path) -> None:
    records = run_records.load(results)
    assert {record.step for record in records} > {"ingest", "train", "tables", "figures", "report"}
    assert [what for record in records for what in contradictions(record)] == []


@pytest.mark.parametrize(
    ("record", "changes", "said"),
    [
        ("tables/table1", {"rule": "banana"}, "is of banana, of which no record lies here"),
        ("split", {"rule": "banana"}, "is of a rule that no workflow has: banana"),
        ("tables/table1", {"step": "page"}, "is of table1, and did not run tables table1 but page"),
        ("tables/table1", {"rule": "page"}, "is of page, of which no record lies here"),
        ("tables/table1", {"rule": "page"}, "is of page, which does not make results/tables/table1.tsv"),
        ("metrics/unet", {"rule": "metrics_external"}, "is of metrics_external, and has other wildcards"),
        (
            "metrics/unet",
            {"rule": "metrics_external", "wildcards": {"model": "unet", "set": "a"}},
            "is of metrics_external, of which no record lies here",
        ),
        ("metrics/unet", {"wildcards": {"model": "other"}}, "which does not make results/metrics/unet.tsv"),
        ("split", {"older": True}, "has a command of another release than the copy of the software"),
        ("split", {"modules": {}}, "and does not name headct.cohort.split among the code that ran"),
    ],
)
def test_a_record_of_another_meaning_is_found(
    results: Path, record: str, changes: dict[str, object], said: str
) -> None:
    """Whatever digests are made anew: only what the record says is changed here."""
    folder = verify.ResultsFolder(results)
    one = next(each for each in folder.records if each.path == f"audit/runs/{record}.json")
    if "step" in changes:
        one.command[1] = str(changes["step"])
    if "older" in changes:
        one.command[:2] = ["python", "-m", "headct.cohort.split"]
    if "modules" in changes:
        one.workflow["modules"] = {}
    for key in ("rule", "wildcards"):
        object.__setattr__(one, key, changes.get(key, getattr(one, key)))
    assert any(said in finding.what for finding in verify.verify(folder, [verify.jobs]))
