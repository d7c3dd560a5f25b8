/** The rows of the explorer as a table: sorted by any column, a page at a time. */

import { button, element } from "./controls.ts";
import { PRESENCE_WORDS, pageOf, type Row, sorted } from "./explorer_rows.ts";
import { numberFrom, type Study } from "./headct.ts";
import { reachable } from "./numbers.ts";
import { DASH, printed } from "./printed.ts";

/** Rows of a page; on a phone, where each is a block of its own, fewer. */
const SIZE = matchMedia("(max-width: 640px)").matches ? 8 : 25;

interface Column {
  key: keyof Row;
  title: string;
  /** Of a number, as in the column of the same name of the table of measures. */
  decimals?: number;
  /** Whether it is there even where it is the same in all rows. */
  always?: boolean;
}

const COLUMNS: readonly Column[] = [
  { key: "scan", title: "Scan", always: true },
  { key: "site", title: "Site" },
  { key: "model_title", title: "Model", always: true },
  { key: "lesion_name", title: "Lesion" },
  { key: "dice", title: "Dice", decimals: 3, always: true },
  { key: "reference_ml", title: "Reference (mL)", decimals: 2, always: true },
  { key: "predicted_ml", title: "Predicted (mL)", decimals: 2, always: true },
  { key: "volume_error_ml", title: "Difference (mL)", decimals: 2, always: true },
  { key: "hd95_mm", title: "HD95 (mm)", decimals: 1 },
  { key: "presence", title: "Presence" },
  { key: "failure", title: "Why no prediction" },
];

/** The columns in which the rows of a study differ, and those that each table has. */
function columnsOf(rows: readonly Row[]): Column[] {
  return COLUMNS.filter(({ key, always }) => always || rows.some((row) => row[key] !== rows[0]?.[key]));
}

export interface Table {
  element: HTMLElement;
  show(rows: readonly Row[]): void;
}

/**
 * The table, empty at first; the lowest Dice first.
 *
 * @param all rows of the study, which decide on the columns.
 * @param onOpen called with the row whose scan is to be shown.
 */
export function table(study: Study, all: readonly Row[], onOpen: (row: Row) => void): Table {
  const cases = new Set(study.cases);
  const columns = columnsOf(all);
  const state = { rows: [] as readonly Row[], by: "dice" as keyof Row, descending: false, page: 0 };
  const body = element("tbody");
  const place = element("span", { class: "place", role: "status" });
  const previous = button("Previous", () => turn(-1));
  const next = button("Next", () => turn(1));

  const heads = columns.map((column) => {
    const sort = button(column.title, () => {
      state.descending = state.by === column.key && !state.descending;
      state.by = column.key;
      state.page = 0;
      update();
    });
    return element("th", { scope: "col", class: column.decimals ? "" : "words" }, sort);
  });

  function turn(by: number): void {
    state.page += by;
    update();
  }

  function cell(row: Row, { key, title, decimals }: Column): HTMLElement {
    const value = row[key];
    if (key === "scan") return element("th", { scope: "row" }, scanName(row));
    const shown = element("td", { "data-heading": title, class: decimals ? "" : `words ${key}` });
    if (value === null) shown.append(DASH);
    else if (decimals && typeof value === "number") {
      shown.append(numberFrom(value, printed(value, decimals), source(row, key)));
    } else {
      const word = key === "presence" ? PRESENCE_WORDS[value] : undefined;
      shown.append(element("span", { class: "name" }, word ?? String(value)));
    }
    return shown;
  }

  function source(row: Row, column: string) {
    const model = study.models[row.model]?.key ?? "";
    const label = study.lesions[row.lesion]?.key ?? "";
    return { file: `metrics/${model}.tsv`, row: { scan_id: row.scan, label }, column };
  }

  /** A button where the scan has a case to be opened. */
  function scanName(row: Row): HTMLElement {
    if (!cases.has(row.scan)) return element("span", { class: "name" }, row.scan);
    const opens = button(row.scan, () => onOpen(row));
    opens.classList.add("name", "opens");
    opens.setAttribute("aria-label", `Open ${row.scan}, ${row.model_title}, ${row.lesion_name}`);
    return opens;
  }

  function update(): void {
    const page = pageOf(sorted(state.rows, state.by, state.descending), state.page, SIZE);
    state.page = page.number;
    heads.forEach((head, i) => {
      const way = state.descending ? "descending" : "ascending";
      head.setAttribute("aria-sort", columns[i]?.key === state.by ? way : "none");
    });
    body.replaceChildren(
      ...page.rows.map((row) => element("tr", {}, ...columns.map((column) => cell(row, column)))),
    );
    reachable(whole);
    place.textContent = `Page ${page.number + 1} of ${page.pages}`;
    previous.disabled = page.number === 0;
    next.disabled = page.number === page.pages - 1;
  }

  const caption = element("caption", {}, "Each scan, model and lesion; a heading sorts, a scan opens.");
  const head = element("thead", {}, element("tr", {}, ...heads));
  const whole = element("table", { class: "rows" }, caption, head, body);
  return {
    element: element(
      "div",
      { class: "rows-by-page" },
      element(
        "div",
        { class: "scroll", tabindex: "0", role: "region", "aria-label": "Table of rows" },
        whole,
      ),
      element("div", { class: "pages" }, previous, place, next),
    ),
    show(rows) {
      state.rows = rows;
      state.page = 0;
      update();
    },
  };
}
