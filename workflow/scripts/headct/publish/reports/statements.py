"""What a run can say of itself, one statement per function: a sentence or a few, and what bears it out.

Checklists refer to statements by the names of their functions; the methods paragraph and the model cards are
put together from them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from headct.contracts import postprocessing
from headct.contracts.artefacts import LEDGER
from headct.contracts.no_prediction import MISSING_SCORED, missing_in_words
from headct.contracts.plurals import counted
from headct.contracts.references import ANOTHER_RATER, PREDICTS_NOTHING, SAME_RATER
from headct.contracts.sets import SETS
from headct.frameworks.registry import frameworks
from headct.publish.printed_numbers import DASH, DICE_DECIMALS, count, number, share, spread
from headct.publish.reports.facts import Facts, plan_items
from headct.publish.tables.training_records import in_words, start_in_words
from headct.publish.tables.words import RULES
from headct.settings.analysis_plan import DEVIATION, PRIMARY, SITE
from headct.settings.blocks import Model
from headct.statistics.core.agreement import ALL_SCANS
from headct.statistics.replication.cohort_tests import MEDIAN_IQR, SHARE

UNKNOWN_TRAINING = "were trained in a way that is not known here, beyond what Table E1 says"
UNKNOWN_INPUT = "gave label maps; what they were made from is not known here"
SECOND_READERS = {SAME_RATER: "the same rater", ANOTHER_RATER: "another rater"}
CRITERIA = {
    "soft_tissue_kernel": "soft-tissue kernel",
    "complete": "completeness",
    "original": "original rather than derived",
    "thicker_slices": "thicker slices",
    "thinner_slices": "thinner slices",
    "more_slices": "more slices",
    "fits_mask": "fit to the mask",
}
"""Values of ``ingest.series_preference`` in words."""

OLDEST_YEARS = 120
"""A cap of ages at which nothing is capped, for the sheet takes no higher one."""

CODE = "audit/workflow/"


@dataclass(frozen=True)
class Statement:
    """A statement of a run; ``evidence`` are paths below the results."""

    text: str
    evidence: Sequence[str]


Sentence = Callable[[Facts], str]
Row = Mapping[Any, Any]
"""One row of a table."""

STATEMENTS: dict[str, Callable[[Facts], Statement]] = {}
"""Every statement by its name."""


def borne_out_by(*evidence: str) -> Callable[[Sentence], Sentence]:
    """Make a statement of a function, under its name."""

    def register(sentence: Sentence) -> Sentence:
        def statement(facts: Facts) -> Statement:
            return Statement(sentence(facts), tuple(path for path in evidence if path not in facts.left_out))

        STATEMENTS[sentence.__name__] = statement
        return sentence

    return register


# -- words and numbers -------------------------------------------------------------------------------


def listed(words: Iterable[str]) -> str:
    """``a, b and c``."""
    *first, last = list(words) or ["none"]
    return f"{', '.join(first)} and {last}" if first else last


def telling(lead: str, parts: Iterable[str], none: str) -> str:
    """``lead: a; b.``, or what is said where there is nothing to list."""
    listed = "; ".join(parts)
    return f"{lead}: {listed}." if listed else none


def estimate(row: Row, name: str, decimals: int = DICE_DECIMALS, percent: bool = False) -> str:
    """``0.757 (95% CI, 0.704 to 0.811)``; limits are in ``lower`` and ``upper``, or begin with ``name``.

    Args:
        row: with the estimate and its limits.
        name: of the column of the estimate.
        decimals: of all numbers.
        percent: whether shares are printed as per cent.
    """
    prefix = "" if "lower" in row else f"{name}_"
    values = [float(row[key]) for key in (name, f"{prefix}lower", f"{prefix}upper")]
    if math.isnan(values[0]):
        return "not estimable"
    centre, low, high = (f"{100 * value:.0f}%" if percent else number(value, decimals) for value in values)
    return centre if math.isnan(values[1]) else f"{centre} (95% CI, {low} to {high})"


def tallied(values: pd.Series) -> str:
    """``a (n = 3), b (n = 2)``: the most frequent first."""
    counts = values.value_counts().rename_axis("value").reset_index(name="n")
    counts = counts.sort_values(["n", "value"], ascending=[False, True])
    return ", ".join(f"{row.value} (n = {row.n})" for row in counts.itertuples()) or "none"


# -- the scans ---------------------------------------------------------------------------------------


@borne_out_by("config.json")
def simulated(facts: Facts) -> str:
    """Whether there are patients at all."""
    note, phantom = facts.config.note, facts.config.phantom
    if phantom is None:
        return f"{note}." if note else "The scans are those of the sample sheet."
    return (
        "The data are simulated: scans, lesions, raters and participants are made by the simulator of the"
        f" workflow (seed {phantom.seed}), and no patient is among them. The results show that the workflow"
        " runs; they say nothing about how well a model segments real scans."
    )


@borne_out_by("cohort/cohort.tsv")
def sources(facts: Facts) -> str:
    """Sites."""
    included = facts.included
    scans = f"The {counted(len(included), 'analysed scan')}, of"
    people = counted(included["participant_id"].nunique(), "participant")
    if included["site"].isna().all():
        return f"{scans} {people}, are of sites that the sheet does not name."
    sites = counted(included["site"].nunique(), "site")
    return f"{scans} {people}, came from {sites}{_of_unknown_site(included)}."


@borne_out_by("cohort/flow.tsv", "figures/flow.pdf")
def flow(facts: Facts) -> str:
    """Numbers included and put aside, with reasons."""
    counts = dict(iter(facts.flow.groupby("status", sort=False)))

    def total(status: str) -> int:
        return int(counts[status]["scans"].sum()) if status in counts else 0

    def with_reasons(status: str) -> str:
        if not total(status):
            return "none"
        rows = counts[status].sort_values(["scans", "reason"], ascending=[False, True])
        return f"{total(status)} ({'; '.join(f'{row.reason}, n = {row.scans}' for row in rows.itertuples())})"

    withdrawn = ""
    if total("withdrawn"):
        withdrawn = f" withdrawn, with all their data deleted: {with_reasons('withdrawn')};"
    external = f" in external sets: {with_reasons('external')};" if total("external") else ""
    return (
        f"Of {counted(total('in sheet'), 'scan')} in the sheet, {total('included')} were analysed;"
        f"{external}{withdrawn} excluded: {with_reasons('excluded')};"
        f" put aside with an error: {with_reasons('error')}."
    )


@borne_out_by("config.json", "cohort/flow.tsv")
def input_criteria(facts: Facts) -> str:
    """Criteria at the level of the data."""
    ingest = facts.config.ingest
    return (
        "At the level of the data, a scan was excluded if none of its series was a CT of at least"
        f" {ingest.minimum_slices} slices at {ingest.maximum_angle_to_axial_deg}° or less to the axial"
        f" plane, if a section was missing (a gap of {ingest.maximum_gap_ratio} usual gaps or more), or if"
        " pixels, positions or Hounsfield units could not be read with certainty. A scan whose mask was"
        " missing or did not fit was put aside as an error. The reasons met are counted in the flow of scans."
    )


@borne_out_by("config.json", "cohort/cohort.tsv")
def series_choice(facts: Facts) -> str:
    """Which series of a folder."""
    order = [CRITERIA[name] for name in facts.config.ingest.series_preference]
    if not order:
        return "A scan with several series that could be used was an error. No other subset was chosen."
    return (
        f"Where a scan had several series, one was chosen by, in turn: {listed(order)}. What that left open"
        " was an error, not a guess. No other subset was chosen."
    )


@borne_out_by("cohort/cohort.tsv")
def acquisition(facts: Facts) -> str:
    """Scanners and geometry."""
    return _acquired(facts.included)


def _acquired(rows: pd.DataFrame) -> str:
    """Scanners and geometry of some rows of the cohort."""
    spacing = rows["spacing_z_mm"]
    tilted = int(rows["flags"].fillna("").str.contains("tilted").sum())
    return (
        f"Makers of the scanners: {tallied(rows['manufacturer'].fillna('not stated'))}. Median distance of"
        f" slices {number(spacing.median(), 1)} mm (range {number(spacing.min(), 1)} to"
        f" {number(spacing.max(), 1)}); median number of slices {count(rows['n_slices'].median())}; gantry"
        f" tilted in {share(tilted, len(rows))}."
    )


@borne_out_by("cohort/cohort.tsv")
def conversion(facts: Facts) -> str:
    """From the scanner's images to volumes."""
    return (
        "Scans were converted to Hounsfield units on their own acquisition grid, without resampling, and"
        " masks were matched to it slice by slice. Volumes are voxel counts times pixel area times the"
        " distance that each slice stands for, which takes gantry tilt and uneven gaps into account."
    )


