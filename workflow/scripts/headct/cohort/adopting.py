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
import shlex
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from headct.cohort.layouts.adopted import Adopted, KnownLayout, how_many, values_of
from headct.contracts.plurals import counted
from headct.contracts.problems import BadInput, Problem
from headct.contracts.repository import REPOSITORY
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
    plan = plan_of(list(adopted.labels), primary_label(adopted), today)
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


def primary_label(adopted: Adopted) -> str:
    """The label that most masks have, which most can be told of; of equals the first one."""
    return max(adopted.labels, key=lambda label: adopted.masks_with.get(label, 0))


def plan_of(labels: Sequence[str], primary: str, today: datetime.date) -> dict[str, Any]:
    """An analysis plan of a study of its own: nnU-Net 3D against a fixed threshold, on the primary label."""

    def endpoint(name: str, measure: str, label: str, against: Any) -> dict[str, Any]:
        scans = {"scans": "with lesion", "model": BEST_GUESS, "against": against}
        return {"name": f"{label} {name}", "measure": measure, "label": label, **scans}

    networks = [key for key in MODELS if key not in (BEST_GUESS, TRIVIAL)]
    return {
        "date": today.isoformat(),
        "comparison": analysis_plan.OWN,
        "cluster": analysis_plan.PARTICIPANT,
        "seed": 2022,
        "permutations": 10000,
        "multiplicity": {"rule": analysis_plan.HIERARCHICAL},
        "primary": endpoint("Dice", "dice", primary, [TRIVIAL]),
        "key_secondary": [
            endpoint("Dice against networks", "dice", primary, networks),
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
    labels = ", ".join(
        f"{name} ({', '.join(map(str, values_of(of)))})" for name, of in adopted.labels.items()
    )
    folder = study.absolute()
    check = ["python", "-m", "headct", "sheet", "check", str(folder / SHEET)]
    of_study = ["--configfile", str(folder / CONFIG), "--directory", str(folder)]
    plan = ["snakemake", "-n", "--quiet", "rules", *of_study]
    look = ["snakemake", "qc", "--cores", "2", *of_study]
    sections = {
        "What was found": [
            f"{_how_many(adopted)} in `{source.name}`.",
            f"Labels, with their values in the masks: {labels}.",
            *adopted.masks,
            *adopted.doubts,
        ],
        "Whose scans": [adopted.participants, _several_scans(adopted)],
        "Known traps of the published set, which were not looked for in this folder": adopted.traps
        or ["None are known here."],
        "Left out": [f"{what}: {', '.join(names)}." for what, names in _left_out(adopted).items()],
        "What could not be checked": adopted.unchecked,
        "What to decide before anything is predicted": [
            f"The analysis plan (`{PLAN}`). {_how_primary(adopted)} Is that what would change what you do?",
            f"The margins of the plan ({DICE_MARGIN} of Dice, {VOLUME_MARGIN_ML} mL) are a beginning, not "
            "advice.",
            f"Age, sex and hours from onset: put them into empty cells of `{SHEET}`, where you have them.",
            f"Site and rater: where the data set does not tell them, each scan has the site `{layout.site}` "
            f"and the rater `{layout.rater}`. If you know better, replace these words.",
            f"The sizes of the trainings (`{CONFIG}`): they are those of the frameworks, for a GPU.",
        ],
        "Licence and citation": [
            *adopted.self_description,
            f"Licence: {layout.licence}. Check it yourself: nobody did so here.",
            f"To cite: {layout.citation}.",
        ],
        "What comes next": [
            f"In the folder of the workflow, `{REPOSITORY}`, which has the file `Snakefile`, and with its "
            "environment active:",
            f"`{shlex.join(check)}`",
            f"`{shlex.join(plan)}`",
            f"`{shlex.join(look)}`: then look at all scans with their masks, in `qc/report/index.html`, and "
            "review them there, before anything is trained.",
        ],
    }
    lines = [f"# {layout.title}"]
    for heading, sentences in sections.items():
        lines += ["", f"## {heading}", "", *_listed(sentences)]
    return "\n".join(lines) + "\n"


def in_short(adopted: Adopted) -> str:
    """How many scans stand in the sheet, and how many files were left out, in a line or two."""
    left_out = "; ".join(_left_out(adopted))
    return f"{_how_many(adopted)}. Left out: {f'{left_out} (named in {NOTE})' if left_out else 'nothing'}."


def _how_many(adopted: Adopted) -> str:
    participants = len(_scans_of_participants(adopted))
    return f"{counted(len(adopted.scans), 'scan')} of {counted(participants, 'participant')}"


def _scans_of_participants(adopted: Adopted) -> dict[str, list[str]]:
    """Ids of scans by that of their participant."""
    found = defaultdict[str, list[str]](list)
    for scan in adopted.scans:
        found[scan.participant_id].append(scan.scan_id)
    return found


def _several_scans(adopted: Adopted) -> str:
    """Which participants have several scans, in words."""
    several = {who: scans for who, scans in _scans_of_participants(adopted).items() if len(scans) > 1}
    if not several:
        return "No participant has several scans, by these ids."
    named = "; ".join(f"{who} ({', '.join(scans)})" for who, scans in several.items())
    return (
        f"{counted(len(several), 'participant')} with several scans, all of which the sheet has as baseline "
        f"scans: {named}. Those that are not are 'follow-up' in a column 'timepoint', or are taken out."
    )


def _left_out(adopted: Adopted) -> dict[str, Sequence[str]]:
    """Names of files that were left out, by how many they are and what."""
    return {how_many(names, what): names for what, names in adopted.left_out.items() if names}


def _how_primary(adopted: Adopted) -> str:
    """How the label of the primary endpoint was picked, in words."""
    label, scans = primary_label(adopted), counted(len(adopted.scans), "scan")
    if not adopted.masks_with:
        return f"Its primary endpoint is Dice of {label}, the first label: masks were not looked at."
    found = f"which the masks of {adopted.masks_with[label]} of {scans} have"
    others = [f"{name} {n}" for name, n in adopted.masks_with.items() if name != label]
    if not others:
        return f"Its primary endpoint is Dice of {label}, the only label, {found}."
    return (
        f"Its primary endpoint is Dice of {label}, {found}, the most of all labels, or the first of "
        f"those with the most (the others: {', '.join(others)})."
    )


def _listed(sentences: Iterable[str]) -> list[str]:
    return [f"- {visible(sentence)}" for sentence in sentences] or ["- Nothing."]
