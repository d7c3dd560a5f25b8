"""A pilot's scans are of the training set alone, its settings are the study's but for the lengths."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from headct.cohort.gathering import flow_of
from headct.cohort.split import split_scans
from headct.contracts.artefacts import read_json, write_json
from headct.contracts.problems import BadInput, WrongOptions
from headct.contracts.repository import REPOSITORY
from headct.engine import progress
from headct.frameworks.base import find_framework, training_settings
from headct.frameworks.monai.settings import MonaiTraining
from headct.frameworks.threshold.settings import ThresholdTraining
from headct.run.cluster import sizes
from headct.run.pilot import costs, pilot, study_files
from headct.run.pilot.drawn_scans import Draw, draw
from headct.run.pilot.findings import findings
from headct.settings import blocks, config_files, configuration, sheet
from headct.settings.models import Training, of_model
from support import simulated_cohort
from support.label_sets import LABELS
from support.study_files import make_sheet

SHIPPED = ("config/config.yaml", "config/demo.yaml", "config/phe_sich.yaml")
LESIONS = ("ICH", "IVH")


@cache
def study(n: int, each: int = 1) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Split and cohort of so many participants with ``each`` scans."""
    cohort = simulated_cohort.scans(n, each)
    settings = replace(blocks.load(REPOSITORY / "config/config.yaml").split, test_fraction=0.3)
    return split_scans(cohort, replace(settings, stratify_by=()), LABELS), cohort


# The draw


@given(
    n=st.sampled_from([25, 40, 60]),
    each=st.integers(1, 3),
    scans=st.integers(12, 15),
    seed=st.integers(0, 10**6),
)
def test_no_participant_of_the_test_set_is_ever_drawn(n: int, each: int, scans: int, seed: int) -> None:
    split, cohort = study(n, each)
    drawn = draw(split, cohort, LESIONS, scans=scans, seed=seed, folds=2)
    participant = dict(zip(split["scan_id"], split["participant_id"], strict=True))
    tested = set(split.loc[split["set"] == "test", "participant_id"])
    of_set = {name: {participant[scan] for scan in found} for name, found in vars(drawn).items()}
    assert not tested & (of_set["train"] | of_set["test"])
    assert not of_set["train"] & of_set["test"]
    every = [*drawn.train, *drawn.test]
    assert scans <= len(every) == len(set(every)) < scans + each
    assert Counter(participant[scan] for scan in every) == dict.fromkeys(set().union(*of_set.values()), each)


@given(seed=st.integers(0, 10**6))
def test_a_draw_is_repeatable_and_its_networks_have_each_lesion_to_learn_from(seed: int) -> None:
    """The second lesion has one participant in fifty, whom a plain draw of 15 would seldom have."""
    split, cohort = study(50)
    one = split.loc[split["set"] == "train", "scan_id"].iloc[seed % 30]
    cohort = cohort.assign(IVH_ml=(cohort["scan_id"] == one) * 3.0)
    drawn = draw(split, cohort, LESIONS, scans=15, seed=seed, folds=5)
    assert one in drawn.train
    assert drawn == draw(
        split.sample(frac=1, random_state=seed), cohort, LESIONS, scans=15, seed=seed, folds=5
    )


def test_other_seeds_draw_others() -> None:
    split, cohort = study(60)
    draws = {draw(split, cohort, LESIONS, scans=12, seed=seed, folds=2) for seed in range(20)}
    assert len(draws) == 20


def test_too_few_scans_are_one_error() -> None:
    split, cohort = study(20)
    with pytest.raises(BadInput, match=r"^split.tsv, key --scans, value 15: only 14 scans") as error:
        draw(split, cohort, LESIONS, scans=15, seed=1, folds=2)
    assert len(error.value.problems) == 1
    with pytest.raises(BadInput, match=r"value 6: 4 participants .* too few for 5 folds"):
        draw(split, cohort, LESIONS, scans=6, seed=1, folds=5)


# The configuration


def completed(*documents: dict[str, Any]) -> dict[str, Any]:
    """Some documents as one configuration, later ones winning."""
    merged = config_files.Sources(dict(zip("ab", documents, strict=False))).merged()
    return configuration.complete(merged, "test")


def leaves(document: Any, key: str = "") -> dict[str, Any]:
    """Every setting of a configuration by its key."""
    if not isinstance(document, dict):
        return {key: document}
    return {
        name: value for part, of in document.items() for name, value in leaves(of, f"{key}.{part}").items()
    }


