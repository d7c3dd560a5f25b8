"""Bad configurations, sheets and folders: one clear message that names file, row, key and value."""

from __future__ import annotations

import copy
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from headct.contracts import references
from headct.contracts.problems import BadInput, Problem, as_table
from headct.run import study
from headct.settings import configuration, sheet
from support.study_files import make_sheet

REPOSITORY = Path(__file__).parents[2]
DEMO = REPOSITORY / "config" / "demo.yaml"


@pytest.fixture
def demo() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(DEMO.read_text(encoding="utf-8"))
    return content


def refused(config: dict[str, Any]) -> str:
    with pytest.raises(BadInput) as caught:
        configuration.complete(config, "config/demo.yaml")
    return str(caught.value)


@pytest.mark.parametrize("name", ["config.yaml", "demo.yaml", "simulated_full.yaml"])
def test_shipped_configurations_are_valid(name: str) -> None:
    configuration.load(REPOSITORY / "config" / name)


def test_the_real_study_states_every_default_as_the_schema_has_it() -> None:
    written = yaml.safe_load((REPOSITORY / "config" / "config.yaml").read_text(encoding="utf-8"))
    schema = configuration.load_schema()
    assert configuration.fill_defaults(copy.deepcopy(written), schema, schema) == written
    bare = {key: written[key] for key in (*schema["required"], "groups")}
    bare["models"] = {
        name: {
            key: model[key]
            for key in model
            if key in ("title", "framework", "network", "configuration", "loss", "members")
        }
        for name, model in written["models"].items()
    }
    assert configuration.complete(bare, "bare") == configuration.complete(written, "written")


def test_config_readme_is_up_to_date() -> None:
    shipped = (REPOSITORY / "config" / "README.md").read_text(encoding="utf-8")
    assert shipped == configuration.table_of_keys(configuration.load_schema()), "run: make config/README.md"


CHANGES: list[tuple[str, Any, list[str]]] = [
    ("split", {"test_fractoin": 0.1}, ["split.test_fractoin", "did you mean 'test_fraction'"]),
    ("splitt", {}, ["splitt", "did you mean 'split'"]),
    ("split", {"test_fraction": 1.5}, ["split.test_fraction", "1.5", "at most 1"]),
    ("split", {"folds": 1}, ["split.folds", "at least 2"]),
    ("split", {"seed": "today"}, ["split.seed", "today", "integer"]),
    ("split", {"minimum_site_size": 0}, ["split.minimum_site_size", "at least 1"]),
    (
        "ingest",
        {"sharp_kernels": ["B("]},
        ["ingest.sharp_kernels.0", "B(", "no regular expression: missing )"],
    ),
    ("cohort", {"max_excluded": 10}, ["cohort.max_excluded", "10", "at most 1"]),
    ("training", {"folds": [7]}, ["training.folds", "7", "0 to 2"]),
    ("device", "tpu", ["device", "tpu", "cuda, cpu"]),
    ("labels", {"ICH": 1, "PHE": 1, "IVH": 3}, ["labels.PHE", "the value of labels.ICH"]),
    ("labels", {"ICH": 1, "PHE": 2}, ["groups.ICH+IVH", "IVH", "no such lesion"]),
    ("study", {"name": "a b/c"}, ["study.name", "a b/c"]),
]


