"""Two lesions in NIfTI, one of them absent in half of the scans, from the sheet to sealed results."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest
import yaml

from headct.contracts.artefacts import read_json, read_tsv
from support import snake, two_classes
from support.audit_study import forked_command
from support.html_page import Page

OF_THE_PAPER = ("intracerebral", "intraventricular", "ICH", "IVH")
"""Words of lesions that nobody drew here."""


def test_it_is_verified_as_it_was_sealed(study: Path) -> None:
    done = forked_command("verify", study / "results")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    "number",
    [
        "Table 1, U-Net, PHE, mean",
        "Table 1, U-Net, bleed, median",
        "results/statistics/prevalence.tsv, test, bleed, percent_of_labelled",
        "results/figures/bland_altman.tsv, PHE, scan, scan-00, y",
    ],
)
def test_a_number_is_traced(study: Path, number: str) -> None:
    results = study / "results"
    if "scan-00" in number:
        tested = read_tsv(results / "figures/bland_altman.tsv")["scan_id"].dropna()
        number = number.replace("scan-00", str(tested.iloc[0]))
    done = forked_command("trace", "--results", results, "--number", *number.split(", "))
    assert done.returncode == 0, done.stdout + done.stderr
    assert ": the same." in done.stdout


def test_volumes_are_those_of_the_masks(study: Path) -> None:
    cohort = read_tsv(study / "results/cohort/cohort.tsv").set_index("scan_id")
    assert set(cohort["status"]) == {"included"}
    for scan, row in cohort.iterrows():
        mask = nibabel.load(study / f"{scan}-mask.nii.gz")
        voxel_ml = abs(np.linalg.det(mask.affine[:3, :3])) / 1000
        for label, values in two_classes.VALUES.items():
            drawn_ml = np.isin(np.asarray(mask.dataobj), values).sum() * voxel_ml
            assert row[f"{label}_ml"] == pytest.approx(drawn_ml, rel=1e-3), (scan, label)
    half = [two_classes.has_oedema(number) for number in range(two_classes.N_SCANS)]
    assert ((cohort["PHE_ml"] > 0) == half).all()


def test_an_absent_lesion_that_is_not_predicted_scores_one(study: Path) -> None:
    measured = read_tsv(study / "results/metrics/predicts-nothing.tsv")
    assert set(measured["label"]) == {"bleed", "PHE", "bleed+PHE"}
    of_oedema = measured[measured["label"] == "PHE"]
    assert of_oedema["dice"].isin([0, 1]).all()
    assert (of_oedema["dice"] == (of_oedema["reference_ml"] == 0)).all()
    strata = read_tsv(study / "results/cohort/split.tsv")
    assert set(strata["stratum"]) == {"PHE", "no PHE"}
    assert strata.groupby(["set", "stratum"]).size().min() > 1


def test_networks_have_its_classes_and_say_which(study: Path) -> None:
    record = read_json(study / "results/models/unet/seed-1/fold-all/train.json")
    assert record["labels"] == {"bleed": 1, "PHE": 2}
    assert set(record["history"][0]["pseudo_dice"]) == {"bleed", "PHE"}
    assert read_json(study / "results/study.json")["classes"] == ["bleed", "PHE"]


def test_no_sentence_speaks_of_lesions_that_nobody_drew(study: Path) -> None:
    results = study / "results"
    pages = [*results.glob("report/**/*.html"), *results.glob("tables/*.html")]
    assert len(pages) > 6
    texts = {page: Page(page.read_text(encoding="utf-8")).text for page in pages}
    texts[results / "audit/methods.md"] = (results / "audit/methods.md").read_text(encoding="utf-8")
    said = {str(page): [word for word in OF_THE_PAPER if word in text] for page, text in texts.items()}
    assert {page: words for page, words in said.items() if words} == {}
    assert "any haemorrhage (bleed)" in texts[results / "audit/methods.md"]
    assert not list(results.glob("statistics/claims.tsv"))


def test_a_new_colour_draws_what_shows_it_and_no_more(study: Path) -> None:
    configfile = study / "study.yaml"
    config = yaml.safe_load(configfile.read_text(encoding="utf-8"))
    config["labels"]["bleed"] |= {"colour": "#0072B2", "title": "Blood"}
    coloured = study / "coloured.yaml"
    coloured.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    plan = snake.run("--directory", study, "--configfile", coloured, "-n")
    shown = {
        "best_cases",
        "worst_cases",
        "ingest_qc",
        "checklist_counts",
        "checklists",
        "statements",
        "methods",
        "model_cards",
        "page",
        "audit",
    }
    assert snake.planned(plan).keys() == shown
