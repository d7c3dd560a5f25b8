/** The viewer of cases, a script of its own beside them: the page does without it where no case is at hand. */

import { NVImage } from "@niivue/niivue";
import { button, choice, element, select, slider } from "./controls.ts";
import { type CaseFile, type Shown, shared, study, TRUTH, type Viewer } from "./headct.ts";
import { measuresOf } from "./measures.ts";
import { reachable } from "./numbers.ts";
import { AXES } from "./outlines.ts";
import type { Look } from "./overlay.ts";
import { Panel } from "./panel.ts";
import { printed } from "./printed.ts";
import { Stack, type Triple } from "./stack.ts";

/** Windows of HU that are common in reading head CT. */
const WINDOWS = {
  brain: { title: "Brain", level: 40, width: 80 },
  blood: { title: "Blood", level: 80, width: 200 },
  bone: { title: "Bone", level: 600, width: 2800 },
} as const;
type WindowName = keyof typeof WINDOWS;

const PLANES = { axial: "Axial", coronal: "Coronal", sagittal: "Sagittal", all: "All three" } as const;
const MAPS = { outlines: "Outlines", fills: "Fills", difference: "Difference" } as const;
/** Of the Okabe–Ito colours, for lesions that the page says no colour of. */
const COLOURS = ["#D55E00", "#56B4E9", "#F0E442", "#009E73", "#CC79A7", "#E69F00", "#0072B2"];
const INT16 = 4;

class CaseViewer implements Viewer {
  readonly #root = element("div", { class: "viewer" });
  readonly #heading = element("h3", { class: "name" });
  readonly #said = element("p", { class: "viewer-said name", "aria-live": "polite" });
  readonly #remarks = element("p", { class: "viewer-remarks name" });
  readonly #tilt = element("p", { class: "viewer-tilt name" });
  readonly #measures = element("div");
  readonly #help = element("p");
  /** The pictures, of which the second is hidden unless two are compared. */
  readonly panels = [
    new Panel("Maps in the picture", () => this.#measure()),
    new Panel("Maps in the second picture", () => this.#measure()),
  ];
  readonly #compared = button(
    "Two pictures",
    () => void this.#compare(this.panels[1]?.element.hidden === true),
    false,
  );
  readonly #length = button("Measure a length", () => this.#drag(this.#length.ariaPressed !== "true"), false);
  readonly #slices = slider("Slice", [1, 1, 1], 1, (slice) => this.#scrollTo(slice - 1));
  readonly #opacity = slider("Opacity of maps", [0.1, 1, 0.1], 0.9, () => this.#look());
  readonly #window = choice<WindowName>(
    "Window",
    { brain: WINDOWS.brain.title, blood: WINDOWS.blood.title, bone: WINDOWS.bone.title },
    "brain",
    () => this.#look(),
  );
  readonly #plane = choice<Look["plane"]>("Plane", PLANES, "axial", () => this.#look());
  readonly #style = choice<Look["maps"]>("Maps", MAPS, "outlines", () => this.#look());
  readonly #lesions = select("Lesion", [], () => this.#look());
  #asked: CaseFile | null = null;
  #stack: Stack | null = null;
  #image: NVImage | null = null;

