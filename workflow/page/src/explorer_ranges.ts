/** Ranges written as numbers below a chart: what is marked there, for whoever can't drag over it. */

import { element } from "./controls.ts";
import type { Axis, Chart } from "./explorer_charts.ts";
import type { Brush } from "./explorer_rows.ts";

/** Digits behind the point of what was marked with the mouse. */
const decimalsOf = ({ measure }: Axis) => (measure === "dice" ? 3 : 2);

export interface Ranges {
  element: HTMLElement;
  /** Write what is marked in the chart; of a measure that is not, nothing. */
  show(brush: Brush): void;
}

/** Both ends that are written, or one of them; null where there is none. */
function written(from: HTMLInputElement, to: HTMLInputElement): [number, number] | null {
  const ends = [from.valueAsNumber, to.valueAsNumber] as const;
  if (ends.every(Number.isNaN)) return null;
  return [Number.isNaN(ends[0]) ? -Infinity : ends[0], Number.isNaN(ends[1]) ? Infinity : ends[1]];
}

/**
 * Two fields for each axis of a chart.
 *
 * @param onWrite called with what is marked by all of them.
 */
export function ranges({ title, x, y }: Chart, onWrite: (brush: Brush) => void): Ranges {
  const fields = [x, ...(y ? [y] : [])].map((axis) => {
    const [from, to] = ["from", "to"].map((end) =>
      element("input", { type: "number", step: "any", "aria-label": `${axis.title}, ${end}` }),
    ) as [HTMLInputElement, HTMLInputElement];
    return { axis, from, to };
  });
  const read = () => {
    const marked = fields.map(({ axis, from, to }) => [axis.measure, written(from, to)]);
    onWrite(Object.fromEntries(marked.filter(([, ends]) => ends)));
  };
  for (const input of fields.flatMap(({ from, to }) => [from, to])) input.addEventListener("input", read);
  return {
    element: element(
      "div",
      { class: "ranges", role: "group", "aria-label": `Marked in ${title}` },
      ...fields.map(({ axis, from, to }) =>
        element("div", {}, element("span", {}, axis.title), " ", from, " to ", to),
      ),
    ),
    show(brush) {
      for (const { axis, from, to } of fields) {
        const ends = brush[axis.measure];
        const [low, high] = ends ? [Math.min(...ends), Math.max(...ends)] : [null, null];
        from.value = low?.toFixed(decimalsOf(axis)) ?? "";
        to.value = high?.toFixed(decimalsOf(axis)) ?? "";
      }
    },
  };
}
