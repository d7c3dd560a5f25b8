/** The charts in the page: drawn by Vega, marked with the mouse or by numbers, a point opens its case. */

import * as vega from "vega";
import { compile } from "vega-lite";
import { element } from "./controls.ts";
import { type Axis, CHARTS, type Chart, drawn, type Look, specification } from "./explorer_charts.ts";
import { type Ranges, ranges } from "./explorer_ranges.ts";
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
  ranges: Ranges;
  note: HTMLElement;
  rows: Row[];
  vega?: vega.View;
  /** Whether it is being drawn, or its mark of what was written: what it tells of its mark then is no news. */
  isDrawing: boolean;
}

export interface Views {
  element: HTMLElement;
  /** Draw other rows; what was marked is marked no more. */
  show(rows: readonly Row[], look: Look): void;
  /** Draw the same rows in other colours; what is marked stays marked. */
  recolour(look: Look): void;
  /** Fade all rows but those that are chosen. */
  choose(chosen: (row: Row) => boolean): void;
}

function notDrawn(left: number, all: number, { lacking }: Chart): string {
  if (left === 0) return all ? "" : "No row is left by what is chosen above.";
  return left === all
    ? `Nothing to draw: all rows are ${lacking}.`
    : `Not drawn: ${left} of ${all} rows, ${lacking}.`;
}

/** Ends in pixels of what is marked along an axis; the whole axis where it is not limited. */
function pixels(made: vega.View, name: "x" | "y", axis: Axis, brush: Brush): number[] {
  const scale = made.scale(name);
  const whole: [number, number] = scale.range();
  const [low, high] = [Math.min(...whole), Math.max(...whole)];
  return (brush[axis.measure] ?? whole.map(scale.invert)).map((end, place) => {
    const pixel = Number.isFinite(end) ? scale(end) : (whole[place] as number);
    return Number.isFinite(pixel) ? Math.min(high, Math.max(low, pixel)) : (whole[0] as number);
  });
}

/** Draw the mark of what was written, as the mouse would have drawn it. */
async function drawMark(view: View, brush: Brush): Promise<void> {
  const { vega: made, chart } = view;
  if (!made) return;
  const none = Object.keys(brush).length === 0;
  view.isDrawing = true;
  made.signal("brush_x", none ? [] : pixels(made, "x", chart.x, brush));
  if (chart.y) made.signal("brush_y", none ? [] : pixels(made, "y", chart.y, brush));
  await made.runAsync();
  view.isDrawing = false;
}

/**
 * The charts, empty at first.
 *
 * @param onMark called with what is marked in each chart, once that changed.
 * @param onOpen called with the row of a point.
 */
export function charts(onMark: (brushes: Brush[]) => void, onOpen: (row: Row) => void): Views {
  const brushes = new Map<string, Brush>();
  let isChosen: (row: Row) => boolean = () => true;
  let waiting: ReturnType<typeof setTimeout> | undefined;

  const mark = (chart: Chart, brush: Brush) => {
    brushes.set(chart.key, brush);
    clearTimeout(waiting);
    waiting = setTimeout(() => onMark([...brushes.values()]), AFTER_MS);
  };

  const views = CHARTS.map((chart) => {
    const view: View = {
      chart,
      plot: element("div", { class: "plot" }),
      ranges: ranges(chart, (brush) => {
        mark(chart, brush);
        void drawMark(view, brush);
      }),
      note: element("p", { class: "none" }),
      rows: [],
      isDrawing: false,
    };
    return view;
  });

  const draw = (view: View, look: Look, brush?: Brush) => {
    view.vega?.finalize();
    view.vega = undefined;
    view.plot.replaceChildren();
    if (!view.rows.length) return;
    const { spec } = compile(specification(view.chart, view.rows, look));
    const made = new vega.View(vega.parse(spec), { renderer: "canvas", container: view.plot, hover: true });
    made.data(
      "rows",
      view.rows.map((row) => drawn(row, isChosen(row))),
    );
    made.addSignalListener("brush", (_, brush) => {
      if (view.isDrawing) return;
      view.ranges.show(brush);
      mark(view.chart, brush);
    });
    made.addEventListener("click", (_, item) => {
      const place = item?.datum?.place;
      const row = view.rows.find((one) => one.place === place);
      if (row) onOpen(row);
    });
    view.vega = made;
    view.isDrawing = true;
    made.runAsync().then(() => {
      view.isDrawing = false;
      if (brush && view.vega === made) void drawMark(view, brush);
    });
  };

  const figure = ({ chart, plot, ranges, note }: View) =>
    element(
      "figure",
      { class: "chart", "data-chart": chart.key },
      element("figcaption", {}, element("strong", {}, chart.title), ` ${chart.about}`),
      plot,
      ranges.element,
      note,
    );

  return {
    element: element("div", { class: "charts" }, ...views.map(figure)),
    show(rows, look) {
      clearTimeout(waiting);
      brushes.clear();
      isChosen = () => true;
      for (const view of views) {
        view.ranges.show({});
        view.rows = rows.filter(view.chart.draws);
        view.note.textContent = notDrawn(rows.length - view.rows.length, rows.length, view.chart);
        view.ranges.element.hidden = view.rows.length === 0;
        draw(view, look);
      }
    },
    recolour(look) {
      for (const view of views) draw(view, look, brushes.get(view.chart.key));
    },
    choose(chosen) {
      isChosen = chosen;
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
