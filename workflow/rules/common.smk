# Consumes: the configuration and the sample sheet. Produces: names for the other rule files, and an
# end before any job starts where the input can't be used.

import gc
import json
import os
import re
import shlex
import sys
import tempfile
from functools import cache
from itertools import chain
from pathlib import Path

# What Snakemake has imported by now stays: it is not looked through for garbage again and again, which took a
# fifth of a start.
gc.freeze()

SCRIPTS = Path(workflow.basedir) / "workflow" / "scripts"

# Every job runs `python -m headct…` with the interpreter that runs Snakemake, installed or not.
sys.path.insert(0, str(SCRIPTS))
for variable, folder in (("PYTHONPATH", SCRIPTS), ("PATH", Path(sys.executable).parent)):
    os.environ[variable] = os.pathsep.join(filter(None, [str(folder), os.environ.get(variable)]))
os.environ.update(PYTHONSAFEPATH="1")  # no job imports what lies in the study's folder
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # two busy-waiting jobs starve each other
# A training on a CPU frees and asks for the same memory at each step: it keeps it, instead of having the system
# clear it anew. Larger volumes are given back at once, as before.
os.environ.setdefault("MALLOC_MMAP_THRESHOLD_", str(32 * 1024**2))
os.environ.setdefault("MALLOC_TRIM_THRESHOLD_", str(256 * 1024**2))

from headct.cohort import shards
from headct.contracts import amendments, postprocessing
from headct.contracts.code import code_digests, digest_of
from headct.contracts.declarations import (
    PublishedFigure,
    PublishedReport,
    PublishedStatistic,
    PublishedTable,
    declared,
)
from headct.contracts.labels import Extent
from headct.contracts.manifests import share_folder
from headct.contracts.problems import BadInput
from headct.contracts.references import PREDICTS_NOTHING as TRIVIAL
from headct.engine import starts
from headct.frameworks.base import find_framework, training_settings
from headct.frameworks.outside import maps_folder
from headct.imaging import sources
from headct.provenance import record, seal
from headct.provenance import snakemake as internals
from headct.publish import options
from headct.run import failures, late_reviews, locked_sets, preflight, study
from headct.run.cluster import gpu_hours, rates
from headct.settings import (
    analysis_plan,
    blocks,
    config_files,
    configuration,
    lesions,
    models,
    outside,
    ratings,
    reviews,
    sheet,
)
from headct.settings.typed import plain
from headct.steps import STEPS


def checked(function, *arguments):
    """Call a function; a user's bad input ends here, with the message and nothing around it."""
    try:
        return function(*arguments)
    except BadInput as error:
        sys.exit(str(error))


