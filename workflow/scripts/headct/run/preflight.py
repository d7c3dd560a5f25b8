"""What can be known before any job starts: settings that their job could only refuse, and doubts to tell.

A job finds the same faults, but hours later and in its own log. Nothing here imports a framework.
"""

from __future__ import annotations

import difflib
import math
import shlex
import shutil
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from headct.contracts.plurals import counted
from headct.contracts.problems import BadInput, Problem, gathered
from headct.contracts.run_records import RESULTS
from headct.contracts.sets import SETS
from headct.engine import starts
from headct.frameworks.base import find_framework, training_settings
from headct.frameworks.outside import maps_folder
from headct.settings import outside, sheet
from headct.settings.analysis_plan import PRIMARY, SITE, Plan
from headct.settings.blocks import Configuration, Model


def check(
    config: Configuration,
    name_of: Callable[[str], str],
    plan: Plan,
    plan_file: str,
    rows: Sequence[Mapping[str, Any]],
) -> None:
    """Refuse what no job could do; ``name_of`` names the configuration file of a key.

    Args:
        config: the configuration, complete.
        name_of: the configuration file that a key stands in.
        plan: the analysis plan.
        plan_file: its file, for messages.
        rows: of the sample sheet.

    Raises:
        BadInput: as of :func:`check_settings`; participants that are not among the sheet's ``rows``, label
            maps that these name and there are not; a split without test scan; folds by site of scans whose
            sites are not known, or are too few; a learning curve with more participants than there will be;
            weights to start from that can't be read, or are others.
    """
    problems: list[Problem] = []
    with gathered(problems):
        check_settings(config, name_of, plan, plan_file)
    problems += [
        replace(problem, file=name_of(problem.key)) for problem in _participant_problems(config, rows)
    ]
    problems += _split_problems(config.split.file)
    problems += [
        replace(problem, file=problem.file or name_of(problem.key))
        for problem in _site_problems(config, rows)
    ]
    problems += [
        replace(problem, file=name_of(problem.key)) for problem in _learning_curve_problems(config, rows)
    ]
    problems += _label_map_problems(config, rows)
    problems += _start_problems(config)
    if problems:
        raise BadInput(problems)


def check_settings(config: Configuration, name_of: Callable[[str], str], plan: Plan, plan_file: str) -> None:
    """As :func:`check`, before there is a sheet, or a file that it or the configuration names.

    Args:
        config: the configuration, complete.
        name_of: the configuration file that a key stands in.
        plan: the analysis plan.
        plan_file: its file, for messages.

    Raises:
        BadInput: an unknown planner, a patch that does not fit its network, a primary endpoint of models that
            are not compared, a plan about lesions that the study does not have, or without margins for one
            that it has.
    """
    problems = [replace(problem, file=name_of(problem.key)) for problem in _model_problems(config)]
    problems += [
        problem for status, problem in _not_compared(plan, config.models, plan_file) if status == PRIMARY
    ]
    problems += _plan_label_problems(plan, config.labels, plan_file, name_of("labels"))
    if problems:
        raise BadInput(problems)


def warnings(config: Configuration, rows: list[dict[str, Any]], plan: Plan, plan_file: str) -> list[str]:
    """What a run may go on with, but its user should know, one sentence each.

    Args:
        config: the configuration, complete.
        rows: of the sample sheet.
        plan: the analysis plan.
        plan_file: its file, for messages.
    """
    messages = warnings_of_settings(config, plan, plan_file)
    named = {row.get("labels") for row in rows}
    messages += [
        f"{config.sheet}: no row names '{name}' in its column labels, so label_maps.{name} is not used."
        for name in config.label_maps
        if name not in named
    ]
    messages += [
        f"models.{key} starts from {start.file}, and which scans these weights had learnt is not recorded"
        " beside them: scans of the test set may be among them. Table E1, model card and methods say so."
        for key, start in _starts(config)
        if start.scans() is None
    ]
    messages += [
        f"models.{key}.command: there is no program {program} here; where its job runs there must be one."
        for key, command in _commands(config)
        if not shutil.which(program := shlex.split(command.command)[0])
    ]
    scans_of = Counter(row["participant_id"] for row in sheet.baseline(rows))
    repeated = sum(n > 1 for n in scans_of.values())
    if repeated:
        who = "1 participant has" if repeated == 1 else f"{repeated} participants have"
        messages.append(
            f"{config.sheet}: {who} several baseline scans. The planned comparison leaves out whole"
            " participants or sites. The paper's own tests, which are repeated beside it, take all scans as"
            " independent: their P may be too small, and the tables say so."
        )
    return messages