MAY_DIFFER = re.compile(
    r"\.(study\.(name|note)|sheet|split\.file|training\.(seeds|folds)|analysis_plan"
    r"|models\.[\w-]+\.(folder|missing|epochs|(validation_)?iterations_per_epoch|images_per_epoch|checkpoint_interval_epochs))"
)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_pilots_settings_are_the_studys_but_for_names_paths_and_lengths(name: str, tmp_path: Path) -> None:
    document = config_files.read_one(REPOSITORY / name)
    config = blocks.load(REPOSITORY / name)
    differing = study_files.differences(config, tmp_path, tmp_path / "pilot", 50, ["p1"])
    before, after = leaves(completed(document)), leaves(completed(document, differing))
    changed = [key for key in before.keys() | after.keys() if before.get(key) != after.get(key)]
    assert [key for key in changed if not MAY_DIFFER.fullmatch(key)] == []
    of_pilot = blocks.configured(completed(document, differing))
    for key, model in config.models.items():
        if model.is_trained:
            ours, short = (training_settings(of.models[key]) for of in (config, of_pilot))
            framework = find_framework(model.framework)
            assert framework.rated_as(short) == framework.rated_as(ours)
            assert framework.representation(short) == framework.representation(ours)
            assert short.steps(14) == 1 or 50 <= (short.steps(14) or 0) < 55
            inference = {of_model(framework.predicts_by, of.models[key]) for of in (config, of_pilot)}
            assert len(inference) == 1
    assert of_pilot.study.note.startswith("Pilot of 50 steps, no result")


def test_validation_keeps_its_share_of_the_steps() -> None:
    config = blocks.load(REPOSITORY / "config/config.yaml")
    lengths = study_files.lengths(config, 50)
    assert lengths["nnunet-2d"] == {
        "epochs": 2,
        "checkpoint_interval_epochs": 2,
        "iterations_per_epoch": 25,
        "validation_iterations_per_epoch": 5,  # 50 of 250
    }
    assert lengths["blast-ct"]["images_per_epoch"] == 13, "of 20 patches each, in batches of 10: 26 steps"
    assert "nnunet-2d-3d" not in lengths, "an ensemble is not trained"


def test_participants_who_are_known_to_be_different_are_those_of_the_pilot(tmp_path: Path) -> None:
    config = blocks.load(REPOSITORY / "config/config.yaml")
    known = replace(config, ingest=replace(config.ingest, different_patients=("p1", "p2", "p9")))
    differing = study_files.differences(known, tmp_path, tmp_path / "pilot", 50, ["p1", "p2", "p3"])
    assert differing["ingest"] == {"different_patients": ["p1", "p2"]}


def test_the_work_of_a_pilot_is_not_that_of_the_study(tmp_path: Path) -> None:
    config = blocks.load(REPOSITORY / "config/config.yaml")
    for work_dir, expected in (("work", "work"), ("/scratch/me", "/scratch/me/tich-2-pilot")):
        of_study = replace(config, work_dir=work_dir)
        differing = study_files.differences(of_study, tmp_path, tmp_path / "pilot", 50, [])
        assert differing["work_dir"] == expected


def test_folds_of_a_pilot_are_of_participants(tmp_path: Path) -> None:
    """Its few scans may be of fewer sites than the study has folds."""
    config = blocks.load(REPOSITORY / "config/config.yaml")
    by_site = replace(config, split=replace(config.split, folds_by="site"))
    for study, expected in ((config, None), (by_site, "participant")):
        differing = study_files.differences(study, tmp_path, tmp_path / "pilot", 50, [])
        assert differing["split"].get("folds_by") == expected


def test_a_pilot_decides_on_no_post_processing(tmp_path: Path) -> None:
    """Its fold may be all, which holds out nothing; nobody asks how well its networks do."""
    document = configuration.load(REPOSITORY / "config/demo.yaml")
    document["training"] |= {"folds": ["all", 0]}
    for key in ("unet", "nnunet-2d-3d"):
        document["models"][key] |= {"postprocessing": "nnunet"}
    config = blocks.configured(document)
    changes = study_files.differences(config, tmp_path, tmp_path / "pilot", 4, [])
    completed(document, changes)  # else it is refused
    assert changes["training"]["folds"] == ["all"]
    left_out = {key for key, model in changes["models"].items() if "postprocessing" in model}
    assert left_out == {"unet", "nnunet-2d-3d"}
    assert all(changes["models"][key]["postprocessing"] is None for key in left_out)