def test_post_processing_needs_held_out_scans_and_label_maps_of_this_study(demo: dict[str, Any]) -> None:
    """The demo trains on all scans; what is made elsewhere, or by thresholds, is judged as it is given."""
    demo["training"] = {"folds": ["all"]}
    for key in ("unet", "nnunet-2d-3d"):
        demo["models"][key]["postprocessing"] = "nnunet"
    text = refused(demo)
    assert "models.unet.postprocessing" in text
    assert "models.nnunet-2d-3d.postprocessing" in text
    assert "training.folds holds out no fold to decide on" in text
    assert text.count("nnunet  ") >= 2, "each stands with its own value, not with that of training.folds"
    assert '["all"]' not in text
    demo["training"]["folds"] = ["all", 0]
    configuration.complete(demo, "config/demo.yaml")
    demo["models"]["unet"]["postprocessing"] = "always"
    assert "must be one of nnunet or empty" in refused(demo)
    demo["models"]["unet"]["postprocessing"] = None
    given = {"title": "As it is given", "postprocessing": "nnunet"}
    demo["models"] |= {
        "cut": {"framework": "threshold", **given},
        "rival": {**given, "title": "Rival", "framework": "external", "folder": "maps"},
        "run": {**given, "title": "Run", "framework": "command", "command": "a {images} {label_maps}"},
    }
    text = refused(demo)
    for key in ("cut", "rival", "run"):
        assert f"models.{key}.postprocessing" in text
    assert text.count("unknown key") == 3


@pytest.mark.parametrize(("key", "value", "said"), CHANGES)
def test_a_config_fault_names_key_and_value(
    demo: dict[str, Any], key: str, value: Any, said: list[str]
) -> None:
    message = refused(demo | {key: value})
    assert "config/demo.yaml" in message
    for words in said:
        assert words in message


@pytest.mark.parametrize("name", ["external", "preparation"])
def test_no_model_is_called_as_a_folder_beside_those_of_models(demo: dict[str, Any], name: str) -> None:
    demo["models"][name] = demo["models"].pop("stand-in")
    assert "a folder beside those of the models has this name" in refused(demo)


def test_a_curve_without_held_out_scans_is_told_with_its_own_value(demo: dict[str, Any]) -> None:
    demo["training"] = {"folds": ["all"], "effort_curve": {"shares": [0.1]}}
    text = refused(demo)
    assert "training.folds holds out no fold to measure on" in text
    assert '{"shares": [0.1]}' in text


def test_an_unknown_framework_lists_the_known(demo: dict[str, Any]) -> None:
    demo["models"]["unet"]["framework"] = "keras"
    message = refused(demo)
    for words in ("models.unet.framework", "keras", "nnunet, monai, blastct, threshold, ensemble"):
        assert words in message


def test_a_mistyped_model_setting_is_told_against_its_own_framework(demo: dict[str, Any]) -> None:
    demo["models"]["nnunet-3d-focal"]["loss"] = "focall"
    message = refused(demo)
    assert "models.nnunet-3d-focal.loss" in message
    assert "focall" in message


@pytest.mark.parametrize(
    ("place", "value", "key"),
    [
        (("models", "nnunet-2d-3d", "members"), ["nnunet-2dd"], "models.nnunet-2d-3d.members"),
        (("figures", "agreement_model"), "nnunet-3d-focall", "figures.agreement_model"),
        (("figures", "cases", "select_by"), "dicece", "figures.cases.select_by"),
        (("figures", "cases", "show"), ["nothing"], "figures.cases.show"),
    ],
)
def test_a_reference_to_no_model_is_refused(demo: dict[str, Any], place, value, key: str) -> None:
    block = demo
    for part in place[:-1]:
        block = block[part]
    block[place[-1]] = value
    message = refused(demo)
    assert key in message
    assert "model" in message


@pytest.mark.parametrize("key", references.RESERVED)
def test_a_model_named_like_a_row_beside_the_models_is_refused(demo: dict[str, Any], key: str) -> None:
    demo["models"][key] = {"title": "Mine", "framework": "monai", "network": "basicunet"}
    message = refused(demo)
    assert "choose another name" in message
    assert key in message


def test_every_fault_is_told_at_once(demo: dict[str, Any]) -> None:
    message = refused(demo | {"device": "tpu", "splitt": {}})
    assert "2 problems" in message


