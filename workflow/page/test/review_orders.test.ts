import { deepEqual, equal, notDeepEqual } from "node:assert/strict";
import { test } from "node:test";
import type { Rows, Study } from "../src/headct.ts";
import { type Chosen, disputed, inOrder, meanDice, nameOf, ORDERS, shuffled } from "../src/review_orders.ts";

const model = (key: string, trivial = false) => ({ key, title: key, trivial });
const lesion = (key: string, group = false) => ({ key, title: key, colour: "#ff0000", group });

const STUDY: Study = {
  models: [model("one"), model("two"), model("nothing", true)],
  lesions: [lesion("ICH"), lesion("IVH"), lesion("both", true)],
  cases: ["a", "b", "c"],
  digests: {},
  order: {},
  evidence: "e",
};

/** Rows of scan, model, lesion, Dice, reference in mL, predicted mL, and why there is no prediction. */
type Row = [string, number, number, number | null, number, number, string?];

function rowsOf(list: Row[]): Rows {
  const column = <At extends number>(at: At) => list.map((row) => row[at] as Row[At]);
  return {
    scan: column(0),
    model: column(1),
    lesion: column(2),
    dice: column(3),
    reference_ml: column(4),
    predicted_ml: column(5),
    volume_error_ml: list.map(() => null),
    hd95_mm: list.map(() => null),
    presence: list.map(() => null),
    failure: list.map((row) => row[6] ?? ""),
  };
}

const ROWS = rowsOf([
  // a: models agree; the lesion that is absent, and rightly so, does not count
  ["a", 0, 0, 0.8, 10, 10],
  ["a", 1, 0, 0.8, 10, 10],
  ["a", 0, 1, 1, 0, 0],
  ["a", 1, 1, 1, 0, 0],
  // b: one model misses the lesion
  ["b", 0, 0, 0.9, 10, 9],
  ["b", 1, 0, 0.1, 10, 1],
  // c: one model crashed, whose Dice is that of an empty map
  ["c", 0, 0, 0.7, 100, 80],
  ["c", 1, 0, 1, 100, 0, "crashed"],
  // what predicts nothing, and groups, count nowhere
  ["a", 2, 0, 0, 10, 0],
  ["a", 0, 2, 0, 10, 99],
]);

const chosen = (more: Partial<Chosen>): Chosen => ({ order: "worst", seed: 1, model: "", ...more });
const order = (more: Partial<Chosen>) => inOrder(["c", "a", "b"], chosen(more), STUDY, ROWS);
const rounded = (values: Map<string, number>) =>
  [...values].map(([scan, value]) => [scan, +value.toFixed(6)]);

test("mean Dice is over lesions that are there, and 0 without a prediction", () => {
  deepEqual(rounded(meanDice(STUDY, ROWS)), [
    ["a", 0.8],
    ["b", 0.5],
    ["c", 0.35],
  ]);
  deepEqual(rounded(meanDice(STUDY, ROWS, "two")), [
    ["a", 0.8],
    ["b", 0.1],
    ["c", 0],
  ]);
  const free = rowsOf([["d", 0, 0, 0, 0, 3]]);
  deepEqual(rounded(meanDice(STUDY, free)), [["d", 0]]);
});

test("worst and best are by the mean over models, or by one", () => {
  deepEqual(order({ order: "worst" }), ["c", "b", "a"]);
  deepEqual(order({ order: "best" }), ["a", "b", "c"]);
  deepEqual(order({ order: "best", model: "one" }), ["b", "a", "c"]);
});

test("disputed is the standard deviation over models, of the lesion where it is largest", () => {
  const byDice = disputed(STUDY, ROWS, (row) => (ROWS.failure[row] ? 0 : (ROWS.dice[row] ?? null)));
  deepEqual(rounded(byDice), [
    ["a", 0],
    ["b", 0.4],
    ["c", 0.35],
  ]);
  deepEqual(order({ order: "disputed by Dice" }), ["b", "c", "a"]);
  deepEqual(order({ order: "disputed by volume" }), ["c", "b", "a"]);
});

test("cases of equal rank are by name, and those without a measure last", () => {
  deepEqual(inOrder(["z", "y", "x"], chosen({}), STUDY, ROWS), ["x", "y", "z"]);
  for (const name of ORDERS.results.filter((one) => one !== "random")) {
    equal(inOrder(["z", "a"], chosen({ order: name }), STUDY, ROWS).at(-1), "z");
  }
});

test("a quality review goes by no measure: as listed, remarks first, random", () => {
  deepEqual(ORDERS.quality, ["as listed", "remarks first", "random"]);
  const remarks = { b: ["tilted", "uneven gaps"], d: ["tilted"], c: [] };
  const listed = ["c", "d", "a", "b"];
  const ordered = (order: Chosen["order"]) => inOrder(listed, chosen({ order }), { ...STUDY, remarks }, ROWS);
  deepEqual(ordered("as listed"), listed);
  deepEqual(ordered("remarks first"), ["b", "d", "c", "a"]);
  deepEqual(listed, ["c", "d", "a", "b"]);
});

test("a random order is decided by its seed alone", () => {
  const scans = Array.from({ length: 20 }, (_, number) => `s${number}`);
  const random = (seed: number, of = scans) => inOrder(of, chosen({ order: "random", seed }), STUDY, ROWS);
  deepEqual(random(7), random(7, [...scans].reverse()));
  notDeepEqual(random(7), random(8));
  deepEqual([...random(7)].sort(), [...scans].sort());
  equal(nameOf(chosen({ order: "random", seed: 7 })), "random 7");
  equal(nameOf(chosen({})), "worst");
});

test("each place of a shuffle is as likely for each item", () => {
  const n = 4;
  const draws = 4000;
  const counts = Array.from({ length: n }, () => new Array(n).fill(0) as number[]);
  for (let seed = 0; seed < draws; seed++) {
    for (const [place, item] of shuffled([0, 1, 2, 3], seed).entries()) {
      const row = counts[item] as number[];
      row[place] = (row[place] ?? 0) + 1;
    }
  }
  const expected = draws / n;
  const chiSquare = counts.flat().reduce((total, count) => total + (count - expected) ** 2 / expected, 0);
  equal(
    chiSquare < 27.9,
    true,
    `chi-square of ${chiSquare}, of 9 degrees of freedom: 27.9 is its .999 quantile`,
  );
});
