"""``headct configuration --check`` tells what Snakemake would refuse, of the analysis plan as well."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from headct.contracts.problems import BadInput
from headct.contracts.repository import REPOSITORY
from headct.run import check_configuration


def write_study(folder: Path, plan: str, **changes: Any) -> Path:
    """The demo's configuration with changes, its plan a file of the study; the configuration's path."""
    shipped = (REPOSITORY / "config/analysis_plan.yaml").read_text(encoding="utf-8")
    (folder / plan).write_text(shipped, encoding="utf-8")
    config = yaml.safe_load((REPOSITORY / "config/demo.yaml").read_text(encoding="utf-8"))
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump(config | {"analysis_plan": plan} | changes), encoding="utf-8")
    return path


def test_lesions_and_models_of_the_plan_are_held_against_the_configuration(tmp_path: Path) -> None:
    models = yaml.safe_load((REPOSITORY / "config/demo.yaml").read_text(encoding="utf-8"))["models"]
    models["nnunet-3d-dicece"]["replication"] = False
    labels = {"ICH": 1, "PHE": 2, "SDH": 3}
    study = write_study(tmp_path, "my_plan.yaml", labels=labels, groups={}, models=models)
    with pytest.raises(BadInput) as caught:
        check_configuration.main(check=[study], directory=tmp_path)
    problems = caught.value.problems
    assert {Path(problem.file).name for problem in problems} == {"my_plan.yaml"}
    told = {(problem.key, problem.value) for problem in problems}
    assert ("endpoint 'IVH Dice'", "nnunet-3d-dicece") in told
    assert ("endpoint 'IVH Dice'", "IVH") in told
    assert ("equivalence.dice_margin", "SDH") in told
    assert all(f"labels: in {study}" in one.message for one in problems if one.value in ("IVH", "SDH"))


def test_what_the_results_will_list_as_a_deviation_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models = yaml.safe_load((REPOSITORY / "config/demo.yaml").read_text(encoding="utf-8"))["models"]
    models["blast-ct"]["replication"] = False
    check_configuration.main(check=[write_study(tmp_path, "plan.yaml", models=models)], directory=tmp_path)
    assert "Warning: " in (printed := capsys.readouterr().out)
    assert "blast-ct is not compared in this run" in printed


def test_a_plan_that_is_not_there_says_where_it_was_looked_for(tmp_path: Path) -> None:
    study = write_study(tmp_path, "plan.yaml", analysis_plan="nowhere.yaml")
    with pytest.raises(BadInput, match=r"\(--directory\) or in the workflow's: mend analysis_plan"):
        check_configuration.main(check=[study], directory=tmp_path)


@pytest.mark.parametrize("name", ["config.yaml", "demo.yaml", "simulated_full.yaml"])
def test_what_is_shipped_has_no_fault(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    check_configuration.main(check=[REPOSITORY / "config" / name])
    assert capsys.readouterr().out == ""