def test_a_config_that_is_no_yaml(tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text("a: [1, 2")
    with pytest.raises(BadInput, match=r"broken\.yaml.*not valid YAML"):
        configuration.load(tmp_path / "broken.yaml")
    with pytest.raises(BadInput, match="no such configuration file"):
        configuration.load(tmp_path / "absent.yaml")


def sheet_refused(path: Path) -> str:
    with pytest.raises(BadInput) as caught:
        sheet.load(path)
    return str(caught.value)


def test_a_good_sheet_is_read(tmp_path: Path) -> None:
    rows = sheet.load(make_sheet(tmp_path, {}, {"age": "", "sex": ""}))
    assert [row["age"] for row in rows] == [70.0, None]
    assert rows[0]["image"] == str(tmp_path / "dicom" / "s0")
    assert rows[0]["mask_intra"] is None
    assert sheet.participants(rows) == {"s0": "p0", "s1": "p1"}


def test_the_former_name_of_a_column_is_read_and_both_at_once_are_a_fault(tmp_path: Path) -> None:
    path = make_sheet(tmp_path, {})
    text = path.read_text()
    rows = sheet.load(path)
    path.write_text(text.replace("\timage\t", "\tdicom\t"))
    assert sheet.load(path) == rows
    path.write_text(text.replace("\timage\t", "\tDICOM\t"))
    assert "this column must be called image" in sheet_refused(path)
    path.write_text("".join(f"{line}\t{line.split(chr(9))[3]}\n" for line in text.splitlines()))
    assert "column stands twice" in sheet_refused(path)
    path.write_text(path.read_text().replace("\timage\t", "\tdicom\t", 1))
    message = sheet_refused(path)
    assert "the former name of image, which stands here too: keep one" in message
    assert message.count("\n") == 0, message


def test_no_sheet_says_how_to_make_one_and_how_to_run_the_demo(tmp_path: Path) -> None:
    message = sheet_refused(tmp_path / "scans.tsv")
    assert "docs/how-to/data.md" in message
    assert "make demo" in message


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"age": "old"}, ["row 2", "age", "old"]),
        ({"scan_id": ""}, ["scan_id", "must not be empty"]),
        ({"site": ""}, ["site", "must not be empty"]),
        ({"image": ""}, ["image", "needs its image"]),
        ({"onset_to_ct_h": "inf"}, ["onset_to_ct_h", "inf"]),
        ({"site": '"A\tB"'}, ["key site", r"A\tB", "does not show"]),
        ({"rater": "\x1b[31mr"}, ["key rater", r"\x1b[31mr", "does not show"]),
        ({"scan_id": "s\u200b1"}, ["key scan_id", r"s\u200b1", "does not show"]),
        ({"image": '"dicom/\ns0"'}, ["key image", r"dicom/\ns0", "does not show"]),
        ({"image": "d" * 5000}, ["row 2", "key image", "dddd…", "can't be used: File name too long"]),
        ({"mask": "d\\" * 3000 + "m.nii"}, ["key mask", "can't be used: File name too long"]),
    ],
)
def test_a_bad_cell_is_named(tmp_path: Path, change: dict[str, str], said: list[str]) -> None:
    """Kinds of bad sheets: tests/cases/sheets.py; here is how they are told."""
    message = sheet_refused(make_sheet(tmp_path, change, add=["timepoint"]))
    assert "scans.tsv" in message
    assert "None" not in message
    for words in said:
        assert words in message


def test_only_baseline_scans_need_folder_and_mask(tmp_path: Path) -> None:
    follow_up = {"timepoint": "follow-up", "image": "", "mask": ""}
    changes = [{}, {"timepoint": "baseline"}, follow_up]
    rows = sheet.load(make_sheet(tmp_path, *changes, add=["timepoint"]))
    assert [row["scan_id"] for row in sheet.baseline(rows)] == ["s0", "s1"]
    assert sheet.participants(rows) == {"s0": "p0", "s1": "p1", "s2": "p2"}
    sheet.check_files(rows, tmp_path / "scans.tsv", max_excluded=0)
    assert "no baseline scan" in sheet_refused(make_sheet(tmp_path, follow_up, add=["timepoint"]))


