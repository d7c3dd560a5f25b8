"""Command lines of what is published: what is written for a job is what its step reads."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from headct.contracts.declarations import SETTINGS, SOURCES, Published, PublishedFigure, declared
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


def test_what_is_written_is_what_is_read() -> None:
    words = shlex.split(options.words(TOY.name, VALUES))
    read = vars(options.parser({"toy": TOY}, "figure", "…", "…").parse_args([*words, "--out", "f.pdf"]))
    paths = {"metrics": [Path("a b.tsv"), Path("c.tsv")], "flow": Path("results/cohort/flow.tsv")}
    wanted = VALUES | paths | {"data": Path("results/data"), "title_note": "", "out": Path("f.pdf")}
    assert read == wanted | {"figure": "toy"}
    assert list(read["models"]) == ["b", "a"]


def test_an_option_without_a_default_must_be_given(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        options.parser({"toy": TOY}, "figure", "…", "…").parse_args(["toy", "--out", "f.pdf"])
    assert "--metrics, --flow, --data, --study-title, --models" in capsys.readouterr().err


def test_every_source_and_setting_has_its_files_or_value_in_the_rules() -> None:
    rules = (REPOSITORY / "workflow" / "rules" / "declared.smk").read_text(encoding="utf-8")
    assert [name for name in (*SOURCES, *SETTINGS) if f'"{name}":' not in rules] == []


@pytest.mark.parametrize("name", declared(PublishedFigure))
def test_every_figure_has_a_caption(name: str) -> None:
    caption = declared(PublishedFigure)[name].caption or name
    assert (REPOSITORY / "workflow" / "report" / f"{caption}.rst").is_file()
