/** Volumes and measures of a case, beside its pictures: as the tables of the results have them. */

import { numberFrom, type Rows, rows, type Source, study } from "./headct.ts";
import { DASH, printed } from "./printed.ts";

/** A column of the table: its head, the measure, and how it is printed. */
const COLUMNS: { head: string; measure: keyof Rows; digits: number }[] = [
  { head: "Reference, mL", measure: "reference_ml", digits: 1 },
  { head: "Predicted, mL", measure: "predicted_ml", digits: 1 },
  { head: "Error, mL", measure: "volume_error_ml", digits: 1 },
  { head: "Dice", measure: "dice", digits: 3 },
  { head: "HD95, mm", measure: "hd95_mm", digits: 1 },
];

/** The table of a scan's measures by some models, or of the reference; null where the page has none of it. */
export function measuresOf(scan: string, models: readonly string[]): HTMLElement | null {
  const [all, about] = [rows(), study()];
  if (!all || !about) return null;
  const columns = COLUMNS.filter(({ measure }) => all[measure]?.some((value) => value !== null));
  const from = (key: string, label: string, measure: string): Source =>
    about.volumes
      ? { file: about.volumes, row: { scan_id: scan }, column: `${label}_ml` }
      : { file: `metrics/${key}.tsv`, row: { scan_id: scan, label }, column: measure };
  const table = document.createElement("table");
  const head = table.createTHead().insertRow();
  for (const words of ["Map", "Lesion", ...columns.map((column) => column.head)]) {
    const cell = document.createElement("th");
    cell.scope = "col";
    cell.textContent = words;
    head.append(cell);
  }
  const body = table.createTBody();
  for (const key of models) {
    const model = about.models.findIndex((one) => one.key === key);
    const own = all.scan.flatMap((name, n) => (name === scan && all.model[n] === model ? [n] : []));
    for (const [place, n] of own.entries()) {
      const row = body.insertRow();
      if (place === 0) {
        const name = document.createElement("th");
        name.scope = "rowgroup";
        name.rowSpan = own.length;
        name.className = "name";
        name.textContent = about.models[model]?.title ?? key;
        row.append(name);
      }
      const lesion = about.lesions[all.lesion[n] as number]?.key ?? "";
      const label = document.createElement("th");
      label.scope = "row";
      label.className = "name";
      label.textContent = lesion;
      row.append(label);
      fill(row, all, n, columns, (measure) => from(key, lesion, measure));
    }
  }
  if (!body.rows.length) return null;
  const scrolled = document.createElement("div");
  scrolled.className = "viewer-measures";
  scrolled.tabIndex = 0;
  scrolled.setAttribute("role", "region");
  scrolled.setAttribute("aria-label", `Volumes and measures of ${scan}`);
  scrolled.append(table);
  return scrolled;
}

function fill(
  row: HTMLTableRowElement,
  all: Rows,
  n: number,
  columns: typeof COLUMNS,
  from: (measure: string) => Source,
): void {
  const failure = all.failure[n];
  if (failure) {
    const cell = row.insertCell();
    cell.colSpan = columns.length;
    cell.textContent = `no prediction: ${failure}`;
    return;
  }
  for (const { head, measure, digits } of columns) {
    const cell = row.insertCell();
    cell.dataset.heading = head; // of each number on a phone, where the head of the table is not seen
    const value = all[measure]?.[n];
    if (typeof value !== "number") cell.textContent = DASH;
    else cell.append(numberFrom(value, printed(value, digits), from(measure)));
  }
}
