"""Settings that a command is given as JSON: what it does not know is refused, with what it knows."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from headct.command_line import run_step
from headct.contracts.artefacts import write_tsv
from headct.contracts.problems import BadInput
from headct.settings import configuration, models
from support.simulated_cohort import scans

REPOSITORY = Path(__file__).parents[2]
LABELS = '{"ICH": 1, "PHE": 2, "IVH": 3}'
COMMANDS = {
    "ingest": f"--sheet scans.tsv --labels '{LABELS}' --data data --manifest 0.tsv",
    "split": "--cohort cohort.tsv --out split.tsv",
    "crosscheck": "--sheet scans.tsv --cohort cohort.tsv --data data --out found.tsv",
    "measure": "--model m --predicts-nothing --split split.tsv --data data --out metrics.tsv",
    "tolerance": "--split split.tsv --data data --out tolerance.tsv",
    "train": "--model m --split split.tsv --data data --seed 1 --fold all --device cpu"
    " --threads 1 --work work --out model",
    "prepare": "--split split.tsv --data data --threads 1 --work work --out preparation.json",
}
"""Each command whose ``--settings`` are checked against the schema, with what else it needs."""


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
    with pytest.raises(BadInput, match=told):
        run_step(step, [*shlex.split(COMMANDS[step]), "--settings", text])


@pytest.mark.parametrize("name", ["config.yaml", "demo.yaml"])
def test_what_the_workflow_hands_over_is_accepted(name: str) -> None:
    """Blocks whole; of each model its framework's block under its own keys (workflow/rules/common.smk)."""
    config = configuration.load(REPOSITORY / "config" / name)
    for block in ("ingest", "split", "metrics", "crosscheck"):
        assert configuration.settings_block(json.dumps(config[block]), block) == config[block]
    trained = [key for key, model in config["models"].items() if model["framework"] != "ensemble"]
    assert trained
    for model in trained:
        settings = models.of_model(config, model)
        of_speed = models.having(settings, "speed")
        for given in (models.having(settings, *models.OF_TRAINING), models.having(settings, "preparation")):
            assert models.model_settings(json.dumps(given)) == given
            assert models.model_settings(json.dumps(given), json.dumps(of_speed)) == given | of_speed
        chosen = {model: models.having(settings, "inference")}
        record = {"model": model, "framework": settings["framework"]}
        assert models.settings_by_model(json.dumps(chosen), [record]) == chosen
        assert models.inference_settings(record, chosen) == chosen[model]


def test_an_unknown_framework_and_values_out_of_range_are_told() -> None:
    with pytest.raises(BadInput, match="framework, value tensorflow: must be one of nnunet"):
        models.model_settings('{"framework": "tensorflow"}')
    with pytest.raises(BadInput, match="learning_rate, value 0: must be above 0"):
        models.model_settings('{"framework": "monai", "learning_rate": 0}')
    with pytest.raises(BadInput, match="--speed, key learning_rate: unknown key; known: workers, check"):
        models.model_settings('{"framework": "monai"}', '{"learning_rate": 1}')
    with pytest.raises(BadInput, match="minimum_slices, value ten: must be an integer"):
        configuration.settings_block('{"minimum_slices": "ten"}', "ingest", "--ingest")
