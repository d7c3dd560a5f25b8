/** One picture of a case: its CT drawn by NiiVue, and label maps over it, where its voxels are. */

import { DRAG_MODE, Niivue, type NVImage, SHOW_RENDER, SLICE_TYPE } from "@niivue/niivue";
import { AXES, type Plane, sectionOf } from "./outlines.ts";
import { type DrawnMap, drawDifference, drawMap, type Look, type Screen } from "./overlay.ts";
import type { Stack, Triple } from "./stack.ts";

const SLICE_TYPES: Record<Look["plane"], SLICE_TYPE> = {
  axial: SLICE_TYPE.AXIAL,
  coronal: SLICE_TYPE.CORONAL,
  sagittal: SLICE_TYPE.SAGITTAL,
  all: SLICE_TYPE.MULTIPLANAR,
};
const PLANES: Record<number, Plane> = {
  [SLICE_TYPE.AXIAL]: "axial",
  [SLICE_TYPE.CORONAL]: "coronal",
  [SLICE_TYPE.SAGITTAL]: "sagittal",
};
/**
 * Units of the two textures (WebGL2's TEXTURE6 and TEXTURE8) with the gradient of a volume, for renderings that are not
 * shown. NiiVue computes it for all voxels; without a graphics card that takes most of the time, so they get one pixel a slice.
 */
const OF_GRADIENTS: readonly number[] = [33990, 33992];
/** How NiiVue brings an axis of its volume to a tile's columns, its rows, and across it. */
const SWIZZLED: Record<Plane, Triple> = { axial: [0, 1, 2], coronal: [0, 2, 1], sagittal: [1, 2, 0] };

export class Pane {
  readonly element = document.createElement("div");
  readonly canvas = document.createElement("canvas");
  /** A length in mm that was measured. */
  onLength: (length_mm: number) => void = () => {};
  /** The cursor or the part that is seen has changed. */
  onMove: (pane: Pane) => void = () => {};
  readonly #overlay = document.createElement("canvas");
  readonly #nv: Niivue;
  #attached: Promise<unknown> | null = null;
  #stack: Stack | null = null;
  #look: Look | null = null;
  #maps: DrawnMap[] = [];
  #last = "";