  constructor() {
    const zoom = element("div", { class: "viewer-buttons" });
    zoom.append(
      button("Larger", () => this.#zoom(1.25)),
      button("Smaller", () => this.#zoom(0.8)),
      button("Whole", () => this.#zoom(0)),
      this.#length,
      this.#compared,
    );
    const controls = element("div", { class: "viewer-controls" });
    controls.append(this.#window.element, this.#plane.element, this.#style.element, this.#lesions.element);
    controls.append(this.#opacity.element, this.#slices.element, zoom);
    const pictures = element("div", { class: "viewer-pictures" });
    for (const { element, pane } of this.panels) {
      pictures.append(element);
      pane.onMove = (moved) => this.#moved(moved);
      pane.onLength = (mm) => this.#say(`Length: ${printed(mm, 1)} mm.`);
      pane.canvas.addEventListener("wheel", (event) => this.#wheel(event), { capture: true, passive: false });
      // Keys are the viewer's own, not NiiVue's.
      pane.canvas.addEventListener("keydown", (event) => this.#key(event), { capture: true });
      pane.canvas.addEventListener("keyup", (event) => event.stopImmediatePropagation(), { capture: true });
    }
    this.panels[1]?.element.toggleAttribute("hidden", true);
    this.#root.addEventListener("keydown", (event) => this.#key(event));
    const summary = element("summary", {}, "How to use the viewer");
    const help = element("details", { class: "viewer-help name" }, summary, this.#help);
    this.#root.append(
      this.#heading,
      this.#remarks,
      controls,
      pictures,
      this.#tilt,
      this.#said,
      help,
      this.#measures,
    );
  }

  prepare(): Promise<unknown> {
    return (this.panels[0] as Panel).pane.prepare();
  }

  async show(file: CaseFile, { element: place, model, lesion }: Shown): Promise<void> {
    this.#asked = file;
    if (this.#root.parentElement !== place) place.append(this.#root);
    const stack = new Stack(file);
    const image = await imageOf(stack);
    if (this.#asked !== file) return; // another one was asked for since
    this.#stack = stack;
    this.#image = image;
    this.#heading.textContent = file.scan;
    const remarks = study()?.remarks?.[file.scan] ?? [];
    this.#remarks.textContent = remarks.length ? `Remarks of the checks: ${remarks.join(", ")}.` : "";
    this.#offerWhatThereIs(file);
    this.#window.element.hidden = !file.hounsfield;
    const names: [string, string][] = file.lesions.map((name, n) => [String(n + 1), name]);
    this.#lesions.input.replaceChildren();
    for (const [value, words] of [["0", "all lesions"] as [string, string], ...names]) {
      this.#lesions.input.append(element("option", { value }, words));
    }
    const value = file.lesions.indexOf(lesion ?? "") + 1;
    this.#lesions.input.value = String(value);
    this.#say("");
    const models = Object.keys(file.maps).filter((name) => name !== TRUTH);
    const first = model !== undefined && models.includes(model) ? model : this.#firstOf(models);
    const [left, right] = this.panels as [Panel, Panel];
    const look = this.#current();
    const voxel = await fullestSlice(stack, [TRUTH, first], value);
    try {
      await left.open(stack, image, look, [TRUTH, first]);
      if (!right.element.hidden) await right.open(stack, image, look, [TRUTH, this.#secondOf(models, first)]);
    } catch (error) {
      this.#stack = null; // nothing is shown, a browser without WebGL2 say: controls do nothing
      throw error;
    }
    left.pane.cursor = voxel;
    this.#tellTilt();
    this.#measure();
  }

  /** A scan without a reference has nothing to be compared with, and one map needs no second picture. */
  #offerWhatThereIs({ maps }: CaseFile): void {
    const hasReference = TRUTH in maps;
    const several = Object.keys(maps).length > 1;
    this.#style.offer("difference", hasReference && several);
    this.#compared.hidden = !several;
    this.#help.textContent = helpOn(hasReference, hasReference && several);
  }

  /** Of some models, the first in the study's order that is more than a reference row. */
  #firstOf(models: string[]): string {
    const before = this.panels[0]?.shown.find((name) => models.includes(name));
    const order = study()?.models.filter(({ trivial }) => !trivial) ?? [];
    return before ?? order.find(({ key }) => models.includes(key))?.key ?? models[0] ?? "";
  }

  #secondOf(models: string[], first: string): string {
    const before = this.panels[1]?.shown.find((name) => models.includes(name));
    return before ?? models.find((name) => name !== first) ?? first;
  }

  #current(): Look {
    const { level, width } = WINDOWS[this.#window.value];
    const values = this.#stack?.file;
    const all: [number, number] = [values?.hu[0] ?? 0, values?.hu.at(-1) ?? 255];
    const lesions = values?.lesions ?? [];
    const known = study()?.lesions ?? [];
    this.#opacity.output.value = `${Math.round(this.#opacity.input.valueAsNumber * 100)} %`;
    return {
      plane: this.#plane.value,
      window: values?.hounsfield === false ? all : [level - width / 2, level + width / 2],
      maps: this.#style.value,
      opacity: this.#opacity.input.valueAsNumber,
      lesion: Number(this.#lesions.input.value),
      colours: lesions.map(
        (name, n) => known.find(({ key }) => key === name)?.colour ?? COLOURS[n] ?? "#fff",
      ),
    };
  }

  #look(): void {
    const look = this.#current();
    if (!this.#stack) return;
    for (const panel of this.#seen()) panel.look(look);
    this.#tellTilt();
    this.#tellPlace();
  }

  #seen(): Panel[] {
    return this.panels.filter(({ element }) => !element.hidden);
  }

  async #compare(two = true): Promise<void> {
    const [left, right] = this.panels as [Panel, Panel];
    right.element.hidden = !two;
    this.#compared.ariaPressed = String(two);
    if (two && this.#stack && this.#image) {
      const models = Object.keys(this.#stack.file.maps).filter((name) => name !== TRUTH);
      const first = left.shown.find((name) => name !== TRUTH) ?? "";
      await right.open(this.#stack, this.#image, this.#current(), [TRUTH, this.#secondOf(models, first)]);
      right.pane.follow(left.pane);
    }
    this.#measure();
  }

  #drag(isLength: boolean): void {
    this.#length.ariaPressed = String(isLength);
    for (const { pane } of this.panels) {
      pane.drag(isLength ? "length" : "cursor");
      pane.canvas.style.cursor = isLength ? "crosshair" : "";
      if (!isLength) pane.forget();
    }
    this.#say(isLength ? "Drag from one point to another." : "");
    this.#look();
  }

  #zoom(factor: number): void {
    this.panels[0]?.pane.zoom(factor);
  }

  #moved(moved: Panel["pane"]): void {
    for (const { pane } of this.#seen()) if (pane !== moved) pane.follow(moved);
    this.#tellPlace();
  }

  /** The axis along which slices are leafed through, its size, and where the cursor is on it. */
  #along(): { axis: 0 | 1 | 2; size: number; at: number; cursor: Triple } | null {
    const pane = this.panels[0]?.pane;
    if (!pane || !this.#stack) return null;
    const plane = this.#plane.value;
    const axis = AXES[plane === "all" ? "axial" : plane][2];
    const cursor = pane.cursor;
    return { axis, size: this.#stack.shape[axis], at: cursor[axis], cursor };
  }

  #scrollTo(slice: number): void {
    const along = this.#along();
    const pane = this.panels[0]?.pane;
    if (!along || !pane) return;
    const cursor: Triple = [...along.cursor];
    cursor[along.axis] = Math.min(along.size - 1, Math.max(0, slice));
    pane.cursor = cursor;
  }

  /** What NiiVue shows shorter than it is: among all three planes, it shows axial ones from above. */
  #tellTilt(): void {
    const tilt_deg = this.#plane.value === "all" ? (this.#stack?.tilt_deg ?? 0) : 0;
    const said = `The slices are tilted by ${printed(tilt_deg, 1)}°. Among all three planes they are seen from above, so the axial picture is shorter than the slice; “Axial” shows it as it is.`;
    this.#tilt.textContent = tilt_deg > 0.5 ? said : "";
  }

  #tellPlace(): void {
    const along = this.#along();
    if (!along || !this.#stack) return;
    const { input, output } = this.#slices;
    input.max = String(along.size);
    input.value = String(along.at + 1);
    const mm = along.axis === 2 ? `, ${printed(this.#stack.file.positions_mm[along.at] ?? 0, 1)} mm` : "";
    output.value = `${along.at + 1} of ${along.size}${mm}`;
    input.setAttribute("aria-valuetext", output.value);
  }

  #wheel(event: WheelEvent): void {
    event.preventDefault();
    event.stopImmediatePropagation();
    const along = this.#along();
    if (along && event.deltaY) this.#scrollTo(along.at - Math.sign(event.deltaY));
  }

  #key(event: KeyboardEvent): void {
    const target = event.target as HTMLElement;
    if (target instanceof HTMLCanvasElement) event.stopImmediatePropagation();
    if (event.ctrlKey || event.metaKey || event.altKey || target.matches("input, select")) return;
    const along = this.#along();
    const panel = this.panels[0];
    if (!along || !panel) return;
    const opacity = this.#opacity.input;
    const actions: Record<string, () => void> = {
      ArrowUp: () => this.#scrollTo(along.at + 1),
      ArrowDown: () => this.#scrollTo(along.at - 1),
      PageUp: () => this.#scrollTo(along.at + 5),
      PageDown: () => this.#scrollTo(along.at - 5),
      Home: () => this.#scrollTo(0),
      End: () => this.#scrollTo(along.size - 1),
      1: () => this.#window.choose("brain"),
      2: () => this.#window.choose("blood"),
      3: () => this.#window.choose("bone"),
      a: () => this.#plane.choose("axial"),
      c: () => this.#plane.choose("coronal"),
      s: () => this.#plane.choose("sagittal"),
      m: () => this.#plane.choose("all"),
      o: () => this.#style.choose(this.#style.value === "outlines" ? "fills" : "outlines"),
      d: () => this.#style.choose(this.#style.value === "difference" ? "outlines" : "difference"),
      t: () => void panel.choose(TRUTH, !panel.shown.includes(TRUTH)),
      l: () => this.#length.click(),
      "[": () => opacity.stepDown(),
      "]": () => opacity.stepUp(),
    };
    const action = actions[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!action) return;
    event.preventDefault();
    event.stopPropagation();
    action();
    if (event.key === "[" || event.key === "]") this.#look();
  }

  #say(words: string): void {
    this.#said.textContent = words;
  }

  #measure(): void {
    const file = this.#stack?.file;
    if (!file) return;
    const shown = [...new Set(this.#seen().flatMap(({ shown }) => shown))];
    const models = shown.filter((name) => name !== TRUTH);
    const table = measuresOf(file.scan, models.length ? models : shown);
    this.#measures.replaceChildren(...(table ? [table] : []));
    reachable(this.#measures);
  }
}

/** How the viewer is used, without what a case has not. */
function helpOn(hasReference: boolean, hasDifference: boolean): string {
  return [
    "Right of the patient on the left. Axial pictures are the slices as they were acquired; coronal and sagittal ones lie",
    "along the way of the table, with each slice where it was, tilted as it was. The position in mm is along the slices' normal, from the lowest one.",
    "With a picture in focus: arrow keys, Page Up and Down, Home and End leaf through the slices, 1 2 3 choose the window, A C S M the plane,",
    hasDifference ? "O and D outlines, fills and differences," : "O outlines or fills,",
    hasReference
      ? "T the reference, [ and ] the opacity, L measures a length."
      : "[ and ] the opacity, L measures a length.",
    "Drag with the right button to move what is enlarged.",
  ].join(" ");
}

/** The CT of a stack as NiiVue takes it. */
function imageOf(stack: Stack): Promise<NVImage> {
  return stack.hounsfield().then((hu) => {
    const [x, y] = stack.shape;
    const size = [x, y, stack.planes.count];
    const bytes = new Uint8Array(hu.buffer);
    const file = NVImage.createNiftiArray(size, [...stack.sizes_mm], stack.affine, INT16, bytes);
    const { level, width } = WINDOWS.brain;
    const [low, high] = [level - width / 2, level + width / 2];
    const byName = undefined as never; // it is told by the name's end
    // Colormap, opacity, no file beside it, the window, and what follows is as by default.
    return NVImage.new(
      file.buffer,
      "ct.nii",
      "gray",
      1,
      null,
      low,
      high,
      true,
      0.02,
      false,
      false,
      "",
      0,
      byName,
      Number.NaN,
      Number.NaN,
      false,
      null,
      0,
      null,
    );
  });
}

/** The middle voxel of the slice in which the first map that has any has most of a lesion; 0: of all. */
async function fullestSlice(stack: Stack, maps: string[], lesion: number): Promise<Triple> {
  const [x, y, slices] = stack.shape;
  const middle: Triple = [Math.floor(x / 2), Math.floor(y / 2), Math.floor(slices / 2)];
  for (const name of maps) {
    const voxels = await stack.map(name);
    if (!voxels) continue;
    const counts = new Array<number>(slices).fill(0);
    for (let n = 0; n < voxels.length; n++) {
      const value = voxels[n] as number;
      if (value && (!lesion || value === lesion)) (counts[Math.floor(n / (x * y))] as number)++;
    }
    const most = Math.max(...counts);
    if (!most) continue;
    const slice = counts.indexOf(most);
    const sum = [0, 0];
    for (let n = slice * x * y; n < (slice + 1) * x * y; n++) {
      const value = voxels[n] as number;
      if (!value || (lesion && value !== lesion)) continue;
      sum[0] = (sum[0] as number) + (n % x);
      sum[1] = (sum[1] as number) + (Math.floor(n / x) % y);
    }
    return [Math.round((sum[0] as number) / most), Math.round((sum[1] as number) / most), slice];
  }
  return middle;
}

shared().viewer = new CaseViewer();
