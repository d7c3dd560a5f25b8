/** A pane with the list of the label maps that it shows: the reference and any models. */

import { element } from "./controls.ts";
import { study, TRUTH } from "./headct.ts";
import type { DrawnMap } from "./overlay.ts";
import { DIFFERENCES, type Difference, type Look } from "./overlay.ts";
import { Pane } from "./pane.ts";
import type { Stack } from "./stack.ts";

/** Lines of models, by the order in which they are shown; the reference has none of these, but a whole line. */
const DASHES = [
  [7, 4],
  [2, 4],
  [10, 4, 2, 4],
  [14, 5],
  [5, 2],
  [1, 2],
  [10, 3, 2, 3, 2, 3],
  [20, 5],
];

const REFERENCE = "Reference";

/** What a map is called. */
export const titleOf = (name: string): string =>
  name === TRUTH ? REFERENCE : (study()?.models.find(({ key }) => key === name)?.title ?? name);

/** A line as a map is outlined with, in the colour of the text. */
function sample(dash: number[]): SVGSVGElement {
  const namespace = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(namespace, "svg");
  const line = document.createElementNS(namespace, "line");
  const places = { x1: "0", x2: "34", y1: "5", y2: "5", stroke: "currentColor", "stroke-width": "2" };
  for (const [name, value] of Object.entries(places)) line.setAttribute(name, value);
  if (dash.length) line.setAttribute("stroke-dasharray", dash.join(" "));
  for (const [name, value] of Object.entries({ width: "34", height: "10", "aria-hidden": "true" })) {
    svg.setAttribute(name, value);
  }
  svg.append(line);
  return svg;
}

/** A square in the colour of a lesion. */
function swatch(colour: string): HTMLElement {
  const made = element("i", { class: "viewer-swatch", "aria-hidden": "true" });
  made.style.background = colour;
  return made;
}

export class Panel {
  readonly element = element("div", { class: "viewer-pane" });
  readonly pane = new Pane();
  /** Maps that are shown, the reference first. */
  shown: string[] = [];
  readonly #onChange: () => void;
  readonly #maps = element("fieldset", { class: "viewer-maps" });
  readonly #legend = element("ul", { class: "viewer-legend" });
  readonly #title: string;
  #stack: Stack | null = null;
  #look: Look | null = null;

  constructor(title: string, onChange: () => void) {
    this.#title = title;
    this.#onChange = onChange;
    this.element.append(this.pane.element, this.#legend, this.#maps);
  }

  /** Show a case with some of its maps. */
  async open(stack: Stack, image: Parameters<Pane["open"]>[1], look: Look, shown: string[]): Promise<void> {
    this.#stack = stack;
    this.#look = look;
    const names = Object.keys(stack.file.maps).filter((name) => name !== TRUTH);
    const order = study()?.models.map(({ key }) => key) ?? [];
    names.sort((one, other) => order.indexOf(one) - order.indexOf(other));
    if (TRUTH in stack.file.maps) names.unshift(TRUTH);
    this.shown = names.filter((name) => shown.includes(name));
    this.#maps.replaceChildren(element("legend", {}, this.#title));
    for (const name of names) {
      const input = element("input", { type: "checkbox", value: name });
      input.checked = this.shown.includes(name);
      input.addEventListener("change", () => this.choose(name, input.checked));
      this.#maps.append(element("label", {}, input, element("span", { class: "name" }, titleOf(name))));
    }
    await this.pane.open(stack, image, look);
    await this.#draw();
  }

  /** Show a map, or leave it out. */
  choose(name: string, isShown: boolean): Promise<void> {
    const input = this.#maps.querySelector<HTMLInputElement>(`input[value="${CSS.escape(name)}"]`);
    if (!input) return Promise.resolve();
    input.checked = isShown;
    const checked = this.#maps.querySelectorAll<HTMLInputElement>("input:checked");
    this.shown = [...checked].map(({ value }) => value);
    this.#onChange();
    return this.#draw();
  }

  look(look: Look): void {
    this.#look = look;
    this.pane.look(look);
    void this.#draw();
  }

  /** The maps that are drawn: where differences are, the reference and the first model. */
  get drawn(): string[] {
    if (this.#look?.maps !== "difference") return this.shown;
    const model = this.shown.find((name) => name !== TRUTH);
    return model && this.#stack && TRUTH in this.#stack.file.maps ? [TRUTH, model] : [];
  }

  async #draw(): Promise<void> {
    const stack = this.#stack;
    if (!stack) return;
    const names = this.drawn;
    const voxels = await Promise.all(names.map((name) => stack.map(name)));
    if (stack !== this.#stack || names.join() !== this.drawn.join()) return; // changed meanwhile
    const models = names.filter((name) => name !== TRUTH);
    const dashOf = (name: string) =>
      name === TRUTH ? [] : (DASHES[models.indexOf(name) % DASHES.length] as number[]);
    const maps: DrawnMap[] = names.map((name, n) => ({
      voxels: voxels[n] as Uint8Array,
      dash: dashOf(name),
    }));
    this.pane.show(maps);
    this.#tell(names, dashOf);
  }

  /** What lines and patterns mean, below the picture; and in words for those who do not see it. */
  #tell(names: string[], dashOf: (name: string) => number[]): void {
    const titles = names.map(titleOf);
    const item = (mark: Element, words: string) =>
      element("li", {}, mark, element("span", { class: "name" }, words));
    if (this.#look?.maps === "difference") {
      const several = this.#look.lesion === 0 && (this.#stack?.file.lesions.length ?? 0) > 1;
      const kinds = (Object.keys(DIFFERENCES) as Difference[]).filter(
        (kind) => kind !== "mistaken" || several,
      );
      const marks = kinds.map((kind) =>
        item(element("i", { class: `viewer-${kind}`, "aria-hidden": "true" }), DIFFERENCES[kind].title),
      );
      const [, model] = titles;
      const what = model
        ? `${model} against the reference`
        : "choose a model to compare it with the reference";
      this.#legend.replaceChildren(element("li", { class: "name" }, what), ...(model ? marks : []));
    } else {
      const { lesion = 0, colours = [] } = this.#look ?? {};
      const lesions = this.#stack?.file.lesions ?? [];
      const seen = lesions.filter((_, n) => lesion === 0 || lesion === n + 1);
      const swatches = seen.map((name) => item(swatch(colours[lesions.indexOf(name)] ?? ""), name));
      const lines = names.map((name, n) => item(sample(dashOf(name)), titles[n] as string));
      this.#legend.replaceChildren(...lines, ...(names.length ? swatches : []));
    }
    const scan = this.#stack?.file.scan ?? "";
    const said = titles.length ? `, ${this.#look?.maps}: ${titles.join(", ")}` : "";
    this.pane.canvas.setAttribute("aria-label", `CT of ${scan}${said}`);
  }
}
