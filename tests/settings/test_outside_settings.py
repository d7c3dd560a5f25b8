"""Settings of models that were made elsewhere: their types are the schema's, and faults are told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from headct.contracts.problems import BadInput
from headct.run import preflight
from headct.settings import analysis_plan, blocks, configuration, models, outside
from support.label_sets import LABELS, ONE

REPOSITORY = Path(__file__).parents[2]
ROOT = configuration.config_schema()
RIVAL = {"title": "Rival", "framework": "external", "folder": "rival", "replication": False}
ALL_SAID = {"made_by": "A", "version": "2", "licence": "MIT", "training_data": "others"}


def complete(rival: Mapping[str, Any], **keys: Any) -> dict[str, Any]:
    """The demo's configuration with a model from elsewhere."""
    demo = configuration.load(REPOSITORY / "config/demo.yaml")
    models = {key: model for key, model in demo["models"].items() if model["framework"] != "external"}
    return configuration.complete(demo | keys | {"models": models | {"rival": dict(rival)}}, "c.yaml")


def faults(rival: Mapping[str, Any]) -> dict[str, str]:
    with pytest.raises(BadInput) as refused:
        complete(rival)
    return {problem.key: problem.message for problem in refused.value.problems}


@pytest.mark.parametrize("framework", outside.KINDS)
def test_their_types_have_the_keys_of_the_schema_by_effect(framework: str) -> None:
    kind = ROOT["$defs"][f"{framework}_model"]
    assert kind["properties"]["framework"]["const"] == framework
    effects = {key: configuration.resolve(part, ROOT)["x-effect"] for key, part in kind["properties"].items()}
    of_effect = {effect: {key for key in effects if effects[key] == effect} for effect in effects.values()}
    assert {one.name for one in fields(outside.KINDS[framework])} == of_effect["inference"]
    assert {one.name for one in fields(outside.About)} == of_effect["print"] - {"title", "replication"}
    optional = {one.name for one in fields(outside.KINDS[framework]) if one.default is None}
    assert of_effect["inference"] - optional == set(kind["required"]) - {"title"}


def test_every_kind_of_model_is_trained_here_or_made_elsewhere_or_an_ensemble() -> None:
    branches = ROOT["properties"]["models"]["additionalProperties"]["oneOf"]
    named = [configuration.resolve(one, ROOT)["properties"]["framework"]["const"] for one in branches]
    assert sorted(named) == sorted([*models.frameworks(), *outside.KINDS, "ensemble"])
    config = blocks.configured(complete(RIVAL))
    kinds = {key: (model.is_trained, model.is_from_outside) for key, model in config.models.items()}
    assert (kinds["unet"], kinds["rival"], kinds["nnunet-2d-3d"]) == (
        (True, False),
        (False, True),
        (False, False),
    )


def test_what_decides_label_maps_comes_back_from_the_words_of_a_command() -> None:
    said = RIVAL | ALL_SAID | {"labels": {"ICH": 7, "PHE": [2, 3], "IVH": [], "ignore": 4}}
    model = blocks.configured(complete(said)).models["rival"]
    settings = outside.of_model(model)
    words = outside.words(settings)
    assert words == {"framework": "external", "folder": "rival", "labels": said["labels"]}
    assert outside.given(configuration.json.dumps(words)) == settings
    assert settings.values(LABELS) == {"ICH": [7], "PHE": [2, 3], "IVH": [], "ignore": [4]}
    assert outside.about(model).in_print() == {
        "Made by": "A",
        "Model version": "2",
        "Licence": "MIT",
        "Training data": "others",
    }


def test_what_is_not_said_is_said_to_be_missing() -> None:
    model = blocks.configured(complete(RIVAL)).models["rival"]
    assert set(outside.about(model).in_print().values()) == {"not stated"}
    settings = outside.of_model(model)
    assert not settings.may_be_missing
    assert settings.values(LABELS) == {"ICH": [1], "PHE": [2], "IVH": [3], "ignore": []}
    assert settings.values(ONE) == {"SDH": [1], "ignore": []}


