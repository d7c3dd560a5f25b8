"""A study that an older release sealed is verified, and its numbers are traced, by the code of today."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from headct.contracts import run_records
from headct.contracts.artefacts import read_json, write_json
from support.audit_study import forked_command
from support.sealed_miniature import FIXTURE, ROOT, extracted


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return extracted(tmp_path_factory.mktemp("older"))


def test_it_is_small_and_whole(results: Path) -> None:
    assert sum(path.stat().st_size for path in FIXTURE.iterdir()) < 2_000_000
    assert len(list(results.glob("models/*/*/*/final.pth"))) == 2
    assert ROOT in (FIXTURE / "README.md").read_text(encoding="utf-8")


def test_it_is_as_it_was_sealed(results: Path) -> None:
    done = forked_command("verify", results, "--root", ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_change_of_one_number_is_found(results: Path) -> None:
    table = results / "tables/table1.tsv"
    before = table.read_bytes()
    table.write_bytes(before.replace(b"0.577", b"0.677", 1))
    try:
        assert table.read_bytes() != before
        done = forked_command("verify", results)
    finally:
        table.write_bytes(before)
    assert done.returncode == 1
    assert "tables/table1.tsv" in done.stdout


def test_a_changed_module_in_the_copy_of_its_code_is_found(results: Path) -> None:
    """Its records have the digests of that time."""
    module = results / "audit/workflow/workflow/scripts/headct/statistics/core/agreement.py"
    before = module.read_bytes()
    module.write_bytes(before + b"ALPHA = 0.2\n")
    try:
        done = forked_command("verify", results)
    finally:
        module.write_bytes(before)
    assert re.search(r"agreement\.py: is not the code that ", done.stdout), done.stdout


def test_each_block_of_the_configuration_is_held_against_the_jobs_that_were_given_it(results: Path) -> None:
    """Whatever option of whatever job was given a block as it stands, another one in its place is found."""
    config = results / "config.json"
    before = config.read_bytes()
    blocks = {key: block for key, block in read_json(config).items() if isinstance(block, dict)}
    as_given = {json.dumps(block, sort_keys=True): key for key, block in blocks.items() if block}
    commands = [record.command for record in run_records.load(results)]
    given = {as_given[word] for command in commands for word in command if word in as_given}
    assert given >= {"ingest", "labels", "split", "metrics"}
    found = set()
    try:
        for key in given:
            write_json({**read_json(config), key: {"changed": 1}}, config)
            said = forked_command("verify", results).stdout
            found |= {key} if f"has other {key} settings than " in said else set()
            config.write_bytes(before)
    finally:
        config.write_bytes(before)
    assert found == given


@pytest.mark.parametrize(
    ("number", "value"),
    [
        ("Table 1, BLAST-CT, ICH, mean", "0.5770774646"),
        ("results/statistics/dice_summary.tsv, blast-ct, ICH, median", "0.5622114868"),
        ("results/figures/bland_altman.tsv, ICH, scan, scan-0004, y", "-49.0978125"),
    ],
)
def test_a_number_is_computed_again_by_other_code_and_its_jobs_are_not_repeated(
    results: Path, number: str, value: str
) -> None:
    done = forked_command("trace", "--repeat", "--results", results, "--number", *number.split(", "))
    assert done.returncode == 0, done.stdout + done.stderr
    assert f" = {value}" in done.stdout
    assert "by other code: " in done.stdout
    assert ": the same." in done.stdout
    assert re.search(
        "was not repeated: (it was made by an older release|the code that is installed)", done.stdout
    )
    assert "commit cbc0feb2a5" in done.stdout


NUMBER = ("--number", "Table 1", "BLAST-CT", "ICH", "mean")


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("tables/table1.tsv", NUMBER),
        ("statistics/dice_summary.tsv", NUMBER),
        ("predictions/blast-ct/seed-1.tsv", NUMBER),
        ("models/blast-ct/seed-1/fold-all/final.pth", NUMBER),
        ("tables/table1.tsv", ("results/tables/table1.tsv",)),
        ("audit/workflow/config/plan.yaml", ("results/tables/table1.tsv",)),
        ("audit/workflow/resources/published/claims.tsv", ("results/tables/table1.tsv",)),
    ],
)
def test_a_file_that_the_answer_names_and_that_was_changed_is_not_the_same(
    results: Path, path: str, words: tuple[str, ...]
) -> None:
    file = results / path
    before = file.read_bytes()
    file.write_bytes(before + b"\n")
    try:
        done = forked_command("trace", "--results", results, *words)
    finally:
        file.write_bytes(before)
    assert done.returncode == 1, done.stdout
    assert "NOT THE SAME" in done.stdout
    assert forked_command("trace", "--results", results, *words).returncode == 0