CONFIG_FILES = [Path(os.path.relpath(file)) for file in workflow.configfiles]
CONFIGURED = checked(config_files.read, CONFIG_FILES, internals.config_of_command_line(workflow))
checked(config_files.check_merged, CONFIGURED, config)
config.update(checked(configuration.complete, config, CONFIGURED.name_of))
SETTINGS = blocks.configured(config)
LABELS = lesions.label_set_of(config)
SHEET = config["sheet"]
LESIONS = sheet.Lesions(LABELS, SETTINGS.ingest.lesions_may_be_absent)
SCANS = checked(sheet.load, Path(SHEET), LESIONS)
INGESTED = sheet.baseline(SCANS)
EXTERNAL = sheet.external_sets(INGESTED)
OF_STUDY = [row for row in INGESTED if not sheet.external_set(row)]
READ_TWICE = any(map(sheet.is_read_twice, OF_STUDY))
KNOWS_SITES = any(row.get("site") is not None for row in OF_STUDY)
SHARDS = shards.divide(INGESTED, config["resources"]["ingest"]["jobs"])
BASELINE = {row["scan_id"] for row in INGESTED}
checked(ratings.check, SETTINGS.blinded)
REVIEWS = checked(reviews.files_of_study, vars(SETTINGS.reviews), BASELINE)
WITHDRAWALS = [str(path) for path in amendments.files(Path("results"))]
# The lists of each scan.json, by external set; "" has those of the study itself.
RECORDS_OF = {
    name: [
        f"results/data/shards/{shard}.tsv"
        for shard, rows in SHARDS.items()
        if sheet.external_set(rows[0]) == name
    ]
    for name in ["", *EXTERNAL]
}
SCAN_RECORDS = RECORDS_OF[""]
ALL_RECORDS = list(chain.from_iterable(RECORDS_OF.values()))
MODELS = config["models"]
REPLICATED = [key for key, model in MODELS.items() if model.get("replication", True)]
BEYOND = [key for key in MODELS if key not in REPLICATED]  # measured, but not compared
TITLES = {model: MODELS[model]["title"] for model in [*REPLICATED, *BEYOND]}
TRAINED = [key for key, model in SETTINGS.models.items() if model.is_trained]
OUTSIDE = [key for key, model in SETTINGS.models.items() if model.is_from_outside]
ENSEMBLES = {key: model["members"] for key, model in MODELS.items() if "members" in model}
SEEDS = config["training"]["seeds"]
FOLDS = config["training"]["folds"]
HELD_OUT = [fold for fold in FOLDS if fold != "all"]  # whose scans some network did not learn from
# The option of what predicts or measures these.
OF_HELD_OUT = f" --out-of-fold {' '.join(map(str, HELD_OUT))}"
FOLDED = [key for key in MODELS if HELD_OUT and key not in OUTSIDE]  # measured on those, too
# Whose held-out scans decide which lesions keep only their largest component.
POSTPROCESSED = [key for key, model in SETTINGS.models.items() if model.postprocessing]
HOLDS_OUT_SITES = bool(FOLDED) and SETTINGS.split.folds_by == analysis_plan.SITE
BY_SITE = FOLDED if HOLDS_OUT_SITES else list(MODELS)  # whose Dice is told by site
# How long the trainings are, by model; none where their pipelines say it.
BUDGETS = (
    checked(gpu_hours.budgets_in_steps, SETTINGS, rates.read()) if SETTINGS.training.budget else {}
)
# Networks that are measured in the course of their trainings, and at which shares of these.
EFFORT = SETTINGS.training.effort_curve
SHARES = [str(share) for share in EFFORT.shares] if EFFORT else []
BY_EFFORT = gpu_hours.networks_by_effort(SETTINGS)
NOTE = SETTINGS.note
STUDY_TITLE = " · ".join(filter(None, [config["study"]["name"], NOTE]))
STATISTICS = checked(declared, PublishedStatistic)
CURVE = SETTINGS.learning_curve  # None where the study has none
CURVES = [(model, size) for model in CURVE.models for size in CURVE.sizes] if CURVE else []


def one_of(names):
    """A regular expression of some names, or of nothing at all where there are none."""
    return "|".join(map(re.escape, names)) or r"(?!)"


wildcard_constraints:
    shard="|".join(SHARDS),
    set=one_of(EXTERNAL),
    share=one_of(SHARES),
    model=one_of([*MODELS, TRIVIAL]),
    seed=r"\d+",
    fold=r"all|\d+",
    size=r"all|\d+",
    representation=r"[\w-]+",


def code(step):
    """Digest of a step's code: a rule reruns when it changes, not when a comment does.

    Asked for when a job is planned: Snakemake on a node, which runs one job, reads that job's code only.
    """
    return lambda wildcards: code_of_step(step)


def code_of_step(step, *loaded):
    """Digest of a step's code, and of modules that it loads by name."""
    return code_of(STEPS[step].path, *loaded)


@cache
def code_of(*modules):
    """Digest of modules, of all that they import, and of the frameworks that they tell of."""
    digests = code_digests(modules)
    if "headct.frameworks.registry" in digests:  # no import leads to what each framework declares
        digests |= code_digests({framework_of(model).module("framework") for model in TRAINED})
    return digest_of(digests)


def recorded(step, once=True):
    """The command of a job that runs a step and leaves a record of that (headct.run.job).

    With ``once`` it is not done again where the former record says that just this was done, by its command,
    inputs and code. What depends on anything else is no such job.
    """
    # The rule stands in braces of its own, for snakemake --lint knows no {rule}, which is what says it.
    job = "--rule '{{{rule}}}' --wildcards '{wildcards}' --log {log}" + " --once" * once
    return f"python -m headct.run.job {job} --inputs {{input:q}} --outputs {{output:q}} -- {step}"


