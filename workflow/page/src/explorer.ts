/** The explorer: each scan's measures in charts and a table that show the same rows, marked together. */

import { button, element } from "./controls.ts";
import { type Look, symbolOf } from "./explorer_charts.ts";
import { filterForm } from "./explorer_filters.ts";
import { type Brush, filtered, type Row, rowsOf, within } from "./explorer_rows.ts";
import { table } from "./explorer_table.ts";
import { charts } from "./explorer_views.ts";
import { openCase, type Rows, rows, type Study, study } from "./headct.ts";

const dark = matchMedia("(prefers-color-scheme: dark)");

/** Colours and type of the page as it is now, and the models that are shown. */
function look(of: Study, models: ReadonlySet<number>): Look {
  const style = getComputedStyle(document.documentElement);
  const colour = (name: string) => style.getPropertyValue(name).trim();
  return {
    text: colour("--text"),
    muted: colour("--muted"),
    rule: colour("--rule"),
    accent: colour("--accent"),
    font: getComputedStyle(document.body).fontFamily,
    models: of.models
      .map(({ title }, place) => ({ title, place, symbol: symbolOf(place, dark.matches) }))
      .filter(({ place }) => models.has(place)),
  };
}

const many = (n: number, what: string) => `${n} ${what}${n === 1 ? "" : "s"}`;

function explore(container: HTMLElement, of: Study, columns: Rows): void {
  const all = rowsOf(of, columns);
  if (all.length === 0) {
    container.append(element("p", { class: "none" }, "No scan of the test set has been measured."));
    return;
  }
  const cases = new Set(of.cases);
  let shown: Row[] = all;

  const form = filterForm(of, all, () => show());
  const listed = table(of, all, open);
  const views = charts(mark, open);
  const count = element("output", { class: "count" });
  const note = element("span", { class: "note", role: "status" });
  const clear = button("Clear marks", () => show());
  const hollow = all.some((row) => row.failure !== null) ? " Hollow: there is no prediction." : "";
  const hint = element(
    "p",
    { class: "hint" },
    "Drag over a chart, or write a range below it, to mark points: the other charts and the table follow. ",
    `A point opens its case.${hollow}`,
  );

  function open({ scan, model, lesion }: Row): void {
    if (!cases.has(scan)) note.textContent = `No file of a case is there for ${scan}.`;
    else openCase({ scan, model: of.models[model]?.key ?? "", lesion: of.lesions[lesion]?.key ?? "" });
  }

  function tell(chosen: number): void {
    const marked = chosen < shown.length ? `, ${chosen} marked` : "";
    count.textContent = `${many(shown.length, "row")} of ${all.length}${marked}`;
    note.textContent = "";
  }

  /** Rows by the filters, none of them marked. */
  function show(): void {
    const filters = form.filters();
    shown = filtered(all, filters);
    views.show(shown, look(of, filters.models));
    listed.show(shown);
    clear.hidden = true;
    tell(shown.length);
  }

  function mark(brushes: Brush[]): void {
    const chosen = shown.filter((row) => within(row, brushes));
    const places = new Set(chosen.map((row) => row.place));
    views.choose((row) => places.has(row.place));
    listed.show(chosen);
    clear.hidden = brushes.every((brush) => Object.keys(brush).length === 0);
    tell(chosen.length);
  }

  const status = element("p", { class: "status" }, count, " ", clear, " ", note);
  container.append(form.element, status, hint, views.element, listed.element);
  show();
  dark.addEventListener("change", () => views.recolour(look(of, form.filters().models)));
}

const container = document.getElementById("explorer");
const [known, measured] = [study(), rows()];
if (container && known && measured) explore(container, known, measured);
