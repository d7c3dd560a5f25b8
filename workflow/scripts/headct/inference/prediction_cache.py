"""Label maps that an earlier job left, which need not be predicted again.

A prediction job may be killed, or run again for one lost file or one more scan. What it wrote is listed
in the scratch folder with all that decides it, scan by scan; a scan is predicted again where its CT, the
networks, their settings, the code or the machine's part in the result are others, or its file is not the
one that was written.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from headct.contracts.artefacts import read_json, sha256_of, write_json
from headct.contracts.code import NO_CONTENT, code_digest
from headct.contracts.labels import LabelSet, label_set
from headct.contracts.postprocessing import Postprocessing
from headct.contracts.problems import BadInput, Problem, gathered
from headct.engine.machine import versions
from headct.frameworks.base import find_framework
from headct.settings import lesions, models
from headct.settings.models import Inference, InferenceByModel, frameworks
from headct.settings.typed import plain

EFFECT = "speed"  # which label maps need not be made again

Records = Sequence[Sequence[Mapping[str, Any]]]
"""``train.json`` of each fold of each member."""


TRAINED = {"framework": str, "model": str, "sha256": str}
"""What is needed of ``train.json`` to predict."""


def trained_records(members: Sequence[Sequence[Path]]) -> Records:
    """The records of trained-model folders, one per fold of each member.

    Raises:
        BadInput: every folder that is not that of a trained model, or whose weights are not those recorded.
    """
    records: list[list[Mapping[str, Any]]] = []
    problems: list[Problem] = []
    for folds in members:
        records.append([])
        for folder in folds:
            with gathered(problems):
                records[-1].append(trained_record(folder))
    if problems:
        raise BadInput(problems)
    return records


def trained_record(folder: Path) -> Mapping[str, Any]:
    """The record of one trained-model folder, whose weights have the digest in it.

    Raises:
        BadInput: as :func:`trained_records`.
    """

    def fault(name: str, message: str) -> BadInput:
        return BadInput([Problem(str(folder / name), message)])

    if not (folder / "train.json").is_file():
        below = [path.parent for path in sorted(folder.glob("**/train.json"))[:3]] if folder.is_dir() else []
        hint = f"; did you mean {' or '.join(map(str, below))}?" if below else ""
        message = "there is no train.json in it" if folder.is_dir() else "there is no such folder"
        raise fault("", f"no trained model: {message}. A trained model lies in a folder fold-…{hint}")
    try:
        record = read_json(folder / "train.json")
    except (OSError, ValueError, RecursionError) as error:
        raise fault("train.json", f"damaged: it can't be read as JSON ({type(error).__name__})") from error
    if not isinstance(record, dict) or not all(isinstance(record.get(key), TRAINED[key]) for key in TRAINED):
        raise fault("train.json", f"damaged: it needs {', '.join(TRAINED)}, each a text")
    if record["framework"] not in frameworks():
        raise fault("train.json", f"no framework of this version: {record['framework']}")
    try:
        digest = sha256_of(folder / "final.pth")
    except OSError as error:
        raise fault("final.pth", f"the weights can't be read: {error.strerror}") from error
    if digest != record["sha256"]:
        raise fault("final.pth", "damaged or another: it is not the file that train.json describes")
    return record


def labels_of(records: Records) -> LabelSet:
    """The lesions that networks know, in the order of their classes; older releases knew but one set.

    Raises:
        BadInput: a ``train.json`` that does not tell them, or networks that know different ones.
    """
    sets: dict[tuple[str, ...], Mapping[str, Any]] = {}
    for trained in (record for folds in records for record in folds):
        classes = trained.get("labels", dict(label_set(lesions.OLDER_CLASSES)))
        values = list(classes.values()) if isinstance(classes, dict) else []
        if not values or any(value not in values for value in range(1, len(values) + 1)):
            message = f"train.json of {trained['model']} does not tell the classes of its network"
            raise BadInput([Problem("--member", message, key="labels", value=json.dumps(classes))])
        sets.setdefault(tuple(sorted(classes, key=classes.__getitem__)), trained)
    if len(sets) > 1:
        named = "; ".join(f"{trained['model']}: {', '.join(names)}" for names, trained in sets.items())
        message = "networks that know different lesions can't be averaged"
        raise BadInput([Problem("--member", message, key="labels", value=named)])
    return label_set(next(iter(sets)))


def given_settings(text: str, records: Records) -> InferenceByModel:
    """Settings of inference that a command is given as JSON by model; what is left out has its default.

    Raises:
        BadInput: no JSON object, or every model and key of it that is unknown, or out of range.
    """
    trained = [record for folds in records for record in folds]
    return models.inference_by_model(lambda name: find_framework(name).predicts_by, text, trained)


def inference_settings(trained: Mapping[str, Any], chosen: InferenceByModel) -> Inference:
    """The settings that the model of a ``train.json`` predicts by: those chosen for it, or the defaults."""
    framework = find_framework(trained["framework"])
    return chosen.get(trained["model"]) or models.merged(framework.predicts_by, framework.name)


def networks_and_settings(
    records: Records, settings: InferenceByModel, postprocessing: Postprocessing | None
) -> list[Any]:
    """What is averaged: the digest of each network's weights, and the settings it predicts by.

    Behind it stands what post-processing does with the label maps, where it does anything.
    """

    def network(trained: Mapping[str, Any]) -> tuple[str, Any]:
        return trained["sha256"], plain(inference_settings(trained, settings))

    averaged: list[Any] = [list(map(network, folds)) for folds in records]
    groups = postprocessing.groups if postprocessing else []
    return [*averaged, {"largest component of": groups}] if groups else averaged


def definition(
    members: Sequence[Sequence[Path]],
    settings: InferenceByModel,
    device: str,
    threads: int,
    postprocessing: Postprocessing | None = None,
) -> str:
    """SHA-256 of all that decides label maps but the CT.

    Args:
        members: trained-model folders, one per fold of each member.
        settings: settings of inference by model.
        device: ``cpu`` or ``cuda``.
        threads: CPU threads, which round probabilities otherwise; of no account on a GPU.
        postprocessing: what is done with label maps at the end; None for nothing.
    """
    records = trained_records(members)
    names = sorted({record["framework"] for folds in records for record in folds})
    frameworks = [find_framework(name) for name in names]
    defined_by = {
        "networks": networks_and_settings(records, settings, postprocessing),
        "versions": [versions(each.package) for each in frameworks],
        "code": code_digest(
            ["headct.inference.predict", *(each.module("inference") for each in frameworks)],
            without=NO_CONTENT,
        ),
        "device": device,
        "threads": threads if device == "cpu" else None,
    }
    return hashlib.sha256(json.dumps(defined_by, sort_keys=True).encode()).hexdigest()


class PredictionCache:
    """The list of what was written, one file per model and seed."""

    def __init__(self, path: Path):
        self.path = path
        self.entries: dict[str, Any] = read_json(path) if path.is_file() else {}

    def find(self, scan_id: str, made_from: Sequence[str], label_map: Path) -> Mapping[str, Any] | None:
        """The entry of a scan whose label map is there as it was written, made from the same."""
        entry: Mapping[str, Any] | None = self.entries.get(scan_id)
        if entry is None or entry["made_from"] != list(made_from) or not label_map.is_file():
            return None
        return entry if sha256_of(label_map) == entry["sha256"] else None

    def add(self, scan_id: str, made_from: Sequence[str], sha256: str, seconds: float) -> None:
        """List a label map that was just written.

        Args:
            scan_id: whose label map it is.
            made_from: digests of what it depends on.
            sha256: of its file.
            seconds: that it took.
        """
        self.entries[scan_id] = {"made_from": list(made_from), "sha256": sha256, "seconds": seconds}
        write_json(self.entries, self.path)