@borne_out_by("tables/table_e1.html", "models/preparation/")
def preprocessing(facts: Facts) -> str:
    """What each pipeline did to the volumes."""
    lines = [
        f"{facts.title(model)}: {', '.join(known)}"
        for model, runs in facts.training.items()
        if (known := _prepared_by(runs))
    ]
    details = f" ({'; '.join(lines)})" if lines else ""
    used = {model.framework for model in facts.models.values()}
    sentences = [f"Each model saw the volumes as its own pipeline prepares them{details}."]
    sentences += [framework.preparation for name, framework in frameworks().items() if name in used]
    return _of_models(facts, " ".join(filter(None, sentences)), UNKNOWN_INPUT)


def _prepared_by(runs: Sequence[Mapping[str, Any]]) -> list[str]:
    """Spacing and intensity window of a model, as far as its records have them."""
    spacing, window = joined(runs, "spacing_mm_xyz"), joined(runs, "hu_window", separator=" to ")
    known = []
    if spacing:
        known.append(f"spacing {spacing} mm")
    if window:
        known.append(f"window {window} HU")
    return known


@borne_out_by("cohort/cohort.tsv")
def deidentification(facts: Facts) -> str:
    """Identifiers."""
    cap = facts.config.cohort.age_cap_years
    ages = "" if cap >= OLDEST_YEARS else f", ages above {cap} years are shown as {cap}"
    return (
        "Of the images' headers only an allow-list of technical facts was kept; results carry the identifiers"
        f" of the sample sheet alone{ages}. The pixels were not altered"
        " (no removal of faces)."
    )


@borne_out_by("cohort/flow.tsv", "statistics/dice_summary.tsv")
def missing_data(facts: Facts) -> str:
    """Missing scans, predictions and characteristics."""
    summary = facts.statistics["dice_summary"]
    models = summary[summary["model"] != PREDICTS_NOTHING]
    failed = models.groupby("model", sort=False)[["n_failed", "n_crashed"]].max()
    lost = [
        f"{facts.title(str(model))} {missing_in_words(int(n_failed), int(n_crashed))}"
        for model, (n_failed, n_crashed) in zip(failed.index, failed.to_numpy(), strict=True)
        if n_failed
    ]
    absent = facts.included[["age", "sex", "onset_to_ct_h"]].isna().sum()
    return (
        "A scan with missing or damaged data was put aside with its reason; nothing was imputed. A missing"
        f" prediction is {MISSING_SCORED}; there were {'none' if not lost else listed(lost)}. Missing"
        f" among the analysed scans: age {absent['age']}, sex {absent['sex']}, time from onset"
        f" {absent['onset_to_ct_h']}."
    )


# -- the reference -----------------------------------------------------------------------------------


@borne_out_by("cohort/cohort.tsv", "statistics/cohort_tests.tsv")
def reference(facts: Facts) -> str:
    """The classes of the masks, and which of them no mask has."""
    rows = _characteristics(facts, SHARE)
    titles = {label.name: label.title_in_sentence for label in facts.labels.labels}
    found = {
        label: rows[label]["train_count"] + rows[label]["test_count"] for label in titles if label in rows
    }
    drawn = [
        label if titles[label] == label else f"{titles[label]} ({label})" for label, n in found.items() if n
    ]
    absent = [titles[label] for label, n in found.items() if not n]
    classes = ""
    if drawn:
        classes = f", with the classes {listed(drawn)}" if len(drawn) > 1 else f", of {listed(drawn)}"
    lacking = f" No mask of an analysed scan has {listed(absent)}." if absent else ""
    return f"The reference is one mask per scan{classes}.{lacking}"