  constructor() {
    this.element.className = "viewer-picture";
    this.canvas.tabIndex = 0;
    this.canvas.setAttribute("role", "img");
    this.#overlay.className = "viewer-overlay";
    this.#overlay.setAttribute("aria-hidden", "true");
    this.element.append(this.canvas, this.#overlay);
    this.#nv = new Niivue({
      backColor: [0, 0, 0, 1],
      crosshairColor: [1, 0.9, 0.4, 0.6],
      crosshairGap: 4,
      crosshairWidthUnit: "mm",
      dragAndDropEnabled: false,
      dragMode: DRAG_MODE.none,
      fontColor: new Float32Array([1, 1, 1, 1]),
      isRadiologicalConvention: true,
      loadingText: "",
      logLevel: "silent",
      measureLineColor: [1, 0.9, 0.4, 1],
      measureTextColor: [1, 0.9, 0.4, 1],
      multiplanarPadPixels: 4,
      multiplanarShowRender: SHOW_RENDER.NEVER,
      rulerColor: [1, 0.9, 0.4, 1],
      rulerWidth: 2,
      sagittalNoseLeft: true,
    });
    this.drag("cursor");
    this.#nv.onMeasurementCompleted = ({ distance }) => this.onLength(distance);
    const texture = this.#nv.rgbaTex.bind(this.#nv);
    this.#nv.rgbaTex = (former, unit, size, isInit) =>
      texture(former, unit, OF_GRADIENTS.includes(unit) ? [size[0] ?? 0, 1, 1, size[3] ?? 1] : size, isInit);
    const draw = this.#nv.drawScene.bind(this.#nv);
    this.#nv.drawScene = () => {
      this.#snap();
      const said = draw();
      this.#drawMaps();
      this.#tell();
      return said;
    };
  }

  /** Start what draws, once: it takes longest. */
  prepare(): Promise<unknown> {
    this.#attached ??= this.#nv.attachToCanvas(this.canvas, false);
    return this.#attached;
  }

  /** Show another case: the image is that of its stack, and may be shared by several panes. */
  async open(stack: Stack, image: NVImage, look: Look): Promise<void> {
    await this.prepare();
    this.#nv.resizeListener(); // it may have been prepared out of sight
    this.#stack = null; // nothing of the former case is drawn on this one
    this.#maps = [];
    this.forget();
    for (const volume of [...this.#nv.volumes]) this.#nv.removeVolume(volume);
    [image.cal_min, image.cal_max] = look.window;
    this.#nv.addVolume(image); // which takes it to the GPU, as it does anew for each window
    this.#stack = stack;
    this.look(look, true);
  }

  /** Change what is seen of it; `anew` where the image itself is another one. */
  look(look: Look, anew = false): void {
    const before = this.#look;
    this.#look = look;
    const [image] = this.#nv.volumes;
    if (!image) return;
    // Held against what this pane showed: the image is shared, and another pane may have changed its window already.
    if (!anew && before?.window.join() !== look.window.join()) {
      [image.cal_min, image.cal_max] = look.window;
      this.#nv.updateGLVolume();
    }
    if (anew || before?.plane !== look.plane) {
      this.forget();
      // Slices alone are shown as they were acquired, one upon the other; all other planes where they lie.
      this.#nv.opts.isSliceMM = look.plane !== "axial";
      this.#nv.opts.crosshairWidth = look.plane === "all" ? 1 : 0;
      this.#nv.opts.sliceType = SLICE_TYPES[look.plane];
      this.zoom(0);
    }
    this.#nv.drawScene();
  }

  /** Which label maps are drawn, in this order. */
  show(maps: DrawnMap[]): void {
    this.#maps = maps;
    this.#nv.drawScene();
  }

  /** What a drag with the first button does. */
  drag(to: "cursor" | "length"): void {
    const primary = to === "length" ? DRAG_MODE.measurement : DRAG_MODE.crosshair;
    this.#nv.opts.mouseEventConfig = {
      leftButton: { primary },
      rightButton: DRAG_MODE.pan,
      centerButton: DRAG_MODE.pan,
    };
  }

  /** Lengths that were measured are shown no more. */
  forget(): void {
    this.#nv.document.completedMeasurements = [];
  }

  /** Enlarge by a factor around the cursor; 0 shows all. */
  zoom(factor: number): void {
    const pan = this.#nv.scene.pan2Dxyzmm;
    const zoom = factor ? Math.min(20, Math.max(1, pan[3] * factor)) : 1;
    const at = this.#nv.frac2mm(this.#nv.scene.crosshairPos);
    const change = pan[3] - zoom;
    const moved =
      zoom === 1 ? [0, 0, 0] : [0, 1, 2].map((n) => (pan[n] as number) + change * (at[n] as number));
    this.#nv.scene.pan2Dxyzmm = [...moved, zoom] as [number, number, number, number];
    if (this.#nv.volumes.length) this.#nv.drawScene();
  }

  /** Voxel of the slices at which the cursor is. */
  get cursor(): Triple {
    const stack = this.#stack as Stack;
    const [right, front, up] = this.#nv.scene.crosshairPos as unknown as Triple;
    const [x, y] = stack.shape;
    const clamped = (at: number, size: number) =>
      Math.min(size - 1, Math.max(0, Math.floor((1 - at) * size)));
    return [clamped(right, x), clamped(front, y), stack.sliceAt(Math.floor(up * stack.planes.count))];
  }

  set cursor(voxel: Triple) {
    const stack = this.#stack as Stack;
    const [x, y] = stack.shape;
    const plane = stack.planes.ofSlice[voxel[2]] as number;
    this.#nv.scene.crosshairPos = [
      1 - (voxel[0] + 0.5) / x,
      1 - (voxel[1] + 0.5) / y,
      (plane + 0.5) / stack.planes.count,
    ];
    this.#nv.drawScene();
  }

  /** Look at the same place, as near, as another pane of the same case. */
  follow(other: Pane): void {
    this.#nv.scene.crosshairPos = [...(other.#nv.scene.crosshairPos as unknown as Triple)] as Triple;
    this.#nv.scene.pan2Dxyzmm = [...(other.#nv.scene.pan2Dxyzmm as unknown as number[])] as never;
    this.#snap(); // at once: where two cases are shown, since one opens, each would call the other to its own slices for ever
    this.#last = this.#view();
    this.#nv.drawScene();
  }

  /** Planes that are on the screen, and where in each the corners of voxels are: in pixels of the canvas. */
  screens(): Screen[] {
    const stack = this.#stack;
    if (!stack) return [];
    return this.#nv.screenSlices.flatMap((tile) => {
      const plane = PLANES[tile.axCorSag];
      return plane ? [this.#screen(stack, plane, tile)] : [];
    });
  }

  #screen(stack: Stack, plane: Plane, tile: Niivue["screenSlices"][number]): Screen {
    const axes = AXES[plane];
    const swizzled = SWIZZLED[plane];
    const at = this.#nv.scene.crosshairPos as unknown as Triple;
    const [left = 0, top = 0, width = 1, height = 1] = tile.leftTopWidthHeight;
    const [fromX = 0, fromY = 0] = tile.leftTopMM;
    const [fovX = 1, fovY = 1] = tile.fovMM;
    const pixel = (u: number, v: number) => {
      const share: Triple = [...at];
      share[axes[0]] = u;
      share[axes[1]] = v;
      const mm = this.#nv.frac2mm(share);
      const [x, y] = [mm[swizzled[0]] as number, mm[swizzled[1]] as number];
      return [left + ((x - fromX) / fovX) * width, top + (1 - (y - fromY) / fovY) * height] as const;
    };
    const [origin, alongU, alongV] = [pixel(0, 0), pixel(1, 0), pixel(0, 1)];
    const columns = stack.shape[axes[0]];
    const rows = stack.shape[axes[1]];
    const shareOf = (v: number) =>
      axes[1] === 2
        ? ((stack.bounds_mm[v] as number) / stack.planes.step_mm + 0.5) / stack.planes.count
        : 1 - v / rows;
    return {
      plane,
      index: this.cursor[axes[2]],
      box: [left, top, width, height],
      corner: (u, v) => {
        const [s, t] = [1 - u / columns, shareOf(v)];
        return [0, 1].map(
          (n) =>
            (origin[n] as number) +
            s * ((alongU[n] as number) - (origin[n] as number)) +
            t * ((alongV[n] as number) - (origin[n] as number)),
        ) as [number, number];
      },
    };
  }

  /** The cursor stays on a slice: between two of them is nothing that was acquired. */
  #snap(): void {
    const stack = this.#stack;
    if (!stack) return;
    const pos = this.#nv.scene.crosshairPos;
    const plane = stack.planes.ofSlice[this.cursor[2]] as number;
    pos[2] = (plane + 0.5) / stack.planes.count;
  }

  #view(): string {
    return [...this.#nv.scene.crosshairPos, ...this.#nv.scene.pan2Dxyzmm].join();
  }

  #tell(): void {
    const view = this.#view();
    if (!this.#stack || view === this.#last) return;
    this.#last = view;
    this.onMove(this);
  }

  #drawMaps(): void {
    const { width, height } = this.canvas;
    const overlay = this.#overlay;
    // Sizes are set where they changed alone: to set them empties a canvas, but what was on it may stay in sight.
    if (overlay.width !== width || overlay.height !== height) Object.assign(overlay, { width, height });
    const [stack, look] = [this.#stack, this.#look];
    // Drawn by the processor: where Chromium draws it by a GPU, what was cleared may stay in sight if nothing is drawn after.
    const context = overlay.getContext("2d", { willReadFrequently: true });
    context?.clearRect(0, 0, width, height);
    if (!stack || !look || !context || !width) return; // hidden: it has no size, and lines have no width
    const scale = width / (this.canvas.clientWidth || width);
    for (const screen of this.screens()) {
      const sections = this.#maps.map((map) =>
        sectionOf(map.voxels, stack.shape, screen.plane, screen.index),
      );
      context.save();
      context.beginPath();
      context.rect(...screen.box);
      context.clip();
      if (look.maps === "difference") drawDifference(context, screen, sections, look, scale);
      else {
        for (const [n, map] of this.#maps.entries()) {
          drawMap(context, screen, sections[n] as never, map, look, scale);
        }
      }
      context.restore();
    }
  }
}