def test_models_without_a_number_of_steps_are_one_error_that_names_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = blocks.load(REPOSITORY / "config/config.yaml")
    monkeypatch.setattr(MonaiTraining, "epoch_of", super(MonaiTraining, MonaiTraining).epoch_of)
    with pytest.raises(BadInput, match="nothing says how many steps") as error:
        study_files.lengths(config, 50)
    assert [problem.key for problem in error.value.problems] == ["models.deeplabv3plus", "models.unet"]
    assert Training(framework="new").lasting(50) is None
    assert ThresholdTraining(framework="threshold", hu_range=(0, 1)).lasting(50) == {}


# The files


def test_the_sheet_leads_from_the_pilots_folder_to_the_same_files(tmp_path: Path) -> None:
    """With blanks in a name, a number that is not whole, and a reading that has a file for each lesion."""
    columns = ("timepoint", "mask_intra", "mask_intra:ICH", "mask_intra:IVH")
    for name in ("m.nii.gz", "ich.nii.gz", "ivh.nii.gz"):
        (tmp_path / "a folder").mkdir(exist_ok=True)
        (tmp_path / "a folder" / name).touch()
    apart = {"mask_intra:ICH": "a folder/ich.nii.gz", "mask_intra:IVH": "a folder/ivh.nii.gz"}
    path = make_sheet(tmp_path, {}, {"age": "71.5", "mask": "a folder/m.nii.gz"}, apart, add=columns)
    rows = study_files.rows_of(path, ["s1", "s2"])
    out = tmp_path / "deep/pilot"
    texts = {study_files.SHEET: study_files.sheet_text(rows, out), study_files.DIFFERENCES: ""}
    study_files.write(texts, out)
    again = sheet.load(out / study_files.SHEET)
    assert [row["scan_id"] for row in again] == ["s1", "s2"]
    for before, after in zip(rows, again, strict=True):
        assert before.keys() == after.keys()
        for column, value in before.items():
            if column in sheet.path_columns(before) and value is not None:
                assert Path(after[column]).samefile(value)
            elif column != "row":
                assert after[column] == value


def test_a_folder_that_is_there_is_not_written_to_unless_it_is_this_pilots(tmp_path: Path) -> None:
    texts = {"scans.tsv": "a\n", study_files.DIFFERENCES: "b\n"}
    out = tmp_path / "pilot"
    study_files.write(texts, out)
    (out / "results").mkdir()
    study_files.write(texts, out)
    for other in (texts | {"scans.tsv": "c\n"}, texts | {"more.tsv": "c\n"}):
        with pytest.raises(BadInput, match="is there already") as error:
            study_files.write(other, out)
        assert len(error.value.problems) == 1
    assert (out / "scans.tsv").read_text() == "a\n"
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    for name in ("empty", "file"):
        with pytest.raises(BadInput, match="choose another --out"):
            study_files.check_folder(tmp_path / name)


def test_the_split_and_what_differs_are_read_as_they_are_meant(tmp_path: Path) -> None:
    assert study_files.split_text(Draw(("a", "b"), ("c",))) == "scan_id\tset\na\ttrain\nb\ttrain\nc\ttest\n"
    text = study_files.differences_text({"study": {"name": "é: x"}}, Path("my.yaml"), "--scans 20")
    assert yaml.safe_load(text) == {"study": {"name": "é: x"}}
    assert text.startswith("# A pilot of my.yaml, written by 'headct pilot' (--scans 20)")


# The command


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "say after -- how Snakemake"),
        (["--cores", "2", "--directory", "x"], "--directory: not after --"),
        (["--configfile=x"], "not after --"),
    ],
)
def test_options_that_do_not_go_together_end_before_anything_runs(words: list[str], message: str) -> None:
    with pytest.raises(WrongOptions, match=message):
        pilot.check_options(words, 20, 50)
    with pytest.raises(WrongOptions, match="at least 1"):
        pilot.check_options(["--cores", "2"], 0, 50)


# What is found


