"""A page of cases whose maps are called A, B, …: who judges them does not know which model drew which.

The reference is among them. Letters are drawn anew for each case, cases have numbers in place of their names,
and what they stand for is in a key that is kept apart.
"""

from __future__ import annotations

import random
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from headct.contracts.artefacts import sha256_of, write_tsv
from headct.contracts.labels import LabelSet
from headct.imaging.hounsfield import Intensity
from headct.metrics.predictions import Run
from headct.publish import pages
from headct.publish.page import case_files, page_frame, script_data
from headct.publish.page.case_content import TRUTH, content_of, script, without_face
from headct.settings.ratings import KEY_COLUMNS, REFERENCE

MOST_MAPS = len(string.ascii_uppercase)

TEMPLATE = """\
{% extends "frame" %}
{% block title %}Blinded rating{% endblock %}
{% block body %}
<body class="blinded">
<header><h1>Blinded rating</h1></header>
<main>
<p>For each case: which maps would you accept as they are, and which is the best? You are not told who drew
which, and the letters stand for others in each case. What you write stays in this browser until you download
it; send that file to whoever gave you this page.</p>
<div id="rating"></div>
<div id="viewer"></div>
</main>
<script type="application/json" id="study">{{ study_data }}</script>
<script>
{{ script }}
</script>
</body>
{% endblock %}
"""


@dataclass(frozen=True)
class BlindedCase:
    """One case: its name on the page, its scan, and what each letter stands for."""

    name: str
    scan: str
    model_of: Mapping[str, str]


def draw(scans: Sequence[str], models: Sequence[str], number: int | None, seed: int) -> list[BlindedCase]:
    """Cases in an order that is drawn, each with letters that are drawn.

    Args:
        scans: from which they are drawn.
        models: that are judged, beside the reference.
        number: of cases; all, where it is None or there are fewer.
        seed: of the draw.
    """
    generator = random.Random(seed)
    drawn = generator.sample(sorted(scans), min(number or len(scans), len(scans)))
    width = len(str(len(drawn)))
    letters = string.ascii_uppercase[: len(models) + 1]
    cases = []
    for place, scan in enumerate(drawn, start=1):
        shuffled = generator.sample([REFERENCE, *sorted(models)], len(letters))
        cases.append(BlindedCase(f"case-{place:0{width}d}", scan, dict(zip(letters, shuffled, strict=True))))
    return cases


def write_key(cases: Sequence[BlindedCase], seed: int, path: Path) -> str:
    """Write what the letters of all cases stand for; the digest of the file, which the page tells.

    Args:
        cases: that were drawn.
        seed: of the draw. It makes the digest one that says nothing of the letters, if nobody can guess it.
        path: of the key.
    """
    rows = [
        (case.name, letter, model, case.scan, str(seed))
        for case in cases
        for letter, model in case.model_of.items()
    ]
    write_tsv(pd.DataFrame(rows, columns=list(KEY_COLUMNS)), path)
    return sha256_of(path)


@dataclass(frozen=True)
class Shown:
    """How cases are shown.

    Attributes:
        data: folder of the converted scans.
        runs: the predictions of each model that is judged.
        labels: the lesions.
        intensity: what the values of images are.
        mask_face: whether all that lies outside the skull becomes air.
        bundle: folder of the page's styles and scripts.
    """

    data: Path
    runs: Mapping[str, Run]
    labels: LabelSet
    intensity: Intensity
    mask_face: bool
    bundle: Path


def write_page(cases: Sequence[BlindedCase], shown: Shown, key: str, folder: Path) -> None:
    """Write the page, and a file for each case beside it.

    Args:
        cases: that were drawn.
        shown: how they are shown.
        key: digest of their key.
        folder: of the page.
    """
    digests = {}
    for case in cases:
        content = _content_of(case, shown)
        digests[case.name] = content["digest"]
        pages.write(script(content), folder / f"cases/scans/{case.name}.js")
    case_files.put_viewer(shown.bundle / case_files.VIEWER, folder / "cases")
    letters = list(cases[0].model_of)
    study = {
        "models": [{"key": letter, "title": f"Map {letter}", "trivial": False} for letter in letters],
        "lesions": script_data.lesions_of(shown.labels),
        "cases": list(digests),
        "digests": digests,
        "order": {},
        "evidence": key,
    }
    page = page_frame.render(TEMPLATE, shown.bundle, "blinded.js", study_data=script_data.as_json(study))
    pages.write(page, folder / "index.html")


def _content_of(case: BlindedCase, shown: Shown) -> dict[str, Any]:
    """What the page is told of a case, without a name of its scan or of a model."""
    found = case_files.read(shown.data / case.scan, shown.runs, shown.labels)
    if shown.mask_face:  # before the reference, near which nothing is masked, has a letter
        found = replace(found, image=without_face(found, shown.intensity))
    names = {letter: TRUTH if model == REFERENCE else model for letter, model in case.model_of.items()}
    maps = {letter: found.maps[name] for letter, name in names.items()}
    return content_of(replace(found, scan_id=case.name, maps=maps), shown.intensity, mask_face=False)
