/** Label maps in a plane: what lies where, and the outlines of it on the edges of voxels. */

import type { Triple } from "./stack.ts";

type Axis = 0 | 1 | 2;

export type Plane = "axial" | "coronal" | "sagittal";

/** Values of a map in a plane: columns along `u`, rows along `v`. */
export interface Section {
  width: number;
  height: number;
  values: Uint8Array;
}

/** The axes of the voxels along a plane's columns and rows, and across it. */
export const AXES: Record<Plane, [Axis, Axis, Axis]> = {
  axial: [0, 1, 2],
  coronal: [0, 2, 1],
  sagittal: [1, 2, 0],
};

/** What a map of some shape has at an index across a plane. */
export function sectionOf(map: Uint8Array, shape: Triple, plane: Plane, index: number): Section {
  const strides: Triple = [1, shape[0], shape[0] * shape[1]];
  const [u, v, across] = AXES[plane];
  const [width, height] = [shape[u], shape[v]];
  const values = new Uint8Array(width * height);
  for (let row = 0; row < height; row++) {
    const start = index * strides[across] + row * strides[v];
    for (let column = 0; column < width; column++) {
      values[row * width + column] = map[start + column * strides[u]] as number;
    }
  }
  return { width, height, values };
}

/** A closed line over corners of voxels: u and v by turns, the first corner is not repeated. */
export type Loop = number[];

/** The outlines of what is inside, on the edges of voxels: what is inside lies to the right of their way. */
export function loopsOf(width: number, height: number, inside: (n: number) => boolean): Loop[] {
  const isIn = (u: number, v: number) => u >= 0 && v >= 0 && u < width && v < height && inside(v * width + u);
  const corners = width + 1;
  const next = new Map<number, number[]>();
  const add = (u: number, v: number, toU: number, toV: number) => {
    const from = v * corners + u;
    const ends = next.get(from);
    if (ends) ends.push(toV * corners + toU);
    else next.set(from, [toV * corners + toU]);
  };
  for (let v = 0; v < height; v++) {
    for (let u = 0; u < width; u++) {
      if (!inside(v * width + u)) continue;
      if (!isIn(u, v - 1)) add(u, v, u + 1, v);
      if (!isIn(u + 1, v)) add(u + 1, v, u + 1, v + 1);
      if (!isIn(u, v + 1)) add(u + 1, v + 1, u, v + 1);
      if (!isIn(u - 1, v)) add(u, v + 1, u, v);
    }
  }
  const loops: Loop[] = [];
  for (const start of next.keys()) {
    while (next.get(start)?.length) loops.push(followed(start, next, corners));
  }
  return loops;
}

/** Follow edges from a corner until they come back to it; corners within a straight line are left out. */
function followed(start: number, next: Map<number, number[]>, corners: number): Loop {
  const way: number[] = [];
  let at = start;
  do {
    way.push(at);
    at = (next.get(at) as number[]).pop() as number;
  } while (at !== start);
  const loop: Loop = [];
  way.forEach((corner, n) => {
    const before = way[(n + way.length - 1) % way.length] as number;
    const after = way[(n + 1) % way.length] as number;
    if (after - corner !== corner - before) loop.push(corner % corners, Math.floor(corner / corners));
  });
  return loop;
}
