"""How well raters agree: volumes of second readings against the first ones, and their Dice."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd
from matplotlib.figure import Figure

from headct.contracts.artefacts import read_tsv
from headct.contracts.declarations import MadeOf, PublishedFigure
from headct.contracts.labels import LabelSet
from headct.contracts.references import ANOTHER_RATER, SAME_RATER, TITLES
from headct.publish.figures import dice_box_violin, style, volume_agreement
from headct.publish.options import Options
from headct.statistics.core.agreement import ALL_SCANS
from headct.statistics.core.scores import read_table
from headct.statistics.replication.rater_statistics import NEEDED

FIGURE = PublishedFigure(
    name="rater_agreement",
    help="second against first readings",
    inputs={
        "metrics": "metrics of second readings",
        "agreement": "statistics/rater_agreement.tsv",
    },
    given={"labels": "lesions", "study_title": "study title", "width_mm": "width in mm"},
    columns="label element scan_id x y ci_low ci_high model title dice value",
    keys="model title label scan_id element x dice",
    made_of=(MadeOf(seeds="first"),),
)


def draw(options: Options) -> style.Pages:
    """The figure from its files."""
    readings = read_table(options.metrics, NEEDED)
    agreement = read_tsv(options.agreement, model=str, note=str)
    return draw_raters(readings, agreement, options.labels, options.study_title, options.width_mm)


def draw_raters(
    readings: pd.DataFrame,
    agreement: pd.DataFrame,
    labels: LabelSet,
    study_title: str,
    width_mm: float = style.WIDTH_MM,
) -> Iterator[tuple[Figure, pd.DataFrame]]:
    """A Bland-Altman plot per kind of second reading, then the Dice of both.

    Args:
        readings: metrics table of the second readings.
        agreement: ``rater_agreement.tsv``.
        labels: the lesions, a panel each.
        study_title: printed in the corner.
        width_mm: of the figure in print.

    Returns:
        The pages, each with the numbers in it.
    """
    kinds = set(readings["model"])
    found = {kind: TITLES[kind] for kind in (SAME_RATER, ANOTHER_RATER) if kind in kinds}
    for kind, title in found.items():
        own = readings[readings["model"] == kind]
        rows = agreement[(agreement["model"] == kind) & (agreement["scans"] == ALL_SCANS)].to_dict("records")
        shown = {str(row["label"]): {str(name): value for name, value in row.items()} for row in rows}
        heading = f"{title}: difference between second and first reading"
        words = "Second − first reading"
        for of_page in style.in_pages(labels):
            figure, drawn = volume_agreement.bland_altman_page(
                own,
                shown,
                heading,
                words,
                [],
                of_page,
                study_title,
                width_mm,
            )
            yield figure, drawn.assign(model=kind)
    heading = "Dice of second readings against the first ones"
    for of_page in style.in_pages(labels):
        yield dice_box_violin.draw_box_violins(
            readings, found, of_page, study_title, width_mm, heading=heading
        )