def test_what_is_odd_is_said_of_all_scans_and_lesions_of_the_training_set_alone() -> None:
    cohort = pd.DataFrame(
        {
            "scan_id": list("abcde"),
            "participant_id": ["p1", "p1", "p2", "p3", "p4"],
            "status": ["included"] * 4 + ["excluded"],
            "reason": [""] * 4 + ["too few slices: 3"],
            "flags": ["joined_series,header_spacing", None, "header_spacing", None, None],
            "n_slices": [30, 31, 40, 30, 3],
            "spacing_z_mm": [5.0, 5.0, 2.5, 5.0, 5.0],
            "spacing_x_mm": [0.5] * 5,
            "tilt_deg": [0, 0, 18.5, 0, 0],
            "ICH_ml": [3.0, 0.0, 0.0, 5.0, None],
            "IVH_ml": [0.0, 0.0, 0.0, 5.0, None],
            "external_set": None,
        }
    )
    split = pd.DataFrame({"scan_id": list("abcd"), "set": ["train", "train", "train", "test"]})
    assert list(findings(cohort, flow_of(cohort), split, LESIONS)) == [
        "1 of 5 scans: excluded, too few slices",
        "2 of 4 included scans: flag header_spacing",
        "1 of 4 included scans: flag joined_series",
        "30 to 40, median 30.5: slices",
        "2.5 to 5, median 5: mm between slices",
        "0.5 in each scan: mm between pixels",
        "0 to 18.5, median 0: ° of gantry tilt",
        "1 of 3 training scans have ICH",
        "0 of 3 training scans have IVH",
        "2 of 3 training scans have an empty mask: b, c",
        "1 of 3 participants have several scans, up to 2",
    ]


def test_the_start_of_a_training_is_not_in_the_seconds_of_its_last_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """25 steps in 60 s, the start among them, then 25 in 5 s."""
    times = iter([100.0, 160.0, 165.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(times))
    curves = progress.Progress("unet", tmp_path, first=0, total=50, epochs_done=0)
    for epoch in (1, 2):
        curves.tell({"epoch": epoch, "train_loss": 1.0, "pseudo_dice": {}}, 2, 25 * epoch, 0.0)
    curves.close()
    assert read_json(tmp_path / progress.PROGRESS)["s_per_step"] == pytest.approx(0.2)


def test_sizes_are_read_as_they_were_written_and_faults_are_told_at_once(tmp_path: Path) -> None:
    path = tmp_path / "sizes.tsv"
    found = {("data", "scan"): 9.5, ("weights", "monai basicunet"): 0.023456}
    sizes.write(found, "a test", path)
    assert sizes.read(path) == found
    path.write_text("quantity\tof\tmb\tsource\ndata\tscan\tmuch\tx\nweights\tscan\t1\n")
    with pytest.raises(BadInput) as error:
        sizes.read(path)
    assert [problem.row for problem in error.value.problems] == ["2", "3"]
    path.write_text("a\tb\n")
    with pytest.raises(BadInput, match="unknown column; known: quantity, of, mb, source"):
        sizes.read(path)
    with pytest.raises(BadInput, match="headct pilot"):
        sizes.read(tmp_path / "none.tsv")
    assert ("data", "scan") in sizes.read()


def test_what_is_prepared_is_shared_out_among_all_training_scans_those_held_out_as_well(
    tmp_path: Path,
) -> None:
    """30 MB of 2 scans to learn from and 1 that its fold held out, in one representation: 10 MB of each."""
    config = blocks.load(REPOSITORY / "config/config.yaml")
    one = replace(config, models={"unet": config.models["unet"]})
    run = tmp_path / "results/models/unet/seed-1/fold-0"
    trained = {
        "framework": "monai",
        "device": "cpu",
        "seconds": 5.0,
        "record": {"iterations": 50},
        "n_training_scans": 2,
        "n_validation_scans": 1,
    }
    write_json(trained, run / "train.json")
    for path, size in ((run / "final.pth", 4), (tmp_path / "work/monai/a/image.npy", 30)):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(size * 10**6))
    write_json({}, tmp_path / "results/data/s1/scan.json")
    job: Any = SimpleNamespace(rule="train", wildcards={"model": "unet", "seed": "1", "fold": "0"})
    pilot_of_one = costs.FinishedPilot(tmp_path, one, [job])
    found = costs.sizes(pilot_of_one)
    assert found["preparation", "monai"] == 10
    assert found["weights", "monai basicunet"] == 4
    (run / "train.json").unlink()
    assert costs.sizes(pilot_of_one) == found, "the record of a training is read once"
