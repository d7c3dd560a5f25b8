"""What a run found, for the terminal: ``python -m headct summary results``.

A leader board (Table 1 by mean of means) and where the tables and figures lie; at most 100 columns.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from headct.contracts.artefacts import CONFIG, read_json, read_tsv
from headct.contracts.no_prediction import reasons_in_words
from headct.contracts.problems import BadInput, Problem
from headct.contracts.terminal import say
from headct.statistics.core.scores import FAMILY
from headct.statistics.core.summaries import MEAN

WIDTH = 100
TITLE_WIDTH = 24
COLUMN_WIDTH = 17
"""Of a lesion's mean and median, and what is left before them."""


def main(
    results: Path,
    /,
) -> None:
    """What a run found, for the terminal.

    Args:
        results: results folder of a finished run.
    """
    table = results / "tables" / "table1.tsv"
    if not table.is_file():
        raise BadInput([Problem(str(table), "there is no Table 1 yet; run the workflow first")])
    config = results / CONFIG
    lines = [
        *headline(read_json(config)["study"] if config.is_file() else {}),
        "",
        *leader_board(read_tsv(table, title=str)),
        "",
        *failures(results),
        *places(results),
        *page(results),
    ]
    say("\n".join(lines))


def headline(study: dict[str, str]) -> list[str]:
    """Name of the study and its note, where the results folder tells them."""
    name = f"Study {study['name']}" if study.get("name") else "Leader board"
    note = study.get("note", "")
    return [clip(f"{name}: {note}" if note else name, WIDTH)]


def leader_board(table_1: pd.DataFrame) -> list[str]:
    """Models by their mean of the lesions' mean Dice, the best first; mean and median per lesion.

    Only the compared models are numbered. Lesions that don't fit beside each other follow below.
    """
    columns = list(table_1["label"].unique())
    columns = columns[:1] if len(columns) == 2 else columns  # of one lesion, the mean says nothing more
    by_model = [rows.set_index("label").to_dict("index") for _, rows in table_1.groupby("model", sort=False)]
    ranking = sorted(by_model, key=lambda scores: -scores[MEAN]["mean"])
    titles = [str(scores[MEAN]["title"]) for scores in ranking]
    width = min(max(map(len, titles)), TITLE_WIDTH)
    beside = (WIDTH - 4 - width) // COLUMN_WIDTH
    lines = [f"Dice on {table_1['n'].max():.0f} test scans"]
    for first in range(0, len(columns), beside):
        shown = columns[first : first + beside]
        heads = [f"{'Mean of lesions' if label == MEAN else clip(label, 15):^15}" for label in shown]
        lines += [
            f"{'':4}{'':{width}}  {'  '.join(heads)}".rstrip(),
            f"{'':4}{'':{width}}  {'  '.join(['   mean  median'] * len(shown))}",
        ]
        rank = 0
        for title, scores in zip(titles, ranking, strict=True):
            compared = scores[MEAN]["role"] == FAMILY
            rank += compared
            cells = [f"{scores[label]['mean']:7.3f} {scores[label]['median']:7.3f}" for label in shown]
            place = f"{rank:2}." if compared else "   "
            lines.append(f"{place} {clip(title, width):{width}}  {'  '.join(cells)}")
    return lines


def failures(results: Path) -> list[str]:
    """Networks that could not predict every scan: how many, of which kind, and how these are scored."""
    lines = []
    for manifest in sorted(results.glob("predictions/*/*.tsv")):
        network = manifest.relative_to(results / "predictions").with_suffix("").as_posix()
        reasons = read_tsv(manifest, reason=str)["reason"].dropna()
        if len(reasons):
            lines.append(f"{network}: scans without a prediction: {reasons_in_words(list(reasons))}")
    why = ["The manifests in predictions/ say why; each counts with a Dice of 0.", ""]
    return [*lines, *why] if lines else []


def places(results: Path) -> list[str]:
    """Where tables and figures lie, with the names of the files."""
    return [
        line
        for heading, folder, suffix in (
            ("Figures", results / "figures", ".pdf"),
            ("Tables", results / "tables", ".html"),
        )
        for line in listing(f"{heading} in {folder}/", sorted(folder.glob(f"*{suffix}")))
    ]


def page(results: Path) -> list[str]:
    """Where the page of all results is, if it was made; the last thing that is told."""
    file = results / "report" / "index.html"
    return ["", "All of it as a page, for a browser:", f"  {file}"] if file.is_file() else []


def listing(heading: str, files: Iterable[Path]) -> list[str]:
    """A heading and the file names below it, as many to a line as fit."""
    lines, line = [heading], " "
    for file in files:
        if len(line) + 2 + len(file.name) > WIDTH:
            lines.append(line)
            line = " "
        line += f" {file.name}"
    return [*lines, line] if line.strip() else [*lines, "  none"]


def clip(text: str, width: int) -> str:
    """Text of at most ``width`` characters."""
    return text if len(text) <= width else f"{text[: width - 1]}…"
