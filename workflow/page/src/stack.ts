/** A case's CT as a regular grid in which every slice lies where it is, and how places in it are told. */

import type { CaseFile } from "./headct.ts";

export type Triple = [number, number, number];

/** Planes of a regular grid lie at most so far from the slices that they stand for. */
const OFF_MM = 0.1;
/** So many planes at most: memory, and what cards draw. */
const MOST_PLANES = 320;

export interface Planes {
  /** Number of planes, the first and the last at the first and the last slice. */
  count: number;
  /** Distance between planes along the normal. */
  step_mm: number;
  /** The plane at which each slice lies. */
  ofSlice: number[];
}

/** The fewest planes at equal distances of which one lies at each slice. */
export function planesFor(positions: readonly number[]): Planes {
  const last = positions.length - 1;
  const span = positions[last] as number;
  if (last < 1) return { count: 1, step_mm: 1, ofSlice: [0] };
  const smallest = Math.min(...positions.slice(1).map((p, k) => p - (positions[k] as number)));
  let best: { planes: Planes; off: number } | null = null;
  for (let parts = 1; ; parts++) {
    const gaps = Math.round((span * parts) / smallest);
    if (best && gaps >= MOST_PLANES) return best.planes;
    const step_mm = span / gaps;
    const ofSlice = positions.map((p) => Math.round(p / step_mm));
    const off = Math.max(...positions.map((p, k) => Math.abs(p - (ofSlice[k] as number) * step_mm)));
    const apart = ofSlice.every((plane, k) => k === 0 || plane > (ofSlice[k - 1] as number));
    if (apart && (!best || off < best.off)) best = { planes: { count: gaps + 1, step_mm, ofSlice }, off };
    if (apart && off <= OFF_MM) return { count: gaps + 1, step_mm, ofSlice };
  }
}

/** Where slices end, in mm from the first: halfway to their neighbours, as their volumes are counted. */
export function boundsOf(positions: readonly number[]): number[] {
  const at = (k: number) => positions[k] as number;
  const last = positions.length - 1;
  const bounds = [at(0) - (last > 0 ? (at(1) - at(0)) / 2 : 0.5)];
  for (let k = 1; k <= last; k++) bounds.push((at(k - 1) + at(k)) / 2);
  bounds.push(at(last) + (last > 0 ? (at(last) - at(last - 1)) / 2 : 0.5));
  return bounds;
}

async function unpacked(base64: string, voxels: number): Promise<Uint8Array> {
  if (!("DecompressionStream" in globalThis))
    throw new Error("this browser is too old to unpack it (one of 2023 or later does): take a newer one");
  const packed = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
  if (bytes.length !== voxels) throw new Error(`${bytes.length} voxels, not ${voxels}`);
  return bytes;
}

const cross = (a: Triple, b: Triple): Triple => [
  a[1] * b[2] - a[2] * b[1],
  a[2] * b[0] - a[0] * b[2],
  a[0] * b[1] - a[1] * b[0],
];
const dot = (a: Triple, b: Triple): number => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
const unit = (a: Triple): Triple => a.map((part) => part / Math.hypot(...a)) as Triple;

/** A case that is being looked at. Label maps are unpacked when they are asked for. */
export class Stack {
  readonly file: CaseFile;
  readonly shape: Triple;
  readonly planes: Planes;
  readonly bounds_mm: number[];
  /**
   * Index (x, y, plane, 1) to mm, row by row, with x to the right and z along the way of the table, so that coronal
   * and sagittal planes are seen as they are. It is the patient's frame, turned if the head was: lengths are true.
   */
  readonly affine: number[];
  #maps = new Map<string, Promise<Uint8Array>>();

  constructor(file: CaseFile) {
    this.file = file;
    this.shape = file.shape;
    this.planes = planesFor(file.positions_mm);
    this.bounds_mm = boundsOf(file.positions_mm);
    const column = (n: number) => file.affine.slice(0, 3).map((row) => row[n] as number) as Triple;
    const left = unit(column(0));
    const right = left.map((part) => -part) as Triple;
    const along = column(2);
    const up = unit(along.map((part, n) => part - dot(along, left) * left[n as 0 | 1 | 2]) as Triple);
    const frame = [right, cross(up, right), up];
    const slices = file.positions_mm.length;
    const steps = slices > 1 ? (slices - 1) / (this.planes.count - 1) : 1;
    const [x, y, z, origin] = [column(0), column(1), column(2), column(3)];
    const step = z.map((part) => part * steps) as Triple;
    const rows = frame.map((axis) => [x, y, step, origin].map((vector) => dot(axis, vector)));
    this.affine = [...rows.flat(), 0, 0, 0, 1];
  }

  /** Between the slices' normal and the way of the table. */
  get tilt_deg(): number {
    const column = (n: number) => this.file.affine.slice(0, 3).map((row) => row[n] as number) as Triple;
    const cosine = Math.abs(dot(unit(cross(column(0), column(1))), unit(column(2))));
    return (Math.acos(Math.min(1, cosine)) * 180) / Math.PI;
  }

  /** Voxel sizes of the regular grid, perpendicular to each other. */
  get sizes_mm(): Triple {
    const length = (n: number) => Math.hypot(...[0, 1, 2].map((row) => this.affine[4 * row + n] as number));
    return [length(0), length(1), this.planes.step_mm];
  }

  /** HU of the regular grid: those of each slice at its plane, between two slices a blend of both. */
  async hounsfield(): Promise<Int16Array> {
    const [x, y, z] = this.shape;
    const codes = await unpacked(this.file.ct, x * y * z);
    const table = Int16Array.from(this.file.hu);
    const area = x * y;
    const hu = new Int16Array(area * this.planes.count);
    const { ofSlice } = this.planes;
    for (let slice = 0; slice < z; slice++) {
      const own = codes.subarray(slice * area, (slice + 1) * area);
      const at = (ofSlice[slice] as number) * area;
      for (let n = 0; n < area; n++) hu[at + n] = table[own[n] as number] as number;
    }
    for (let slice = 1; slice < z; slice++) {
      const [below, above] = [ofSlice[slice - 1] as number, ofSlice[slice] as number];
      for (let plane = below + 1; plane < above; plane++) {
        const share = (plane - below) / (above - below);
        for (let n = 0; n < area; n++) {
          const low = hu[below * area + n] as number;
          hu[plane * area + n] = Math.round(low + share * ((hu[above * area + n] as number) - low));
        }
      }
    }
    return hu;
  }

  /** The label map of the reference or a model, a value per voxel of the slices; null where there is none. */
  map(name: string): Promise<Uint8Array> | null {
    const packed = this.file.maps[name];
    if (packed === undefined) return null;
    const [x, y, z] = this.shape;
    const found = this.#maps.get(name) ?? unpacked(packed, x * y * z);
    this.#maps.set(name, found);
    return found;
  }

  /** The slice that lies nearest to a plane. */
  sliceAt(plane: number): number {
    const away = this.planes.ofSlice.map((own) => Math.abs(own - plane));
    return away.indexOf(Math.min(...away));
  }
}
