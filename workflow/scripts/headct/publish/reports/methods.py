"""A methods section in prose, with the numbers, settings and versions of the run that it stands beside."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from headct.contracts.declarations import PublishedReport
from headct.contracts.terminal import visible
from headct.publish.options import Options
from headct.publish.reports.facts import Facts
from headct.publish.reports.statements import STATEMENTS

REPORT = PublishedReport(
    name="methods",
    help="a methods section with this run's numbers and versions",
    path="audit/methods.md",
    inputs={"results": "the whole run"},
    given={"labels": "lesions in print"},
)

PARAGRAPHS = {
    "Scans": ("simulated", "flow", "sources", "input_criteria", "series_choice", "acquisition", "conversion"),
    "Reference standard": ("reference", "raters", "rater_agreement"),
    "Training and test set": ("partition", "set_sizes", "disjoint", "prevalence", "balance"),
    "Models": ("models", "preprocessing", "initialisation", "training", "class_imbalance", "model_choice"),
    "Inference": ("model_output", "internal_test", "missing_data"),
    "Measures and statistics": (
        "measures",
        "positivity",
        "plan",
        "statistics",
        "intervals",
        "sensitivity",
        "precision",
        "subgroups",
        "external_test",
        "new_site",
    ),
    "Software": ("software", "artefacts"),
}
"""Heading: the statements below it, in order."""

TO_BE_ADDED = (
    "Not known to the workflow, and to be added: ethics and consent, dates and places, who the raters were"
    " and how they drew, and the sample size's reason."
)
"""What stands below all of them."""


def pages(facts: Facts, options: Options) -> Iterator[tuple[Path, str]]:
    """The one page."""
    yield options.out, markdown(facts)


def markdown(facts: Facts) -> str:
    """The whole section."""
    config = facts.config
    lines = [f"# Methods of {plain(config.study.name)}", ""]
    if config.note:
        lines += [f"**{plain(config.note)}.**", ""]
    for heading, names in PARAGRAPHS.items():
        paragraph = " ".join(STATEMENTS[name](facts).text for name in names)
        lines += [f"## {heading}", "", plain(paragraph), ""]
    lines.append(TO_BE_ADDED)
    return "\n".join(lines) + "\n"


def plain(text: str) -> str:
    """Text as a paragraph of Markdown that shows it as it is: neither markup nor HTML, a link or a list."""
    one_line = visible(" ".join(text.split()))
    escaped = re.sub(r"([\\`*\[\]~$]|(?<!\w)_|_(?!\w)|<(?=[A-Za-z/!?])|&(?=[#\w]))", r"\\\1", one_line)
    return re.sub(r"^(\d*)([-+#=.)>])", r"\1\\\2", escaped)
