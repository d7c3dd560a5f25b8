"""A small study, made by the real steps from made-up measures, of which a page of results can be made.

Training, images and figures are left out; what a page quotes is what these steps write.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from headct.command_line import run_step
from headct.contracts.artefacts import write_json, write_tsv
from headct.contracts.declarations import PublishedStatistic, declared
from headct.contracts.labels import Extent, LabelSet
from headct.contracts.references import PREDICTS_NOTHING
from headct.metrics import COLUMNS
from headct.settings import configuration
from support import reported_run, simulated_scores
from support.label_sets import LABELS

REPOSITORY = reported_run.REPOSITORY
CHECKLISTS = [str(path) for path in sorted((REPOSITORY / "resources/reporting").glob("*.yaml"))]

SCAN = {
    "geometry": {
        "size_xyz": [100, 100, 30],
        "spacing_mm_xyz": [1.0, 1.0, 5.0],
        "slice_weights_mm": [5.0] * 30,
    },
    "acquisition": {"slice_thickness_mm": 5.0},
}
"""What steps after the measures read of the record of a scan."""


@dataclass(frozen=True)
class Study:
    """What is special of a study.

    Attributes:
        labels: its lesions.
        models: titles of its models, by key.
        n_test, n_train: included scans of each set.
        without: lesions that no test scan has.
        failed: number of test scans that the last model fails to predict, with the reason of the first.
        left_out: numbers of excluded scans and of scans in error.
        seeds: of its trainings.
    """

    labels: LabelSet = LABELS
    models: Mapping[str, str] = field(default_factory=lambda: {"unet": "U-Net", "nnunet-2d": "2D <b>&"})
    n_test: int = 12
    n_train: int = 16
    without: Sequence[str] = ()
    failed: int = 0
    left_out: tuple[int, int] = (1, 1)
    seeds: tuple[int, ...] = (1,)

    @property
    def written(self) -> str:
        """Its lesions, as steps are given them."""
        return self.labels.written(Extent.PRINT)


def make(folder: Path, study: Study) -> Path:
    """The results of a study, below ``folder``."""
    results, generator = folder / "results", np.random.default_rng(0)
    write_json(_config(study), results / "config.json")
    cohort = _cohort(study, generator)
    included = cohort[cohort["status"] == "included"]
    write_tsv(cohort, results / "cohort/cohort.tsv")
    write_tsv(_flow(cohort), results / "cohort/flow.tsv")
    write_tsv(_split(included, study), results / "cohort/split.tsv")
    sheet = folder / "scans.tsv"
    of_sheet = cohort[["scan_id", "participant_id", "site", "age", "sex", "onset_to_ct_h", "rater"]]
    image, mask = (f"{kind}-" + cohort["scan_id"] + ".nii.gz" for kind in ("ct", "mask"))
    write_tsv(of_sheet.assign(image=image, mask=mask), sheet)
    for scan in included["scan_id"]:
        write_json(SCAN, results / f"data/{scan}/scan.json")
    for model, rows in _metrics(study, included, generator).items():
        write_tsv(rows, results / f"metrics/{model}.tsv")
        if model != PREDICTS_NOTHING:
            _write_manifests(rows, results / "predictions" / model)
    for model in study.models:
        for seed in study.seeds:
            training = reported_run.training(model) | {"seed": seed}
            write_json(training, results / f"models/{model}/seed-{seed}/fold-all/train.json")
    _run_steps(folder, study, sheet)
    return results


def _config(study: Study) -> dict:
    demo = configuration.load(REPOSITORY / "config/demo.yaml")
    first = next(iter(study.models))
    demo["models"] = {
        model: demo["models"][model] | {"title": title} for model, title in study.models.items()
    }
    demo["labels"] = {
        label.name: {
            "value": [label.value],
            "title": label.title,
            "colour": label.colour,
            "role": label.role.key,
        }
        for label in study.labels.labels
    }
    demo["groups"] = {pool.name: list(pool.members) for pool in study.labels.pools}
    demo["figures"] |= {
        "agreement_model": first,
        "cases": demo["figures"]["cases"] | {"select_by": first, "show": [first]},
    }
    demo["training"] |= {"seeds": list(study.seeds), "folds": ["all"]}
    demo["study"] |= {"name": "edge-1", "note": "Made-up measures"}
    del demo["phantom"]
    return demo


def _cohort(study: Study, generator: np.random.Generator) -> pd.DataFrame:
    """Included scans, those of the test set first; then excluded ones, then those in error."""
    n = study.n_test + study.n_train
    excluded, wrong = study.left_out
    volumes = {
        f"{label}_ml": np.where(generator.random(n) < 0.7, generator.gamma(2, 8, n), 0.0)
        for label in study.labels
    }
    for label in study.without:
        volumes[f"{label}_ml"][: study.n_test] = 0.0
    included = pd.DataFrame(
        {
            "scan_id": [f"s{i:03d}" for i in range(n)],
            "status": "included",
            "reason": None,
            "flags": generator.choice(["tilted", "tilted,uneven_gaps", None], n),
            "n_slices": 30,
            "spacing_z_mm": 5.0,
            "tilt_deg": generator.choice([0.0, 15.0], n),
            "manufacturer": "Maker-A",
            **volumes,
        }
    )
    others = pd.DataFrame(
        {
            "scan_id": [f"x{i}" for i in range(excluded + wrong)],
            "status": ["excluded"] * excluded + ["error"] * wrong,
            "reason": ["missing section: 17.26 mm between 2 slices"] * excluded + ["no mask: <mask>"] * wrong,
        }
    )
    scans = pd.concat([included, others], ignore_index=True)
    scans["participant_id"] = [f"p{i}" for i in range(len(scans))]
    scans["site"] = generator.choice(["A", "B", "C"], len(scans))
    scans["rater"] = "r1"
    scans["sex"] = generator.choice(["F", "M"], len(scans))
    scans["age"] = generator.integers(40, 90, len(scans)).astype(float)
    scans["onset_to_ct_h"] = 2.5
    return scans


def _flow(cohort: pd.DataFrame) -> pd.DataFrame:
    """As the cohort is counted; reasons without what is behind their colon."""
    reasons = cohort["reason"].str.partition(":")[0]
    counted = cohort.assign(reason=reasons.where(cohort["reason"].notna())).groupby(
        ["status", "reason"], dropna=False
    )
    rows = [(*key, len(of), of["participant_id"].nunique()) for key, of in counted]
    total = ("in sheet", None, len(cohort), cohort["participant_id"].nunique())
    return pd.DataFrame([total, *rows], columns=["status", "reason", "scans", "participants"])


def _split(included: pd.DataFrame, study: Study) -> pd.DataFrame:
    sets = ["test"] * study.n_test + ["train"] * study.n_train
    return included[["scan_id", "participant_id"]].assign(stratum="", set=sets, fold=0, drawn_by="as planned")


def _metrics(study: Study, included: pd.DataFrame, generator: np.random.Generator) -> dict[str, pd.DataFrame]:
    """Measures of each model, and of the one that predicts nothing."""
    truth = {label: included[f"{label}_ml"].to_numpy()[: study.n_test] for label in study.labels}
    truth |= {pool.name: sum(truth[name] for name in pool.members) for pool in study.labels.pools}
    made = {}
    for model in study.models:
        rows: list[dict[str, object]] = []
        for seed in study.seeds:
            guess = {
                label: of * generator.uniform(0.5, 1.5, len(of)) * (generator.random(len(of)) < 0.9)
                for label, of in truth.items()
            }
            rows += simulated_scores.rows(model, truth, guess, seed, truth)
        made[model] = rows
    nothing = {label: np.zeros(study.n_test) for label in truth}
    made[PREDICTS_NOTHING] = simulated_scores.rows(PREDICTS_NOTHING, truth, nothing, None, truth)
    tables = {model: _table(rows, generator) for model, rows in made.items()}
    last = list(study.models)[-1]
    failed = tables[last]["scan_id"].isin([f"s{i:03d}" for i in range(study.failed)])
    tables[last].loc[failed, "failure"] = "RuntimeError: 3 tensors, <none> fits"
    return tables


def _table(rows: list[dict[str, object]], generator: np.random.Generator) -> pd.DataFrame:
    table = pd.DataFrame(rows).reindex(columns=list(COLUMNS)).astype({"seed": "Int64"})
    table["scan_id"] = "s" + table["scan_id"].astype(str)
    there, called = table["reference_ml"] > 0, table["predicted_ml"] > 0
    table.loc[there & called, "hd95_mm"] = generator.gamma(2, 4, int((there & called).sum()))
    table["presence"] = np.select([there & called, there, called], ["TP", "FN", "FP"], "TN")
    return table


def _write_manifests(rows: pd.DataFrame, folder: Path) -> None:
    for seed, of_seed in rows.groupby("seed"):
        scans = of_seed.drop_duplicates("scan_id")
        manifest = scans[["scan_id"]].assign(
            path="", sha256="", seconds=0.1, reason=scans["failure"].replace("", None)
        )
        write_tsv(manifest.assign(revision=0), folder / f"seed-{seed}.tsv")


def _plan(folder: Path, study: Study) -> Path:
    """The shipped plan, about this study's models and lesions; of a study of its own."""
    plan = yaml.safe_load((REPOSITORY / "config/analysis_plan.yaml").read_text(encoding="utf-8"))
    first, *others = study.models
    lesion = next(iter(study.labels))
    for endpoint in (plan["primary"], *plan["key_secondary"]):
        endpoint |= {"label": lesion, "model": first, "against": others or ["unet-2"]}
        endpoint["name"] = f"{lesion} {endpoint['measure']} {endpoint['scans']}".strip()
    plan["primary"]["against"] = plan["primary"]["against"][:1]  # it may be no more
    margins = dict.fromkeys(study.labels, 0.05)
    plan |= {"comparison": "own", "permutations": 1000}
    plan["equivalence"] |= {"dice_margin": margins, "volume_margin_ml": dict.fromkeys(study.labels, 5)}
    plan["not_worse_than_a_rater"] |= {"dice_margin": margins}
    path = folder / "plan.yaml"
    path.write_text(yaml.safe_dump(plan), encoding="utf-8")
    return path


