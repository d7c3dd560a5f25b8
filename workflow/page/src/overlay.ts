/** How label maps are drawn over a picture: outlines, fills, and where a model and the reference differ. */

import { loopsOf, type Plane, type Section } from "./outlines.ts";

/** What is seen of a case. */
export interface Look {
  plane: Plane | "all";
  /** Values shown black and white. */
  window: [number, number];
  maps: "outlines" | "fills" | "difference";
  /** Of maps, 0 to 1. */
  opacity: number;
  /** The value of the lesion that is drawn; 0 for all. */
  lesion: number;
  /** Of lesions, from value 1 on. */
  colours: string[];
}

/** A label map that is drawn. */
export interface DrawnMap {
  voxels: Uint8Array;
  /** Of its outlines, in CSS pixels; empty: a line without gaps. */
  dash: number[];
}

/** A plane on the screen. */
export interface Screen {
  plane: Plane;
  /** Of the voxels across it. */
  index: number;
  /** Left, top, width, height, in pixels of the canvas. */
  box: [number, number, number, number];
  /** Where a corner of voxels is, in pixels of the canvas. */
  corner(u: number, v: number): [number, number];
}

/** What a model makes of the reference's lesions, and how it is told apart: by colour and by pattern. */
export const DIFFERENCES = {
  missed: { title: "missed: in the reference only", colour: "#E69F00", pattern: "stripes" },
  false: { title: "false: in the model's map only", colour: "#CC79A7", pattern: "dots" },
  right: { title: "right: in both", colour: "#56B4E9", pattern: "plain" },
  mistaken: { title: "mistaken: another lesion in the model's map", colour: "#F0E442", pattern: "grid" },
} as const;

export type Difference = keyof typeof DIFFERENCES;

const LINE_PX = 1.75;
const RIM_PX = 1;
const PATTERN_PX = 8;

const isShown = (value: number, lesion: number) => value > 0 && (lesion === 0 || value === lesion);

/** The outlines of voxels in a plane, as a path in pixels of the canvas. */
export function pathOf(screen: Screen, section: Section, inside: (n: number) => boolean): Path2D {
  const path = new Path2D();
  for (const loop of loopsOf(section.width, section.height, inside)) {
    for (let n = 0; n < loop.length; n += 2) {
      const [x, y] = screen.corner(loop[n] as number, loop[n + 1] as number);
      if (n === 0) path.moveTo(x, y);
      else path.lineTo(x, y);
    }
    path.closePath();
  }
  return path;
}

/** Draw each lesion of a map, in its colour. */
export function drawMap(
  context: CanvasRenderingContext2D,
  screen: Screen,
  section: Section,
  map: DrawnMap,
  look: Look,
  scale: number,
): void {
  for (const [n, colour] of look.colours.entries()) {
    if (!isShown(n + 1, look.lesion) || !section.values.includes(n + 1)) continue;
    const path = pathOf(screen, section, (voxel) => section.values[voxel] === n + 1);
    if (look.maps === "fills") {
      context.globalAlpha = look.opacity / 2;
      context.fillStyle = colour;
      context.fill(path, "evenodd");
    }
    stroke(context, path, colour, map.dash, look.opacity, scale);
  }
}

/** A line in a colour, with a dark rim that sets it off from bright voxels. */
function stroke(
  context: CanvasRenderingContext2D,
  path: Path2D,
  colour: string,
  dash: number[],
  opacity: number,
  scale: number,
): void {
  context.lineJoin = "round";
  context.setLineDash(dash.map((length) => length * scale));
  context.globalAlpha = opacity / 2;
  context.strokeStyle = "#000";
  context.lineWidth = (LINE_PX + 2 * RIM_PX) * scale;
  context.stroke(path);
  context.globalAlpha = opacity;
  context.strokeStyle = colour;
  context.lineWidth = LINE_PX * scale;
  context.stroke(path);
  context.setLineDash([]);
}

/** Draw where the first two maps, the reference and a model's, differ and where they agree. */
export function drawDifference(
  context: CanvasRenderingContext2D,
  screen: Screen,
  sections: Section[],
  look: Look,
  scale: number,
): void {
  const [reference, model] = sections;
  if (!reference || !model) return;
  for (const name of Object.keys(DIFFERENCES) as Difference[]) {
    const { colour, pattern } = DIFFERENCES[name];
    const inside = (n: number) =>
      difference(reference.values[n] as number, model.values[n] as number, look.lesion) === name;
    const path = pathOf(screen, reference, inside);
    context.globalAlpha = pattern === "plain" ? look.opacity / 3 : look.opacity;
    context.fillStyle = patternOf(context, pattern, colour, scale);
    context.fill(path, "evenodd");
    stroke(context, path, colour, [], look.opacity, scale);
  }
}

/** What a voxel is, by its values in the reference and in a model's map; with lesion 0, of all lesions. */
export function difference(reference: number, model: number, lesion: number): Difference | null {
  const [is, found] = [isShown(reference, lesion), isShown(model, lesion)];
  if (is && found) return reference === model ? "right" : "mistaken";
  if (is) return "missed";
  return found ? "false" : null;
}

function patternOf(
  context: CanvasRenderingContext2D,
  pattern: (typeof DIFFERENCES)[Difference]["pattern"],
  colour: string,
  scale: number,
): string | CanvasPattern {
  if (pattern === "plain") return colour;
  const size = Math.max(1, Math.round(PATTERN_PX * scale));
  const tile = new OffscreenCanvas(size, size);
  const pen = tile.getContext("2d");
  if (!pen) return colour;
  pen.fillStyle = pen.strokeStyle = colour;
  pen.lineWidth = size / 4;
  if (pattern === "stripes") {
    for (const shift of [-size, 0, size]) {
      pen.moveTo(shift - 1, size + 1);
      pen.lineTo(shift + size + 1, -1);
    }
    pen.stroke();
  } else if (pattern === "grid") {
    pen.moveTo(0, size / 2);
    pen.lineTo(size, size / 2);
    pen.moveTo(size / 2, 0);
    pen.lineTo(size / 2, size);
    pen.stroke();
  } else {
    pen.arc(size / 2, size / 2, size / 4, 0, 2 * Math.PI);
    pen.fill();
  }
  return context.createPattern(tile, "repeat") ?? colour;
}
