/** Orders in which cases are gone through in a review. */

import type { Kind, Rows, Study } from "./headct.ts";

export type Order =
  | "worst"
  | "best"
  | "disputed by Dice"
  | "disputed by volume"
  | "random"
  | "as listed"
  | "remarks first";

/** The orders that a review of some kind may have, the usual one first: without predictions there is no worst. */
export const ORDERS: Readonly<Record<Kind, readonly Order[]>> = {
  results: ["worst", "best", "disputed by Dice", "disputed by volume", "random"],
  quality: ["as listed", "remarks first", "random"],
};

/** What decides the place of a case: the order itself, a seed of the random one, and whose Dice ranks. */
export interface Chosen {
  order: Order;
  /** Of the random order: a whole number, 0 or more. */
  seed: number;
  /** Key of the model whose Dice tells worst from best; empty for the mean over all. */
  model: string;
}

/** The order as it is written beside a decision: with its seed, where it has one. */
export const nameOf = (chosen: Chosen): string =>
  chosen.order === "random" ? `random ${chosen.seed}` : chosen.order;

/**
 * The scans in a chosen order; those of equal rank by their names, or as they are listed where nothing is measured.
 *
 * @param scans that have a case to look at.
 */
export function inOrder(scans: readonly string[], chosen: Chosen, study: Study, rows: Rows): string[] {
  if (chosen.order === "as listed") return [...scans];
  if (chosen.order === "remarks first") {
    const remarks = (scan: string) => study.remarks?.[scan]?.length ?? 0;
    return [...scans].sort((a, b) => remarks(b) - remarks(a));
  }
  const byName = [...scans].sort();
  if (chosen.order === "random") return shuffled(byName, chosen.seed);
  const rank = rankOf(chosen, study, rows);
  const value = (scan: string) => rank.get(scan) ?? Number.POSITIVE_INFINITY; // nothing measured: last
  return byName.sort((a, b) => compare(value(a), value(b)));
}

const compare = (a: number, b: number): number => (a === b ? 0 : a - b);

/** By scan, a number that is small for those that come first. */
function rankOf(chosen: Chosen, study: Study, rows: Rows): Map<string, number> {
  if (chosen.order === "disputed by Dice") return negated(disputed(study, rows, diceOf(rows)));
  if (chosen.order === "disputed by volume") {
    return negated(disputed(study, rows, (row) => rows.predicted_ml[row] ?? null));
  }
  const mean = meanDice(study, rows, chosen.model);
  return chosen.order === "worst" ? mean : negated(mean);
}

const negated = (values: Map<string, number>): Map<string, number> =>
  new Map([...values].map(([scan, value]) => [scan, -value]));

/** The Dice of a row as the statistics score it: 0 where there is no prediction. */
const diceOf =
  (rows: Rows) =>
  (row: number): number | null =>
    rows.failure[row] ? 0 : (rows.dice[row] ?? null);

/** Rows of single lesions (no groups) and of models that are none that predicts nothing. */
function counted(study: Study, rows: Rows): number[] {
  return rows.scan.flatMap((_, row) => {
    const model = study.models[rows.model[row] ?? -1];
    const lesion = study.lesions[rows.lesion[row] ?? -1];
    return model && lesion && !model.trivial && !lesion.group ? [row] : [];
  });
}

/**
 * By scan, the mean Dice over models and lesions, from 0 to 1.
 *
 * Over the lesions that the reference has; over all, where it has none. A missing prediction counts as 0.
 *
 * @param model key of the one that counts; empty for all.
 */
export function meanDice(study: Study, rows: Rows, model = ""): Map<string, number> {
  const dice = diceOf(rows);
  const chosen = counted(study, rows).filter(
    (row) => model === "" || study.models[rows.model[row] ?? -1]?.key === model,
  );
  const withLesion = grouped(
    chosen.filter((row) => (rows.reference_ml[row] ?? 0) > 0),
    rows,
  );
  const found = new Map<string, number>();
  for (const [scan, ofScan] of grouped(chosen, rows)) {
    const values = (withLesion.get(scan) ?? ofScan).flatMap((row) => dice(row) ?? []);
    if (values.length > 0) found.set(scan, sum(values) / values.length);
  }
  return found;
}

/**
 * By scan, how far models lie apart: the standard deviation (divided by n) of a measure over the models, of the lesion
 * in which it is largest. 0 for a scan that one model alone has.
 *
 * Of Dice it is from 0 to 0.5; of predicted volumes it is in mL, so that large lesions come first.
 *
 * @param measure of a row; null where it has none.
 */
export function disputed(
  study: Study,
  rows: Rows,
  measure: (row: number) => number | null,
): Map<string, number> {
  const found = new Map<string, number>();
  for (const [scan, ofScan] of grouped(counted(study, rows), rows)) {
    const byLesion = new Map<number, number[]>();
    for (const row of ofScan) {
      const value = measure(row);
      const lesion = rows.lesion[row] ?? -1;
      if (value !== null) byLesion.set(lesion, [...(byLesion.get(lesion) ?? []), value]);
    }
    if (byLesion.size > 0) found.set(scan, Math.max(...[...byLesion.values()].map(standardDeviation)));
  }
  return found;
}

function grouped(chosen: readonly number[], rows: Rows): Map<string, number[]> {
  const found = new Map<string, number[]>();
  for (const row of chosen) {
    const scan = rows.scan[row] ?? "";
    found.set(scan, [...(found.get(scan) ?? []), row]);
  }
  return found;
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

function standardDeviation(values: readonly number[]): number {
  const mean = sum(values) / values.length;
  return Math.sqrt(sum(values.map((value) => (value - mean) ** 2)) / values.length);
}

/** Fisher and Yates' shuffle by the generator mulberry32 (Tommy Ettinger, public domain): equal seeds, equal orders. */
export function shuffled<Item>(items: readonly Item[], seed: number): Item[] {
  const found = [...items];
  const random = mulberry32(seed);
  for (let last = found.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    [found[last], found[other]] = [found[other] as Item, found[last] as Item];
  }
  return found;
}

/** Numbers from 0 to below 1, as many as are asked for. */
function mulberry32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
