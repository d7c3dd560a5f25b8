"""From a data set that is laid out in a known way to a study: sheet, configuration, analysis plan, note.

``python -m headct sheet adopt --help``. Nothing of the data set is copied, changed or resampled, and nothing
that is there is overwritten.
"""

from __future__ import annotations

import csv
import datetime
import io
import math
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from headct.cohort.layouts.adopted import Adopted, KnownLayout
from headct.contracts.problems import BadInput, Problem
from headct.contracts.terminal import visible
from headct.settings import analysis_plan, blocks, configuration, lesions, sheet

EFFECT = "speed"  # what is written of a data set is read by the steps themselves

SHEET, CONFIG, PLAN, NOTE = "scans.tsv", "config.yaml", "analysis_plan.yaml", "NOTE.md"
WRITTEN = (SHEET, CONFIG, PLAN, NOTE)

COLUMNS = ("scan_id", "participant_id", "site", "image", "age", "sex", "onset_to_ct_h", "rater")
"""Of the sheet; those of masks stand behind the image."""

MODELS: Mapping[str, Mapping[str, Any]] = {
    "threshold": {"title": "Threshold", "framework": "threshold"},
    "unet": {"title": "U-Net", "framework": "monai", "network": "basicunet"},
    "nnunet-2d": {"title": "2D", "framework": "nnunet", "configuration": "2d", "loss": "dice_ce"},
    "nnunet-3d-dicece": {
        "title": "3D/DiceCE",
        "framework": "nnunet",
        "configuration": "3d_fullres",
        "loss": "dice_ce",
    },
    "nnunet-3d-focal": {
        "title": "Focal",
        "framework": "nnunet",
        "configuration": "3d_fullres",
        "loss": "focal",
    },
    "nnunet-2d-3d": {
        "title": "2D + 3D",
        "framework": "ensemble",
        "members": ["nnunet-2d", "nnunet-3d-dicece"],
    },
}
"""What a study of one's own begins with; config/config.yaml has more to choose from."""

BEST_GUESS, TRIVIAL = "nnunet-3d-dicece", "threshold"
"""The models of the primary endpoint: does a network tell more than the HU of single voxels?"""

FOLDS = 5

SCANS_PER_JOB = 25
"""Of the jobs that convert scans."""

DICE_MARGIN, VOLUME_MARGIN_ML = 0.05, 3
"""What counts as no difference until somebody says better; the note asks for it."""


def write_study(
    layout: KnownLayout, adopted: Adopted, source: Path, study: Path, today: datetime.date
) -> None:
    """Write sheet, configuration, analysis plan and note.

    Args:
        layout: of the data set.
        adopted: what it found.
        source: folder of the data set.
        study: folder of the study, made if need be.
        today: date of the analysis plan.

    Raises:
        BadInput: one of the files is there already.
    """
    config = configuration_of(layout, adopted, study.resolve().name)
    plan = plan_of(list(adopted.labels), today)
    texts = {
        SHEET: sheet_of(layout, adopted, study),
        CONFIG: _as_yaml(
            config,
            f"{layout.title}: written by 'headct sheet adopt'. Every key: config/README.md. The trainings "
            "have",
            "the sizes of their frameworks, for a GPU; small ones for two cores are in config/phe_sich.yaml.",
        ),
        PLAN: _as_yaml(
            plan,
            "What the comparison will look at, fixed before anything is predicted: "
            "docs/how-to/analysis-plan.md.",
            "The margins are a beginning, not advice: set those that would change what you do.",
        ),
        NOTE: note_of(layout, adopted, source, study),
    }
    problems = [
        Problem(str(study / name), "is there already, and is not overwritten: choose another --out")
        for name in texts
        if os.path.lexists(study / name)
    ]
    if problems:
        raise BadInput(problems)
    study.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        with open(study / name, "x", encoding="utf-8") as file:
            file.write(text)