@borne_out_by("cohort/cohort.tsv")
def raters(facts: Facts) -> str:
    """How many raters, and how many scans each."""
    return f"Raters of the analysed scans: {_who_drew(facts.included)}."


def _who_drew(rows: pd.DataFrame) -> str:
    return tallied(rows["rater"].fillna("not stated"))


@borne_out_by("cohort/split.tsv", "cohort/cohort.tsv")
def test_annotation(facts: Facts) -> str:
    """The test set's masks."""
    rows = _scans_with_sets(facts)
    by_set = {name: _who_drew(rows[rows["set"] == name]) for name in SETS}
    if facts.is_evaluation_only:
        return f"Raters of the test set: {by_set['test']}."
    return f"Raters of the training set: {by_set['train']}; of the test set: {by_set['test']}."


@borne_out_by("statistics/rater_agreement.tsv", "metrics/second-reading.tsv")
def rater_agreement(facts: Facts) -> str:
    """Second readings."""
    rows = facts.statistics["rater_agreement"]
    rows = rows[(rows["scans"] == ALL_SCANS) & rows["label"].isin(list(facts.labels))]
    if rows.empty:
        return "The sheet has no second readings, so how far raters differ is not known."
    parts = []
    for kind, group in rows.groupby("model"):
        by_label = [
            f"{row['label']} mean Dice {number(row['dice_mean'], DICE_DECIMALS)}, ICC of volumes"
            f" {number(row['icc_a1'], 2)}"
            for row in group.to_dict("records")
        ]
        reader = SECOND_READERS.get(str(kind), str(kind))
        parts.append(f"by {reader}, n = {group['n'].max()}: {'; '.join(by_label)}")
    return f"Second readings against first ones, {'. And '.join(parts)}."


@borne_out_by("data/")
def same_scan(facts: Facts) -> str:
    """Time between test and reference."""
    return "Models and raters saw the same scan, so no time lies between index test and reference standard."


# -- the sets ----------------------------------------------------------------------------------------


@borne_out_by("cohort/split.tsv")
def partition(facts: Facts) -> str:
    """How the sets were drawn."""
    if facts.is_evaluation_only:
        return "All analysed scans were tested: no model was trained here, so no training set was drawn."
    drawn = listed(facts.split["drawn_by"].dropna().unique())
    how = "taken from a list made elsewhere" if facts.config.split.file else "drawn"
    used = facts.config.training.folds
    folds = (
        "all training scans were used at once"
        if used == ("all",)
        else f"trained folds: {listed(map(str, used))}{_of_sites(facts)}"
    )
    return (
        f"Training and test set were {how}, by participant ({drawn}); {folds}, and no set was kept for"
        " tuning."
    )


def _of_sites(facts: Facts) -> str:
    if facts.config.split.folds_by != SITE:
        return ""
    return ", each of whole sites, so that what it holds out is of sites that its networks have not seen"


@borne_out_by("cohort/split.tsv")
def set_sizes(facts: Facts) -> str:
    """Scans and participants per set."""
    participants = facts.split.groupby("set")["participant_id"].nunique()
    train, test = (
        f"{counted(facts.n_scans(name), 'scan')} of {counted(int(participants.get(name, 0)), 'participant')}"
        for name in SETS
    )
    if facts.is_evaluation_only:
        return f"The test set has {test}."
    return f"The training set has {train}, the test set {test}."


@borne_out_by("cohort/split.tsv")
def disjoint(facts: Facts) -> str:
    """Participants in both sets, counted."""
    if facts.is_evaluation_only:
        return (
            "No scan was trained on here. Whether a model was trained elsewhere on scans of these"
            " participants is not known to the workflow, beyond what Table E1 says of its training data."
        )
    both = int((facts.split.groupby("participant_id")["set"].nunique() > 1).sum())
    by_participant = "disjoint" if not both else "not disjoint"
    return f"The sets are {by_participant} by participant ({both} in both), {_by_site(facts)}."


def _by_site(facts: Facts) -> str:
    """Whether sites are in both sets, as far as the sheet knows them."""
    shared, sites = len(_shared_sites(facts)), facts.included["site"]
    if not _knows_sites_of_both_sets(facts):
        return "and whether they are by site is not known, since the sheet does not name the sites of both"
    if shared:
        return f"not by site ({shared} of {sites.nunique()} in both{_of_unknown_site(facts.included)})"
    return f"and by site, too (none in both{_of_unknown_site(facts.included)})"


def _of_unknown_site(scans: pd.DataFrame) -> str:
    """How many scans have no site, after a semicolon; empty where all have one."""
    n = int(scans["site"].isna().sum())
    return f"; the site of {counted(n, 'scan')} is not known" if n else ""


def _knows_sites_of_both_sets(facts: Facts) -> bool:
    """Whether some scan of the training set, and some of the test set, has a site."""
    return set(_scans_with_sets(facts).dropna(subset="site")["set"]) >= set(SETS)


def _shared_sites(facts: Facts) -> set[str]:
    """Sites with scans in both sets."""
    sites = _scans_with_sets(facts).groupby("site")["set"].nunique()
    return set(sites.index[sites > 1])


def _scans_with_sets(facts: Facts) -> pd.DataFrame:
    return facts.included.merge(facts.split[["scan_id", "set"]], on="scan_id")


@borne_out_by("tables/table2.html", "cohort/balance.tsv")
def balance(facts: Facts) -> str:
    """Largest difference between the sets."""
    if facts.is_evaluation_only:
        return "Characteristics of the test set are in Table 2."
    differences = facts.balance.dropna(subset=["smd"])
    if differences.empty:
        return "Characteristics of both sets are in Table 2."
    largest = max(differences.to_dict("records"), key=lambda row: abs(row["smd"]))
    return (
        "Characteristics of both sets are in Table 2; the largest standardised mean difference is"
        f" {number(abs(largest['smd']), 2)} ({str(largest['characteristic']).replace('_', ' ')})."
    )