def test_missing_files_end_the_run_only_where_they_are_many(tmp_path: Path) -> None:
    changes = [{"mask": "absent.nii.gz", "image": "nowhere"}, {"mask_inter": "lost.mha"}, {}, {}]
    path = make_sheet(tmp_path, *changes, add=["mask_inter"])
    rows = sheet.load(path)
    sheet.check_files(rows, path, max_excluded=0.5)
    with pytest.raises(BadInput) as caught:
        sheet.check_files(rows, path, max_excluded=0.49)
    lines = str(caught.value).splitlines()
    assert lines[0] == "4 problems:"
    assert "2 of 4 baseline scans lack a folder or file" in lines[2]
    for line, words in zip(
        lines[3:],
        (("2", "image", "nowhere"), ("2", "mask", "absent.nii.gz"), ("3", "mask_inter", "lost.mha")),
        strict=True,
    ):
        row, key, value = line.removeprefix(str(path)).split()[:3]
        assert (row, key, Path(value).name) == words


def test_a_broken_link_is_told_from_a_file_that_is_not_there(tmp_path: Path) -> None:
    path = make_sheet(tmp_path, {"mask": "annexed.nii.gz"})
    (tmp_path / "annexed.nii.gz").symlink_to("/nowhere/key")
    with pytest.raises(BadInput, match="a broken link: what it points to is not there"):
        sheet.check_files(sheet.load(path), path, max_excluded=0.5)


def test_row_numbers_are_those_of_the_sheet_past_a_blank_line(tmp_path: Path) -> None:
    path = make_sheet(tmp_path, {}, {"age": "x"})
    header, first, second = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join([header, "", first, "", second]) + "\n", encoding="utf-8")
    assert "row 5" in sheet_refused(path)


def test_ages_of_the_sheet_are_true(tmp_path: Path) -> None:
    path = make_sheet(tmp_path, {"age": "97"}, {"age": ""})
    assert sheet.true_ages(path) == {"s0": 97.0, "s1": None}


def test_a_missing_column_is_named_with_its_meaning(tmp_path: Path) -> None:
    message = sheet_refused(make_sheet(tmp_path, drop="participant_id"))
    assert "participant_id" in message
    assert "Whose scan" in message


def test_duplicate_ids_name_both_rows(tmp_path: Path) -> None:
    message = sheet_refused(make_sheet(tmp_path, {}, {"scan_id": "s0"}))
    assert "row 3" in message
    assert "row 2" in message


def test_faults_of_all_rows_come_in_one_table(tmp_path: Path) -> None:
    message = sheet_refused(make_sheet(tmp_path, {"age": "x"}, {"sex": "Q"}, {"age": "300"}))
    assert message.startswith("3 problems")


def test_an_empty_sheet(tmp_path: Path) -> None:
    path = make_sheet(tmp_path)
    path.write_text(path.read_text(encoding="utf-8").splitlines()[0] + "\n", encoding="utf-8")
    assert "no scan" in sheet_refused(path)
    path.write_text("\n \t\n", encoding="utf-8")
    assert "the sheet is empty" in sheet_refused(path)


def test_every_fault_of_header_rows_and_table_comes_in_one_table(tmp_path: Path) -> None:
    changes = [
        {"site": ""},
        {"scan_id": "s0", "age": "x"},
        {"sex": "n/a", "hospital_number": "7"},
        {"participant_id": "P0"},
    ]
    path = make_sheet(tmp_path, *changes, drop="rater", add=["hospital_number"])
    with pytest.raises(BadInput) as caught:
        sheet.load(path)
    found = {(problem.row, problem.key) for problem in caught.value.problems}
    assert found == {
        ("1", "rater"),
        ("1", "hospital_number"),
        ("2", "site"),
        ("3", "scan_id"),
        ("3", "age"),
        ("4", "sex"),
        ("5", "participant_id"),
    }
    assert len(caught.value.problems) == len(found), "and each once"


