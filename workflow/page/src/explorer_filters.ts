/** What the explorer looks at, as it is chosen: models, lesion, presence, failures, names. */

import { button, element, select } from "./controls.ts";
import { symbolOf } from "./explorer_charts.ts";
import { FAILURES, type Failures, type Filters, PRESENCES, type Row } from "./explorer_rows.ts";
import type { Lesion, Study } from "./headct.ts";

const SVG = "http://www.w3.org/2000/svg";
const ALL = "all";
/** After the last letter, before all is drawn anew. */
const TYPING_MS = 150;

/** A model's symbol, as in the charts; it has the colour of light or dark by the style sheet. */
function drawnSymbol(model: number): SVGElement {
  const drawn = document.createElementNS(SVG, "svg");
  drawn.setAttribute("viewBox", "-1.2 -1.2 2.4 2.4");
  drawn.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", symbolOf(model, false).path);
  path.style.setProperty("--light", symbolOf(model, false).colour);
  path.style.setProperty("--dark", symbolOf(model, true).colour);
  drawn.append(path);
  return drawn;
}

export interface FilterForm {
  element: HTMLElement;
  filters(): Filters;
}

/**
 * The form: at first all models but the trivial one, and the first lesion.
 *
 * @param rows of the study: of what none has, nothing is asked.
 */
export function filterForm(study: Study, rows: readonly Row[], onChange: () => void): FilterForm {
  const boxes = study.models.map((model, place) => {
    const box = element("input", { type: "checkbox", value: String(place) });
    box.checked = !model.trivial || study.models.length === 1;
    box.addEventListener("change", onChange);
    return box;
  });
  const tick = (all: boolean) => {
    for (const box of boxes) box.checked = all;
    onChange();
  };
  const labels = boxes.map((box, place) =>
    element(
      "label",
      {},
      box,
      drawnSymbol(place),
      element("span", { class: "name" }, study.models[place]?.title ?? ""),
    ),
  );
  const several =
    boxes.length > 1 ? [button("All", () => tick(true)), button("None", () => tick(false))] : [];
  const models = element("fieldset", {}, element("legend", {}, "Models"), ...labels, ...several);

  const inFull = ({ key, title }: Lesion) => (key === title ? key : `${key}: ${title}`);
  const lesions = study.lesions.map((one, place): [string, string] => [String(place), inFull(one)]);
  const lesion = select("Lesion", [...lesions, [ALL, "all"]], onChange);
  const presences = Object.entries(PRESENCES).map(([key, { words }]): [string, string] => [key, words]);
  const presence = select("The lesion is", presences, onChange);
  const failures = select("Scans", Object.entries(FAILURES), onChange);
  const text = element("input", { type: "search", autocomplete: "off", spellcheck: "false" });
  let typing: ReturnType<typeof setTimeout> | undefined;
  text.addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(onChange, TYPING_MS);
  });
  const named = element("label", {}, element("span", {}, "Name of scan or site has"), text);

  const asked = [
    ...(lesions.length > 1 ? [lesion.element] : []),
    presence.element,
    ...(rows.some((row) => row.failure !== null) ? [failures.element] : []),
    named,
  ];
  const form = element("form", { class: "filters", "aria-label": "What is shown" }, models);
  form.append(element("div", { class: "fields" }, ...asked));
  form.addEventListener("submit", (event) => event.preventDefault());
  return {
    element: form,
    filters: () => ({
      models: new Set(boxes.filter((box) => box.checked).map((box) => Number(box.value))),
      lesion: lesion.input.value === ALL ? null : Number(lesion.input.value),
      presence: presence.input.value,
      failures: failures.input.value as Failures,
      text: text.value,
    }),
  };
}