def check_study(study: Path) -> None:
    """Look for faults of what was written that can be known without running it, such as too many labels.

    Raises:
        BadInput: all faults of sheet, configuration and plan.
    """
    problems: list[Problem] = []
    study_lesions = None
    try:
        config = configuration.load(study / CONFIG)
        may_be_absent = blocks.configured(config).ingest.lesions_may_be_absent
        study_lesions = sheet.Lesions(lesions.label_set_of(config), may_be_absent)
    except BadInput as error:
        problems += error.problems
    for read in (lambda: sheet.load(study / SHEET, study_lesions), lambda: analysis_plan.load(study / PLAN)):
        try:
            read()
        except BadInput as error:
            problems += error.problems
    if problems:
        raise BadInput(problems)


def sheet_of(layout: KnownLayout, adopted: Adopted, study: Path) -> str:
    """The sheet; its paths lead from the study's folder, with all links on the way followed."""
    root = study.resolve()
    place = COLUMNS.index("image") + 1
    of_masks = sheet.mask_columns({column for scan in adopted.scans for column in scan.masks})
    text = io.StringIO()
    table = csv.DictWriter(
        text, [*COLUMNS[:place], *of_masks, *COLUMNS[place:]], delimiter="\t", lineterminator="\n"
    )
    table.writeheader()
    for scan in adopted.scans:
        ids = {"scan_id": scan.scan_id, "participant_id": scan.participant_id}
        files = {"image": scan.image, **scan.masks}
        paths = {column: path_from(root, path) for column, path in files.items()}
        table.writerow({"site": layout.site, "rater": layout.rater, **ids, **paths, **scan.facts})
    return text.getvalue()


def path_from(root: Path, path: Path) -> str:
    """A path as it leads from a folder; a file that is a link stays the link."""
    return os.path.relpath(path.parent.resolve() / path.name, root)


def configuration_of(layout: KnownLayout, adopted: Adopted, name: str) -> dict[str, Any]:
    """The configuration, but for what its schema has as defaults.

    Args:
        layout: of the data set.
        adopted: what it found.
        name: of the study.
    """
    note = ". ".join(filter(None, [layout.title, adopted.note_of_study]))
    config: dict[str, Any] = {
        "study": {"name": re.sub(r"[^A-Za-z0-9_.-]+", "-", name).strip("-._") or "study", "note": note},
        "sheet": SHEET,
        "labels": dict(adopted.labels),
    }
    if adopted.ignore:
        config["ignore"] = list(adopted.ignore)
    config |= adopted.settings
    return {
        **config,
        "split": {"test_fraction": 0.3, "folds": FOLDS},
        "training": {"folds": list(range(FOLDS))},
        "resources": {"ingest": {"threads": 1, "mem_mb": 2000, "runtime_min": 60, "jobs": _jobs(adopted)}},
        "models": {key: dict(model) for key, model in MODELS.items()},
        "analysis_plan": PLAN,
        "figures": {
            "agreement_model": BEST_GUESS,
            "cases": {"select_by": BEST_GUESS, "show": [BEST_GUESS, "unet", TRIVIAL]},
        },
    }


def _jobs(adopted: Adopted) -> int:
    """How many jobs convert the scans: starting one takes as long as converting a few."""
    return max(4, math.ceil(len(adopted.scans) / SCANS_PER_JOB))


def plan_of(labels: Sequence[str], today: datetime.date) -> dict[str, Any]:
    """An analysis plan of a study of its own: nnU-Net 3D against a fixed threshold, on the first lesion."""

    def endpoint(name: str, measure: str, label: str, against: Any) -> dict[str, Any]:
        scans = {"scans": "with lesion", "model": BEST_GUESS, "against": against}
        return {"name": f"{label} {name}", "measure": measure, "label": label, **scans}

    first, *_ = labels
    networks = [key for key in MODELS if key not in (BEST_GUESS, TRIVIAL)]
    return {
        "date": today.isoformat(),
        "comparison": analysis_plan.OWN,
        "cluster": analysis_plan.PARTICIPANT,
        "seed": 2022,
        "permutations": 10000,
        "multiplicity": {"rule": analysis_plan.HIERARCHICAL},
        "primary": endpoint("Dice", "dice", first, [TRIVIAL]),
        "key_secondary": [
            endpoint("Dice against networks", "dice", first, networks),
            *(
                endpoint("volume error", "absolute_volume_error_ml", label, analysis_plan.OTHERS)
                for label in labels
            ),
        ],
        "families": [
            {"measure": "dice", "scans": "all"},
            {"measure": "dice", "scans": "with lesion"},
            {"measure": "absolute_volume_error_ml", "scans": "all"},
        ],
        "equivalence": {
            "dice_margin": dict.fromkeys(labels, DICE_MARGIN),
            "volume_margin_ml": dict.fromkeys(labels, VOLUME_MARGIN_ML),
        },
        "detection": {"thresholds_ml": [0, 0.1], "minimum_scans": 10},
        "subgroups": {
            "minimum_scans": 10,
            "of": [{"name": "lesion size", "column": "reference_ml", "training_quantiles": [0.5]}],
        },
    }