def framework_of(model):
    """The framework that trains a model."""
    return find_framework(MODELS[model]["framework"])


def runs_command(model):
    """Whether the label maps of a model made elsewhere come from a command."""
    return MODELS[model]["framework"] == "command"


def settings_of(model, *effects):
    """Those settings of a trained model that have one of these effects."""
    return models.having(training_settings(SETTINGS.models[model]), *effects)


def starts_from(model):
    """The files of the weights that a model is trained from, or none."""
    start = starts.of(training_settings(SETTINGS.models[model]))
    return [str(file) for file in start.files] if start else []


def external_tables_for(model):
    """The scans of all external sets, where a model is trained from weights that may know them."""
    return [f"results/cohort/external/{name}.tsv" for name in EXTERNAL if starts_from(model)]


def training_inputs(split):
    """Inputs of a training, by the table of the scans that it learns from."""
    return {
        "split": split,
        "prepared": lambda wildcards: preparation_of(wildcards.model),
        "start": lambda wildcards: starts_from(wildcards.model),
        "external": lambda wildcards: external_tables_for(wildcards.model),
    }


def external_argument(wildcards, input):
    """The tables of external sets, as the option of a training."""
    return f"--external {' '.join(input.external)}" if input.external else ""


def inference_settings_of(model):
    """By member of a model, the settings that it predicts by, as JSON."""
    found = {
        key: plain(models.of_model(framework_of(key).predicts_by, SETTINGS.models[key]))
        for key in members_of(model)
    }
    return json.dumps(found, sort_keys=True)


def outside_settings_of(model):
    """Where the label maps of a model made elsewhere are, or its command, and what their values mean, as JSON."""
    return json.dumps(outside.words(outside.of_model(SETTINGS.models[model])), sort_keys=True)


def representation_of(model):
    """Name of the representation of the training scans that a model learns from."""
    return framework_of(model).representation(training_settings(SETTINGS.models[model]))


def preparation_of(model):
    """The list of the training scans as a model learns from them."""
    return f"results/models/preparation/{representation_of(model)}.json"


def members_of(model):
    """The trained models whose probabilities a model averages: itself, unless it is an ensemble."""
    return MODELS[model].get("members", [model])


def trained_folders(model, seed, folds=FOLDS):
    """Per member of a model, its trained-model folders, one per fold."""
    return [
        [f"results/models/{member}/seed-{seed}/fold-{fold}" for fold in folds]
        for member in members_of(model)
    ]


def prediction_code(model):
    """Digest of the code by which a model predicts."""
    loaded = [framework_of(member).code("inference") for member in members_of(model)]
    return code_of_step("predict", *chain.from_iterable(loaded))


def manifests_of(model):
    """The prediction manifests of a model, one per seed; none of the one that predicts nothing."""
    return [f"results/predictions/{model}/seed-{seed}.tsv" for seed in SEEDS if model != TRIVIAL]


def held_out_manifests_of(model):
    """As ``manifests_of``, of training scans, each predicted by the fold that held it out."""
    return [f"results/predictions/{model}/out-of-fold/seed-{seed}.tsv" for seed in SEEDS]


def decisions_of(model, seeds=SEEDS):
    """What held-out scans decided on the post-processing of a model, by seed; nothing where it has none."""
    of_seeds = [f"results/models/{model}/seed-{seed}/{postprocessing.FILE}" for seed in seeds]
    return of_seeds if model in POSTPROCESSED else []


def effort_manifests_of(model, share):
    """As ``held_out_manifests_of``, by the weights at a share of the training."""
    return [f"results/predictions/{model}/effort/{share}/seed-{seed}.tsv" for seed in SEEDS]


def external_manifests_of(model, name):
    """As ``manifests_of``, of the scans of an external set."""
    folder = f"results/predictions/{model}/external/{name}"
    return [f"{folder}/seed-{seed}.tsv" for seed in SEEDS if model != TRIVIAL]


