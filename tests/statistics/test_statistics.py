"""The command that writes all statistics: what it needs, what it refuses, and that its bytes repeat."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from headct.command_line import run_step
from headct.contracts.artefacts import read_tsv, write_json, write_tsv
from headct.contracts.problems import BadInput
from headct.contracts.references import PREDICTS_NOTHING
from headct.settings.analysis_plan import SHIPPED
from headct.statistics.core import scores as scores_of
from support.declared import assert_as_declared
from support.label_sets import GIVEN, LABELS
from support.planned_cases import PLAN
from support.replicated import replicated
from support.simulated_scores import FAMILY, cohort, simulated, with_role
from support.study_files import make_sheet


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """A study on disk; returns the command's arguments but for the models and the output."""
    metrics = simulated([*FAMILY, "extra"])
    for model, table in metrics.groupby("model"):
        write_tsv(table, tmp_path / f"{model}.tsv")
    scans = cohort()
    write_tsv(scans.drop(columns="set").assign(age=60), tmp_path / "cohort.tsv")
    sheet = make_sheet(
        tmp_path,
        *({"scan_id": row.scan_id, "age": f"{row.age:g}"} for row in scans.itertuples()),
    )
    write_tsv(scans[["scan_id", "set"]], tmp_path / "split.tsv")
    geometry = {"size_xyz": [64, 64, 2], "spacing_mm_xyz": [3.5, 3.5, 5], "slice_weights_mm": [5.0, 5.0]}
    for scan in scans["scan_id"]:
        write_json({"geometry": geometry}, tmp_path / "data" / scan / "scan.json")
    measured = [str(tmp_path / f"{model}.tsv") for model in metrics["model"].unique()]
    places = ["--sheet", str(sheet), "--cohort", str(tmp_path / "cohort.tsv")]
    places += ["--split", str(tmp_path / "split.tsv"), "--data", str(tmp_path / "data")]
    return ["--metrics", *measured, *places, "--plan", str(SHIPPED)]


def run(files: list[str], out: Path, *models: str) -> None:
    run_step("statistics", [*GIVEN, *files, "--models", *models, "--out", str(out)])


def test_command_writes_every_table_in_the_same_bytes(files: list[str], tmp_path: Path) -> None:
    run(files, tmp_path / "one", *FAMILY)
    run([files[0], *reversed(files[1:6]), *files[6:]], tmp_path / "two", *FAMILY)
    names = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert_as_declared(tmp_path / "one", "statistics")
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    summary = read_tsv(tmp_path / "one" / "dice_summary.tsv")
    assert list(summary["model"].unique()) == [*FAMILY, "extra", PREDICTS_NOTHING]
    assert len(read_tsv(tmp_path / "one" / "dunn.tsv")) == 3 * 3
    tests = read_tsv(tmp_path / "one" / "cohort_tests.tsv").set_index("characteristic")
    assert tests.loc["age_years", "test_max"] == cohort().query("set == 'test'")["age"].max(), "not capped"


def test_the_claims_are_judged_from_the_files_of_the_statistics(files: list[str], tmp_path: Path) -> None:
    run(files, tmp_path / "statistics", *FAMILY)
    options = [
        "--statistics",
        str(tmp_path / "statistics"),
        "--models",
        *FAMILY,
        "--out",
        str(tmp_path / "out"),
    ]
    data = files.index("--data")
    run_step("claims", [*GIVEN, *files[:data], *files[data + 2 :], *options])
    assert_as_declared(tmp_path / "out", "claims")


