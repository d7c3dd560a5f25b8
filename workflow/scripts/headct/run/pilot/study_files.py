"""The files of a pilot: sheet, split, and what differs from the study's own configuration."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from headct.cohort.adopting import path_from
from headct.contracts.problems import BadInput, Problem
from headct.frameworks.base import training_settings
from headct.run.pilot.drawn_scans import Draw
from headct.settings import analysis_plan, outside, sheet
from headct.settings.analysis_plan import PARTICIPANT, SITE
from headct.settings.blocks import Configuration

SHEET, SPLIT, DIFFERENCES = "scans.tsv", "split.tsv", "pilot.yaml"

TAKEN = (
    "is there already, and is no pilot of just this study, configuration, --scans, --steps and --seed: "
    "choose another --out, or move it away"
)


def lengths(config: Configuration, steps: int) -> dict[str, Mapping[str, Any]]:
    """The settings that make the training of each network as short as a pilot's, by model.

    Raises:
        BadInput: all models of which nothing says how many steps a training has.
    """
    trained = {key: training_settings(model) for key, model in config.models.items() if model.is_trained}
    found = {key: settings.lasting(steps) for key, settings in trained.items()}
    message = (
        "nothing says how many steps its training has: its framework's settings lack epoch_of (extending.md)"
    )
    if problems := [
        Problem("config", message, key=f"models.{key}", value=trained[key].framework)
        for key, length in found.items()
        if length is None
    ]:
        raise BadInput(problems)
    return {key: length for key, length in found.items() if length is not None}


def differences(
    config: Configuration, study: Path, out: Path, steps: int, participants: Iterable[str]
) -> dict[str, Any]:
    """What a pilot's configuration says otherwise than the study's: names, paths, split, and lengths.

    Args:
        config: of the study.
        study: its folder.
        out: folder of the pilot.
        steps: of each training.
        participants: of the pilot.

    Raises:
        BadInput: what :func:`lengths` raises.
    """
    note = f"Pilot of {steps} steps, no result"
    plan = analysis_plan.path_of(config.analysis_plan, study)
    content: dict[str, Any] = {
        "study": {
            "name": f"{config.study.name}-pilot",
            "note": ". ".join(filter(None, [note, config.study.note])),
        },
        "sheet": SHEET,
        "work_dir": _work_of_pilot(config),
        "split": {"file": SPLIT, **_folds_of_pilot(config)},
        "training": {
            "seeds": [config.training.seeds[0]],
            "folds": [config.training.folds[0]],
            # its trainings are shorter, and nobody asks how well they do
            **{key: None for key in ("budget", "effort_curve") if getattr(config.training, key)},
        },
        "models": {
            key: {**length, **_start(config, key, study, out), **_no_postprocessing(config, key)}
            for key, length in lengths(config, steps).items()
            if length
        }
        | _outside(config, study, out)
        | {
            key: _no_postprocessing(config, key)
            for key, model in config.models.items()
            if model.members and model.postprocessing
        },
        "analysis_plan": os.path.relpath(plan, out),
    }
    if known := config.ingest.different_patients:
        content["ingest"] = {"different_patients": sorted(set(known) & set(participants))}
    return content


def _start(config: Configuration, model: str, study: Path, out: Path) -> dict[str, str]:
    """The way to the weights that a model starts from, where there are some."""
    file = config.models[model].settings.get("init_from")
    return {} if file is None else {"init_from": path_from(out.resolve(), study / str(file))}


def _no_postprocessing(config: Configuration, model: str) -> dict[str, None]:
    """A pilot may hold out no scans that could decide on it."""
    return {"postprocessing": None} if config.models[model].postprocessing else {}


def _outside(config: Configuration, study: Path, out: Path) -> dict[str, dict[str, Any]]:
    """Of each model that was made elsewhere the ways to its files; training scans may lack label maps."""
    found: dict[str, dict[str, Any]] = {}
    for key, model in config.models.items():
        if model.is_from_outside:
            settings = outside.of_model(model)
            found[key] = {"missing": "no_prediction"}
            if isinstance(settings, outside.External):
                found[key]["folder"] = path_from(out.resolve(), study / settings.folder)
            elif settings.files:
                found[key]["files"] = [path_from(out.resolve(), study / file) for file in settings.files]
    return found


def _folds_of_pilot(config: Configuration) -> dict[str, Any]:
    """A pilot's few scans may be of fewer sites than it has folds."""
    return {"folds_by": PARTICIPANT} if config.split.folds_by == SITE else {}


def _work_of_pilot(config: Configuration) -> str:
    """As the study's, where that lies in its folder; else beside what the study has there."""
    is_elsewhere = Path(config.work_dir).is_absolute()
    return str(Path(config.work_dir) / f"{config.study.name}-pilot") if is_elsewhere else config.work_dir


def rows_of(path: Path, scans: Iterable[str]) -> list[dict[str, Any]]:
    """The rows of some scans in the study's sheet."""
    wanted = set(scans)
    return [row for row in sheet.load(path.absolute()) if row["scan_id"] in wanted]


def sheet_text(rows: Sequence[Mapping[str, Any]], out: Path) -> str:
    """The pilot's sheet; its paths lead from the pilot's folder to where the study's lead."""
    columns = [column for column in rows[0] if column != "row"]
    root, stream = out.resolve(), io.StringIO()
    writer = csv.writer(stream, delimiter="\t", lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        paths = {
            column: path_from(root, Path(row[column]))
            for column in sheet.path_columns(row)
            if row[column] is not None
        }
        writer.writerow([_cell({**row, **paths}[column]) for column in columns])
    return stream.getvalue()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.12g}" if isinstance(value, float) else str(value)


def split_text(drawn: Draw) -> str:
    """The pilot's split; its folds are drawn, by participant."""
    lines = [f"{scan}\t{name}" for name, scans in vars(drawn).items() for scan in scans]
    return "\n".join(["scan_id\tset", *lines]) + "\n"


def differences_text(content: Mapping[str, Any], study_config: Path, drawn_by: str) -> str:
    """The differences as YAML, below what they differ from and how the scans were drawn."""
    return (
        f"# A pilot of {study_config.name}, written by 'headct pilot' ({drawn_by}): what it says otherwise.\n"
        "# Patch and batch sizes, networks, losses and all else are the study's own.\n"
    ) + yaml.safe_dump(dict(content), sort_keys=False, allow_unicode=True, width=100)


def check_folder(out: Path) -> None:
    """Refuse a folder that is there and is no pilot's.

    Raises:
        BadInput: it is.
    """
    if os.path.lexists(out) and not (out / DIFFERENCES).is_file():
        raise BadInput([Problem(str(out), TAKEN)])


def write(texts: Mapping[str, str], out: Path) -> None:
    """Write files, by name, into the pilot's folder; one that holds just these is taken as it is.

    Raises:
        BadInput: the folder is there and holds anything else under these names.
    """
    check_folder(out)
    if not out.is_dir():
        out.mkdir(parents=True)
        for name, text in texts.items():
            (out / name).write_text(text, encoding="utf-8")
    if any(not _holds(out / name, text) for name, text in texts.items()):
        raise BadInput([Problem(str(out), TAKEN)])


def _holds(file: Path, text: str) -> bool:
    return file.is_file() and file.read_bytes() == text.encode()