def curve_network(model, size, seed):
    """The trained-model folder of one network of the learning curve."""
    return f"results/{CURVE.network(model, size, int(seed), SETTINGS.training)}"


def curve_manifests_of(model, size):
    """As ``manifests_of``, of the scans that the learning curve holds out, by networks of one size."""
    folder = f"results/predictions/{model}/learning-curve/size-{size}"
    return [f"{folder}/seed-{seed}.tsv" for seed in CURVE.seeds]


def predictions_argument(wildcards, input):
    """The predictions that are measured, as the option of the step."""
    manifests = " ".join(input.manifests)
    return f"--predictions {manifests}" if manifests else "--predicts-nothing"


def postprocessing_argument(wildcards, input):
    """The decision on post-processing that predictions follow, as an option of the step; nothing for none."""
    return f" --postprocessing {input.postprocessing}" if input.postprocessing else ""


def members_arguments(folders):
    """Trained-model folders by member, as the options of inference."""
    return " ".join(f"--member {' '.join(of_member)}" for of_member in folders)


def asked_for(rule, resource):
    """What the configuration asks for on behalf of a rule."""
    return config["resources"][rule][resource]


def memory_mb(rule):
    """Memory of a rule's jobs in MB, as a function of the try: doubled after each fault, up to the cap."""
    first_try, cap = asked_for(rule, "mem_mb"), config["resources"]["mem_mb_cap"]
    return lambda wildcards, attempt: max(first_try, min(first_try * 2 ** (attempt - 1), cap))


def budget_argument(model):
    """How long the training of a model is, as options of its step; nothing where its pipeline says it.

    No function of ``input``: Snakemake would take no notice of another budget, since of such it only compares
    the files.
    """
    if model not in BUDGETS:
        return ""
    budget = json.dumps(plain(BUDGETS[model]), sort_keys=True)
    return f"--budget {shlex.quote(budget)} --prepared {preparation_of(model)}"


def keep_argument(model, fold):
    """At which shares of a training its weights are kept, as an option of its step; nothing if at none."""
    return f"--keep-at {' '.join(SHARES)}" if model in BY_EFFORT and fold != "all" else ""


def shares_of_folders(folders, share):
    """Of trained-model folders by member, those of the weights at a share of the training."""
    return [[f"{folder}/{share_folder(share)}" for folder in of_member] for of_member in folders]


REPRESENTATIONS = {representation_of(model): settings_of(model, "preparation") for model in TRAINED}
TRAINING_RECORDS = [
    f"{folder}/train.json"
    for model in TRAINED
    for seed in SEEDS
    for folders in trained_folders(model, seed)
    for folder in folders
]
# A network that the study trains anyway stands in both lists.
CURVE_RECORDS = [
    f"{curve_network(model, size, seed)}/train.json"
    for model, size in CURVES
    for seed in CURVE.seeds
]
OWN_CURVE_RECORDS = [record for record in CURVE_RECORDS if record not in TRAINING_RECORDS]
CURVE_METRICS = [
    f"results/learning_curve/metrics/{model}/size-{size}.tsv" for model, size in CURVES
]
CURVE_SUBSETS = [
    f"results/learning_curve/subsets/size-{size}/seed-{seed}.tsv"
    for size in dict.fromkeys(size for _, size in CURVES)
    for seed in CURVE.seeds
]
WEIGHTS = [
    record.replace("train.json", "final.pth") for record in [*TRAINING_RECORDS, *OWN_CURVE_RECORDS]
]
HELD_OUT_RECORDS = [
    f"results/models/{model}/seed-{seed}/fold-{fold}/train.json"
    for model in BY_EFFORT
    for seed in SEEDS
    for fold in HELD_OUT
]
EXTERNAL_METRICS = [
    f"results/metrics/external/{name}/{model}.tsv"
    for name in EXTERNAL
    for model in [*MODELS, TRIVIAL]
]
DECISIONS = [decision for model in POSTPROCESSED for decision in decisions_of(model)]
CASE_LIST = "results/report/cases.tsv"
SHOWS_CASES = SETTINGS.report.cases != "none"
LISTING = [  # what lists files that are no outputs of their own
    *ALL_RECORDS,
    *TRAINING_RECORDS,
    *OWN_CURVE_RECORDS,
    *(manifest for model, size in CURVES for manifest in curve_manifests_of(model, size)),
    *(manifest for model in MODELS for manifest in manifests_of(model)),
    *(manifest for model in FOLDED for manifest in held_out_manifests_of(model)),
    *(
        manifest
        for model in BY_EFFORT
        for share in SHARES
        for manifest in effort_manifests_of(model, share)
    ),
    *(
        manifest
        for model in MODELS
        for name in EXTERNAL
        for manifest in external_manifests_of(model, name)
    ),
    *([CASE_LIST] if SHOWS_CASES else []),
]
if not internals.is_read_by_a_job(workflow):
    checked(
        sheet.check_files,
        SCANS,
        Path(SHEET),
        config["cohort"]["max_excluded"],
        sources.why_not,
    )
    checked(preflight.check_outside, SETTINGS, SCANS)
    obstacles = study.unwritable(config["work_dir"]) + study.other_study(
        config["study"]["name"], config["labels"], sheet.participants(SCANS)
    )
    obstacles += study.withdrawn(SCANS, SHEET)
    obstacles += late_reviews.changes(REVIEWS.get(reviews.QUALITY), BASELINE, Path("results"))
    if not {"--forceall", "-F"} & set(
        sys.argv
    ):  # Snakemake tells a Snakefile no such setting while it reads it
        obstacles += study.unnoticed_changes(config) + study.lost_files(LISTING)
    if obstacles:
        sys.exit(str(BadInput(obstacles)))