@borne_out_by("tables/table2.html", "statistics/cohort_tests.tsv")
def prevalence(facts: Facts) -> str:
    """Scans with each lesion, per set."""
    rows = _characteristics(facts, SHARE)
    parts = [
        f"{label} in"
        f" {'' if facts.is_evaluation_only else _share_of(row, 'train') + ' of the training and '}"
        f"{_share_of(row, 'test')} of the test scans"
        for label in facts.labels
        if (row := rows.get(label))
    ]
    return telling("Lesions", parts, "How often each lesion occurs could not be counted.")


def _share_of(row: Row, name: str) -> str:
    return share(row[f"{name}_count"], row[f"{name}_n"])


@borne_out_by("tables/table2.html", "statistics/cohort_tests.tsv")
def lesion_sizes(facts: Facts) -> str:
    """Volumes of the lesions in the test set."""
    rows = _characteristics(facts, MEDIAN_IQR)
    parts = [
        f"{label} {spread(row['test_median'], row['test_q1'], row['test_q3'], 1)} mL"
        for label in facts.labels
        if (row := rows.get(f"{label}_volume_ml"))
    ]
    lead = "Median volumes in the test scans that have the lesion, with quartiles"
    return telling(lead, parts, "No volumes of lesions are known.")


def _characteristics(facts: Facts, statistic: str) -> dict[str, Row]:
    """Rows of Table 2 of one kind of statistic, by characteristic."""
    rows = facts.statistics["cohort_tests"].to_dict("records")
    return {str(row["characteristic"]): row for row in rows if row["statistic"] == statistic}


# -- the models --------------------------------------------------------------------------------------


def joined(runs: Sequence[Mapping[str, Any]], fact: str, separator: str = " × ") -> str:
    """A field of ``ModelFacts`` of a model's records of training, or "" where they have none.

    Sizes and spacings stand in the framework's order of axes.
    """
    found = []
    for run in runs:
        framework = frameworks()[run["framework"]]
        value = framework.notation.listed(framework.facts_of(run), fact)
        if isinstance(value, list):
            found.append(separator.join(f"{part:g}".replace("-", "−") for part in value))
        elif isinstance(value, int):
            found.append(f"{value:,}")
        elif value is not None:
            found.append(f"{value:g}" if isinstance(value, float) else str(value))
    return " or ".join(dict.fromkeys(found))


def description(facts: Facts, model: str) -> str:
    """A model in one clause: trained here, made elsewhere, or an ensemble."""
    if model in facts.outside:
        stated = (
            f"{heading[:1].lower()}{heading[1:]}: {text}"
            for heading, text in facts.outside[model].in_print().items()
        )
        return f"not trained here; {', '.join(stated)}"
    if model not in facts.training:
        return f"the mean of the probabilities of {listed(map(facts.title, facts.members(model)))}"
    runs = facts.training[model]
    network = in_words(joined(runs, "network"))
    loss = joined(runs, "loss")
    parameters = joined(runs, "parameters")
    known = [
        network,
        f"{parameters} parameters" if parameters else "",
        loss and f"loss: {in_words(loss)}",
    ]
    return ", ".join(filter(None, known))


def training_of(facts: Facts, model: str) -> str:
    """How one trained model was trained, in one clause."""
    runs = facts.training[model]
    seeds = listed(sorted({str(run["seed"]) for run in runs}))
    scans = listed(sorted({counted(run["n_training_scans"], "scan") for run in runs}))
    devices = listed(sorted({"a CPU" if run["device"] == "cpu" else "a GPU" for run in runs}))
    length = (
        f"{joined(runs, 'epochs')} epochs ({joined(runs, 'iterations')} iterations of"
        f" {joined(runs, 'batch_size')} patches of {joined(runs, 'patch_size_xyz')} voxels) on {scans}"
    )
    rate = joined(runs, "learning_rate")
    known = [
        length if joined(runs, "batch_size") else f"fitted to {scans}",
        joined(runs, "optimiser"),
        f"initial learning rate {rate}" if rate else "",
        f"seed {seeds}",
        f"on {devices}",
    ]
    start = "".join(f"; {item.lower()}: {text}" for item, text in start_in_words(runs[0]).items())
    return ", ".join(filter(None, known)) + start


@borne_out_by("tables/table_e1.html", "report/models/")
def models(facts: Facts) -> str:
    """Each model in a clause."""
    described = [f"{facts.title(model)} ({description(facts, model)})" for model in facts.models]
    if len(described) == 1:
        return f"One model was evaluated, and compared with no other: {described[0]}."
    return f"{len(described)} models were compared: {'; '.join(described)}."


def _of_models(facts: Facts, here: str, elsewhere: str) -> str:
    """A statement of the models that are trained here, and what holds instead of those made elsewhere.

    Args:
        facts: of the run.
        here: sentences that are left out where no model is trained here.
        elsewhere: what the others do, or what is known of them, as the end of a sentence.
    """
    made = f"Made elsewhere, {listed(map(facts.title, facts.outside))} {elsewhere}." if facts.outside else ""
    return " ".join(filter(None, (here if facts.training else "", made)))


@borne_out_by("tables/table_e1.html")
def model_output(facts: Facts) -> str:
    """What models give."""
    given = "label maps that were taken as they are"
    if any(map(_gives_probabilities, facts.models.values())):
        given = "label maps that were taken as they are, or probabilities whose most probable class was taken"
    return _of_models(facts, _output_here(facts), f"gave {given}, placed on the scan's grid")


def output_of(facts: Facts, model: str) -> str:
    """What one model gives, as :func:`model_output` says it of all."""
    if model in facts.outside:
        given = "Its label maps were taken as they are"
        if _gives_probabilities(facts.models[model]):
            given = "Of its probabilities the most probable class was taken"
        return f"{given}, placed on the scan's grid; how it came to them is not known here."
    return _output_here(facts)


def _output_here(facts: Facts) -> str:
    without = "" if facts.postprocessing else "without post-processing and "
    return (
        "The output is a label map on the scan's acquisition grid: for each voxel the class (background, "
        f"{', '.join(facts.labels)}) of the highest probability, {without}without a"
        " threshold to choose."
        f" Folds and members of ensembles are averaged as probabilities.{_postprocessing(facts)}"
    )


