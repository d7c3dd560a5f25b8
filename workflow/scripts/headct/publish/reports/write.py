"""Write one report of a finished run."""

from __future__ import annotations

import importlib
from collections.abc import Callable

from headct.contracts.declarations import PublishedReport, declared
from headct.publish import options, pages
from headct.publish.reports import facts


def commands() -> dict[str, Callable[..., None]]:
    """A function for each report, by its name."""
    out = "the page to write; the folder of its pages, where there is one for each model"
    return options.commands(declared(PublishedReport), write, out)


def write(name: str, given: options.Options) -> None:
    """Write the pages of a report."""
    module = importlib.import_module(declared(PublishedReport)[name].module)
    for path, text in module.pages(facts.read(given.results, given.labels), given):
        pages.write(text, path)
