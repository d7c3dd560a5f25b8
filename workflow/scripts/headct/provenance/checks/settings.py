"""The configuration against the settings that jobs were given."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from headct.contracts.artefacts import CONFIG, STUDY
from headct.contracts.labels import Extent
from headct.contracts.untrusted import Unusable
from headct.provenance.checks.folder import Finding, ResultsFolder, about
from headct.settings import lesions

BLOCKS_GIVEN = {
    "ingest": {"--settings": "ingest"},
    "split": {"--settings": "split"},
    "metrics": {"--settings": "metrics"},
    "metrics_out_of_fold": {"--settings": "metrics"},
    "metrics_effort": {"--settings": "metrics"},
    "metrics_external": {"--settings": "metrics"},
    "metrics_learning_curve": {"--settings": "metrics"},
    "second_readings": {"--settings": "metrics"},
    "surface_tolerance": {"--settings": "metrics"},
    "crosscheck": {"--settings": "crosscheck"},
}
"""By rule and option, the block of the configuration that is given as it stands."""

LABELS, LABEL_VALUES = "--labels", "--label-values"
"""Options by which jobs are given the lesions, and ingest their values in masks."""


@about(CONFIG)
def settings(folder: ResultsFolder) -> Iterator[Finding]:
    """The configuration against the settings on the command lines that were recorded."""
    config = folder.json_of(CONFIG)
    if not isinstance(config, dict):
        raise Unusable("is no configuration")
    for record in folder.current:
        for option, block in BLOCKS_GIVEN.get(record.rule, {}).items():
            given = record.option(option)
            if given and given != [json.dumps(config.get(block), sort_keys=True)]:
                yield Finding(CONFIG, f"has other {block} settings than {record.path} ran with")


@about(CONFIG)
def label_sets(folder: ResultsFolder) -> Iterator[Finding]:
    """The lesions of the configuration against those that each job was given, as far as it needs them."""
    options = (LABELS, LABEL_VALUES)
    given = [(record, option) for record in folder.current for option in options if record.option(option)]
    if not given:
        return
    config, study = folder.json_of(CONFIG), folder.json_of(STUDY)
    try:
        labels = lesions.label_set_of_results(study, config)
        older = config["labels"]  # which older releases gave ingest by this option: values of masks
        sets = [older, *(labels.content(extent) for extent in Extent)]
        maps = lesions.mask_values(config, [None, *config["label_maps"]]) if "classes" in study else {}
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise Unusable(f"does not tell the lesions ({error})") from error
    for record, option in given:
        found = [_json(text) for text in record.option(option)]
        if option == LABELS:
            is_right = found in [[one] for one in sets]
        else:
            is_right = all(
                isinstance(one, dict) and all(maps.get(name) == values for name, values in one.items())
                for one in found
            )
        if not is_right:
            yield Finding(CONFIG, f"has other labels settings than {record.path} ran with")


def _json(text: str) -> Any:
    """What a JSON text says; the text where it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
