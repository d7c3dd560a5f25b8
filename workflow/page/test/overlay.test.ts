import assert from "node:assert/strict";
import { test } from "node:test";
import { difference } from "../src/overlay.ts";

const [NONE, ICH, IVH] = [0, 1, 2];

test("a voxel of two maps is right only where both have the same lesion", () => {
  assert.equal(difference(ICH, ICH, 0), "right");
  assert.equal(difference(IVH, ICH, 0), "mistaken");
  assert.equal(difference(ICH, NONE, 0), "missed");
  assert.equal(difference(NONE, ICH, 0), "false");
  assert.equal(difference(NONE, NONE, 0), null);
});

test("of one lesion, another one is none", () => {
  assert.equal(difference(ICH, ICH, ICH), "right");
  assert.equal(difference(IVH, ICH, ICH), "false");
  assert.equal(difference(IVH, ICH, IVH), "missed");
  assert.equal(difference(IVH, IVH, ICH), null);
});
