/**
 * What the scripts of the page share: the study's data, the files of its cases, and how a case is opened.
 *
 * A page opened from disk can't fetch a file, so the study's data stand in the page itself, and each case is a
 * script that calls `headct.registerCase`. Both bundles import this module; what they share lies on `window`.
 */

/** A model, or what stands for one (predicts nothing: `trivial`). */
export interface Model {
  key: string;
  title: string;
  trivial: boolean;
}

/** A lesion, or a group of lesions that is measured as one. */
export interface Lesion {
  key: string;
  title: string;
  /** `#RRGGBB`, on grey CT. */
  colour: string;
  group: boolean;
}

/** `<script id="study">`. */
export interface Study {
  models: Model[];
  lesions: Lesion[];
  /** Scans that have a case file. */
  cases: string[];
  /** By scan the digest of its case, which its file has, too. */
  digests: Record<string, string>;
  /** Scans by the name of an order of them. */
  order: Record<string, string[]>;
  /** Digest of what the results rest on (`results/audit/evidence.json`), or of the images and masks alone. */
  evidence: string;
  /** What a review on this page is of: `quality`, images and masks alone; results, where it is not said. */
  review?: Kind;
  /** What checks have remarked on scans, by scan. */
  remarks?: Record<string, string[]>;
  /** The table with the volumes, a row for each scan, where there is none of measures for each model. */
  volumes?: string;
}

/** `quality`: image and mask alone were looked at; `results`: predictions, too. */
export type Kind = "quality" | "results";

type Measure = (number | null)[];

/** `<script id="rows">`: a row for each scan, model and lesion, in columns; what is missing is null. */
export interface Rows {
  scan: string[];
  /** Index into `Study.models`. */
  model: number[];
  /** Index into `Study.lesions`. */
  lesion: number[];
  dice: Measure;
  reference_ml: Measure;
  predicted_ml: Measure;
  volume_error_ml: Measure;
  hd95_mm: Measure;
  presence: (string | null)[];
  /** Why there is no prediction; empty or null where there is one. */
  failure: (string | null)[];
  site?: (string | null)[];
}

/** What stands in `cases/scans/SCAN.js`. Voxels are stored with x fastest: x to the left, y to the back, z upwards. */
export interface CaseFile {
  scan: string;
  /** Of all that stands in the file. */
  digest: string;
  /** Voxels along x, y and z, cropped to the head within the slices; all slices are there. */
  shape: [number, number, number];
  /** The first column and row that the crop keeps of the scan's grid. */
  crop: [number, number];
  /** 4 x 4, index (x, y, z, 1) of the cropped grid to RAS in mm; its third column is the mean step, shear included. */
  affine: number[][];
  /** Position of each slice along their normal, from the first one. */
  positions_mm: number[];
  /** Increasing values by code: HU, or grey levels where the study's images are windowed for display. */
  hu: number[];
  /** Whether values are HU. */
  hounsfield: boolean;
  /** Whether what lies outside the skull is made air. */
  face_masked: boolean;
  /** Names of the lesions whose values in a map are 1, 2, 3, … */
  lesions: string[];
  /** Base64 of gzip of a code per voxel. */
  ct: string;
  /** By `truth` or key of a model: base64 of gzip of a value per voxel. */
  maps: Record<string, string>;
}

/** Of the map that the raters drew. */
export const TRUTH = "truth";

/** Where a case is to be shown, and what of it first. */
export interface Shown {
  element: HTMLElement;
  model?: string | undefined;
  lesion?: string | undefined;
}

export interface Viewer {
  /** Start what draws, before the first case is asked for. */
  prepare(): Promise<unknown>;
  show(file: CaseFile, shown: Shown): Promise<void>;
}

/** Detail of the event `open-case`. */
export interface OpenCase {
  scan: string;
  model?: string;
  lesion?: string;
}

/** Detail of the event `case-shown`. */
export interface CaseShown {
  scan: string;
}

interface Shared {
  cases: Map<string, CaseFile>;
  registerCase(file: CaseFile): void;
  viewer?: Viewer;
}

declare global {
  interface Window {
    headct?: Shared;
  }
  interface DocumentEventMap {
    "open-case": CustomEvent<OpenCase>;
    "case-shown": CustomEvent<CaseShown>;
  }
}

/** What the scripts of the page share, made by the first that asks. */
export function shared(): Shared {
  if (!window.headct) {
    const cases = new Map<string, CaseFile>();
    window.headct = { cases, registerCase: (file) => void cases.set(file.scan, file) };
  }
  return window.headct;
}

/** Ask for a case to be shown. */
export function openCase(detail: OpenCase): void {
  document.dispatchEvent(new CustomEvent("open-case", { detail }));
}

const parsed = new Map<string, unknown>();

function dataOf<Data>(id: string): Data | null {
  if (!parsed.has(id)) {
    const text = document.getElementById(id)?.textContent;
    parsed.set(id, text ? JSON.parse(text) : null);
  }
  return parsed.get(id) as Data | null;
}

/** The study, null on a page without one. */
export const study = (): Study | null => dataOf<Study>("study");

/** The measures of all scans, null on a page without any. */
export const rows = (): Rows | null => dataOf<Rows>("rows");

/** Where a number that is shown stands: file below the results, the cells that name its row, its column. */
export interface Source {
  file: string;
  row: Record<string, string | number>;
  column: string;
}

/** A number in visible text, with where it is from: `value` as in the table, `text` as it is printed. */
export function numberFrom(value: number, text: string, source: Source): HTMLDataElement {
  const element = document.createElement("data");
  element.className = "from";
  element.value = String(value);
  element.textContent = text;
  element.dataset.file = source.file;
  element.dataset.row = JSON.stringify(source.row);
  element.dataset.column = source.column;
  return element;
}
