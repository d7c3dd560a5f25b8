/** The charts in the page: drawn by Vega, marked with the mouse, a point opens its case. */

import * as vega from "vega";
import { compile } from "vega-lite";
import { element } from "./controls.ts";
import { CHARTS, type Chart, drawn, type Look, specification } from "./explorer_charts.ts";
import type { Brush, Row } from "./explorer_rows.ts";

/** Between the last move of a mark and what follows of it. */
const AFTER_MS = 80;

const { renderer: Canvas, handler } = (vega.renderModule as (name: string) => vega.RenderModule)("canvas");

/**
 * Vega's canvas, drawn by the processor alone. Without a graphics card Chromium would draw thousands of points by a
 * made-up one, for seconds in which it draws nothing else.
 */
class PlainCanvas extends Canvas {
  override resize(...size: Parameters<vega.Renderer["resize"]>): this {
    const { canvas } = this as unknown as { canvas(): HTMLCanvasElement | null };
    canvas.call(this)?.getContext("2d", { willReadFrequently: true }); // it counts for all later ones
    return super.resize(...size);
  }
}
vega.renderModule("canvas", { renderer: PlainCanvas, handler });

interface View {
  chart: Chart;
  plot: HTMLElement;
  note: HTMLElement;
  rows: Row[];
  vega?: vega.View;
}

export interface Views {
  element: HTMLElement;
  /** Draw other rows; what was marked is marked no more. */
  show(rows: readonly Row[], look: Look): void;
  /** Fade all rows but those that are chosen. */
  choose(chosen: (row: Row) => boolean): void;
}

function notDrawn(left: number, all: number, { lacking }: Chart): string {
  if (left === 0) return all ? "" : "No row is left by what is chosen above.";
  return left === all
    ? `Nothing to draw: all rows are ${lacking}.`
    : `Not drawn: ${left} of ${all} rows, ${lacking}.`;
}

/**
 * The charts, empty at first.
 *
 * @param onMark called with what is marked in each chart, once that changed.
 * @param onOpen called with the row of a point.
 */
export function charts(onMark: (brushes: Brush[]) => void, onOpen: (row: Row) => void): Views {
  const brushes = new Map<string, Brush>();
  let waiting: ReturnType<typeof setTimeout> | undefined;
  const views: View[] = CHARTS.map((chart) => ({
    chart,
    plot: element("div", { class: "plot" }),
    note: element("p", { class: "none" }),
    rows: [],
  }));

  const mark = (chart: Chart, brush: Brush) => {
    brushes.set(chart.key, brush);
    clearTimeout(waiting);
    waiting = setTimeout(() => onMark([...brushes.values()]), AFTER_MS);
  };

  const draw = (view: View, look: Look) => {
    view.vega?.finalize();
    view.vega = undefined;
    view.plot.replaceChildren();
    if (!view.rows.length) return;
    const { spec } = compile(specification(view.chart, view.rows, look));
    const made = new vega.View(vega.parse(spec), { renderer: "canvas", container: view.plot, hover: true });
    made.data(
      "rows",
      view.rows.map((row) => drawn(row, true)),
    );
    made.addSignalListener("brush", (_, value) => mark(view.chart, value));
    made.addEventListener("click", (_, item) => {
      const place = item?.datum?.place;
      const row = view.rows.find((one) => one.place === place);
      if (row) onOpen(row);
    });
    made.runAsync();
    view.vega = made;
  };

  const figure = ({ chart, plot, note }: View) =>
    element(
      "figure",
      { class: "chart", "data-chart": chart.key },
      element("figcaption", {}, element("strong", {}, chart.title), ` ${chart.about}`),
      plot,
      note,
    );

  return {
    element: element("div", { class: "charts" }, ...views.map(figure)),
    show(rows, look) {
      clearTimeout(waiting);
      brushes.clear();
      for (const view of views) {
        view.rows = rows.filter(view.chart.draws);
        view.note.textContent = notDrawn(rows.length - view.rows.length, rows.length, view.chart);
        draw(view, look);
      }
    },
    choose(chosen) {
      for (const { vega: made, rows } of views) {
        made?.data(
          "rows",
          rows.map((row) => drawn(row, chosen(row))),
        );
        made?.runAsync();
      }
    },
  };
}