SHOWN_MODELS = list(
    dict.fromkeys([config["figures"]["cases"]["select_by"], *config["figures"]["cases"]["show"]])
)
PLAN = os.path.relpath(
    analysis_plan.path_of(config["analysis_plan"], workflow=Path(workflow.basedir))
)
ANALYSIS_PLAN = checked(analysis_plan.load, Path(PLAN))
if not internals.is_read_by_a_job(workflow):
    checked(preflight.check, SETTINGS, CONFIGURED.name_of, ANALYSIS_PLAN, PLAN, SCANS)
    checked(locked_sets.check, SCANS, SHEET, Path("results"), Path(PLAN))
    for words in preflight.warnings(SETTINGS, SCANS, ANALYSIS_PLAN, PLAN):
        print(f"Warning: {words}", file=sys.stderr)
PUBLISHED = sorted(
    os.path.relpath(path)
    for path in (Path(workflow.basedir) / "resources" / "published").glob("*.tsv")
)


# Where the configuration leaves the tolerance of the surface Dice to the raters, and there are some.
TOLERANCE = (
    "results/statistics/surface_tolerance.tsv"
    if READ_TWICE and config["metrics"]["surface_tolerance_mm"] is None
    else []
)


def caption(name):
    """The caption of a table or figure in the report."""
    return f"{workflow.basedir}/workflow/report/{name}.rst"


def written_by(step):
    """The statistics that a step writes."""
    return [f"results/{one.path}" for one in STATISTICS.values() if one.step == step]


def measured_second_readings():
    """Metrics of second readings, where the sheet has any."""
    return rules.second_readings.output if READ_TWICE else []


def tolerance_argument(wildcards, input):
    """Where the measures find the tolerance of the surface Dice, if raters tell it."""
    return f"--surface-tolerance {input.tolerance}" if input.tolerance else ""


def verbatim(value):
    """A parameter that is handed on as it is: in plain text, Snakemake takes braces for its wildcards."""
    return lambda wildcards: value


METRICS_SETTINGS = verbatim(json.dumps(config["metrics"], sort_keys=True))


def starts_no_job(value):
    """A parameter whose change starts no job, since no result depends on it.

    Snakemake does not compare a parameter that may be made of the job's threads.
    """
    return lambda wildcards, threads: value


def labels_as(extent):
    """As much of the label set as a step needs, as a parameter: no edit of more starts its jobs."""
    return verbatim(LABELS.written(extent))


def as_json(value):
    """A setting as it stands on a command line, as a parameter."""
    return verbatim(json.dumps(value, sort_keys=False, ensure_ascii=False))