def test_accents_are_found_in_either_writing(tmp_path: Path) -> None:
    composed, decomposed = (unicodedata.normalize(form, "Köln") for form in ("NFC", "NFD"))
    (tmp_path / "dicom" / decomposed / "a").mkdir(parents=True)
    path = make_sheet(
        tmp_path,
        {"site": composed, "image": f"dicom/{composed}/a"},
        {"site": decomposed, "image": f"dicom/{decomposed}/a"},
        {"site": "A", "image": "dicom/Ködeln"},
    )
    rows = sheet.load(path)
    assert [row["site"] for row in rows] == [composed, composed, "A"], "one site, however it is written"
    found = str(tmp_path / "dicom" / decomposed / "a")
    assert [row["image"] for row in rows] == [found, found, str(tmp_path / "dicom/Ködeln")]


def test_one_participant_has_one_sex_and_one_age(tmp_path: Path) -> None:
    same = {"participant_id": "p"}
    path = make_sheet(
        tmp_path, same, same | {"sex": "M"}, same | {"age": "73"}, same | {"sex": "", "age": "72"}
    )
    with pytest.raises(BadInput) as caught:
        sheet.load(path)
    assert [(problem.row, problem.key) for problem in caught.value.problems] == [("3", "sex"), ("4", "age")]
    assert "in row 2" in caught.value.problems[0].message


@pytest.mark.parametrize(
    ("ages", "rows"),
    [(["62", "60", "64"], ["4"]), (["64", "62", "60"], ["2"]), (["62", "60", "", "61.5"], [])],
)
def test_ages_of_a_participant_are_held_against_the_lowest(
    tmp_path: Path, ages: list[str], rows: list[str]
) -> None:
    path = make_sheet(tmp_path, *({"participant_id": "p", "age": age} for age in ages))
    if not rows:
        assert sheet.load(path)
        return
    with pytest.raises(BadInput) as caught:
        sheet.load(path)
    assert [problem.row for problem in caught.value.problems] == rows


def test_letters_of_any_script_and_wide_blanks_are_text(tmp_path: Path) -> None:
    path = make_sheet(tmp_path, {"site": "Łódź\u00a0東京\u3000A", "image": "dicom/مستشفى"})
    assert sheet.load(path)[0]["site"] == "Łódź\u00a0東京\u3000A"


def test_a_participant_grows_older_until_the_follow_up(tmp_path: Path) -> None:
    later = {"participant_id": "p", "timepoint": "follow-up", "age": "74"}
    assert sheet.load(make_sheet(tmp_path, {"participant_id": "p"}, later, add=["timepoint"]))


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


CONFIG = {"study": {"name": "a"}, "labels": {name: {"value": [n]} for n, name in enumerate("ABC", start=1)}}


@pytest.mark.parametrize(
    ("record", "content", "listed"),
    [
        ("results/models/unet/seed-1/fold-0/train.json", '{{"sha256": "{digest}"}}', "final.pth"),
        (
            "results/predictions/unet/seed-1.tsv",
            "path\tsha256\nseed-1/s1.nii.gz\t{digest}\n",
            "seed-1/s1.nii.gz",
        ),
        ("results/data/s1/scan.json", '{{"sha256": {{"ct.nii.gz": "{digest}"}}}}', "ct.nii.gz"),
    ],
)
def test_files_that_a_copy_without_snakemakes_memory_lacks_are_told_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, record: str, content: str, listed: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert study.lost_files([record]) == [], "not made yet"
    file = Path(record).parent / listed
    file.parent.mkdir(parents=True)
    Path(record).write_text(content.format(digest="0" * 64))
    (problem,) = study.lost_files([record])
    assert problem.file == record
    assert f"1 files that are not here ({file})" in problem.message
    assert "--forceall" in problem.message
    file.touch()
    assert study.lost_files([record]) == []
    file.unlink()
    Path(".snakemake/metadata").mkdir(parents=True)
    assert study.lost_files([record]), "an empty memory is none"
    Path(".snakemake/metadata/x").touch()
    assert study.lost_files([record]) == [], "Snakemake notices, and makes it again"


