"""Withdrawal of consent: what holds data of a scan is deleted, and the audit knows that and no more."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path, PurePath

import pytest

from headct.cohort.gathering import flow_of
from headct.contracts import amendments, run_records
from headct.contracts.artefacts import read_json, read_tsv, sha256_of, write_json
from headct.contracts.problems import BadInput
from headct.engine.training_job import training_scans
from headct.provenance import amending, crate, manifest, privacy, report, rows, seal, verify, withdrawal
from headct.provenance.manifest import Entry
from headct.provenance.withdrawal import StudyFolder
from headct.provenance.withdrawal_in_words import in_words, made_with
from support.audit_study import forked_command, reseal
from support.sealed_miniature import ROOT, extracted

TESTED, TRAINED, EXCLUDED = "scan-0001", "scan-0002", "scan-9001"
"""A scan of each kind in the study."""
REASON = "consent withdrawn"
CHECKS = [check for check in verify.INTEGRITY if check is not verify.code]
"""To digest all modules of the software takes most of the time, and nothing here touches them."""
NAMED_BY = ("audit/runs/", "audit/manifest.tsv", "audit/amendments/", "ro-crate-metadata.json")
"""What goes on naming a scan, with digests and nothing else."""


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The study, with what its jobs would have left in the work folder; it must not be written to."""
    folder = tmp_path_factory.mktemp("sealed")
    results = extracted(folder)
    split = read_tsv(results / "cohort/split.tsv")
    scans = training_scans(split[split["set"] == "train"], results / "data")
    work = folder / "work"
    digests = {scan.scan_id: scan.sha256 for scan in scans}
    for scan in scans:
        fill(work / "monai/0123456789abcdef" / scan.prepared_name / "image.npy")
        fill(work / f"blastct/resampled/{scan.prepared_name}-01234567.ct.npy")
    fill(work / "blastct/elastic-noise-8.npy")
    fill(work / f"blastct/resampled/{'0' * 32}.ct.npy")  # of an older release, which did not say whose
    write_json(digests, work / "nnunet/0123456789abcdef/scans.json")
    write_json({"training scans": digests, "validation scans": {}}, work / "training/unet/seed-1/a/key.json")
    write_json({"training scans": {}, "validation scans": {}}, work / "training/unet/seed-1/b/key.json")
    tested = split.loc[split["set"] == "test", "scan_id"]
    write_json({scan: {"sha256": ""} for scan in tested}, work / "predictions/unet/test/seed-1.json")
    shutil.copytree(results / "cohort", folder / "qc", ignore=shutil.ignore_patterns("split*", "balance*"))
    for scan in split["scan_id"]:
        fill(folder / f"qc/report/cases/scans/{scan}.js")
    for ct in split["ct_sha256"]:
        fill(work / f"outside/rival/0123456789abcdef/{ct[:32]}.nii.gz")
    fill(work / "outside/rival/0123456789abcdef/run-a/images/case_0001_0000.nii.gz")  # of a killed job
    return folder


def fill(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"voxels")


@pytest.fixture
def study(sealed: Path, tmp_path: Path) -> StudyFolder:
    """A copy of it, in which the test works."""
    return copy(sealed, tmp_path / "study")


def copy(of: Path, to: Path) -> StudyFolder:
    shutil.copytree(of, to)
    return StudyFolder(to)


def withdraw(study: StudyFolder, *scans: str) -> str:
    """Withdraw scans; the root digest after it."""
    withdrawal.check(study, scans, REASON)
    withdrawal.begin(study, withdrawal.plan(study, scans, REASON))
    return withdrawal.finish(study)


