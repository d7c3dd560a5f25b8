import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import type { CaseFile } from "../src/headct.ts";
import { loopsOf, sectionOf } from "../src/outlines.ts";
import { boundsOf, planesFor, Stack } from "../src/stack.ts";

const packed = (bytes: number[]) => gzipSync(Uint8Array.from(bytes)).toString("base64");

function caseFile(positions: number[], shear = 0): CaseFile {
  const slices = positions.length;
  const mean = slices > 1 ? (positions[slices - 1] as number) / (slices - 1) : 1;
  return {
    scan: "s",
    digest: "",
    shape: [2, 2, slices],
    crop: [0, 0],
    affine: [
      [-0.5, 0, 0, 10],
      [0, -0.5, -shear * mean, 20],
      [0, 0, mean, 30],
      [0, 0, 0, 1],
    ],
    positions_mm: positions,
    hu: [-1000, 0, 40, 80],
    hounsfield: true,
    face_masked: false,
    lesions: ["ICH"],
    ct: packed(Array.from({ length: 4 * slices }, (_, n) => Math.floor(n / 4) % 4)),
    maps: { truth: packed(Array.from({ length: 4 * slices }, (_, n) => (n === 5 ? 1 : 0))) },
  };
}

test("even slices need no planes between them", () => {
  assert.deepEqual(planesFor([0, 5, 10, 15]), { count: 4, step_mm: 5, ofSlice: [0, 1, 2, 3] });
});

test("of uneven slices each lies at a plane", () => {
  assert.deepEqual(planesFor([0, 5, 10, 17.5, 25]), { count: 11, step_mm: 2.5, ofSlice: [0, 2, 4, 7, 10] });
  const positions = [0, 4.98, 10.03, 17.11, 24.44, 31.7];
  const { count, step_mm, ofSlice } = planesFor(positions);
  for (const [k, p] of positions.entries()) {
    assert.ok(Math.abs(p - (ofSlice[k] as number) * step_mm) <= 0.1);
  }
  assert.ok(count <= 320);
});

test("slices end halfway to their neighbours", () => {
  assert.deepEqual(boundsOf([0, 4, 10]), [-2, 2, 7, 13]);
});

test("values between two slices are a blend, those of slices their own", async () => {
  const stack = new Stack(caseFile([0, 5, 15]));
  const hu = await stack.hounsfield();
  const ofPlane = Array.from({ length: stack.planes.count }, (_, plane) => hu[4 * plane]);
  assert.deepEqual(ofPlane, [-1000, 0, 20, 40]);
});

test("lengths in the frame of the slices are those in the patient's", () => {
  const file = caseFile([0, 5, 10, 15], 0.3);
  const stack = new Stack(file);
  const place = (affine: number[], index: number[]) =>
    [0, 1, 2].map((row) =>
      [0, 1, 2, 3].reduce((sum, n) => sum + (affine[4 * row + n] ?? 0) * (index[n] ?? 1), 0),
    );
  const length = (affine: number[]) => {
    const [from, to] = [place(affine, [0, 0, 0, 1]), place(affine, [1, 1, 3, 1])];
    return Math.hypot(...from.map((part, n) => part - (to[n] as number)));
  };
  assert.ok(Math.abs(length(file.affine.flat()) - length(stack.affine)) < 1e-9);
  const [x, y, z] = [2, 6, 10].map((n) => stack.affine[n] as number);
  assert.ok(Math.hypot(x as number, y as number) < 1e-9, "slices follow each other upwards");
  assert.ok(Math.abs((z as number) - 5 * Math.hypot(1, 0.3)) < 1e-9, "by the way of the table");
});

test("a map is unpacked, and damaged ones are refused", async () => {
  const file = caseFile([0, 5]);
  assert.deepEqual([...((await new Stack(file).map("truth")) as Uint8Array)], [0, 0, 0, 0, 0, 1, 0, 0]);
  assert.equal(new Stack(file).map("model"), null);
  file.maps.truth = packed([1, 2]);
  await assert.rejects(new Stack(file).map("truth") as Promise<Uint8Array>, /2 voxels, not 8/);
});

test("a section has its plane's voxels", () => {
  const map = Uint8Array.from({ length: 24 }, (_, n) => n); // 2 x 3 x 4
  assert.deepEqual([...sectionOf(map, [2, 3, 4], "axial", 1).values], [6, 7, 8, 9, 10, 11]);
  assert.deepEqual([...sectionOf(map, [2, 3, 4], "coronal", 1).values], [2, 3, 8, 9, 14, 15, 20, 21]);
  assert.deepEqual(
    [...sectionOf(map, [2, 3, 4], "sagittal", 1).values],
    [1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23],
  );
});

/** Twice the area that loops enclose: holes count against it. */
function area(loops: number[][]): number {
  let sum = 0;
  for (const loop of loops) {
    for (let n = 0; n < loop.length; n += 2) {
      const [u, v] = [loop[n] as number, loop[n + 1] as number];
      const [toU, toV] = [loop[(n + 2) % loop.length] as number, loop[(n + 3) % loop.length] as number];
      sum += u * toV - toU * v;
    }
  }
  return sum / 2;
}

test("outlines enclose what is inside, whatever it is", () => {
  let state = 7;
  const random = () => {
    state = (state * 48271) % 2147483647;
    return state / 2147483647;
  };
  for (let time = 0; time < 200; time++) {
    const [width, height] = [1 + Math.floor(random() * 8), 1 + Math.floor(random() * 8)];
    const inside = Array.from({ length: width * height }, () => random() < 0.5);
    const loops = loopsOf(width, height, (n) => inside[n] as boolean);
    assert.equal(area(loops), inside.filter(Boolean).length);
  }
});

test("a square has four corners, and a hole is a loop of its own", () => {
  const ring = (n: number) => n !== 4;
  const loops = loopsOf(3, 3, ring);
  assert.deepEqual(loops.map((loop) => loop.length).sort(), [8, 8]);
  assert.equal(area(loops), 8);
});

test("the tilt is the angle between the slices' normal and the way of the table", () => {
  const tilted = new Stack(caseFile([0, 5, 10], Math.tan((15 * Math.PI) / 180)));
  assert.ok(Math.abs(tilted.tilt_deg - 15) < 1e-9);
  assert.equal(new Stack(caseFile([0, 5, 10])).tilt_deg, 0);
});