def _gives_probabilities(model: Model) -> bool:
    return model.settings.get("content") == "probabilities"


def _postprocessing(facts: Facts) -> str:
    """What held-out scans decided on the label maps of which models."""
    if not facts.postprocessing:
        return ""
    decided = [
        f"{facts.title(model)}: {postprocessing.of_seeds(decisions)}"
        for model, decisions in facts.postprocessing.items()
    ]
    made_here = len(facts.models) - len(facts.outside)
    rest = "" if len(decided) == made_here else " Those of other models trained here were not post-processed."
    return (
        " Label maps of the test set, and of external sets, were post-processed as held-out scans had decided"
        " by nnU-Net's rule (only the largest connected component of a lesion, or of all lesions together,"
        " stays where that raises the mean Dice):"
        f" {'. '.join(decided)}.{rest} Held-out scans themselves were measured without it."
    )


@borne_out_by("audit/runs/", CODE)
def software(facts: Facts) -> str:
    """Versions."""
    named = [f"{name} {' and '.join(versions)}" for name, versions in facts.versions.items()]
    return (
        f"Software: {', '.join(named)}. All versions, the machine and the digest of the code of every job are"
        " in its run record."
    )


@borne_out_by("tables/table_e1.html")
def initialisation(facts: Facts) -> str:
    """Initial weights."""
    seeds = facts.config.training.seeds
    named = f"{'seed' if len(seeds) == 1 else 'seeds'} {listed(map(str, seeds))}"
    begun = [facts.title(model) for model, runs in facts.training.items() if start_in_words(runs[0])]
    drawn = f"Weights were drawn at random by each framework, from {named}; none were pre-trained."
    if begun:
        drawn = (
            f"Pre-trained weights, which Table E1 names, were the start of {listed(begun)}; all others were"
            f" drawn at random by each framework, from {named}."
        )
    were = "was" if len(facts.outside) == 1 else "were"
    return _of_models(facts, drawn, f"{were} trained before, on what Table E1 says")


@borne_out_by("tables/table_e1.html", "figures/training_curves/")
def training(facts: Facts) -> str:
    """Each training in a clause."""
    if not facts.training:
        return "No model was trained here."
    return ". ".join(f"{facts.title(model)}: {training_of(facts, model)}" for model in facts.training) + "."


@borne_out_by("tables/table_e1.html")
def class_imbalance(facts: Facts) -> str:
    """Oversampling."""
    if not facts.training:
        return _of_models(facts, "", UNKNOWN_TRAINING)
    names = ("foreground_oversampling", "foreground_fraction", "foreground_probability")
    shares = []
    for model, runs in facts.training.items():
        settings = runs[0]["settings"]
        shares += [f"{facts.title(model)} {settings[name]:g}" for name in names if name in settings]
    if not shares:
        return "Predictions were not recalibrated."
    return (
        "Lesions are a small part of a scan, so a set share of the patches was drawn around them"
        f" ({', '.join(shares)}). Predictions were not recalibrated."
    )


@borne_out_by("config.json", "tables/table_e1.html")
def model_choice(facts: Facts) -> str:
    """Which weights."""
    weights = "The weights after the last epoch were used. " if facts.training else ""
    return (
        f"{weights}The workflow chooses nothing (epoch, threshold, setting, model) by the test set; the"
        f" models that the figures show are named in the configuration.{_of_curves(facts)}"
    )


def _of_curves(facts: Facts) -> str:
    """Networks that were trained, and weights that were kept, for curves of held-out scans."""
    learning, effort = facts.config.learning_curve, facts.config.training.effort_curve
    kinds = []
    if learning:
        sizes, seeds = (listed(map(str, values)) for values in (learning.sizes, learning.seeds))
        kinds.append(
            f"{listed(map(facts.title, learning.models))} trained on parts of the participants"
            f" ({sizes}; seeds {seeds})"
        )
    if effort:
        kinds.append(f"weights kept at {listed(map(str, effort.shares))} of each training")
    more = f" Further networks, {' and '.join(kinds)}, were measured on scans that their fold held out."
    return more if kinds else ""


@borne_out_by("config.json")
def ensembles(facts: Facts) -> str:
    """Members."""
    names = [model for model, of_model in facts.models.items() if of_model.members]
    if not names:
        return "There is no ensemble of models."
    return ". ".join(f"{facts.title(model)}: {description(facts, model)}" for model in names) + "."


@borne_out_by("figures/best_cases.pdf", "figures/worst_cases.pdf")
def explainability(facts: Facts) -> str:
    """None."""
    return (
        "No method of explanation was applied: the output, a label map, is shown over the scan, for the best"
        " and the worst cases."
    )


@borne_out_by("data/")
def scan_only(facts: Facts) -> str:
    """Predictors."""
    here = (
        "The only input of a model is the CT volume; no clinical variable was used and none was selected. No"
        " reading by a person enters."
    )
    return _of_models(facts, here, UNKNOWN_INPUT)


@borne_out_by("predictions/")
def no_interaction(facts: Facts) -> str:
    """Human interaction."""
    here = "Input was converted and segmented without human interaction; there is none to train for."
    return _of_models(facts, here, UNKNOWN_INPUT)


@borne_out_by("predictions/")
def blind_models(facts: Facts) -> str:
    """What models knew."""
    here = "Models were given the CT volume alone: no clinical information, and no reference of a test scan."
    return _of_models(facts, here, UNKNOWN_INPUT)


@borne_out_by("cohort/flow.tsv", "predictions/")
def poor_input(facts: Facts) -> str:
    """Poor input in use."""
    return (
        "The same checks as for the study's scans (docs/how-to/inference.md) say whether a new scan can be"
        " used: an incomplete or unreadable one is refused with its reason, not segmented."
    )


@borne_out_by("config.json")
def no_updating(facts: Facts) -> str:
    """Updating."""
    return "No model was updated or recalibrated after its evaluation."


# -- measures and statistics -------------------------------------------------------------------------