@pytest.fixture(scope="module")
def withdrawn(sealed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The study without its test scan; it must not be written to."""
    study = copy(sealed, tmp_path_factory.mktemp("withdrawn") / "study")
    withdraw(study, TESTED)
    return study.folder


@pytest.fixture
def results(withdrawn: Path, tmp_path: Path) -> Path:
    """A copy of its results, in which the test works."""
    shutil.copytree(withdrawn / "results", tmp_path / "results")
    return tmp_path / "results"


def contents(folder: Path) -> dict[str, bytes]:
    """All files below a folder, by path."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def found(results: Path, root: str = "", *more: verify.Check) -> dict[str, str]:
    findings = verify.verify(verify.ResultsFolder(results, root), [*CHECKS, *more])
    return {finding.path: finding.what for finding in findings}


def reported(results: Path, root: str) -> str:
    """What the command prints, but for the search for identifiers."""
    folder = verify.ResultsFolder(results, root)
    return report.text(verify.summary(folder, verify.verify(folder, CHECKS), False, 0.0))


# -- what is deleted, and what stays -----------------------------------------------------------------


@pytest.mark.parametrize("scan", [TESTED, TRAINED, EXCLUDED])
def test_nothing_but_its_name_is_left_of_a_scan_and_all_else_is_as_it_was(
    sealed: Path, study: StudyFolder, scan: str
) -> None:
    before = contents(sealed)
    root = withdraw(study, scan)
    after = contents(study.folder)
    participant = scan.replace("scan-", "P")
    naming = {
        path for path, text in after.items() if any(word.encode() in text for word in (scan, participant))
    }
    assert all(path.removeprefix("results/").startswith(NAMED_BY) for path in naming), naming
    assert not [path for path in after if scan in path]
    assert not (study.folder / "qc/cohort.tsv").exists()
    assert not (study.folder / "qc/report").exists()
    for path in before.keys() & after.keys():
        if path.endswith(("manifest.tsv", "root.sha256", "ro-crate-metadata.json")):
            continue
        gone, left = before[path].splitlines(), after[path].splitlines()
        if path.endswith(".tsv"):
            assert left == [line for line in gone if scan.encode() not in line.split(b"\t")]
        elif path.endswith(".log"):
            assert left == [line for line in gone if scan.encode() not in line]
        elif after[path] != before[path]:
            assert path in ("results/study.json", "work/predictions/unet/test/seed-1.json")
    lost = before.keys() - after.keys()
    drawn = {path for path in lost if path.startswith("results/figures/")}
    named = {path for path, text in before.items() if path.endswith(".tsv") and scan.encode() in text}
    figures = {path for path in before if path.startswith("results/figures/") and not path.endswith(".tsv")}
    assert drawn == {path for path in figures if f"{path.rpartition('.')[0]}.tsv" in named}
    assert {PurePath(path).suffix for path in drawn} == {".pdf"}, "all that the older release drew"
    assert "results/figures/ingest_qc.pdf" in drawn
    learnt = scan == TRAINED
    assert ("work/training/unet/seed-1/a/key.json" in lost) == learnt
    assert ("work/nnunet/0123456789abcdef/scans.json" in lost) == learnt
    assert sum(path.startswith("work/monai/") for path in lost) == learnt
    assert sum(path.startswith("work/blastct/") for path in lost) == learnt + 1, (
        "and what does not say whose it is"
    )
    assert sum(path.startswith("work/outside/") for path in lost) == 1 + (scan != EXCLUDED)
    assert {"work/blastct/elastic-noise-8.npy", "work/training/unet/seed-1/b/key.json"} <= after.keys()
    assert sum(path.startswith("results/predictions/") for path in lost) == (2 if scan == TESTED else 0)
    assert not any(path.startswith("results/models/") for path in lost)
    assert found(study.results, root) == {}


def test_what_was_made_with_it_is_listed_with_what_to_do(study: StudyFolder) -> None:
    words = {
        scan: in_words(study, withdrawal.plan(study, [scan], REASON)) for scan in (TESTED, TRAINED, EXCLUDED)
    }
    made = {scan: made_with(study, withdrawal.plan(study, [scan], REASON)) for scan in words}
    assert made[TRAINED].weights == ["models/blast-ct/seed-1/fold-all", "models/unet/seed-1/fold-all"]
    assert not made[TESTED].weights
    assert not made[EXCLUDED].weights
    assert "2 networks that learned from them: models/blast-ct/seed-1/fold-all" in words[TRAINED]
    assert "2 trainings from the start, then all predictions, measures, tables, figures" in words[TRAINED]
    assert "no network learned from them" in words[TESTED]
    assert "no training, no prediction; measures of all models (a line in the ledger each)" in words[TESTED]
    assert "cohort and flow; no training, prediction or measure" in words[EXCLUDED]
    assert {"tables/table1.tsv", "audit/evidence.json", "statistics/dice_summary.tsv"} <= set(
        made[TESTED].numbers
    )
    assert not any(path.startswith(("models/", "predictions/")) for path in made[TESTED].numbers)
    assert any(path.startswith("predictions/") for path in made[TRAINED].numbers), "by networks that learned"
    assert not made[EXCLUDED].numbers
    assert all("Yours to delete:\n  their rows in trial/scans.tsv" in text for text in words.values())


def test_a_scan_of_an_external_set_went_into_numbers_and_no_network(study: StudyFolder) -> None:
    plan = withdrawal.plan(study, [EXCLUDED], REASON)  # of sealed results, which have no such table
    row = f"{EXCLUDED}\tp-9001\texternal:near\t{'a' * 64}\t{'b' * 64}\n"
    table = study.results / "cohort/external/near.tsv"
    table.parent.mkdir()
    table.write_text(f"scan_id\tparticipant_id\tset\tct_sha256\tlabels_sha256\n{row}", encoding="utf-8")
    made = study.work / f"outside/rival/0123456789abcdef/{'a' * 32}.nii.gz"
    fill(made)
    assert made in withdrawal.prepared(study, [EXCLUDED])
    assert made not in withdrawal.prepared(study, [TESTED])
    with_it = made_with(study, plan)
    assert not with_it.weights
    assert "statistics/dice_summary.tsv" in with_it.numbers
    assert "no training, no prediction; measures of all models" in in_words(study, plan)


def test_networks_of_a_learning_curve_that_learned_from_it_are_told(study: StudyFolder) -> None:
    """Of three subsets one has the scan to learn from, one to be validated on, one not at all."""
    split = read_tsv(study.results / "cohort/split.tsv", fold=str)
    row = split[split["scan_id"] == TRAINED]
    own = row["fold"].item()
    other = str(1 - int(own))
    for size, fold, known in ((2, other, row), (3, own, row), (4, other, row.iloc[:0])):
        subset = study.results / f"learning_curve/subsets/size-{size}/seed-1.tsv"
        subset.parent.mkdir(parents=True)
        known.to_csv(subset, sep="\t", index=False)
        fill(study.results / f"learning_curve/models/unet/size-{size}/seed-1/fold-{fold}/final.pth")
    label_map = f"predictions/unet/learning-curve/size-2/seed-1/{TRAINED}.nii.gz"
    fill(study.results / label_map)
    cached = study.work / "predictions/learning-curve/size-2/predictions/unet/out-of-fold/seed-1.json"
    cached.parent.mkdir(parents=True)
    cached.write_text(f'{{"{TRAINED}": {{}}}}', encoding="utf-8")
    made = made_with(study, withdrawal.Withdrawal(1, "", REASON, [TRAINED], 1, ""))
    of_curve = [folder for folder in made.weights if folder.startswith("learning_curve/")]
    assert of_curve == [f"learning_curve/models/unet/size-2/seed-1/fold-{other}"]
    assert made.trainings == 4, "two of the study and two of the curve"
    assert amendments.is_of(label_map, [TRAINED])
    assert cached in withdrawal.lists_of_predictions(study, [TRAINED])


@pytest.mark.parametrize(("fold", "learnt"), [("0", False), ("1", True), ("all", True)])
def test_only_networks_that_did_not_hold_it_out_learned_from_it(
    study: StudyFolder, fold: str, learnt: bool
) -> None:
    split = read_tsv(study.results / "cohort/split.tsv", fold=str)
    own = split.loc[split["scan_id"] == TRAINED, "fold"].item()
    folder = study.results / "models/unet/seed-1"
    other = {"0": own, "1": str(1 - int(own)), "all": "all"}[fold]
    (folder / "fold-all").rename(folder / f"fold-{other}")
    plan = withdrawal.Withdrawal(1, "", REASON, [TRAINED], 1, "")
    assert (f"models/unet/seed-1/fold-{other}" in made_with(study, plan).weights) == learnt


def test_of_a_participant_with_two_scans_both_must_be_named(study: StudyFolder) -> None:
    record = read_json(study.results / "study.json")
    record["participants"]["scan-0004"] = record["participants"][TESTED]
    write_json(record, study.results / "study.json")
    crate.write(study.results, withdrawal.requested(study.results))
    reseal(study.results)
    before = contents(study.folder)
    with pytest.raises(BadInput, match=r"value scan-0004: is of the same participant.*name this scan, too"):
        withdrawal.check(study, [TESTED], REASON)
    assert contents(study.folder) == before
    root = withdraw(study, TESTED, "scan-0004")
    assert found(study.results, root) == {}
    (one,) = amendments.load(study.results)
    assert (one.scans, one.participants) == ([TESTED, "scan-0004"], 1)
    assert found(study.results, root, privacy.patterns) == {}, "the day of an amendment is no patient's"


def test_everything_that_is_against_it_is_said_at_once_and_nothing_is_deleted(study: StudyFolder) -> None:
    withdraw(study, TESTED)
    before = contents(study.folder)
    study = StudyFolder(study.folder)
    with pytest.raises(BadInput) as error:
        withdrawal.check(study, [TESTED, "scan-1", TRAINED, "scan-2"], "two\nlines")
    text = str(error.value)
    assert text.startswith("4 problems:")
    for scan in ("scan-1", "scan-2"):
        assert re.search(rf"{scan} .*the study has, and had, no such scan", text)
    assert re.search(rf"{TESTED} .*was withdrawn before: {TESTED} withdrawn on 20..-..-.. \({REASON}\)", text)
    assert "say why in one line" in text
    with pytest.raises(BadInput, match="name the scans that are withdrawn"):
        withdrawal.check(study, [], REASON)
    with pytest.raises(BadInput, match="no run has begun in this folder"):
        withdrawal.check(StudyFolder(study.folder / "elsewhere"), [TRAINED], REASON)
    assert contents(study.folder) == before


def test_a_scan_whose_row_left_the_sheet_long_ago_is_known(study: StudyFolder) -> None:
    for path in ("cohort/cohort.tsv", "cohort/split.tsv"):
        text = (study.results / path).read_text()
        (study.results / path).write_text(rows.without_rows(text, [TESTED]))
    reseal(study.results)
    withdraw(study, TESTED)
    assert not (study.results / "data" / TESTED).exists()


def test_links_are_never_followed(study: StudyFolder, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    fill(outside / "image.npy")
    folder = study.work / "monai"
    shutil.rmtree(folder)
    folder.symlink_to(outside)
    (study.results / "data" / TESTED / "more").symlink_to(outside)
    with pytest.raises(BadInput) as error:
        withdrawal.check(study, [TESTED], REASON)
    assert str(error.value).count("is a link") == 2
    assert (outside / "image.npy").is_file()


def test_what_is_not_as_it_was_sealed_is_not_sealed_again(study: StudyFolder) -> None:
    path = study.results / "metrics/unet.tsv"
    path.write_text(path.read_text().replace("0.", "0.1", 1))
    with pytest.raises(BadInput, match=r"metrics/unet\.tsv: is not as it was sealed; find out why first"):
        withdrawal.plan(study, [TESTED], REASON)
    (study.results / "tables/table1.tsv").write_text("dice\n1\n")
    shutil.copyfile(study.results / "figures/flow.pdf", study.results / "figures/more.pdf")
    path.write_text(path.read_text().replace("0.1", "0.", 1))
    root = withdraw(study, TESTED)
    assert {"tables/table1.tsv", "figures/more.pdf"} <= found(study.results, root).keys(), "not hidden by it"


def test_results_that_are_not_sealed_are_not_sealed_by_it(study: StudyFolder) -> None:
    for path in manifest.OUTSIDE:
        (study.results / path).unlink(missing_ok=True)
    assert withdraw(study, TESTED) == ""
    assert not (study.results / manifest.MANIFEST).exists()
    (one,) = amendments.load(study.results)
    assert one.root == ""
    crate.write(study.results, withdrawal.requested(study.results))
    manifest.write(study.results, seal.entries(study.results))
    assert found(study.results) == {}
    assert "the results were not sealed then" in reported(study.results, "")


def test_signatures_stay_with_the_list_that_they_signed(study: StudyFolder) -> None:
    for path in manifest.SIGNED:
        (study.results / path).write_text(path)
    root = withdraw(study, TESTED)
    assert not any((study.results / path).exists() for path in manifest.SIGNED)
    moved = {
        suffix: (study.results / f"audit/amendments/1{suffix}") for suffix in (".txt", ".txt.sig", ".sig")
    }
    assert [file.read_text() for file in moved.values()] == list(manifest.SIGNED)
    assert found(study.results, root) == {}


def test_data_of_a_withdrawn_scan_are_not_sealed_again(withdrawn: Path, results: Path) -> None:
    assert seal.withdrawn(results) == []
    fill(results / "data" / TESTED / "ct.nii.gz")
    with pytest.raises(BadInput, match=rf"data/{TESTED}/ct\.nii\.gz: is of a scan that was withdrawn"):
        seal.seal(results, withdrawn, [], withdrawn / "plan.yaml", 1)


# -- interruptions -----------------------------------------------------------------------------------


class Killed(BaseException):
    """What no step handles, as a kill."""


STEPS = (
    "work/predictions/",
    "work/monai/",
    f"data/{TRAINED}/",
    "figures/",
    "cohort/split.tsv",
    "study.json",
    "audit/amendments/",
    "ro-crate-metadata.json",
    "audit/manifest.tsv",
    "audit/withdrawal.json",
)


def test_what_was_ended_at_any_step_is_finished_by_doing_it_again(sealed: Path, tmp_path: Path) -> None:
    begun = copy(sealed, tmp_path / "begun")
    withdrawal.begin(begun, withdrawal.plan(begun, [TESTED, TRAINED], REASON))
    undisturbed = copy(begun.folder, tmp_path / "undisturbed")
    root = withdrawal.finish(undisturbed)
    expected = contents(undisturbed.folder)
    study = copy(begun.folder, tmp_path / "study")
    for step in STEPS:

        def kill(at: str, step: str = step) -> None:
            if step in at:
                raise Killed

        with pytest.raises(Killed):
            withdrawal.finish(study, kill)
        assert (study.results / amendments.BEGUN).is_file()
        folder = verify.ResultsFolder(study.results)
        assert any("was begun and not finished" in finding.what for finding in verify.amended(folder))
    assert withdrawal.finish(study) == root
    assert contents(study.folder) == expected
    assert found(study.results, root) == {}


@pytest.mark.parametrize(
    "wrong",
    [
        {"deleted": {"../outside": "0" * 64}},
        {"deleted": {"/outside": "0" * 64}},
        {"deleted": {f"data/{TRAINED}/ct.nii.gz": "0" * 64}},
        {"deleted": {f"data/{TESTED}/../{TRAINED}/ct.nii.gz": "0" * 64}},
        {"changed": {"models/unet/seed-1/fold-all/train.json": "0" * 64}},
        {"changed": []},
        {"scans": ["*"]},
        {"more": 1},
    ],
)
def test_a_plan_that_somebody_else_wrote_deletes_nothing_of_others(
    sealed: Path, tmp_path: Path, wrong: dict
) -> None:
    results = tmp_path / "results"
    plan = {
        "number": 1,
        "date": "2026-01-01T00:00:00+00:00",
        "reason": REASON,
        "scans": [TESTED],
        "words": [],
    }
    plan |= {"participants": 1, "root": "", "deleted": {}, "changed": {}}
    write_json(plan, results / amendments.BEGUN)
    assert withdrawal.begun(results)
    write_json(plan | wrong, results / amendments.BEGUN)
    with pytest.raises(BadInput, match="is no plan of a withdrawal"):
        withdrawal.begun(results)


def test_links_that_came_since_it_was_begun_are_not_followed(study: StudyFolder, tmp_path: Path) -> None:
    withdrawal.begin(study, withdrawal.plan(study, [TESTED], REASON))
    shutil.move(study.results / "data" / TESTED, tmp_path / "outside")
    (study.results / "data" / TESTED).symlink_to(tmp_path / "outside")
    with pytest.raises(BadInput, match="is a link"):
        withdrawal.finish(study)
    assert (tmp_path / "outside/ct.nii.gz").is_file()


# -- what the audit says -----------------------------------------------------------------------------


def test_the_new_root_passes_and_each_old_one_says_what_was_withdrawn(study: StudyFolder) -> None:
    first = withdraw(study, TESTED)
    second = withdraw(StudyFolder(study.folder), TRAINED)
    assert len({ROOT, first, second}) == 3
    text = reported(study.results, second)
    assert "files are as they were when they were sealed and amended." in text
    assert re.search(rf"Amended +{TESTED} withdrawn on .*; root before {ROOT}, after {first}\n", text)
    assert re.search(rf"Amended +{TRAINED} withdrawn on .*; root before {first}, after {second}\n", text)
    for root, scans in ((ROOT, (TESTED, TRAINED)), (first, (TRAINED,))):
        text = reported(study.results, root)
        assert text.startswith("Amended since the root that was given")
        (line,) = (line for line in text.splitlines() if "audit/manifest.tsv: " in line)
        assert [scan in line for scan in (TESTED, TRAINED)] == [scan in scans for scan in (TESTED, TRAINED)]
        assert f"the root is now {second}" in line
    text = reported(study.results, "0" * 64)
    assert text.startswith("Not as it was sealed: 1 finding")
    assert "audit/manifest.tsv: is not the list with the root 000" in text
    (study.results / "tables/table1.tsv").write_text("dice\n1\n")
    assert reported(study.results, ROOT).startswith("Not as it was sealed: ")


def test_the_root_before_can_be_checked_by_hand(results: Path) -> None:
    assert sha256_of(results / "audit/amendments/1.tsv") == ROOT


def test_a_number_that_came_from_it_says_so(results: Path) -> None:
    number = ("Table 1", "BLAST-CT", "ICH", "mean")
    done = forked_command("trace", "--results", results, "--number", *number)
    assert done.returncode == 1
    assert "NOT THE SAME" in done.stdout
    assert f"computed with data that are gone since: {TESTED} withdrawn on " in done.stdout
    file = forked_command("trace", results / "tables/table1.tsv")
    assert f"WITHDRAWN since, with all data of theirs that was read:\n  {TESTED} withdrawn on" in file.stdout


def test_a_file_that_was_made_anew_since_is_not_of_it(results: Path) -> None:
    """Records of jobs that ended after the amendment are as they are."""
    (one,) = amendments.load(results)
    record = results / "audit/runs/metrics/unet.json"
    write_json(read_json(record) | {"ended": "2999-01-01T00:00:00+00:00"}, record)
    of = {each.path: each.amended_by for each in run_records.load(results)}
    assert of["audit/runs/metrics/unet.json"] == ()
    assert of["audit/runs/metrics/blast-ct.json"] == (one,)


# -- by somebody who wants to hide a change ----------------------------------------------------------


def relisted(results: Path, change: Callable[[dict], None]) -> None:
    """Change the amendment, and list and root as if it had always been so."""
    record = read_json(results / "audit/amendments/1.json")
    change(record)
    write_json(record, results / "audit/amendments/1.json")
    reseal(results)


def of_another_scan(results: Path) -> None:
    path = f"data/{TRAINED}/ct.nii.gz"
    digest = sha256_of(results / path)
    (results / path).unlink()
    relisted(results, lambda record: record["deleted"].update({path: digest}))


def a_file_of_no_scan(results: Path) -> None:
    digest = sha256_of(results / "tables/table1.tsv")
    (results / "tables/table1.tsv").unlink()
    relisted(results, lambda record: record["deleted"].update({"tables/table1.tsv": digest}))


def more_than_it_names(results: Path) -> None:
    (results / "predictions/unet/seed-1/scan-0004.nii.gz").unlink()
    reseal(results)


def another_number(results: Path) -> None:
    path = "statistics/dice_summary.tsv"
    before = sha256_of(results / path)
    (results / path).write_text((results / path).read_text().replace("0.5", "0.6"))
    change = {"before": before, "after": sha256_of(results / path), "size": (results / path).stat().st_size}
    relisted(results, lambda record: record["changed"].update({path: change}))


def another_root(results: Path) -> None:
    relisted(results, lambda record: record.update(root="0" * 64))


def a_list_that_never_was(results: Path) -> None:
    path = results / "audit/amendments/1.tsv"
    listed = manifest.parsed(path.read_text())
    listed["tables/table1.tsv"] = Entry("tables/table1.tsv", 1, "0" * 64, "")
    path.write_text(manifest.text_of(listed.values()))
    relisted(results, lambda record: record.update(root=sha256_of(path)))


def its_data_are_back(results: Path) -> None:
    shutil.copytree(results / "data" / TRAINED, results / "data" / TESTED)
    reseal(results)


def its_row_is_back(results: Path) -> None:
    path = results / "metrics/unet.tsv"
    path.write_text(path.read_text() + path.read_text().splitlines()[1].replace("scan-0004", TESTED) + "\n")
    reseal(results)


def no_amendment(results: Path) -> None:
    shutil.rmtree(results / "audit/amendments")
    reseal(results)


def a_missing_one(results: Path) -> None:
    for suffix in (".json", ".tsv"):
        (results / f"audit/amendments/1{suffix}").rename(results / f"audit/amendments/2{suffix}")
    record = read_json(results / "audit/amendments/2.json")
    write_json(record | {"number": 2}, results / "audit/amendments/2.json")
    reseal(results)


@pytest.mark.parametrize(
    ("forge", "finding"),
    [
        (of_another_scan, f"deleted data/{TRAINED}/ct.nii.gz, which is no file of {TESTED} alone"),
        (a_file_of_no_scan, f"deleted tables/table1.tsv, which is no file of {TESTED} alone"),
        (more_than_it_names, "is missing, and audit/runs/predict/unet/seed-1.json says that it was made"),
        (
            another_number,
            "says that statistics/dice_summary.tsv lost what it said of these scans, and has not",
        ),
        (another_root, f"is not the list with the root {'0' * 64}"),
        (a_list_that_never_was, "is listed otherwise than after audit/amendments/1.json, and no job has run"),
        (its_data_are_back, f"holds data of {TESTED}, which was withdrawn (audit/amendments/1.json)"),
        (its_row_is_back, f"holds data of {TESTED}, which was withdrawn (audit/amendments/1.json)"),
        (no_amendment, "is missing, and audit/runs/ingest/"),
        (a_missing_one, "does not follow the one before: amendments are missing"),
    ],
)
def test_a_forged_amendment_is_found_without_any_root(
    results: Path, forge: Callable[[Path], None], finding: str
) -> None:
    forge(results)
    findings = verify.verify(verify.ResultsFolder(results), CHECKS)
    assert any(finding in each.what for each in findings), findings


@pytest.mark.parametrize("key", ["reason", "date", "scans", "participants"])
def test_what_an_amendment_says_is_bound_by_the_root(withdrawn: Path, results: Path, key: str) -> None:
    root = manifest.root_of(withdrawn / "results")
    other = {"reason": "a mistake", "date": "2020-01-01T00:00:00+00:00", "scans": [TESTED, TRAINED]}
    change = {key: other.get(key, 7)}
    path = results / "audit/amendments/1.json"
    write_json(read_json(path) | change, path)
    assert "audit/amendments/1.json" in found(results)
    reseal(results)
    assert found(results, root)["audit/manifest.tsv"].startswith("is not the list with the root")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"\xff",
        b'{"number": 1}',
        *(
            json.dumps(
                {"number": 1, "date": "2026-01-01T00:00:00+00:00", "reason": "r", "scans": ["s"]}
                | {"participants": 1, "root": "", "deleted": {}, "changed": {}}
                | wrong
            ).encode()
            for wrong in (
                {"number": 2},
                {"number": True},
                {"date": "yesterday"},
                {"date": "2026-01-01T00:00:00"},
                {"reason": "a\u202eb"},
                {"reason": ""},
                {"scans": []},
                {"scans": ["../x"]},
                {"scans": "s"},
                {"participants": 0},
                {"root": "abc"},
                {"deleted": {"../x": "0" * 64}},
                {"deleted": {"x": 1}},
                {"deleted": []},
                {"changed": {"x": {}}},
                {"changed": {"x": {"before": 1, "after": 2, "size": 3}}},
                {"more": 1},
            )
        ),
    ],
)
def test_what_is_no_amendment_is_a_finding_and_nothing_else(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "audit/amendments/1.json"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    assert found(tmp_path)["audit/amendments/1.json"]
    with pytest.raises(ValueError, match=r"1\.json: "):
        amendments.load(tmp_path)


# -- rows and lines ----------------------------------------------------------------------------------


def test_rows_are_taken_out_and_all_others_keep_their_bytes() -> None:
    text = 'scan_id\tnote\ns1\t"two\nlines, s2"\r\ns2\tx\ns10\t\u2028y\n\ns2\tlast'
    assert rows.without_rows(text, ["s2"]) == 'scan_id\tnote\ns1\t"two\nlines, s2"\r\ns10\t\u2028y\n\n'
    assert rows.scans_in(text) == {"s1", "s2", "s10"}
    assert rows.without_rows("model\tdice\ns2\t1\n", ["s2"]) == "model\tdice\ns2\t1\n", "no row of a scan"
    assert rows.without_rows("scan_id\n'-s2\n", ["-s2"]) == "scan_id\n"


def test_lines_are_taken_out_where_a_scan_stands_as_a_word() -> None:
    text = "s1: ok\nscan s1-b\nreads data/s1/ct.nii.gz\ns10\nxs1\r\nlast s1"
    assert rows.without_lines(text, ["s1"]) == "scan s1-b\ns10\nxs1\r\n"
    assert rows.names(text, ["s1-b"])
    assert not rows.names(text, ["s1-"])


def test_the_list_after_follows_from_the_list_before() -> None:
    before = {path: Entry(path, 9, "0" * 64, "") for path in ("data/s/ct.nii.gz", "metrics/m.tsv", "x")}
    change = {"metrics/m.tsv": {"before": "0" * 64, "after": "1" * 64, "size": 5}}
    one = amendments.Amendment(1, "", "", ["s"], 1, "", {"data/s/ct.nii.gz": "0" * 64}, change)
    after = amending.entries_after(
        before, one, lambda path: (3, "2" * 64) if path.endswith(".json") else None
    )
    assert after == [
        Entry("audit/amendments/1.json", 3, "2" * 64, "withdrawal"),
        Entry("metrics/m.tsv", 5, "1" * 64, ""),
        before["x"],
    ]
    assert list(amending.contradictions(before, one)) == []
    assert len(list(amending.contradictions({}, one))) == 2


def test_the_flow_counts_what_was_withdrawn(withdrawn: Path) -> None:
    cohort = read_tsv(withdrawn / "results/cohort/cohort.tsv").fillna({"reason": ""})
    cohort = cohort.assign(external_set=None)  # which the older release had not
    flow = flow_of(cohort, amendments.load(withdrawn / "results"))
    assert list(flow.itertuples(index=False, name=None)) == [
        ("in sheet", "", 11, 11),
        ("withdrawn", REASON, 1, 1),
        ("excluded", "missing section", 1, 1),
        ("included", "", 9, 9),
    ]
