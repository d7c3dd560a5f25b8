"""The analysis plan: what is refused and how it is said, what of it goes into the results."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from headct.contracts.no_prediction import MISSING_SCORED
from headct.contracts.problems import BadInput
from headct.contracts.repository import REPOSITORY
from headct.settings import analysis_plan
from support.planned_cases import MODELS, PLAN, analysed
from support.simulated_scores import simulated


def written(folder: Path, change: Callable[[dict[str, Any]], object] | None = None) -> Path:
    content = yaml.safe_load(analysis_plan.SHIPPED.read_text(encoding="utf-8"))
    if change:
        change(content)
    path = folder / "plan.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


def test_the_shipped_plan() -> None:
    plan = analysis_plan.load(analysis_plan.SHIPPED)
    assert (plan.primary.measure, plan.primary.label, plan.primary.scans) == ("dice", "IVH", "all")
    assert (plan.primary.model, plan.primary.against) == ("nnunet-3d-focal", ("nnunet-3d-dicece",))
    assert [len(endpoint.against) for endpoint in plan.key_secondary] == [9, 9, 9]
    assert plan.dice_margin == {"ICH": 0.02, "PHE": 0.02, "IVH": 0.05}
    assert plan.permutations >= 10_000
    assert (plan.comparison, plan.cluster, plan.multiplicity.rule) == ("replication", None, "hierarchical")
    assert plan.multiplicity.primary_alpha == plan.multiplicity.key_secondary_alpha == 0.05
    assert plan.sha256 == hashlib.sha256(analysis_plan.SHIPPED.read_bytes()).hexdigest()


def test_every_endpoint_names_models_of_the_shipped_configuration() -> None:
    config = yaml.safe_load((analysis_plan.SHIPPED.parent / "config.yaml").read_text(encoding="utf-8"))
    assert set(MODELS) == set(config["models"])
    assert config["analysis_plan"] == "config/analysis_plan.yaml"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda c: c.pop("primary"), ["primary", "required but absent"]),
        (lambda c: c.update(sed=1), ["sed", "did you mean 'seed'"]),
        (lambda c: c.update(permutations=100), ["permutations", "at least 1000"]),
        (lambda c: c.update(cluster="scanner"), ["cluster", "must be one of site"]),
        (lambda c: c["multiplicity"].update(rule="split"), ["multiplicity.primary_alpha", "needs it"]),
        (lambda c: c["multiplicity"].update(primary_alpha=0.01), ["multiplicity.primary_alpha", "goes with"]),
        (lambda c: c.update(date="soon"), ["date", "soon"]),
        (lambda c: c.update(date="2026-02-30"), ["date", "no such day"]),
        (lambda c: c["primary"].update(measure="hausdorff"), ["primary.measure", "must be one of dice"]),
        (lambda c: c["primary"].update(against=["unet", "nnunet-2d"]), ["against one model"]),
        (lambda c: c["primary"].update(against=[c["primary"]["model"]]), ["compared with itself"]),
        (lambda c: c["primary"].update(against="others"), ["against one model"]),
        (lambda c: c["key_secondary"][0].update(against="all"), ["against", "the word others"]),
        (lambda c: c["key_secondary"][1].update(scans="all"), ["key_secondary.1.scans", "false_positive"]),
        (lambda c: c["key_secondary"][2].update(name="IVH Dice"), ["stands twice", "IVH Dice"]),
        (lambda c: c["families"].append(dict(c["families"][0])), ["families", "stands twice"]),
        (lambda c: c["equivalence"]["dice_margin"].update(IVH=0), ["dice_margin.IVH", "above 0"]),
        (lambda c: c["subgroups"]["of"][0].update(cut_points=[1]), ["both cut_points"]),
        (lambda c: c["subgroups"]["of"][2].update(training_quantiles=[0.5]), ["gantry tilt"]),
    ],
)
def test_faults_are_named(
    tmp_path: Path, change: Callable[[dict[str, Any]], object], said: list[str]
) -> None:
    with pytest.raises(BadInput) as caught:
        analysis_plan.load(written(tmp_path, change))
    for words in ("plan.yaml", *said):
        assert words in str(caught.value)


@pytest.mark.parametrize(("text", "said"), [("a: [", "not valid YAML"), ("- a", "mapping of keys")])
def test_what_is_no_plan_is_refused(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BadInput, match=said):
        analysis_plan.load(path)
    with pytest.raises(BadInput, match="no such analysis plan"):
        analysis_plan.load(tmp_path / "absent.yaml")


def test_a_date_without_quotes_is_a_date(tmp_path: Path) -> None:
    path = written(tmp_path)
    path.write_text(
        path.read_text(encoding="utf-8").replace(f"'{PLAN.date}'", "2026-01-02"), encoding="utf-8"
    )
    assert analysis_plan.load(path).date == "2026-01-02"


def test_results_hold_the_plan_its_deviations_and_what_is_beyond_it() -> None:
    metrics = simulated([*MODELS[:3], "mine", "extra"], n_scans=12)
    subgroup = analysis_plan.Subgroup("scanner age", "scanner_age_years", (10.0,))
    plan = replace(PLAN, subgroups=(*PLAN.subgroups, subgroup))
    tables = analysed(metrics, (*MODELS[:3], "mine"), plan=plan)
    table = tables["plan"]
    values = table[table["kind"] == "plan"].set_index("item")["value"]
    assert (values["sha256"], values["date"]) == (PLAN.sha256, PLAN.date)
    deviations = table[table["kind"] == "deviation"]
    assert "nnunet-3d-dicece is not part of this run" in set(
        deviations.loc[deviations["item"] == "endpoint IVH Dice", "value"]
    )
    assert (deviations["value"] == "no column scanner_age_years in this study").sum() == 1
    assert set(table.loc[table["kind"] == "exploratory", "item"]) == {"mine", "extra"}
    first = tables["endpoints"].iloc[0]
    assert (first["verdict"], first["note"]) == ("", "not part of this run: nnunet-3d-dicece")
    paired = tables["paired"]
    assert set(paired.loc[paired["status"] == "exploratory", "model_a"]) == {"extra"}


def test_missing_predictions_are_reported() -> None:
    metrics = simulated(MODELS[:2], n_scans=9)
    of_model = metrics["model"] == MODELS[1]
    metrics.loc[of_model & (metrics["scan_id"] == "004"), "failure"] = "RuntimeError: killed"
    metrics.loc[of_model & (metrics["scan_id"] == "005"), "failure"] = "the slices are 40 mm apart"
    table = analysed(metrics, MODELS[:2])["plan"]
    reported = table[table["kind"] == "reported"]
    # Formerly "1 of 9 predictions missing, counted as empty": an empty map is right without the lesion.
    missing = "predictions missing, of 9: 2 (1 crashed, 1 refused)"
    assert list(reported["value"]) == [f"{missing}, each {MISSING_SCORED}"]


def test_endpoints_may_share_the_error(tmp_path: Path) -> None:
    plan = analysis_plan.load(
        written(tmp_path, lambda c: c.update(multiplicity={"rule": "split", "primary_alpha": 0.04}))
    )
    assert plan.multiplicity.key_secondary_alpha == pytest.approx(0.01)


def test_others_are_those_of_the_run(tmp_path: Path) -> None:
    plan = analysis_plan.load(written(tmp_path, lambda c: c["key_secondary"][0].update(against="others")))
    assert plan.key_secondary[0].against == ()
    of_run = plan.of_run(["a", plan.primary.model, "b"])
    assert of_run.key_secondary[0].against == ("a", "b")
    assert of_run.primary == plan.primary
    assert of_run.key_secondary[1:] == plan.key_secondary[1:]


def test_the_example_of_the_page_is_a_plan(tmp_path: Path) -> None:
    page = (REPOSITORY / "docs/how-to/analysis-plan.md").read_text(encoding="utf-8")
    (tmp_path / "plan.yaml").write_text(page.partition("```yaml\n")[2].partition("```")[0], encoding="utf-8")
    plan = analysis_plan.load(tmp_path / "plan.yaml")
    assert (plan.comparison, plan.cluster, plan.primary.expected_sd) == ("own", "participant", 0.08)
    assert plan.least_dice == {"ICH": 0.8, "PHE": 0.6, "IVH": 0.7}
