# Consumes: the configuration and the sample sheet. Produces: names for the other rule files, and an
# end before any job starts where the input can't be used.

import json
import os
import re
import sys
from pathlib import Path

SCRIPTS = Path(workflow.basedir) / "workflow" / "scripts"

# Every job runs `python -m headct…` with the interpreter that runs Snakemake, installed or not.
sys.path.insert(0, str(SCRIPTS))
os.environ["PYTHONPATH"] = os.pathsep.join(
    filter(None, [str(SCRIPTS), os.environ.get("PYTHONPATH")])
)
os.environ["PATH"] = os.pathsep.join(
    [str(Path(sys.executable).parent), os.environ["PATH"]]
)
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # two busy-waiting jobs starve each other

from headct import configuration, sheet, study
from headct.code import code_digest
from headct.problems import BadInput


def checked(function, *arguments):
    """Call a function; a user's bad input ends here, with the message and nothing around it."""
    try:
        return function(*arguments)
    except BadInput as error:
        sys.exit(str(error))


config.update(
    checked(
        configuration.complete,
        config,
        os.path.relpath(workflow.configfiles[-1]),
    )
)
SHEET = config["sheet"]
SCANS = checked(sheet.load, Path(SHEET))
ROW_OF = {row["scan_id"]: row for row in SCANS}
MODELS = config["models"]
TITLES = {model: settings["title"] for model, settings in MODELS.items()}
TRAINED = [key for key, model in MODELS.items() if model["framework"] != "ensemble"]
SEEDS = config["training"]["seeds"]
TRIVIAL = "predicts-nothing"

if not workflow.remote_exec:
    obstacles = study.unwritable(config["work_dir"]) + study.other_study(
        config, sheet.participants(SCANS)
    )
    if obstacles:
        sys.exit(str(BadInput(obstacles)))


wildcard_constraints:
    scan="|".join(map(re.escape, ROW_OF)),
    model="|".join(map(re.escape, [*MODELS, TRIVIAL])),
    seed=r"\d+",
    fold=r"all|\d+",


def code(*steps):
    """Digest of the steps' code: a rule reruns when it changes, not when a comment does."""
    return code_digest(f"headct.{step}" for step in steps)


def framework_of(model):
    """The framework that trains a model."""
    return MODELS[model]["framework"]


def settings_of(model):
    """All settings of a trained model, as JSON: those of its framework, then its own."""
    own = {key: value for key, value in MODELS[model].items() if key != "title"}
    return json.dumps({**config[framework_of(model)], **own}, sort_keys=True)


def members_of(model):
    """The trained models whose probabilities a model averages: itself, unless it is an ensemble."""
    return MODELS[model].get("members", [model])


def trained_folders(model, seed):
    """Per member of a model, its trained-model folders, one per fold."""
    return [
        [
            f"results/models/{member}/seed-{seed}/fold-{fold}"
            for fold in config["training"]["folds"]
        ]
        for member in members_of(model)
    ]


def manifests_of(model):
    """The prediction manifests of a model, one per seed."""
    return [f"results/predictions/{model}/seed-{seed}.tsv" for seed in SEEDS]


def asked_for(rule, resource):
    """What the configuration asks for on behalf of a rule."""
    return config["resources"][rule][resource]