@borne_out_by("metrics/", "config.json")
def measures(facts: Facts) -> str:
    """What was measured."""
    tolerances = listed(f"{mm:.3g} mm ({label})" for label, mm in facts.surface_tolerance_mm.items())
    return (
        "Per scan and lesion: Dice (1 where a lesion is in neither mask, 0 where it is in one only), Dice"
        " where it is present, detection, volumes and their error, intersection, false positives, 95th"
        f" percentile of the surface distance, surface Dice at {tolerances}, and lesion-wise F1."
    )


@borne_out_by("config.json", "statistics/detection.tsv")
def positivity(facts: Facts) -> str:
    """Thresholds of presence."""
    values = sorted(facts.statistics["detection"]["threshold_ml"].unique())
    if not values:
        return "Detection was not analysed."
    thresholds = listed(f"{value:g} mL" for value in values)
    return (
        f"A lesion counts as present, in reference and prediction alike, above {thresholds}, as the analysis"
        " plan fixes it; the lowest is the one of the tables."
    )


@borne_out_by("statistics/plan.tsv", CODE)
def plan(facts: Facts) -> str:
    """The analysis plan."""
    items = plan_items(facts.statistics["plan"])
    rows = facts.statistics["plan"]
    deviations = [
        f"{row['item']}: {row['value']}" for row in rows[rows["kind"] == DEVIATION].to_dict("records")
    ]
    return (
        f"The analysis plan of {items['date']} (SHA-256 {items['sha256']}) fixed endpoints, margins,"
        " subgroups and the seed of the permutations. "
    ) + telling("Deviations from it", deviations, "Nothing deviates from it.")


@borne_out_by("tables/planned_comparison.html", "tables/table1.html", "figures/dunn_heatmap.pdf")
def statistics(facts: Facts) -> str:
    """Tests."""
    sets = "the sets by chi-squared, t and Mann-Whitney tests" if _sets_were_tested(facts) else ""
    level = "P < .05 was taken as significant."
    if not _models_were_tested(facts):
        return f"No models were compared with each other{f'; {sets}. {level}' if sets else '.'}"
    as_published = "" if "claims" not in facts.statistics else ", as in the study that is reproduced"
    return (
        "Dice was compared by Kruskal-Wallis and Dunn's test with false-discovery-rate correction"
        f"{as_published}{f', and {sets}' if sets else ''}; {level}"
        " These take all scans as independent, as Friedman's test does."
        " Beside that, the planned comparison is scan by scan, with whole clusters of scans left out or"
        " flipped: the t test of the jackknife, Wilcoxon's signed ranks and sign flips, with Holm's"
        " correction for the key secondary endpoints and Benjamini and Hochberg's for all pairs."
        f" {RULES[plan_items(facts.statistics['plan'])['multiplicity']]} "
    ) + telling(
        "The primary endpoint is decided by the P of its interval",
        [_contrast(facts, row) for row in _evaluated(facts, PRIMARY)],
        _primary_not_evaluated(facts),
    )


def _models_were_tested(facts: Facts) -> bool:
    return sum(model.replication for model in facts.models.values()) > 1


def _sets_were_tested(facts: Facts) -> bool:
    """Whether Table 2 has a P; it has none where there is one set."""
    return bool(facts.statistics["cohort_tests"]["p"].notna().any())


def _evaluated(facts: Facts, status: str) -> Sequence[Row]:
    """Endpoints of the plan that have a result."""
    rows = facts.statistics["endpoints"]
    return rows[(rows["status"] == status) & rows["difference"].notna()].to_dict("records")


def _primary_not_evaluated(facts: Facts) -> str:
    rows = facts.statistics["endpoints"]
    why = [
        f"{row['endpoint']}: {row['note']}"
        for row in rows[(rows["status"] == PRIMARY) & rows["difference"].isna()].to_dict("records")
    ]
    return telling(
        "The primary endpoint of the plan could not be evaluated",
        why,
        "The plan's primary endpoint is missing.",
    )


def _contrast(facts: Facts, row: Row) -> str:
    return f"{row['endpoint']}, {facts.title(row['model'])} minus {facts.title(row['against'])}"


@borne_out_by("statistics/estimates.tsv", "statistics/plan.tsv")
def intervals(facts: Facts) -> str:
    """Intervals."""
    items = plan_items(facts.statistics["plan"])
    return (
        "Intervals are at 95%, and at 90% where equivalence is judged: Student's t of the jackknife that"
        f" leaves out clusters ({items['clusters']}), Wilson's for shares and order statistics for medians,"
        " both with the effective number of scans. Beside endpoints that are decided at another level than 5%"
        f" stand intervals at that level. Statements are about {items['statements are about']}; tests by"
        " ranks and by sign flips, shares and medians are about the networks at hand."
    )


@borne_out_by("statistics/sensitivity.tsv")
def sensitivity(facts: Facts) -> str:
    """Sensitivity analyses of the endpoints."""
    rows = facts.statistics["sensitivity"]
    if rows.empty:
        return "There are no sensitivity analyses, for no endpoint of the plan could be evaluated."
    primary = [
        f"{row['analysis']}, {row['endpoint']} difference {estimate(row, 'difference')}"
        for row in rows[rows["status"] == PRIMARY].to_dict("records")
    ]
    kinds = listed(rows["analysis"].unique())
    return f"Sensitivity analyses of the endpoints: {kinds}. " + telling(
        "Of the primary one", primary, "The primary one could not be evaluated."
    )


@borne_out_by("statistics/precision.tsv")
def precision(facts: Facts) -> str:
    """How small a difference the primary endpoint could show."""
    rows = facts.statistics["precision"]
    found = rows[(rows["status"] == PRIMARY) & rows["half_width"].notna()].to_dict("records")
    if not found:
        return "How small a difference the primary endpoint could show is not known, for it has no interval."
    (row,) = found
    decimals = 2 if row["measure"].endswith("_ml") else DICE_DECIMALS
    half, detectable = (number(row[name], decimals) for name in ("half_width", "detectable"))
    shown = f"80% of such studies would find a true difference of {detectable}"
    if detectable == DASH:
        shown = "80% of such studies would find no difference that is possible"
    return (
        f"The 95% interval of the primary endpoint, over {counted(int(row['n']), 'scan')}, reaches {half}"
        f" to either side; {shown}."
    )