def _run_steps(folder: Path, study: Study, sheet: Path) -> None:
    """What comes between the measures and the page, by the steps of the workflow."""
    results = folder / "results"
    plan, models = _plan(folder, study), [*study.models]
    cohort, split = (str(results / f"cohort/{name}.tsv") for name in ("cohort", "split"))
    metrics = [str(results / f"metrics/{model}.tsv") for model in (*models, PREDICTS_NOTHING)]
    of_scans = ("--cohort", cohort, "--split", split)
    labels = ("--labels", study.written)
    measured = ("--metrics", *metrics, *of_scans, "--data", str(results / "data"), "--plan", str(plan))
    out = ("--out", str(results / "statistics"))
    run_step(
        "balance", [*labels, "--sheet", str(sheet), *of_scans, "--out", str(results / "cohort/balance.tsv")]
    )
    run_step("statistics", [*labels, *measured, "--sheet", str(sheet), "--models", *models, *out])
    run_step("paired-analysis", [*labels, *measured, "--models", *models, *out])
    of_models = ("--metrics", *metrics[:-1], *of_scans, "--plan", str(plan))
    run_step("new-site", [*labels, *of_models, "--models", *models, *out])
    no_readings = pd.DataFrame(columns=declared(PublishedStatistic)["rater_agreement"].header)
    write_tsv(no_readings, results / "statistics/rater_agreement.tsv")
    evidence = results / "audit/evidence.json"
    run_step(
        "evidence", ["--split", split, "--metrics", *metrics, "--plan", str(plan), "--out", str(evidence)]
    )
    titles = json.dumps(dict(study.models))
    shown = ("--evidence", str(evidence), *labels)
    tables = ("--statistics", str(results / "statistics"), *of_scans, *shown)
    for table in ("table1", "table2", "table_e2", "planned_comparison"):
        titled = () if table == "table2" else ("--titles", titles)
        run_step("tables", [table, *tables, *titled, "--out", str(results / f"tables/{table}.tsv")])
    hardest = ("--metrics", *metrics, *shown, "--models", titles)
    run_step("tables", ["hardest_cases", *hardest, "--out", str(results / "tables/hardest_cases.tsv")])
    said = ("--results", str(results), *labels)
    run_step("report", ["statements", *said, "--out", str(results / "report/statements.tsv")])
    counts = ("--checklists", *CHECKLISTS, "--out", str(results / "report/checklist_counts.tsv"))
    run_step("report", ["checklist_counts", *said, *counts])
