"""Mean ranks of the models over the scans, as a critical-difference diagram (Demšar 2006).

A picture only, no test of this study: a model's rank depends on the pool that it is ranked in, so adding a
model can turn the order of two others.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping

import pandas as pd
import scikit_posthocs
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from headct.contracts.declarations import MadeOf, PublishedFigure
from headct.publish.figures import style
from headct.publish.options import Options
from headct.statistics.comparison.paired import critical_difference, friedman, mean_ranks
from headct.statistics.core import scores as statistics_scores
from headct.statistics.core.scores import FAMILY

FIGURE = PublishedFigure(
    name="critical_difference",
    help="mean ranks of the compared models",
    inputs={"metrics": "metrics of the compared models"},
    given={
        "labels": "lesions",
        "models": "titles of the compared models",
        "study_title": "study title",
        "width_mm": "width in mm",
    },
    columns="label n_scans critical_difference model title mean_rank",
    keys="model title label",
    made_of=(MadeOf(models="all compared"),),
)

TITLE_MM, ROW_MM = 13.0, 3.2
NAME_MM = 22.0


def draw(options: Options) -> style.Pages:
    """The figure from its files."""
    scores = statistics_scores.read(options.metrics, list(options.models), options.labels)
    words = (options.study_title, options.width_mm)
    return [
        draw_critical_difference(scores, options.models, labels, *words)
        for labels in style.in_pages(options.labels)
    ]


def dice_by_model(scores: pd.DataFrame, label: str) -> pd.DataFrame:
    """Dice of one lesion, averaged over seeds: a row per scan, a column per model of the family."""
    scans = statistics_scores.mean_over_seeds(scores[scores["role"] == FAMILY])
    return scans[scans["label"] == label].pivot(index="scan_id", columns="model", values="dice")


def ranks_by_model(dice: pd.DataFrame) -> pd.Series:
    """Mean rank of each model by Dice (scans × models), the best first."""
    return pd.Series(mean_ranks(dice.to_numpy()), dice.columns).sort_values(kind="stable")


def friedman_words(dice: pd.DataFrame) -> str:
    """Friedman's test for print."""
    p = float(friedman(dice.to_numpy())["p"])
    if math.isnan(p):
        return "Friedman: not estimable"
    return f"Friedman P {'< 0.001' if p < 0.001 else f'= {p:.3f}'}"


def _draw_lesion(axes: Axes, dice: pd.DataFrame, names: Mapping[str, str], critical: float) -> None:
    """One diagram; a bar joins models that Nemenyi's test does not tell apart."""
    ranks = ranks_by_model(dice)
    models = list(ranks.index)
    # What the critical difference decides, as the p values that the diagram takes.
    alike = pd.DataFrame([[float(abs(a - b) <= critical) for a in ranks] for b in ranks])
    # Models by number: the diagram goes through sets, whose order for names differs between processes.
    drawn = scikit_posthocs.critical_difference_diagram(
        ranks.reset_index(drop=True),
        alike,
        ax=axes,
        label_fmt_left="{label}",
        label_fmt_right="{label}",
        label_props={"size": style.SMALL_PT},
        marker_props={"color": style.BLACK, "s": 9},
        elbow_props={"color": style.GREY, "linewidth": 0.7},
        crossbar_props={"color": style.BLUE, "linewidth": 2.2, "solid_capstyle": "butt"},
        text_h_margin=0.15,
    )
    for text in drawn["labels"]:
        model = models[int(text.get_text())]
        words = [names[model], f"{ranks[model]:.1f}", ""]  # the last one keeps the line away
        text.set(text="  ".join(words if text.get_ha() == "right" else words[::-1]), color=style.BLACK)
    axes.spines["top"].set_visible(True)
    axes.set_xlim(0.8, len(models) + 0.2)
    axes.set_xticks(range(1, len(models) + 1))


def draw_critical_difference(
    scores: pd.DataFrame,
    titles: Mapping[str, str],
    labels: Collection[str],
    study_title: str,
    width_mm: float = style.WIDTH_MM,
) -> tuple[Figure, pd.DataFrame]:
    """Mean ranks of Dice per lesion, the critical difference, and bars over models that it does not part.

    Args:
        scores: rows of metrics tables, as of :func:`headct.statistics.core.scores.read`.
        titles: title of each model.
        labels: the lesions, a diagram each.
        study_title: printed in the corner.
        width_mm: of the figure in print.

    Returns:
        The figure, and the numbers in it: label, n_scans, critical_difference, model, title, mean_rank.
    """
    by_label = {label: dice_by_model(scores, label) for label in labels}
    n_scans, n_models = next(iter(by_label.values())).shape
    names = {
        model: style.wrap(title, NAME_MM, style.SMALL_PT, most_lines=1)[0] for model, title in titles.items()
    }
    body_mm = len(labels) * (TITLE_MM + ROW_MM * (n_models / 2 + 4))
    notes = [
        f"n = {n_scans} scans. Rank 1: the best Dice of a scan; ties share their mean rank.",
        "Blue bars join models that differ by no more than the critical difference (CD; Nemenyi, 5%).",
        "Ranks depend on the pool of models: a picture, not a test. All scans count as independent.",
    ]
    page = style.sheet("Mean ranks of the models by Dice", study_title, body_mm, [], notes, width_mm)
    panels = page.body.subplots(len(labels), 1, squeeze=False)[:, 0]
    table = []
    for axes, (label, dice) in zip(panels, by_label.items(), strict=True):
        critical = critical_difference(n_models, n_scans) if n_models > 1 else math.nan
        difference = f"CD {critical:.2f}; " if n_models > 1 else ""
        axes.set_title(f"{label}  ({difference}{friedman_words(dice)})", loc="left", weight="bold")
        ranks = ranks_by_model(dice)
        table.append(
            pd.DataFrame({"model": ranks.index, "title": [titles[model] for model in ranks.index]}).assign(
                label=label, n_scans=n_scans, critical_difference=critical, mean_rank=ranks.to_numpy()
            )
        )
        if n_models > 1:
            _draw_lesion(axes, dice, names, critical)
        else:
            axes.set(xticks=[], yticks=[], frame_on=False)
            axes.text(0, 0.5, "Nothing to compare: fewer than two models.", transform=axes.transAxes)
    columns = ["label", "n_scans", "critical_difference", "model", "title", "mean_rank"]
    return page.figure, pd.concat(table, ignore_index=True)[columns]
