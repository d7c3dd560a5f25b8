import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type Filters,
  filtered,
  PRESENCES,
  pageOf,
  type Row,
  rowsOf,
  sorted,
  within,
} from "../src/explorer_rows.ts";
import type { Rows, Study } from "../src/headct.ts";

const STUDY: Study = {
  models: [
    { key: "unet", title: "U-Net", trivial: false },
    { key: "none", title: "Predicts nothing", trivial: true },
  ],
  lesions: [
    { key: "ICH", title: "ICH", colour: "#f00", group: false },
    { key: "IVH", title: "IVH", colour: "#00f", group: false },
  ],
  cases: [],
  digests: {},
  order: {},
  evidence: "",
};
const COLUMNS: Rows = {
  scan: ["scan-10", "scan-2", "scan-2", "scan-3"],
  model: [0, 0, 1, 0],
  lesion: [0, 1, 1, 1],
  dice: [0.9, 0, 1, null],
  reference_ml: [20, 5, 0, 0],
  predicted_ml: [30, 0, 0, null],
  volume_error_ml: [10, -5, 0, null],
  hd95_mm: [4, null, null, null],
  presence: ["TP", "FN", "TN", null],
  failure: [null, "", null, "out of memory"],
  site: ["Leeds", "York", "York", null],
};
const ROWS = rowsOf(STUDY, COLUMNS);
const ALL: Filters = { models: new Set([0, 1]), lesion: null, presence: "any", failures: "any", text: "" };
const places = (rows: readonly Row[]) => rows.map((row) => row.place);

test("rows have their titles, and null for all that is missing", () => {
  assert.equal(ROWS[0]?.model_title, "U-Net");
  assert.equal(ROWS[0]?.mean_ml, 25);
  assert.equal(ROWS[1]?.failure, null, "an empty reason is none");
  assert.equal(ROWS[3]?.mean_ml, null);
  assert.equal(rowsOf(STUDY, { ...COLUMNS, site: undefined } as unknown as Rows)[0]?.site, null);
});

test("filters", () => {
  const shown = (filters: Partial<Filters>) => places(filtered(ROWS, { ...ALL, ...filters }));
  assert.deepEqual(shown({}), [0, 1, 2, 3]);
  assert.deepEqual(shown({ models: new Set([1]) }), [2]);
  assert.deepEqual(shown({ models: new Set() }), []);
  assert.deepEqual(shown({ lesion: 1 }), [1, 2, 3]);
  assert.deepEqual(shown({ presence: "missed" }), [1]);
  assert.deepEqual(shown({ presence: "reference" }), [0, 1]);
  assert.deepEqual(shown({ presence: "neither" }), [2]);
  assert.deepEqual(shown({ failures: "without" }), [3]);
  assert.deepEqual(shown({ failures: "with" }), [0, 1, 2]);
  assert.deepEqual(shown({ text: " YORK " }), [1, 2]);
  assert.deepEqual(shown({ text: "scan-10" }), [0]);
});

test("each presence is in a choice by itself or with another", () => {
  const all = Object.values(PRESENCES).flatMap((choice) => choice.of);
  assert.deepEqual(new Set(all), new Set(["TP", "FN", "FP", "TN"]));
});

test("what is marked in several charts is in all of them, and has a value in each", () => {
  const shown = (...brushes: Parameters<typeof within>[1][]) =>
    places(
      ROWS.filter((row) =>
        within(
          row,
          brushes.flatMap((one) => [...one]),
        ),
      ),
    );
  assert.deepEqual(shown(), [0, 1, 2, 3]);
  assert.deepEqual(shown([{}]), [0, 1, 2, 3]);
  assert.deepEqual(shown([{ dice: [0, 0.95] }]), [0, 1]);
  assert.deepEqual(shown([{ dice: [0.95, 0] }]), [0, 1], "drawn from the right to the left");
  assert.deepEqual(shown([{ dice: [0, 0.95] }, { reference_ml: [0, 10], predicted_ml: [0, 10] }]), [1]);
});

test("rows are sorted up and down, numbers in names as numbers, what is missing last", () => {
  assert.deepEqual(places(sorted(ROWS, "dice", false)), [1, 0, 2, 3]);
  assert.deepEqual(places(sorted(ROWS, "dice", true)), [2, 0, 1, 3]);
  assert.deepEqual(places(sorted(ROWS, "scan", false)), [1, 2, 3, 0]);
  assert.deepEqual(places(sorted(ROWS, "lesion_name", true)), [1, 2, 3, 0], "equal rows keep their order");
  assert.deepEqual(places(sorted(ROWS, "site", false)), [0, 1, 2, 3]);
  assert.deepEqual(places(ROWS), [0, 1, 2, 3], "the rows themselves stay as they are");
});

test("thousands of rows are filtered and sorted in a blink", () => {
  const many = Array.from({ length: 174 * 10 * 4 }, (_, place) => ({
    ...(ROWS[place % 4] as Row),
    place,
    dice: place % 7 ? (place * 7919) % 1000 : null,
  }));
  const before = process.cpuUsage();
  const shown = sorted(filtered(many, ALL), "dice", true);
  assert.ok(process.cpuUsage(before).user < 500_000, "microseconds of processor time");
  assert.equal(shown.length, many.length);
  assert.equal(shown.at(-1)?.dice, null);
});

test("pages", () => {
  const rows = Array.from({ length: 101 }, (_, place) => ({ ...(ROWS[0] as Row), place }));
  assert.deepEqual(places(pageOf(rows, 2, 50).rows), [100]);
  assert.equal(pageOf(rows, 9, 50).number, 2, "the last, of fewer");
  assert.equal(pageOf(rows, 0, 50).pages, 3);
  assert.deepEqual(pageOf([], 3, 50), { number: 0, pages: 1, rows: [] });
});
