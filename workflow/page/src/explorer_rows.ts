/** The rows of the explorer: which are shown, and in which order. */

import type { Rows, Study } from "./headct.ts";

/** A scan's measures, by one model, of one lesion. */
export interface Row {
  /** Place in the data; it decides between equal rows. */
  place: number;
  scan: string;
  site: string | null;
  /** Places in the study's models and lesions. */
  model: number;
  lesion: number;
  model_title: string;
  /** Short, as in the tables. */
  lesion_name: string;
  dice: number | null;
  reference_ml: number | null;
  predicted_ml: number | null;
  volume_error_ml: number | null;
  /** Of reference and predicted volume. */
  mean_ml: number | null;
  hd95_mm: number | null;
  presence: string | null;
  failure: string | null;
}

const halfway = (one: number | null, other: number | null) =>
  one === null || other === null ? null : (one + other) / 2;

/** Rows of the columns that stand in the page. */
export function rowsOf(study: Study, columns: Rows): Row[] {
  return columns.scan.map((scan, place) => {
    const model = columns.model[place] ?? -1;
    const lesion = columns.lesion[place] ?? -1;
    const reference_ml = columns.reference_ml[place] ?? null;
    const predicted_ml = columns.predicted_ml[place] ?? null;
    return {
      place,
      scan,
      site: columns.site?.[place] ?? null,
      model,
      lesion,
      model_title: study.models[model]?.title ?? "",
      lesion_name: study.lesions[lesion]?.key ?? "",
      dice: columns.dice[place] ?? null,
      reference_ml,
      predicted_ml,
      volume_error_ml: columns.volume_error_ml[place] ?? null,
      mean_ml: halfway(reference_ml, predicted_ml),
      hd95_mm: columns.hd95_mm[place] ?? null,
      presence: columns.presence[place] ?? null,
      failure: columns.failure[place] || null,
    };
  });
}

/** Where a lesion is, in words, and the presences that it is shown for; present is a volume above 0. */
export const PRESENCES: Record<string, { words: string; of: readonly string[] }> = {
  any: { words: "any", of: [] },
  reference: { words: "in the reference", of: ["TP", "FN"] },
  found: { words: "in both maps", of: ["TP"] },
  missed: { words: "in the reference only (missed)", of: ["FN"] },
  false: { words: "in the prediction only (false)", of: ["FP"] },
  neither: { words: "in neither map", of: ["TN"] },
};

/** A presence by itself, in a word. */
export const PRESENCE_WORDS: Record<string, string> = {
  TP: "in both",
  FN: "missed",
  FP: "false",
  TN: "in neither",
};

export const FAILURES = {
  any: "with and without a prediction",
  with: "with a prediction",
  without: "without a prediction (failed)",
} as const;

export type Failures = keyof typeof FAILURES;

/** What is looked at; of what is null, all. */
export interface Filters {
  models: ReadonlySet<number>;
  lesion: number | null;
  presence: string;
  failures: Failures;
  /** Part of a scan's or site's name. */
  text: string;
}

/** The rows that are looked at, in their order. */
export function filtered(rows: readonly Row[], filters: Filters): Row[] {
  const presences = PRESENCES[filters.presence]?.of ?? [];
  const text = filters.text.trim().toLowerCase();
  return rows.filter(
    (row) =>
      filters.models.has(row.model) &&
      (filters.lesion === null || row.lesion === filters.lesion) &&
      (presences.length === 0 || presences.includes(row.presence ?? "")) &&
      (filters.failures === "any" || (filters.failures === "without") === (row.failure !== null)) &&
      (text === "" || `${row.scan} ${row.site ?? ""}`.toLowerCase().includes(text)),
  );
}

export type Measure = "dice" | "reference_ml" | "predicted_ml" | "volume_error_ml" | "mean_ml" | "hd95_mm";

/** Ends of what is marked in a chart, by measure; of none where nothing is. */
export type Brush = Partial<Record<Measure, readonly [number, number]>>;

/** Whether a row lies within what is marked in every chart. */
export function within(row: Row, brushes: Iterable<Brush>): boolean {
  for (const brush of brushes) {
    for (const [measure, [one, other]] of Object.entries(brush) as [Measure, readonly [number, number]][]) {
      const value = row[measure];
      if (value === null || value < Math.min(one, other) || value > Math.max(one, other)) return false;
    }
  }
  return true;
}

const words = new Intl.Collator("en", { numeric: true });

/** The rows by a column; what is missing comes last, up and down. */
export function sorted(rows: readonly Row[], column: keyof Row, descending: boolean): Row[] {
  const sign = descending ? -1 : 1;
  return [...rows].sort((one, other) => {
    const a = one[column];
    const b = other[column];
    if (a === null || b === null) return Number(a === null) - Number(b === null) || one.place - other.place;
    const order = typeof a === "number" && typeof b === "number" ? a - b : words.compare(`${a}`, `${b}`);
    return sign * order || one.place - other.place;
  });
}

/** One page of so many rows: its number from 0 (the last, where there are fewer), and how many there are. */
export function pageOf(rows: readonly Row[], page: number, size: number) {
  const pages = Math.max(1, Math.ceil(rows.length / size));
  const number = Math.min(Math.max(0, page), pages - 1);
  return { number, pages, rows: rows.slice(number * size, (number + 1) * size) };
}
