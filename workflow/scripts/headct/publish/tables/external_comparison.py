"""The plan's endpoints in external sets; a panel per set and endpoint."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from headct.contracts.artefacts import read_tsv
from headct.contracts.declarations import PublishedTable, Repeats
from headct.publish.options import Options
from headct.publish.tables.endpoint_panels import endpoint_panel, with_texts
from headct.publish.tables.table_page import Table

TABLE = PublishedTable(
    name="external_comparison",
    help="the plan's endpoints in external sets",
    caption="**Planned comparison in external sets.** The endpoints of the analysis plan on the scans of"
    " these sets, each by itself. The plan decides on the internal test set, whose comparison"
    " these scans do not enter.",
    inputs={"endpoints": "statistics/external_endpoints.tsv"},
    given={"titles": "titles of all models", "title_note": "note"},
    columns="set status endpoint measure label scans model against n n_clusters estimate_model"
    " estimate_against bias_model_ml bias_against_ml difference lower upper p p_holm lower_adjusted"
    " upper_adjusted verdict scope note definition",
    keys="set model against endpoint label measure scans status",
    repeats=(Repeats(source="statistics/external_endpoints.tsv", rows="set endpoint model against"),),
)

NOTES = (
    "Each set is compared as the internal test set is, by itself: its participants are the clusters, and"
    " Holm's P is over its own key secondary endpoints. The plan decides on the internal test set; these"
    " verdicts are corrected for no other set.",
    "Differences are the first model − the other, with 95% intervals: t of the jackknife that leaves out one"
    " participant at a time. No training of this study learnt from these scans.",
)


def make(options: Options) -> Table:
    """The table from its files."""
    return external_comparison(read_tsv(options.endpoints, set=str, model=str, against=str), options.titles)


def external_comparison(endpoints: pd.DataFrame, titles: Mapping[str, str]) -> Table:
    """The whole page.

    Args:
        endpoints: ``external_endpoints.tsv``.
        titles: name in print of each model.
    """
    rows = with_texts(endpoints)
    of_panels = rows.groupby(["set", "status", "endpoint"], sort=False)
    panels = [endpoint_panel(f"{name}: ", of_one, titles) for (name, *_), of_one in of_panels]
    return Table("Planned comparison in external sets", rows, panels, NOTES)
