"""Settings that a command is given as JSON: what it does not know is refused, with what it knows."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from headct.command_line import run_step
from headct.contracts.artefacts import write_tsv
from headct.contracts.problems import BadInput
from headct.frameworks.base import find_framework
from headct.frameworks.monai.settings import MonaiInference, MonaiTraining
from headct.inference import prediction_cache
from headct.settings import blocks, configuration, models
from headct.settings.models import Training
from headct.settings.typed import plain
from support.label_sets import GIVEN, MASKS_GIVEN
from support.simulated_cohort import scans

REPOSITORY = Path(__file__).parents[2]
LABELS = shlex.join(GIVEN)
COMMANDS = {
    "ingest": f"--sheet scans.tsv {shlex.join(MASKS_GIVEN)} --data data --manifest 0.tsv",
    "split": f"{LABELS} --cohort cohort.tsv --out split.tsv",
    "crosscheck": "--sheet scans.tsv --cohort cohort.tsv --data data --out found.tsv",
    "measure": f"{LABELS} --model m --predicts-nothing --split split.tsv --data data --out metrics.tsv",
    "tolerance": f"{LABELS} --split split.tsv --data data --out tolerance.tsv",
    "train": f"{LABELS} --model m --split split.tsv --data data --seed 1 --fold all --run m --device cpu"
    " --threads 1 --work work --out model",
    "prepare": f"{LABELS} --split split.tsv --data data --threads 1 --work work --out preparation.json",
}
"""Each command whose ``--settings`` are checked against the schema, with what else it needs."""


NETWORK = models.schema_of("monai")["properties"]["network"]["description"]
INTERVALS = ("checkpoint_interval_epochs", "checkpoint_interval_minutes")


def trains_by(framework: str) -> type[Training]:
    """What a training of this framework is given."""
    return find_framework(framework).trains_by


@pytest.mark.parametrize("step", COMMANDS)
@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"framework": "monai", "no_such_key": 1}', "no_such_key: unknown key; .*known: "),
        ('{"framework": "monai", "seed": 1, "seed": 2}', "not valid JSON: 'seed' stands twice"),
        ("{", "not valid JSON"),
        ("[1]", "must be a JSON object"),
    ],
)
def test_settings_that_nothing_reads_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, text: str, told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write_tsv(scans(9).assign(status="included"), tmp_path / "cohort.tsv")
    write_tsv(scans(9).assign(set="train", fold=0), tmp_path / "split.tsv")
    if step not in ("train", "prepare"):
        text = text.replace('"framework": "monai", ', "")
    if step == "train":  # which needs a network, too
        text = text.replace('"monai"', '"monai", "network": "basicunet"')
    with pytest.raises(BadInput, match=told):
        run_step(step, [*shlex.split(COMMANDS[step]), "--settings", text])


@pytest.mark.parametrize("name", ["config.yaml", "demo.yaml"])
def test_what_the_workflow_hands_over_is_accepted(name: str) -> None:
    """Blocks whole; of each model its framework's block under its own keys (workflow/rules/common.smk)."""
    config = configuration.load(REPOSITORY / "config" / name)
    for block in ("ingest", "split", "metrics", "crosscheck"):
        assert configuration.settings_block(json.dumps(config[block]), block) == config[block]
    trained = {key: model for key, model in blocks.configured(config).models.items() if model.is_trained}
    assert trained
    for key, model in trained.items():
        framework = find_framework(model.framework)
        settings = framework.settings_of(model)
        of_training, of_speed, of_preparation = (
            json.dumps(models.having(settings, *effects))
            for effects in (models.OF_TRAINING, ("speed",), ("preparation",))
        )
        assert models.given(trains_by, of_training, of_speed) == settings
        prepared = models.given(lambda name: find_framework(name).prepares_by, of_preparation)
        assert json.dumps(models.having(prepared, "preparation")) == of_preparation
        chosen = {key: models.of_model(framework.predicts_by, model)}
        record = {"model": key, "framework": model.framework}
        assert prediction_cache.given_settings(json.dumps(plain(chosen)), [[record]]) == chosen
        assert prediction_cache.inference_settings(record, chosen) == chosen[key]


def test_what_is_left_out_has_its_default() -> None:
    settings = models.given(trains_by, '{"framework": "monai", "network": "basicunet", "epochs": 3}')
    assert isinstance(settings, MonaiTraining)
    assert (settings.epochs, settings.scans_per_batch, settings.workers) == (3, 2, 4)
    assert settings.features is None, "as MONAI has them"
    record = {"model": "unet", "framework": "monai"}
    assert prediction_cache.given_settings("{}", [[record]]) == {"unet": MonaiInference(tile_overlap=0.25)}


def test_an_unknown_framework_and_values_out_of_range_are_told() -> None:
    with pytest.raises(BadInput, match="framework, value tensorflow: must be one of nnunet"):
        models.given(trains_by, '{"framework": "tensorflow"}')
    with pytest.raises(BadInput) as caught:
        models.given(trains_by, '{"framework": "monai", "learning_rate": 0}', '{"learning_rate": 1}')
    told = [(problem.file, problem.key, problem.message) for problem in caught.value.problems]
    assert told == [
        ("--settings", "learning_rate", "must be above 0. (Initial) learning rate of Adam."),
        ("--settings", "network", f"required but absent. {NETWORK}"),
        ("--speed", "learning_rate", f"unknown key; known: workers, {', '.join(INTERVALS)}, init_from"),
    ]
    prepares_by = find_framework("monai").prepares_by
    with pytest.raises(BadInput, match="key learning_rate: unknown key; known: framework, spacing_mm_xyz"):
        models.given(lambda _name: prepares_by, '{"framework": "monai", "learning_rate": 1}')
    with pytest.raises(BadInput, match="minimum_slices, value ten: must be an integer"):
        configuration.settings_block('{"minimum_slices": "ten"}', "ingest", "--ingest")
