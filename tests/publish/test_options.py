"""Command lines of what is published: what is written for a job is what its step reads."""

from __future__ import annotations

import inspect
import shlex
from pathlib import Path

import pytest

from headct import command_line
from headct.contracts.declarations import SETTINGS, SOURCES, Published, PublishedFigure, declared
from headct.contracts.problems import WrongOptions
from headct.contracts.repository import REPOSITORY
from headct.publish import options

TOY = Published(
    name="toy",
    help="…",
    inputs={"metrics": "metrics of all models", "flow": "cohort/flow.tsv", "data": "scans"},
    given={
        "study_title": "study title",
        "models": "titles of all models",
        "n": "number of cases",
        "title_note": "note",
    },
)
VALUES = {
    "metrics": ["a b.tsv", "c.tsv"],
    "flow": "results/cohort/flow.tsv",
    "data": "results/data",
    "study_title": "--out {of} 'it' $HOME",
    "models": {"b": "Ö {x}", "a": ""},
    "n": 5,
}


def made(words: list[str]) -> list[tuple[str, options.Options]]:
    """What a step is called with that is given these words."""
    calls: list[tuple[str, options.Options]] = []
    functions = options.commands({"toy": TOY}, lambda *call: calls.append(call), "…")
    command_line.parsed(command_line.app_of("headct figures", functions), words).run()
    return calls


def test_what_is_written_is_what_is_read() -> None:
    words = shlex.split(options.words(TOY.name, VALUES))
    [(name, given)] = made([*words, "--out", "f.pdf"])
    read = vars(given)
    paths = {"metrics": [Path("a b.tsv"), Path("c.tsv")], "flow": Path("results/cohort/flow.tsv")}
    wanted = VALUES | paths | {"data": Path("results/data"), "title_note": "", "out": Path("f.pdf")}
    assert (name, read) == ("toy", wanted)
    assert list(read["models"]) == ["b", "a"]


@pytest.mark.parametrize("option", ["metrics", "flow", "data", "study_title", "models"])
def test_an_option_without_a_default_must_be_given(option: str) -> None:
    given = {name: value for name, value in VALUES.items() if name != option}
    with pytest.raises(WrongOptions, match=f"--{option.replace('_', '-')}"):
        made([*shlex.split(options.words(TOY.name, given)), "--out", "f.pdf"])


def test_an_option_has_the_help_of_what_it_takes() -> None:
    (command,) = options.commands({"toy": TOY}, lambda *_: None, "…").values()
    assert "    models: titles as JSON" in (inspect.getdoc(command) or "")


def test_every_source_and_setting_has_its_files_or_value_in_the_rules() -> None:
    rules = (REPOSITORY / "workflow" / "rules" / "declared.smk").read_text(encoding="utf-8")
    assert [name for name in (*SOURCES, *SETTINGS) if f'"{name}":' not in rules] == []


@pytest.mark.parametrize("name", declared(PublishedFigure))
def test_every_figure_has_a_caption(name: str) -> None:
    caption = declared(PublishedFigure)[name].caption or name
    assert (REPOSITORY / "workflow" / "report" / f"{caption}.rst").is_file()
