"""One lesion and seven, from the sheet to sealed results, which name no lesion that the study has not."""

from __future__ import annotations

import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from headct.contracts.artefacts import read_json, read_tsv
from headct.contracts.labels import KNOWN, MOST_CLASSES
from support import snake, warm_python
from support.audit_study import forked_command
from support.nifti_study import OEDEMA, TISSUE, VENTRICLES, NiftiStudy

IGNORED = 99
VALUES = {"EDH": 11, "SDH": [12, 13], "post-operative": 14, "IPH": 15, "SAH": 16, "EAH": 17, "MASS": 18}
PARTS = {TISSUE: ("IPH", "EDH", "SDH"), OEDEMA: ("SAH", "EAH"), VENTRICLES: ("post-operative", "MASS")}
"""The lesions that each of the simulator's is cut into, from front to back."""


def one_of(truth: NDArray[Any], number: int) -> NDArray[Any]:
    """Every second scan is free of it."""
    return (truth == TISSUE) & (number % 2 == 0)


def seven_of(truth: NDArray[Any], number: int) -> NDArray[Any]:
    """Each lesion lacks in a few scans; where one does, its voxels have a value that is ignored, or none."""
    rows = np.broadcast_to(np.arange(truth.shape[1])[:, None], truth.shape)
    found = np.zeros_like(truth)
    for value, lesions in PARTS.items():
        here = truth == value
        cuts = np.quantile(rows[here], np.linspace(0, 1, len(lesions) + 1)[1:-1])
        for place, lesion in enumerate(lesions):
            values = np.atleast_1d(VALUES[lesion])
            drawn = values[number % len(values)] if (number + place + value) % 5 else IGNORED * (place == 0)
            found[here & (np.digitize(rows, cuts) == place)] = drawn
    return found


STUDIES = {
    "one": NiftiStudy(
        name="one-class",
        labels={"SDH": 1},
        drawn=one_of,
        scans=10,
        steps=3,
        settings={"ingest": {"empty_masks": "lesion_free"}},
    ),
    "seven": NiftiStudy(
        name="seven-classes",
        labels=VALUES,
        drawn=seven_of,
        groups={"extra-axial": ["EDH", "SDH", "EAH"], "any": ["EDH", "SDH", "IPH", "SAH", "EAH"]},
        scans=10,
        steps=3,
        read_twice=True,
        settings={"ignore": [IGNORED]},
    ),
}

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


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """The results of both studies, which ran side by side."""
    folder = tmp_path_factory.mktemp("classes")
    files = {name: study.write(folder / name) for name, study in STUDIES.items()}
    with warm_python.started() as python, ThreadPoolExecutor() as pool:
        runs = {
            name: pool.submit(
                snake.run, "--directory", file.parent, "--configfile", file, "--cores", "1", python=python
            )
            for name, file in files.items()
        }
    for run in runs.values():
        assert run.result().returncode == 0, run.result().stdout[-4000:]
    return {name: file.parent / "results" for name, file in files.items()}


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
    record = read_json(results / "models/unet/seed-1/fold-all/train.json")
    assert record["labels"] == {label: value for value, label in enumerate(labels, start=1)}
    for path in ("tables/table1.tsv", "figures/dice_box_violin.tsv", "figures/bland_altman.tsv"):
        table = read_tsv(results / path)
        assert set(labels) <= set(table.astype(str).to_numpy().ravel()), path
    cohort = read_tsv(results / "cohort/cohort.tsv")
    assert set(cohort["status"]) == {"included"}
    present = cohort[[f"{label}_ml" for label in labels]] > 0
    assert (present.mean() < 1).all(), "each lacks somewhere"
    assert present.any().all()