@borne_out_by("statistics/subgroups.tsv")
def subgroups(facts: Facts) -> str:
    """Subgroups of the plan; which were too small."""
    names = [
        name for name in str(plan_items(facts.statistics["plan"]).get("subgroups", "")).split("; ") if name
    ]
    if not names:
        return "The analysis plan fixes no subgroups."
    rows = facts.statistics["subgroups"]
    cells = rows.drop_duplicates(["subgroup", "level", "label"])
    small = int(cells["note"].fillna("").str.contains("suppressed").sum())
    shown = (
        f"{small} of {len(cells)} cells (level and lesion) had too few scans to be shown"
        if len(cells)
        else "none could be analysed"
    )
    absent = [name for name in ("age", "sex", "ethnicity") if name not in names]
    return f"Subgroups fixed in the plan: {listed(names)}; {shown}." + (
        f" Not among them: {listed(absent)}." if absent else ""
    )


@borne_out_by("predictions/", LEDGER)
def internal_test(facts: Facts) -> str:
    """The test."""
    return (
        f"Each model segmented the {counted(facts.n_scans('test'), 'test scan')} once per seed. How often the"
        " labels of the test set were used for scoring, and by what, is in the ledger."
    )


@borne_out_by("cohort/cohort.tsv")
def external_test(facts: Facts) -> str:
    """External data: sets of scans beside the study's, and whether the test set is from elsewhere."""
    sets = [f"{name} ({_of_external_set(facts, rows)})" for name, rows in facts.external.items()]
    of_sets = (
        f"Beside the test set, the models were measured on external sets: {listed(sets)}. The plan's"
        " endpoints were computed in each of them by itself, and decide nothing there. "
    )
    return (of_sets if sets else "") + _sites_of_test_set(facts)


def _of_external_set(facts: Facts, rows: pd.DataFrame) -> str:
    """Scans, participants and sites, as far as known; how many scans are of sites that were trained on."""
    people, sites = (rows[name].nunique() for name in ("participant_id", "site"))
    named = f", {counted(sites, 'site')}" if sites else ""
    own = _scans_with_sets(facts)
    trained_on = own.loc[own["set"] == "train", "site"].dropna()
    shared = int(rows["site"].isin(trained_on).sum())
    too = f"; {share(shared, len(rows))} of sites with training scans, too" if shared else ""
    return f"{counted(len(rows), 'scan')} of {counted(people, 'participant')}{named}{too}"


@borne_out_by("cohort/cohort.tsv")
def external_differences(facts: Facts) -> str:
    """Scanners, geometry and raters of each external set, beside those of the study's own scans."""
    if not facts.external:
        return "There is no external set to be told beside the study's own scans."
    groups = {"The study's own scans": facts.included}
    groups |= {f"External set {name}": rows for name, rows in facts.external.items()}
    return " ".join(
        f"{group}: {_acquired(rows)} Raters: {_who_drew(rows)}." for group, rows in groups.items()
    )


def _sites_of_test_set(facts: Facts) -> str:
    """Whether the test set is of other sites than the training set."""
    if facts.is_evaluation_only:
        return (
            "No scan was trained on here; whether the test is an external one depends on the data that each"
            " model was trained on, as far as Table E1 names them."
        )
    rows = _scans_with_sets(facts)
    tested = rows[rows["set"] == "test"]
    known = int(tested["site"].isin(_shared_sites(facts)).sum())
    for_authors = "whether the test is an external one is for the authors to say"
    if not _knows_sites_of_both_sets(facts):
        return f"The sheet does not name the sites of training and test scans; {for_authors}."
    unknown = _of_unknown_site(rows)
    if not known:
        is_of = "is known to be of" if unknown else "is of"
        return f"No test scan {is_of} a site with training scans{unknown}; {for_authors}."
    return f"Of the test scans {share(known, len(tested))} are of sites with training scans, too{unknown}."


@borne_out_by("statistics/new_site.tsv", "statistics/site_dice.tsv")
def new_site(facts: Facts) -> str:
    """Where the mean Dice of a new site may lie."""
    rows = facts.statistics["new_site"]
    rows = rows[(rows["model"] == facts.main_model) & (rows["scans"] == ALL_SCANS)]
    known = rows.dropna(subset=["new_lower"]).to_dict("records")
    if not known:
        why = [note for note in rows["note"].dropna().unique() if note]
        return f"What a new site may expect was not estimated{telling('', why, '.')}"
    parts = [f"{row['label']} {_of_new_site(row)}" for row in known]
    return (
        f"Mean Dice of {facts.title(facts.main_model)} at a new site, 95% prediction interval from"
        f" {known[0]['source']}: {'; '.join(parts)}."
    )


def _of_new_site(row: Row) -> str:
    """Its interval, the mean over sites, and how likely it has what the plan asks of it."""
    names = ("new_lower", "new_upper", "dice_mean", "least_dice")
    low, high, mean, least = (number(row[name], DICE_DECIMALS) for name in names)
    likely = "" if math.isnan(row["p_at_least"]) else f"; P({least} or more) = {number(row['p_at_least'])}"
    return f"{low} to {high} (mean over {row['n_sites']:.0f} sites {mean}{likely})"


@borne_out_by("cohort/flow.tsv", "predictions/")
def no_indeterminate(facts: Facts) -> str:
    """Indeterminate results."""
    return (
        "A label map is never indeterminate; a reference that did not fit its scan was put aside as an error."
    )


# -- results -----------------------------------------------------------------------------------------


def estimates_of(facts: Facts, model: str, measure: str, label: str) -> Row:
    """The row of ``estimates.tsv`` over all test scans; empty if there is none.

    Args:
        facts: of the run.
        model: its key.
        measure: as in ``estimates.tsv``.
        label: of the lesion.
    """
    rows = facts.statistics["estimates"]
    wanted = (rows["model"] == model) & (rows["measure"] == measure) & (rows["label"] == label)
    found = rows[wanted & (rows["scans"] == ALL_SCANS)].to_dict("records")
    return found[0] if found else {"estimate": math.nan, "lower": math.nan, "upper": math.nan}


