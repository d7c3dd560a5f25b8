"""Which test scans are hard for all models: mean Dice over the compared models, the hardest first."""

from __future__ import annotations

import pandas as pd

from headct.contracts.declarations import MadeOf, PublishedTable
from headct.contracts.labels import LabelSet
from headct.publish.options import Options
from headct.publish.printed_numbers import DICE_DECIMALS, number
from headct.publish.tables.table_page import Cell, Panel, Table
from headct.statistics.core import scores as metrics

TABLE = PublishedTable(
    name="hardest_cases",
    help="test scans by their mean Dice over the compared models, the hardest first",
    caption="**Hardest cases.** One row per test scan, the hardest first: the mean Dice over the compared"
    " models and the lesions, and the model with the lowest and with the highest mean over the lesions. As in"
    " Table 1, a lesion in neither mask counts as 1 and a missing prediction as 0.",
    inputs={"metrics": "metrics of the compared models", "evidence": "audit/evidence.json"},
    given={"labels": "lesions", "models": "titles of the compared models", "title_note": "note"},
    columns="rank scan_id mean_dice lowest_dice lowest_model highest_dice highest_model n_models n_failed",
    keys="scan_id rank",
    made_of=(MadeOf(models="all compared", lesions="all"),),
)


def make(options: Options) -> Table:
    """The table from its files."""
    return hardest_cases(
        metrics.read(options.metrics, list(options.models), options.labels), options.models, options.labels
    )


def hardest_cases(scores: pd.DataFrame, titles: dict[str, str], labels: LabelSet) -> Table:
    """Test scans by their mean Dice over models, then by id.

    Args:
        scores: of :func:`headct.statistics.core.scores.read`.
        titles: name in print of each compared model.
        labels: the lesions.
    """
    numbers = ranked(scores, list(titles))
    rows = [
        [
            Cell(str(row["scan_id"])),
            Cell(number(row["mean_dice"], DICE_DECIMALS)),
            Cell(f"{number(row['lowest_dice'], DICE_DECIMALS)}, {titles[row['lowest_model']]}", "text"),
            Cell(f"{number(row['highest_dice'], DICE_DECIMALS)}, {titles[row['highest_model']]}", "text"),
            Cell(str(row["n_failed"])),
        ]
        for row in numbers.to_dict("records")
    ]
    columns = [("", name) for name in ("Scan", "Mean Dice", "Lowest", "Highest", "Without a prediction")]
    over = "the mean of its lesions" if len(labels) > 1 else "its Dice"
    notes = [
        f"Mean over the compared models of {over}, which is that of the seeds. A lesion in neither mask"
        " counts as 1, a missing prediction as 0.",
        "“Without a prediction”: of how many models.",
    ]
    return Table("Test scans, the hardest first", numbers, [Panel(columns, rows)], notes)


def ranked(scores: pd.DataFrame, models: list[str]) -> pd.DataFrame:
    """A row for each test scan, with the columns of :data:`TABLE`; of equal models the first is named."""
    compared = scores[scores["model"].isin(models)]
    by_lesion = compared.groupby(["scan_id", "model", "label"])["dice"].mean()  # over seeds
    by_model = by_lesion.groupby(["scan_id", "model"]).mean().unstack("model")[models]
    failed = (compared["failure"] != "").groupby([compared["scan_id"], compared["model"]]).any()
    found = pd.DataFrame(
        {
            "mean_dice": by_model.mean(axis=1),
            "lowest_dice": by_model.min(axis=1),
            "lowest_model": by_model.idxmin(axis=1),
            "highest_dice": by_model.max(axis=1),
            "highest_model": by_model.idxmax(axis=1),
            "n_models": len(models),
            "n_failed": failed.groupby("scan_id").sum(),
        }
    )
    found = found.sort_index().sort_values("mean_dice", kind="stable").reset_index()
    return found.assign(rank=range(1, len(found) + 1))[TABLE.header]