def warnings_of_settings(config: Configuration, plan: Plan, plan_file: str) -> list[str]:
    """As :func:`warnings`, before there is a sheet."""
    messages = [
        f"{plan_file}, {problem.key}: {problem.value} {problem.message}. The results will list it as a"
        " deviation."
        for status, problem in _not_compared(plan, config.models, plan_file)
        if status != PRIMARY
    ]
    split = config.split
    if split.folds_by == SITE and set(config.training.folds) == {"all"}:
        messages.append(
            "split.folds_by is site, but training.folds names no fold, so no scan is held out: Dice by site"
            f" is that of the test set. Leave-site-out takes training.folds: {[*range(split.folds)]}."
        )
    messages += [
        f"models.{key}.files is left out, so nothing is predicted anew when the program, a script or weights"
        " of it change: name them there, or [] where it has none."
        for key, command in _commands(config)
        if command.files is None
    ]
    is_trained = any(model.is_trained for model in config.models.values())
    if not is_trained and not split.is_evaluation_only and split.file is None:
        messages.append(
            f"no model is trained here, but {1 - split.test_fraction:.0%} of the participants are kept from"
            " the test set: split.test_fraction: 1 tests all."
        )
    if config.ingest.intensity == "windowed":
        messages.append(
            "ingest.intensity is windowed: settings in HU (hu_window, thresholds) mean the grey levels that "
            "the images have, and so does the window of the figures. Every heading says that they are no HU."
        )
    return messages


def bundled(sums: str) -> str:
    """The list of the files that the page's styles and scripts were bundled into, if it is there.

    Raises:
        BadInput: it is not.
    """
    if not Path(sums).is_file():
        message = "styles and scripts of the results' page are not built: 'make environment' builds them"
        raise BadInput([Problem(sums, message)])
    return sums


def _not_compared(plan: Plan, models: Mapping[str, Model], file: str) -> Iterator[tuple[str, Problem]]:
    """With the status of the endpoint, each model of the plan that is not among the compared ones."""
    compared = [key for key, model in models.items() if model.replication]
    for status, endpoint in plan.of_run(compared).endpoints():
        for model in (endpoint.model, *endpoint.against):
            if model in compared:
                continue
            close = difflib.get_close_matches(model, compared, n=1)
            if model in models:
                message = "is not compared in this run: it has 'replication: false'"
            else:
                message = "is no model of this run" + (f"; did you mean '{close[0]}'?" if close else "")
            yield status, Problem(file, message, key=f"endpoint '{endpoint.name}'", value=model)


def _plan_label_problems(
    plan: Plan, labels: Collection[str], file: str, config_file: str
) -> Iterator[Problem]:
    """Lesions that the plan names and the configuration lacks, and those of it that have no margin."""
    margins = {
        "equivalence.dice_margin": plan.dice_margin,
        "equivalence.volume_margin_ml": plan.volume_margin_ml,
    }
    if plan.not_worse_than_a_rater:
        margins["not_worse_than_a_rater.dice_margin"] = plan.not_worse_than_a_rater.dice_margin
    named = [(f"endpoint '{endpoint.name}'", endpoint.label) for _, endpoint in plan.endpoints()]
    named += [(key, label) for key, margin in margins.items() for label in margin]
    named += [("new_site.least_dice", label) for label in plan.least_dice]
    named += [("size_mix", label) for label in plan.size_mix]
    for key, label in named:
        if label not in labels:
            message = (
                f"the plan names this lesion, and labels: in {config_file} has only {', '.join(labels)}: add"
                f" it under labels: in {config_file}, or take it out of the plan"
            )
            yield Problem(file, message, key=key, value=label)
    for key, margin in margins.items():
        for label in labels:
            if label not in margin:
                message = (
                    f"labels: in {config_file} has this lesion, and the plan has no margin for it: add one to"
                    f" the plan, or take the lesion out of labels: in {config_file}"
                )
                yield Problem(file, message, key=key, value=label)