def _as_yaml(content: Mapping[str, Any], *comments: str) -> str:
    """A file of YAML: a line for each key, or, of a block of blocks, for each of these; comments above."""
    lines = [f"# {comment}" for comment in comments]
    for key, value in content.items():
        parts = value.values() if isinstance(value, dict) else value
        is_open = isinstance(value, (dict, list)) and any(isinstance(part, (dict, list)) for part in parts)
        if not is_open:
            lines.append(f"{key}: {_in_a_line(value)}")
        elif isinstance(value, dict):
            lines += [f"{key}:", *(f"  {name}: {_in_a_line(part)}" for name, part in value.items())]
        else:
            lines += [f"{key}:", *(f"  - {_in_a_line(part)}" for part in value)]
    return "\n".join(lines) + "\n"


def _in_a_line(value: Any) -> str:
    text = yaml.safe_dump(value, sort_keys=False, default_flow_style=True, width=10_000, allow_unicode=True)
    return text.removesuffix("...\n").rstrip("\n")


def note_of(layout: KnownLayout, adopted: Adopted, source: Path, study: Path) -> str:
    """What must be known of the data set before it is used, as a page in Markdown.

    Args:
        layout: of the data set.
        adopted: what it found.
        source: folder of the data set.
        study: folder of the study.
    """
    participants = len({scan.participant_id for scan in adopted.scans})
    labels = ", ".join(f"{name} ({_value(of)})" for name, of in adopted.labels.items())
    sections = {
        "What was found": [
            f"{len(adopted.scans)} scans of {participants} participants in `{source.name}`.",
            f"Labels, with their values in the masks: {labels}.",
            *adopted.masks,
        ],
        "Whose scans": [adopted.participants],
        "Known traps": adopted.traps,
        "Left out": adopted.left_out,
        "What could not be checked": adopted.unchecked,
        "What to decide before anything is predicted": [
            f"The analysis plan (`{PLAN}`): which endpoint, and the margins ({DICE_MARGIN} of Dice, "
            f"{VOLUME_MARGIN_ML} mL), which are a beginning, not advice.",
            "Age, sex, hours from onset, site and rater, where you have them and the sheet does not: its "
            "cells are empty, or have one word for all.",
            f"The sizes of the trainings (`{CONFIG}`): they are those of the frameworks, for a GPU.",
        ],
        "Licence and citation": [
            *adopted.self_description,
            f"Licence: {layout.licence}. Check it yourself: nobody did so here.",
            f"To cite: {layout.citation}.",
        ],
        "What comes next": [
            f"`headct sheet check {study / SHEET}`",
            f"`snakemake -n --quiet rules --configfile {study / CONFIG} --directory {study}`",
        ],
    }
    lines = [f"# {layout.title}"]
    for heading, sentences in sections.items():
        lines += ["", f"## {heading}", "", *_listed(sentences)]
    return "\n".join(lines) + "\n"


def _value(label: Any) -> str:
    """What stands for a label in the masks, in words."""
    value = label["value"] if isinstance(label, Mapping) else label
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _listed(sentences: Iterable[str]) -> list[str]:
    return [f"- {visible(sentence)}" for sentence in sentences] or ["- Nothing."]