def test_model_without_metrics_is_named(files: list[str], tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no table has metrics of this model"):
        run(files, tmp_path / "out", *FAMILY, "nnunet-3d-focal")


def test_models_measured_on_different_scans_are_refused(files: list[str], tmp_path: Path) -> None:
    path = tmp_path / "b.tsv"
    table = read_tsv(path)
    write_tsv(table[table["scan_id"] != "003"], path)
    with pytest.raises(BadInput) as error:
        run(files, tmp_path / "out", *FAMILY)
    assert {problem.row for problem in error.value.problems} == {"b, seed 0"}
    assert len(error.value.problems) == len(LABELS)


def test_row_that_stands_twice_is_refused(files: list[str], tmp_path: Path) -> None:
    table = read_tsv(tmp_path / "b.tsv")
    write_tsv(pd.concat([table, table.head(1)]), tmp_path / "b.tsv")
    with pytest.raises(BadInput, match="stands twice"):
        run(files, tmp_path / "out", *FAMILY)


def test_table_that_is_no_metrics_table_is_refused(files: list[str], tmp_path: Path) -> None:
    write_tsv(pd.DataFrame({"model": ["b"]}), tmp_path / "b.tsv")
    with pytest.raises(BadInput, match="no column 'dice'"):
        run(files, tmp_path / "out", *FAMILY)


def test_every_cell_that_lacks_its_number_is_named_at_once(files: list[str], tmp_path: Path) -> None:
    b, c = (read_tsv(tmp_path / f"{model}.tsv").astype(object) for model in "bc")
    b.loc[3, ["dice", "reference_header_ml"]] = None, float("inf")
    b.loc[4, "scan_id"] = None
    c.loc[0, "predicted_ml"] = "much"
    write_tsv(b, tmp_path / "b.tsv")
    write_tsv(c, tmp_path / "c.tsv")
    with pytest.raises(BadInput, match="every row must have a finite number: make this table") as error:
        run(files, tmp_path / "out", *FAMILY)
    found = {(Path(one.file).name, one.row, one.key, one.value) for one in error.value.problems}
    assert found == {
        ("b.tsv", "b, seed 0, 003, ICH (line 5)", "dice", ""),
        ("b.tsv", "b, seed 0, 003, ICH (line 5)", "reference_header_ml", "inf"),
        ("b.tsv", "b, seed 0, ICH (line 6)", "scan_id", ""),
        ("c.tsv", "c, seed 0, 000, ICH (line 2)", "predicted_ml", "much"),
    }
    assert not (tmp_path / "out").exists()


def test_values_that_no_measure_can_have_are_named_at_once(files: list[str], tmp_path: Path) -> None:
    """With three models and the row that predicts nothing, the table that differs is the one named."""
    b, c = (read_tsv(tmp_path / f"{model}.tsv") for model in "bc")
    usual = b.loc[4, "reference_ml"]
    b.loc[3, ["dice", "surface_dice"]] = 1.7, 2.0
    b.loc[4, "reference_ml"] = 99.0
    b.loc[[5, 6], "hd95_mm"] = float("inf"), -1.0
    b.loc[7, "seed"] = None  # a column of floats, then
    c.loc[0, ["dice", "predicted_header_ml", "volume_error_ml"]] = -0.2, -3.0, -3.0
    write_tsv(b, tmp_path / "b.tsv")
    write_tsv(c, tmp_path / "c.tsv")
    assert usual != 99.0
    with pytest.raises(BadInput) as error:
        run(files, tmp_path / "out", *FAMILY)
    found = [(Path(one.file).name, one.row, one.key, one.value) for one in error.value.problems]
    assert sorted(found) == [
        ("b.tsv", "b, seed 0, 003, ICH (line 5)", "dice", "1.7"),
        ("b.tsv", "b, seed 0, 003, ICH (line 5)", "surface_dice", "2.0"),
        ("b.tsv", "b, seed 0, 004, ICH (line 6)", "reference_ml", "99.0"),
        ("b.tsv", "b, seed 0, 005, ICH (line 7)", "hd95_mm", "inf"),
        ("b.tsv", "b, seed 0, 006, ICH (line 8)", "hd95_mm", "-1.0"),
        ("c.tsv", "c, seed 0, 000, ICH (line 2)", "dice", "-0.2"),
        ("c.tsv", "c, seed 0, 000, ICH (line 2)", "predicted_header_ml", "-3.0"),
    ]
    for message in ("from 0 to 1: make this", "can't be negative: make this", "measure all models again"):
        assert message in str(error.value)
    assert not (tmp_path / "out").exists()


def test_reference_volumes_may_differ_by_the_rounding_of_a_table_but_not_by_a_voxel(tmp_path: Path) -> None:
    one = simulated(["one"]).query("model == 'one'")
    places = [tmp_path / f"{model}.tsv" for model in ("one", "two")]
    for factor, differs in ((1 + 1e-9, False), (1 + 1e-6, True)):
        two = one.assign(model="two", reference_ml=one["reference_ml"] * factor)
        for table, place in zip((one, two), places, strict=True):
            write_tsv(table, place)
        if differs:
            with pytest.raises(BadInput) as error:
                scores_of.read(places, ["one", "two"], LABELS)
            n = 2 * (one["reference_ml"] > 0).sum()
            assert [problem.key for problem in error.value.problems] == ["reference_ml"] * n
        else:
            assert len(scores_of.read(places, ["one", "two"], LABELS)) == 2 * len(one)


def test_seeds_and_kinds_of_second_readings_share_the_references(tmp_path: Path) -> None:
    table = simulated(["reader"], seeds=(1, 2, 3)).query("model == 'reader'").reset_index(drop=True)
    write_tsv(table, tmp_path / "seeds.tsv")
    assert len(scores_of.read_table(tmp_path / "seeds.tsv")) == len(table)
    kinds = table.assign(model="reader " + table["seed"].astype(str), seed=None)
    kinds.loc[2, "reference_ml"] += 1
    write_tsv(kinds, tmp_path / "readings.tsv")
    with pytest.raises(BadInput, match=r"row reader 1, 002, ICH \(line 4\), key reference_ml, .*another"):
        scores_of.read_table(tmp_path / "readings.tsv", ("model", "dice", "reference_ml"))


def test_measures_that_may_be_undefined_may_be_empty(files: list[str], tmp_path: Path) -> None:
    undefined = ("hd95_mm", "surface_dice", "swapped_ml", "lesion_f1")
    empty = read_tsv(tmp_path / "b.tsv").assign(**dict.fromkeys(undefined))
    write_tsv(empty, tmp_path / "b.tsv")
    run(files, tmp_path / "out", *FAMILY)
    assert (tmp_path / "out" / "dice_summary.tsv").is_file()


def test_statistics_do_not_depend_on_the_order_of_models_or_on_others() -> None:
    family = ["nnunet-3d-focal", "nnunet-3d-dicece", "unet"]
    metrics = simulated([*family, "mine"], n_scans=6)
    whole = replicated(with_role(metrics, family), cohort(), PLAN, LABELS)
    alone = replicated(
        with_role(metrics[metrics["model"].isin(family)], family[::-1]), cohort(), PLAN, LABELS
    )
    for name, table in alone.items():
        if name == "dunn":  # each pair stands the other way round: test_group_tests.py
            continue
        kept = whole[name]
        if "role" in kept:
            kept = kept[kept["role"] == "family"]
        by = [column for column in ("stage", "model", "label", "scans", "claim") if column in table]
        one, other = (t.sort_values(by).reset_index(drop=True) if by else t for t in (kept, table))
        pd.testing.assert_frame_equal(one, other)