def _model_problems(config: Configuration) -> Iterator[Problem]:
    """Faults of the settings of each model: its framework's, then its own."""
    for key, command in _commands(config):
        for message in command.faults():
            yield Problem("", message, key=f"models.{key}.command", value=command.command)
    for key, model in config.models.items():
        if not model.is_trained:
            continue
        if config.split.is_evaluation_only:
            message = (
                f"leaves no scan to train model {key} on: take the models out that are trained here, or set a"
                " smaller fraction"
            )
            yield Problem("", message, key="split.test_fraction", value="1")
        framework = find_framework(model.framework)
        yield from _unpaired(key, model)
        for problem in framework.problems(framework.settings_of(model)):
            is_own = problem.key.split(".")[0] in model.own
            where = f"models.{key}.{problem.key}" if is_own else f"{framework.name}.{problem.key}"
            yield replace(problem, key=where, message=f"model {key}: {problem.message}")


def _unpaired(key: str, model: Model) -> Iterator[Problem]:
    """Settings of the weights that a model is to be trained from of which one needs another."""
    needs = {"init_from": "init_sha256", "init_sha256": "init_from", "init_head": "init_from"}
    for one, other in needs.items():
        if one in model.settings and other not in model.settings:
            message = f"means nothing without {other}: name the weights and their SHA-256, or take it out"
            yield Problem("", message, key=f"models.{key}.{one}", value=str(model.settings[one]))


def _commands(config: Configuration) -> Iterator[tuple[str, outside.Command]]:
    """By model, the command that makes its label maps."""
    for key, model in config.models.items():
        settings = outside.of_model(model) if model.is_from_outside else None
        if isinstance(settings, outside.Command):
            yield key, settings


def _starts(config: Configuration) -> Iterator[tuple[str, starts.Start]]:
    """By model, the weights that it is to be trained from."""
    for key, model in config.models.items():
        start = starts.of(training_settings(model)) if model.is_trained else None
        if start is not None:
            yield key, start


def _start_problems(config: Configuration) -> Iterator[Problem]:
    """Weights that a model is to be trained from and that can't be used; their layers the job compares."""
    for key, start in _starts(config):
        if start.file.resolve().is_relative_to(Path(RESULTS).resolve()):
            message = "is what this very study makes: copy it out of its results, and name the copy"
            yield Problem(str(start.file), message, key=f"models.{key}.init_from")
            continue
        for problem in start.faults():
            yield replace(problem, key=f"models.{key}.init_from")


def _participant_problems(config: Configuration, rows: Sequence[Mapping[str, Any]]) -> Iterator[Problem]:
    known = {row["participant_id"] for row in rows}
    for participant in config.ingest.different_patients:
        if participant not in known:
            message = "no participant of the sheet: mend the name, or take it out"
            yield Problem("", message, key="ingest.different_patients", value=participant)


def _label_map_problems(config: Configuration, rows: Sequence[Mapping[str, Any]]) -> Iterator[Problem]:
    """Rows of the sheet that name a label map which there is not."""
    for row in rows:
        name = row.get("labels")
        if name is not None and name not in config.label_maps:
            known = ", ".join(config.label_maps) or "none"
            message = (
                f"no such name under label_maps in the configuration, which has {known}: add it there, or"
                " mend the cell"
            )
            yield Problem(config.sheet, message, str(row["row"]), "labels", name)


