"""Every step of the workflow, declared once: its name on the command line, its module, and what it does.

A step's module has ``main``, a function whose parameters are the options and whose docstring is the help, or
``commands()``, several such functions by the word that follows the step's name.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType

from headct.contracts.imports import imported


@dataclass(frozen=True)
class Step:
    """Where a step is and, in a line, what it does; ``module`` is below ``headct``."""

    module: str
    does: str

    @property
    def path(self) -> str:
        """Full name of its module."""
        return f"headct.{self.module}"

    def load(self) -> ModuleType:
        """Its module, imported."""
        return imported(self.path)


STEPS = {
    "sheet": Step("cohort.sheet_commands", "check a sample sheet, or write one of a data set"),
    "ingest": Step("cohort.ingest", "convert scans: DICOM to NIfTI, masks matched, faults recorded"),
    "cohort": Step("cohort.gathering", "gather the scans: included, excluded or in error"),
    "split": Step("cohort.split", "draw the test set and the folds"),
    "external-set": Step("cohort.external_set", "list the scans of one external set"),
    "learning-subset": Step(
        "cohort.learning_subset", "choose the scans that a network of a learning curve learns from"
    ),
    "balance": Step("statistics.replication.balance", "compare training and test set"),
    "crosscheck": Step("cohort.crosscheck", "compare a sample of scans with what dcm2niix makes of them"),
    "prepare": Step("frameworks.prepare", "preprocess the training scans"),
    "train": Step("frameworks.train", "train one model on one fold, or go on with it"),
    "predict": Step("inference.predict", "predict the label maps of the test scans with one model"),
    "postprocessing": Step(
        "inference.postprocessing_rule", "decide which lesions of a model keep only their largest component"
    ),
    "outside": Step("inference.outside_models", "take the label maps of a model that was made elsewhere"),
    "blast-ct": Step(
        "frameworks.outside.blast_ct", "predict with BLAST-CT's networks as their authors trained them"
    ),
    "new-scans": Step("run.predict_new_scans", "predict scans outside of a study with a trained model"),
    "tolerance": Step("metrics.tolerance", "find by how much raters' surfaces differ"),
    "measure": Step("metrics.measure", "measure one model's predictions, or second readings"),
    "statistics": Step("statistics.replication.paper_analysis", "the paper's analysis"),
    "claims": Step("statistics.replication.claims", "the paper's claims, judged on this test set"),
    "paired-analysis": Step("statistics.comparison.paired_analysis", "the planned comparison"),
    "review-analysis": Step(
        "statistics.comparison.reviewed", "what reviewers decided, how they agree, and what follows from it"
    ),
    "blinded-analysis": Step(
        "statistics.comparison.blinded", "which maps raters accept who do not know whose they are"
    ),
    "effort-curve": Step(
        "statistics.comparison.effort_curve", "Dice of held-out scans by effort of training"
    ),
    "out-of-fold": Step("statistics.comparison.out_of_fold", "Dice over training scans held out by folds"),
    "new-site": Step("statistics.comparison.new_site", "Dice by site, and what a new site may expect"),
    "external-sets": Step(
        "statistics.comparison.external_sets", "Dice in external sets, beside the internal test set"
    ),
    "learning-curve": Step(
        "statistics.comparison.learning_curve",
        "Dice by the number of participants learnt from, and its curve",
    ),
    "raters": Step("statistics.replication.rater_statistics", "how well raters agree"),
    "check": Step("statistics.replication.check", "check a printed table of results for contradictions"),
    "tables": Step("publish.tables.tabulate", "write one table"),
    "figures": Step("publish.figures.draw", "draw one figure"),
    "report": Step("publish.reports.write", "write checklists, model cards or the methods section"),
    "cases": Step("publish.page.case_files", "write the files of cases that the page of results opens"),
    "page": Step("publish.page.page", "write the page of a study's results"),
    "quality-page": Step(
        "publish.page.quality_page", "write the page on which images and masks are looked at and reviewed"
    ),
    "evidence": Step("publish.evidence", "the digest of what the comparison rests on"),
    "summary": Step("publish.summary", "tell a study's results in a few lines"),
    "audit": Step("provenance.audit", "seal, verify and trace results; say why something would run"),
    "review": Step("run.review", "bring reviews of scans into a study"),
    "record-plan": Step(
        "run.locked_sets", "record the analysis plan in the ledger, after which a locked set may be opened"
    ),
    "withdraw": Step("run.withdraw", "delete the data of scans whose participant withdrew, and record it"),
    "configuration": Step(
        "run.check_configuration", "check a configuration and its plan, or print the list of its keys"
    ),
    "simulate": Step("simulate.simulation", "write the simulated trial of a configuration"),
    "pilot": Step(
        "run.pilot.pilot", "run a small study of training scans, and say what the full one will need"
    ),
    "plan": Step("run.cluster.resource_plan", "what a run would ask of a cluster"),
    "status": Step("run.cluster.status", "where each training stands"),
    "resume": Step("run.cluster.resume", "go on after Snakemake was killed"),
}