def test_results_of_another_study_are_refused(here: Path) -> None:
    study.write_record(CONFIG, {"s0": "p0"})
    assert study.other_study("a", CONFIG["labels"], {"s0": "p0", "s1": "p1"}) == [], "added rows are welcome"
    named = study.other_study("b", CONFIG["labels"], {"s0": "p0"})
    assert [problem.key for problem in named] == ["study.name"]
    values = {"A": [2], "B": [1], "C": [3, 4]}
    relabelled = study.other_study("a", {name: {"value": of} for name, of in values.items()}, {"s0": "p0"})
    assert [problem.key for problem in relabelled] == ["labels"]
    assert '{"A": 2, "B": 1, "C": [3, 4]}' in relabelled[0].value
    turned_round = study.other_study("a", dict(reversed(CONFIG["labels"].items())), {"s0": "p0"})
    assert [problem.value for problem in turned_round] == ['["C", "B", "A"]'], "other classes of the networks"
    study.write_record(CONFIG, {"s1": "p1"})  # a run without s0
    paired = study.other_study("a", CONFIG["labels"], {"s0": "p1"})
    assert paired[0].key == "participant_id of s0"
    assert "p0" in paired[0].message


@pytest.mark.parametrize("blocked", ["results", "results/logs", "work", "results/models"])
def test_a_file_where_a_folder_must_be_is_found(here: Path, blocked: str) -> None:
    assert study.unwritable("work") == []
    Path(blocked).parent.mkdir(exist_ok=True)
    Path(blocked).touch()
    problems = study.unwritable("work")
    assert problems
    assert all(Path(problem.file).name == Path(blocked).name for problem in problems)
    assert "is a file" in problems[0].message


def test_one_problem_is_one_sentence() -> None:
    assert as_table([Problem("f.tsv", "is bad", row="3", key="age", value="x")]) == (
        "f.tsv, row 3, key age, value x: is bad"
    )


def patterns(schema: Any) -> Iterator[dict[str, Any]]:
    """Every part of a schema that has a pattern."""
    if isinstance(schema, dict):
        if isinstance(schema.get("pattern"), str):
            yield schema
        for part in schema.values():
            yield from patterns(part)


@pytest.mark.parametrize(
    "path", sorted(configuration.SCHEMA.parent.glob("*.yaml")), ids=lambda path: path.name
)
def test_no_pattern_lets_a_line_end_through(path: Path) -> None:
    found = list(patterns(configuration.load_schema(path)))
    assert bool(found) == ("pattern:" in path.read_text(encoding="utf-8"))
    for part in found:
        assert part["pattern"].endswith("\\Z"), "$ matches before a line end, too"
        assert part["x-means"]


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("study", "name"), "tich-2\n"),
        (("study", "name"), "-tich"),
        (("sheet",), "trial/{scans}.tsv"),
        (("sheet",), ""),
        (("split", "file"), "split.tsv\n"),
        (("analysis_plan",), "plans/<mine>.yaml"),
        (("work_dir",), ""),
        (("study", "note"), "two\nlines"),
        (("models", "unet", "title"), ""),
        (("models", "unet", "title"), " "),
        (("models", "unet", "title"), "DeepLabv3+"),
        (("models", "unet", "title"), "Predicts nothing"),
        (("models", "unet", "title"), "U\tNet"),
        (("models", "unet", "title"), "U\u202eteN"),
        (("models", "unet", "title"), "U\x1b[31mNet"),
        (("models", "unet", "title"), "U\u200bNet"),
        (("study", "note"), "a\u202eb"),
        (("reporting", "title"), "a\x07b"),
    ],
)
def test_text_that_the_workflow_could_not_use_is_refused(demo: dict[str, Any], place, value: str) -> None:
    block = demo
    for part in place[:-1]:
        block = block[part]
    block[place[-1]] = value
    assert ".".join(place) in refused(demo)


def test_the_name_of_a_model_has_no_line_end(demo: dict[str, Any]) -> None:
    demo["models"]["unet\n"] = demo["models"]["unet"]
    assert "small letters" in refused(demo)