@borne_out_by("tables/table1.html", "statistics/estimates.tsv", "figures/dice_box_violin.pdf")
def performance(facts: Facts) -> str:
    """Mean Dice of the model that the configuration names, and where the others are."""
    model = facts.main_model
    parts = [
        f"{label} {estimate(estimates_of(facts, model, 'dice_mean', label), 'estimate')}"
        for label in facts.labels
    ]
    return (
        f"Mean Dice of {facts.title(model)}, the model named in the configuration, over"
        f" {counted(facts.n_scans('test'), 'test scan')}: {'; '.join(parts)}. Those of all models, with"
        " intervals, are in the tables."
    )


@borne_out_by("statistics/endpoints.tsv", "tables/planned_comparison.html")
def primary_endpoint(facts: Facts) -> str:
    """The primary endpoint's difference and verdict."""
    parts = [
        f"{_contrast(facts, row)}: {estimate(row, 'difference')}; verdict: {row['verdict']}"
        f" ({row['definition']})"
        for row in _evaluated(facts, PRIMARY)
    ]
    return f"Primary endpoint. {'. '.join(parts)}." if parts else _primary_not_evaluated(facts)


def detection_rows(facts: Facts, model: str) -> Sequence[Row]:
    """Rows of ``detection.tsv`` at the lowest threshold, one per lesion."""
    rows = facts.statistics["detection"]
    rows = rows[(rows["model"] == model) & (rows["threshold_ml"] == rows["threshold_ml"].min())]
    return rows.to_dict("records")


@borne_out_by("statistics/detection.tsv", "tables/planned_comparison.html")
def detection(facts: Facts) -> str:
    """Sensitivity and specificity by scan."""
    parts = [
        f"{row['label']} sensitivity {estimate(row, 'sensitivity', percent=True)}, specificity"
        f" {estimate(row, 'specificity', percent=True)}"
        for row in detection_rows(facts, facts.main_model)
    ]
    return _of_main_model("Detection by scan", parts, facts)


@borne_out_by("statistics/detection.tsv")
def cross_table(facts: Facts) -> str:
    """True and false positives and negatives."""
    parts = [
        f"{row['label']} {row['tp']} true positive, {row['fn']} false negative, {row['fp']} false positive,"
        f" {row['tn']} true negative"
        for row in detection_rows(facts, facts.main_model)
    ]
    return _of_main_model("By scan", parts, facts)


def _of_main_model(lead: str, parts: Sequence[str], facts: Facts) -> str:
    if not parts:
        return "Detection was not analysed."
    return f"{lead}, {facts.title(facts.main_model)}: {'; '.join(parts)}. Other models: in the table."


@borne_out_by("figures/worst_cases.pdf", "statistics/volume_overlap.tsv", "metrics/")
def failures(facts: Facts) -> str:
    """Missed and invented lesions, failed predictions, worst cases."""
    parts = [
        f"{row['label']} missed in {share(row['fn'], row['n_present'])} and invented in"
        f" {share(row['fp'], row['n_absent'])}"
        for row in detection_rows(facts, facts.main_model)
    ]
    worst = facts.title(facts.config.figures.cases.select_by)
    wrong = (
        f"Scans in which {facts.title(facts.main_model)} was wrong about presence: {'; '.join(parts)}"
        f" ({DASH}: no such scan). "
        if parts
        else ""
    )
    return f"{wrong}The worst cases of {worst} are shown; every scan's measures are in the metrics tables."


@borne_out_by("tables/published_vs_reproduced.html", "statistics/claims.tsv")
def published(facts: Facts) -> str:
    """Claims of the published study, with verdicts."""
    if "claims" not in facts.statistics:
        return "The study repeats no published one."
    verdicts = facts.statistics["claims"]["verdict"]
    kind = (
        "Since the data are simulated, the verdicts judge the procedure, not the claims. "
        if facts.simulated
        else ""
    )
    if verdicts.empty:
        return "No claim of the published study could be held against this run."
    return f"Claims of the published study, and ours beside them: {tallied(verdicts)}. {kind}".strip()


@borne_out_by("cohort/flow.tsv", "statistics/plan.tsv")
def known_limits(facts: Facts) -> str:
    """Limits that follow from the design of the run."""
    seeds = facts.config.training.seeds
    limits = ["one reference mask per scan"]
    if not facts.is_evaluation_only:
        limits.insert(0, "one split of the data")
    if _shared_sites(facts):
        limits.insert(1, "test scans of sites that were trained on")
    elif facts.included["site"].isna().any() and not facts.is_evaluation_only:
        limits.insert(1, "scans of unknown sites, so that test scans may be of sites that were trained on")
    tests = ["Kruskal-Wallis", "Dunn's"] if _models_were_tested(facts) else []
    tests += ["chi-squared", "t", "Mann-Whitney"] if _sets_were_tested(facts) else []
    if tests and facts.split.loc[facts.split["set"] == "test", "participant_id"].duplicated().any():
        too_large = (
            " (or too large, for the first two compare models on the same scans as if on others)"
            if _models_were_tested(facts)
            else ""
        )
        limits.append(
            f"test scans of one participant count as independent in {listed(tests)} tests, so that their P"
            f" may be too small{too_large}"
        )
    if len(seeds) == 1 and facts.training:
        limits.append("one training per model, so that differences between trainings are not known")
    if facts.simulated:
        limits.insert(0, "simulated scans")
    return f"Known to the pipeline: {'; '.join(limits)}."


@borne_out_by("ro-crate-metadata.json", CODE, "models/")
def artefacts(facts: Facts) -> str:
    """Code, configuration and weights."""
    return (
        "The results hold the code of the workflow, its configuration, the exact versions of all packages"
        f"{' and the trained weights' if facts.training else ''}, with the digest of each file (RO-Crate)."
        " The scans are not among what is meant to be shared."
    )


@borne_out_by("audit/manifest.tsv", "ro-crate-metadata.json", "audit/runs/")
def auditable(facts: Facts) -> str:
    """What is stored."""
    return (
        "Every label map, every measure of every scan and a record of every job are stored; a sealed list of"
        " digests shows any later change."
    )