def check_outside(config: Configuration, rows: Sequence[Mapping[str, Any]]) -> None:
    """Look for what models that were made elsewhere need; which scans lack a label map, their job tells.

    Args:
        config: the configuration, complete.
        rows: of the sample sheet.

    Raises:
        BadInput: folders and files that are not there, scans with several label maps, and label maps that
            are the study's own masks.
    """
    problems: list[Problem] = []
    for key, model in config.models.items():
        if not model.is_from_outside:
            continue
        settings = outside.of_model(model)
        if isinstance(settings, outside.Command):
            message = "is not there, and the model's label maps depend on it: mend the path"
            lost = [file for file in settings.files or () if not Path(file).exists()]
            problems += [Problem(file, message, key=f"models.{key}.files") for file in lost]
        else:
            with gathered(problems):
                scans, at = [row["scan_id"] for row in rows], f"models.{key}.folder"
                found = maps_folder.find(settings, scans, at)
                problems += _references_among(found.values(), rows, at, settings.folder)
    if problems:
        raise BadInput(problems)


def _references_among(
    label_maps: Iterable[Path], rows: Sequence[Mapping[str, Any]], key: str, folder: str
) -> Iterator[Problem]:
    """Label maps of a model that are, by whatever path, files of the masks that it is measured against."""
    masks = {}
    for row in rows:
        for column in sheet.mask_columns(row):
            if sheet.of_column(column)[0] == sheet.READINGS[0] and row[column] and Path(row[column]).exists():
                masks[_identity(Path(row[column]))] = row, column
    own = [masks[file] for file in map(_identity, label_maps) if file in masks]
    if own:
        row, column = own[0]
        message = (
            f"{counted(len(own), 'file')} of this folder {'is a mask' if len(own) == 1 else 'are masks'} that"
            f" the model would be measured against (row {row['row']} of the sheet, {column}): name the folder"
            " of what the model made"
        )
        yield Problem(folder, message, key=key)


def _identity(path: Path) -> tuple[int, int]:
    """What two paths of one file, or two links to it, have alike."""
    found = path.stat()
    return found.st_dev, found.st_ino


def _site_problems(config: Configuration, rows: Sequence[Mapping[str, Any]]) -> Iterator[Problem]:
    """What keeps folds from being of whole sites; their job knows who is in the training set."""
    if config.split.folds_by != SITE or config.split.is_evaluation_only:
        return
    scans = [row for row in rows if not sheet.why_not_ingested(row) and not sheet.external_set(row)]
    if config.split.file is None:
        message = "split.folds_by is site, and the site of this scan is not known: fill in the column site"
        for row in scans:
            if row.get("site") is None:
                yield Problem(config.sheet, message, str(row["row"]), "site")
    sites = {row["site"] for row in scans if row.get("site") is not None}
    if len(sites) < config.split.folds:
        message = (
            f"split.folds_by is site, and the sheet has {counted(len(sites), 'site')}, fewer than folds: set"
            " fewer folds, or split.folds_by: participant"
        )
        yield Problem("", message, key="split.folds", value=str(config.split.folds))


def _learning_curve_problems(config: Configuration, rows: Sequence[Mapping[str, Any]]) -> Iterator[Problem]:
    """Sizes of a learning curve that are too large even if no scan is excluded; their job knows who is.

    Folds of whole sites, and those of a file, are of any size, and spare one participant at least.
    """
    curve, split = config.learning_curve, config.split
    if curve is None:
        return
    scans = [row for row in rows if not sheet.why_not_ingested(row) and not sheet.external_set(row)]
    people = len({row["participant_id"] for row in scans})
    tested = 1 if split.file else math.ceil(round(split.test_fraction * people, 9))
    to_train = people - tested
    of_any_size = split.file is not None or split.folds_by == SITE
    left = to_train - (1 if of_any_size else to_train // split.folds)
    message = (
        f"the sheet has {counted(people, 'participant')}, of whom a fold leaves {left} at most to learn from:"
        " set smaller sizes, and 'all' for all of them"
    )
    for size in curve.sizes:
        if isinstance(size, int) and size >= left:
            yield Problem("", message, key="learning_curve.sizes", value=str(size))


def _split_problems(file: str | None) -> list[Problem]:
    """Faults of a split drawn elsewhere that need no cohort."""
    if file is None:
        return []
    from headct.cohort import split  # imports pandas, which no other start of Snakemake should pay for

    try:
        table = split.read_given(Path(file))
    except BadInput as error:
        return error.problems
    return [
        Problem(file, f"no scan has the set '{name}': give it to those of it", key="set")
        for name in SETS
        if name not in set(table["set"])
    ]
