"""One lesion and seven, from the sheet to sealed results, which name no lesion that the study has not."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from headct.contracts.artefacts import read_json, read_tsv
from headct.contracts.labels import KNOWN, MOST_CLASSES
from support.audit_study import forked_command
from support.one_and_seven import STUDIES, VALUES

WORDS = {
    "ICH": "intracerebral",
    "IPH": "intraparenchymal",
    "PHE": "perihaematomal|o?edema",
    "IVH": "intraventricular|ventricles?",
    "SAH": "subarachnoid",
    "SDH": "subdural",
    "EDH": "epidural",
    "EAH": "extra-axial",
}
"""What a text says that speaks of a lesion, but for its abbreviation."""


@pytest.fixture(params=STUDIES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def texts_of(results: Path) -> dict[str, str]:
    """What stands in a study's tables, pages and lists of numbers, by file."""
    files = [results / "audit/methods.md"]
    for folder in ("cohort", "metrics", "statistics", "tables", "figures", "report", "models"):
        files += sorted((results / folder).rglob("*"))
    kinds = (".html", ".md", ".tsv", ".tex")
    texts = {file: file.read_text(encoding="utf-8") for file in files if file.suffix in kinds}
    return {file.relative_to(results).as_posix(): text for file, text in texts.items()}


def test_the_lesions_that_are_looked_for_are_all_that_the_software_knows() -> None:
    assert set(WORDS) == set(KNOWN)
    assert len(VALUES) == MOST_CLASSES


def test_it_is_verified_as_it_was_sealed_and_a_number_is_traced(
    finished: Mapping[str, Path], name: str
) -> None:
    done = forked_command("verify", finished[name])
    assert done.returncode == 0, done.stdout + done.stderr
    number = ["Table 1", "U-Net", "SDH", "mean"]
    done = forked_command("trace", "--results", finished[name], "--number", *number)
    assert done.returncode == 0, done.stdout + done.stderr
    assert ": the same." in done.stdout


def test_no_text_speaks_of_a_lesion_that_the_study_does_not_have(
    finished: Mapping[str, Path], name: str
) -> None:
    texts = texts_of(finished[name])
    kinds = {kind: sum(file.startswith(kind) for file in texts) for kind in ("tables", "figures", "report")}
    assert min(kinds.values()) > 3, kinds
    absent = WORDS.keys() - STUDIES[name].labels.keys()
    words = "|".join(WORDS[lesion] for lesion in absent)
    spoken = re.compile(rf"\b({'|'.join(absent)}|(?i:{words}))\b")
    said = {file: sorted({match[0] for match in spoken.finditer(text)}) for file, text in texts.items()}
    assert {file: words for file, words in said.items() if words} == {}


def test_its_lesions_stand_in_each_table_and_figure_of_lesions(
    finished: Mapping[str, Path], name: str
) -> None:
    results, labels = finished[name], list(STUDIES[name].labels)
    trained = sorted((results / "models/unet").glob("seed-1/fold-*/train.json"))
    assert read_json(trained[0])["labels"] == {label: value for value, label in enumerate(labels, start=1)}
    for path in ("tables/table1.tsv", "figures/dice_box_violin.tsv", "figures/bland_altman.tsv"):
        table = read_tsv(results / path)
        assert set(labels) <= set(table.astype(str).to_numpy().ravel()), path
    cohort = read_tsv(results / "cohort/cohort.tsv")
    assert set(cohort["status"]) == {"included"}
    present = cohort[[f"{label}_ml" for label in labels]] > 0
    assert (present.mean() < 1).all(), "each lacks somewhere"
    assert present.any().all()
