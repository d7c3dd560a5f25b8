"""Tables of a results folder that came from anybody: what can't be read is told with the file's name."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from headct.contracts.artefacts import sha256_of
from headct.contracts.declarations import published_numbers
from headct.contracts.problems import BadInput
from headct.contracts.references import ANOTHER_RATER
from headct.provenance import trace
from headct.provenance.lineage import Study
from headct.provenance.number_origins import (
    ALL,
    SOURCE_FINDERS,
    Place,
    RepeatedCell,
    Tables,
    rows_behind,
    source_of,
)
from headct.provenance.recompute import DERIVED, OF_FILE, recompute
from headct.statistics.comparison.new_site import OF_TEST_SET, tables_of
from support import audit_study
from support.label_sets import LABELS
from support.planned_cases import MODELS, PLAN, analysed, cohort
from support.simulated_scores import simulated, with_role

TABLE, METRICS = "results/tables/table1.tsv", "results/metrics/unet.tsv"


@pytest.fixture
def tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tables:
    """Of the small study, which the working directory is."""
    monkeypatch.chdir(tmp_path)
    audit_study.run()
    return Tables(Study(Path("results")), LABELS)


@pytest.mark.parametrize("content", [b'dice\n"0.81\n', b"", b"dice\n\xe9\n", b"dice\n0.81\t1\n0.8\t1\t2\n"])
def test_what_is_no_table_is_told_in_one_line(tables: Tables, content: bytes) -> None:
    Path(TABLE).write_bytes(content)
    for read in (tables.text, tables.numbers):
        with pytest.raises(BadInput, match=f"{TABLE}: can't be read as a table: ") as caught:
            read(TABLE)
        assert "\n" not in str(caught.value)
    with pytest.raises(BadInput, match=TABLE):
        trace.find(tables, [TABLE, "dice"])


def test_columns_that_are_absent_are_named(tables: Tables) -> None:
    with pytest.raises(BadInput, match=f"{TABLE}, key model: the table has no such column"):
        trace.trace(tables, Place(TABLE, 0, "dice"))
    with pytest.raises(BadInput) as caught:
        tables.measured_rows(METRICS, "unet", False, "ICH", ALL, "")
    assert {problem.file for problem in caught.value.problems} == {METRICS}
    absent = {"model", "label", "failure", "seed", "reference_ml", "predicted_ml"}
    assert {problem.key for problem in caught.value.problems} == absent


COHORT, SPLIT = "results/cohort/cohort.tsv", "results/cohort/split.tsv"


@pytest.mark.parametrize("path", [TABLE, METRICS, SPLIT])
def test_a_table_that_is_gone_is_named(tables: Tables, path: str) -> None:
    Path(path).unlink()
    for read in (tables.text, tables.numbers):
        with pytest.raises(BadInput, match=f"{path}: can't be read: No such file"):
            read(path)
    Path(TABLE).unlink(missing_ok=True)
    with pytest.raises(BadInput, match=f"{TABLE}: can't be read"):
        trace.find(tables, [TABLE, "line 1", "dice"])


@pytest.mark.parametrize(("path", "absent"), [(COHORT, "status"), (SPLIT, "set")])
def test_cohort_and_split_of_other_columns_are_named(tables: Tables, path: str, absent: str) -> None:
    Path(COHORT).write_text(
        "scan_id\tparticipant_id\tstatus\treason\tsex\tage\tonset_to_ct_h\tICH_ml\tPHE_ml\tIVH_ml\n"
    )
    Path(path).write_text(Path(path).read_text().replace(absent, "other"))
    with pytest.raises(BadInput, match=f"{path}, key {absent}: the table has no such column"):
        _ = tables.sets


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "can't be read: No such file"),
        ("{", "is no JSON"),
        ("[" * 200_000, "is no JSON that can be read"),
        ("[]", "is no record of a training"),
        ("{}", "is no record of a training: it lacks history, seconds"),
    ],
)
def test_a_record_of_training_that_is_none_is_named(tables: Tables, content: str | None, said: str) -> None:
    path = "results/models/unet/train.json"
    if content is not None:
        Path(path).parent.mkdir(parents=True)
        Path(path).write_text(content)
    with pytest.raises(BadInput, match=said) as caught:
        tables.training(path)
    assert {problem.file for problem in caught.value.problems} == {path}


def test_what_a_computation_stumbles_on_is_one_fault_that_names_the_changed_file(tables: Tables) -> None:
    place = Place(TABLE, 0, "dice")
    tables.text(METRICS)
    with pytest.raises(BadInput) as caught, tables.naming_place(place):
        raise IndexError
    assert str(caught.value).startswith(f"{TABLE}, row line 1, key dice: can't be followed")
    Path(METRICS).write_text("scan_id\tdice\ns1\tmuch\n")
    with pytest.raises(BadInput) as caught, tables.naming_place(place):
        raise IndexError
    assert str(caught.value).startswith(f"{METRICS}: is not as its job made it")


def test_a_row_or_a_job_that_is_not_there_is_named(tables: Tables) -> None:
    with pytest.raises(BadInput, match=f"{TABLE}, row line 8: the table has no such row"):
        tables.row(Place(TABLE, 7, "dice"))
    with pytest.raises(BadInput, match=r"results/x\.tsv: is missing among the outputs of all records"):
        tables.study.maker("results/x.tsv")


def test_columns_of_another_kind_are_named(tables: Tables) -> None:
    names = ("model", "scan_id", "label", "failure", "seed", "dice", "reference_ml", "predicted_ml")
    row = ("unet", "s1", "ICH", "", "1", "0.8", "much", "2")
    Path(METRICS).write_text("\t".join(names) + "\n" + "\t".join(row) + "\n")
    with pytest.raises(BadInput, match=f"{METRICS}, key reference_ml: the column must be numbers"):
        tables.measured_rows(METRICS, "unet", False, "ICH", ALL, "")


@pytest.mark.parametrize(
    ("path", "column", "source", "of", "same"),
    [
        ("tables/table1.tsv", "mean", "dice_summary", "mean", True),
        ("tables/table1.tsv", "mark_mean", "dice_summary", "mean", False),
        ("tables/table1.tsv", "present_mean", "dice_present_summary", "mean", True),
        ("tables/table1.tsv", "sensitivity", "dice_present_summary", "sensitivity", True),
        ("tables/table1.tsv", "title", "", "", True),
        ("tables/table2.tsv", "train", "cohort_tests", "train_count", False),
        ("tables/table2.tsv", "p", "cohort_tests", "p", True),
    ],
)
def test_a_cell_repeats_what_its_table_is_declared_to_repeat(
    tables: Tables, path: str, column: str, source: str, of: str, same: bool
) -> None:
    written = {
        "tables/table1.tsv": {"model": "unet", "title": "U-Net", "label": "ICH", "mean": "0.8"},
        "tables/table2.tsv": {"characteristic": "ICH", "statistic": "n (%)", "train": "2 (50)", "p": "0.5"},
        "statistics/dice_summary.tsv": {"model": "unet", "label": "ICH", "mean": "0.8"},
        "statistics/dice_present_summary.tsv": {
            "model": "unet",
            "label": "ICH",
            "mean": "0.9",
            "sensitivity": "1",
        },
        "statistics/cohort_tests.tsv": {
            "characteristic": "ICH",
            "statistic": "n (%)",
            "train_count": "2",
            "p": "0.5",
        },
    }
    for file, row in written.items():
        Path("results", file).parent.mkdir(exist_ok=True)
        Path("results", file).write_text("\t".join(row) + "\n" + "\t".join(row.values()) + "\n")
    found = source_of(tables, Place(f"results/{path}", 0, column))
    expected = RepeatedCell(Place(f"results/statistics/{source}.tsv", 0, of), same) if source else None
    assert found == expected


def test_formulas_are_of_numbers_that_are_published() -> None:
    paths = published_numbers()
    names = {path.removesuffix("/{model}.tsv").removesuffix(".tsv") for path in paths}
    assert OF_FILE.keys() <= {name.split("/")[1] for name in names}
    assert {"/".join(key) for key in (*DERIVED, *SOURCE_FINDERS)} <= names


@pytest.mark.parametrize("folder", ["results/metrics", "results/metrics/out-of-fold"])
def test_dice_by_site_is_computed_again_from_the_rows_that_the_job_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    monkeypatch.chdir(tmp_path)
    audit_study.run()
    metrics = simulated(MODELS[:1], n_scans=40).query("model == @MODELS[0]")
    table, split = cohort(40)
    table["participant_id"] = table["participant_id"].replace("P1", "P0")
    facts = dict.fromkeys(("status", "reason", "sex"), "x") | {"age": 70, "onset_to_ct_h": 2}
    found = tables_of(with_role(metrics, MODELS[:1]), table, PLAN, OF_TEST_SET)
    wrong = metrics.assign(dice=0.5)
    inputs = {
        COHORT: table.assign(**facts),
        SPLIT: split,
        f"results/metrics/{MODELS[0]}.tsv": wrong,
        f"{folder}/{MODELS[0]}.tsv": metrics,
    }
    measured = {path: frame.to_csv(sep="\t", index=False) for path, frame in inputs.items()}
    audit_study.job("measure", ["scans.tsv"], measured)
    paths = {name: f"results/statistics/{name}.tsv" for name in found}
    texts = {paths[name]: frame.to_csv(sep="\t", index=False) for name, frame in found.items()}
    audit_study.job("new_site", [COHORT, SPLIT, f"{folder}/{MODELS[0]}.tsv"], texts)
    tables = Tables(Study(Path("results")), LABELS)
    for name, columns in {
        "site_dice": ("n", "n_participants", "dice_mean"),
        "new_site": ("n", "n_participants", "n_sites", "q", "variance_between", "dice_mean"),
    }.items():
        assert len(found[name]) >= 6
        for line in found[name].dropna(subset="dice_mean").index:
            for column in columns:
                again = recompute(tables, Place(paths[name], line, column))
                assert again == pytest.approx(found[name].loc[line, column], abs=1e-9)
    assert recompute(tables, Place(paths["new_site"], 0, "new_lower")) is None
    (behind,) = rows_behind(tables, Place(paths["site_dice"], 0, "dice_mean"))
    assert len(behind.frame) == found["site_dice"].loc[0, "n"]
    assert behind.path == f"{folder}/{MODELS[0]}.tsv"
    assert behind.how.endswith(f"site {found['site_dice'].loc[0, 'site']}")


def test_a_model_beside_another_rater_is_computed_again_on_the_scans_that_both_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second reading of a training scan does not count."""
    monkeypatch.chdir(tmp_path)
    audit_study.run()
    metrics = simulated(MODELS[:2], n_scans=40)
    read_twice = metrics[(metrics["model"] == MODELS[1]) & (metrics["scan_id"] < "025")]
    of_training = read_twice[read_twice["scan_id"] == "000"].assign(scan_id="t0")
    readings = pd.concat([read_twice, of_training]).assign(model=ANOTHER_RATER, seed=pd.NA)
    table, split = cohort(40)
    facts = dict.fromkeys(("status", "reason", "sex"), "x") | {"age": 70, "onset_to_ct_h": 2}
    found = analysed(metrics, MODELS[:2], readings=readings)["rater_noninferiority"]
    path = "results/statistics/rater_noninferiority.tsv"
    files = {
        COHORT: table.assign(**facts),
        SPLIT: split,
        f"results/metrics/{MODELS[0]}.tsv": metrics[metrics["model"] == MODELS[0]],
        "results/metrics/second-reading.tsv": readings,
        path: found,
    }
    texts = {name: frame.to_csv(sep="\t", index=False) for name, frame in files.items()}
    audit_study.job("paired_analysis", ["scans.tsv"], texts)
    tables = Tables(Study(Path("results")), LABELS)
    elementary = ("n", "n_test", "estimate_model", "estimate_rater", "difference", "individual_agreement")
    for column in (*elementary, "interchangeability_ml2"):
        for line in found.index[found["model"] == MODELS[0]]:
            assert recompute(tables, Place(path, line, column)) == pytest.approx(found.loc[line, column])
    assert recompute(tables, Place(path, 0, "p")) is None
    behind = rows_behind(tables, Place(path, 0, "difference"))
    assert [len(rows.frame) for rows in behind] == [25, 25]
    assert behind[0].how == f"{MODELS[0]}, ICH, test scans that another rater read"


def test_what_raters_said_is_traced_to_their_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    audit_study.run()
    said = {"ratings-a.tsv": "rater\nA\n", "key.tsv": "case\n1\n"}
    for name, text in said.items():
        Path(name).write_text(text)
    path = "results/statistics/blinded.tsv"
    cells = "model\tquestion\tshare\nunet\tbest\t0.25\n"
    audit_study.job("blinded_analysis", [*said, "results/cohort/split.tsv"], {path: cells})
    tables = Tables(Study(Path("results")), LABELS)
    words, right = trace.words_of_number(trace.trace(tables, Place(path, 0, "share")))
    assert right
    files = "\n".join(f"  {name}, sha256 {sha256_of(name)}" for name in sorted(said))
    assert f"made of what people said, in tables beside the results:\n{files}" in words
    assert "no measurement" not in words