def test_faults_are_told_with_their_key() -> None:
    assert "models.rival.folder" in str(faults({"title": "Rival", "framework": "external"}))
    assert faults(RIVAL | {"network": "unet"}).keys() == {"models.rival.network"}
    assert faults(RIVAL | {"missing": "skip"}).keys() == {"models.rival.missing"}
    found = faults(RIVAL | {"labels": {"ICH": 1, "PHE": 1, "SDH": 3}})
    assert found.keys() == {"models.rival.labels.PHE", "models.rival.labels.SDH", "models.rival.labels.IVH"}
    assert "each value of a mask has one meaning" in found["models.rival.labels.PHE"]


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("tool {images} {label_maps} --gpu {device} -t {threads}", ""),
        ("tool -i {image} -o {label_map}", ""),
        ("tool {images} {out}", "not {out}"),
        ("tool {images}", "where it reads and writes"),
        ("tool {image} {label_map} {images} {label_maps}", "where it reads and writes"),
        ("tool {images} {label_maps} {image}", "where it reads and writes"),
        ("tool", "where it reads and writes"),
        ("tool 'unclosed {images} {label_maps}", "is no command"),
        ("tool {images} {label_maps} {threads:03}", "a brace that is no place"),
        ("tool {images} {label_maps} '{'", "a brace that is no place"),
    ],
)
def test_a_command_says_where_it_reads_and_writes(command: str, words: str) -> None:
    found = list(outside.Command(framework="command", command=command).faults())
    assert (found == []) if not words else (len(found) == 1 and words in found[0])


def test_faults_of_a_command_end_the_run_before_any_job() -> None:
    said = {"title": "Rival", "framework": "command", "command": "tool {images}"}
    config = blocks.configured(complete(said))
    (problem,) = preflight._model_problems(config)
    assert (problem.key, problem.value) == ("models.rival.command", "tool {images}")


def test_folders_and_files_that_are_not_there_end_the_run_before_any_job(tmp_path: Path) -> None:
    (tmp_path / "rival").mkdir()
    (tmp_path / "rival/s1.nii.gz").touch()
    rows = [{"scan_id": "s1"}]

    def check(**settings: Any) -> None:
        said = {"title": "Rival", **settings}
        preflight.check_outside(blocks.configured(complete(said)), rows)

    check(framework="external", folder=str(tmp_path / "rival"))
    with pytest.raises(BadInput, match="no such folder"):
        check(framework="external", folder=str(tmp_path / "none"))
    (tmp_path / "rival/s1.mha").touch()
    with pytest.raises(BadInput, match="several label maps of one scan"):
        check(framework="external", folder=str(tmp_path / "rival"))
    with pytest.raises(BadInput, match="label maps depend on it"):
        check(framework="command", command="tool {images} {label_maps}", files=[str(tmp_path / "none")])


@pytest.mark.parametrize("linked", ["by its own path", "by a link", "by a second name"])
def test_the_masks_of_the_study_are_no_label_maps_of_a_model(tmp_path: Path, linked: str) -> None:
    masks = tmp_path / "masks"
    masks.mkdir()
    rows = []
    for number in (1, 2, 3):
        mask = masks / f"s{number}.nii.gz"
        mask.touch()
        rows.append({"row": number, "scan_id": f"s{number}", "mask": str(mask), "mask_intra": None})
    folder = masks
    if linked != "by its own path":
        folder = tmp_path / "rival"
        folder.mkdir()
        for mask in sorted(masks.iterdir())[:2]:
            link = folder / mask.name
            (link.symlink_to if linked == "by a link" else link.hardlink_to)(mask)
    number = 3 if folder == masks else 2
    config = blocks.configured(complete({"title": "R", "framework": "external", "folder": str(folder)}))
    with pytest.raises(BadInput, match=f"{number} files of this folder are masks that the model") as refused:
        preflight.check_outside(config, rows)
    (problem,) = refused.value.problems
    assert (problem.file, problem.key) == (str(folder), "models.rival.folder")
    assert "row 1 of the sheet, mask" in problem.message
    of_a_rater = [row | {"mask": None, "mask_intra": row["mask"]} for row in rows]
    preflight.check_outside(config, of_a_rater)  # a second reader may be measured as a model


def test_a_program_that_is_not_here_and_files_that_are_left_out_are_told() -> None:
    def told(**settings: Any) -> list[str]:
        config = blocks.configured(complete({"title": "R", "framework": "command", **settings}))
        plan = analysis_plan.load(analysis_plan.SHIPPED)
        return [text for text in preflight.warnings(config, [], plan, "plan.yaml") if "models.rival" in text]

    (program,) = told(command="no-such-program {image} {label_map}", files=[])
    assert "models.rival.command: there is no program no-such-program here" in program
    (files,) = told(command="cp {image} {label_map}")
    assert files.startswith("models.rival.files is left out, so nothing is predicted anew")
    assert told(command="cp {image} {label_map}", files=[]) == []


def test_an_ensemble_of_label_maps_is_refused() -> None:
    demo = configuration.load(REPOSITORY / "config/demo.yaml")
    both = {"title": "Both", "framework": "ensemble", "members": ["unet", "rival"]}
    with pytest.raises(BadInput, match="an ensemble needs trained models"):
        configuration.complete(demo | {"models": demo["models"] | {"rival": RIVAL, "both": both}}, "c.yaml")
