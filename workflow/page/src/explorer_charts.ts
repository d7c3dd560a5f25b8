/** The charts of the explorer: what each shows, as specifications of Vega-Lite. */

import type { TopLevelSpec } from "vega-lite";
import type { Measure, Row } from "./explorer_rows.ts";

/** Of a model, everywhere. Shapes, so that nothing is told by colour alone; each fits between -1 and 1. */
export interface Symbol {
  colour: string;
  path: string;
}

const SHAPES = [
  "M1,0A1,1,0,1,1,-1,0A1,1,0,1,1,1,0Z", // circle
  "M-.9,-.9L.9,-.9L.9,.9L-.9,.9Z", // square
  "M0,-1L1,.8L-1,.8Z", // triangle, up
  "M0,-1L1,0L0,1L-1,0Z", // diamond
  "M-.35,-1L.35,-1L.35,-.35L1,-.35L1,.35L.35,.35L.35,1L-.35,1L-.35,.35L-1,.35L-1,-.35L-.35,-.35Z", // plus
  "M0,1L1,-.8L-1,-.8Z", // triangle, down
  "M-1,-.55L-.55,-1L0,-.45L.55,-1L1,-.55L.45,0L1,.55L.55,1L0,.45L-.55,1L-1,.55L-.45,0Z", // x
  "M0,-1L.26,-.34L1,-.31L.42,.15L.62,.85L0,.45L-.62,.85L-.42,.15L-1,-.31L-.26,-.34Z", // star
  "M1,0L-.8,1L-.8,-1Z", // triangle, right
  "M.5,-.87L1,0L.5,.87L-.5,.87L-1,0L-.5,-.87Z", // hexagon
  "M-1,0L.8,1L.8,-1Z", // triangle, left
];

/** Each with a contrast of 3 : 1 or more to what is behind it. */
const COLOURS = {
  light: [
    "#0072B2",
    "#C24E00",
    "#007A58",
    "#A0338A",
    "#8A6500",
    "#3F4E5A",
    "#C2185B",
    "#00757F",
    "#5B4FC4",
    "#5E7A1F",
  ],
  dark: [
    "#56B4E9",
    "#F28C4B",
    "#3CC79A",
    "#DE8CCB",
    "#E3BC4E",
    "#AEBBC6",
    "#FF7FA8",
    "#4FD0DA",
    "#A9A0FF",
    "#B5D46A",
  ],
};

/** The symbol of a model by its place; more models than colours or shapes differ in one of them at least. */
export function symbolOf(model: number, dark: boolean): Symbol {
  const colours = dark ? COLOURS.dark : COLOURS.light;
  return {
    colour: colours[model % colours.length] as string,
    path: SHAPES[model % SHAPES.length] as string,
  };
}

/** Colours and type of the page, and the models that are shown. */
export interface Look {
  text: string;
  muted: string;
  rule: string;
  accent: string;
  font: string;
  models: { title: string; symbol: Symbol }[];
}

export interface Axis {
  measure: Measure;
  title: string;
  scale?: "log";
  /** Both ends of the axis, where they don't follow from what is drawn. */
  ends?: [number, number];
}

export interface Chart {
  key: string;
  title: string;
  /** What to look for, in a sentence. */
  about: string;
  x: Axis;
  /** The models one below the other, where there is none. */
  y?: Axis;
  draws(row: Row): boolean;
  /** What the rows lack that it does not draw. */
  lacking: string;
}

const predicted = (row: Row) => row.failure === null && row.mean_ml !== null;
const DICE: Axis = { measure: "dice", title: "Dice", ends: [0, 1] };

export const CHARTS: readonly Chart[] = [
  {
    key: "dice",
    title: "Dice",
    about: "A point for each scan, and the median of each model as a line.",
    x: DICE,
    draws: (row) => row.dice !== null,
    lacking: "without a Dice",
  },
  {
    key: "size",
    title: "Size against Dice",
    about: "Scans whose reference has the lesion; small ones are the hard ones.",
    x: { measure: "reference_ml", title: "Reference volume (mL)", scale: "log" },
    y: DICE,
    draws: (row) => row.dice !== null && (row.reference_ml ?? 0) > 0,
    lacking: "whose reference has no such lesion",
  },
  {
    key: "volumes",
    title: "Volumes",
    about: "On the line, prediction and reference are equal.",
    x: { measure: "reference_ml", title: "Reference volume (mL)" },
    y: { measure: "predicted_ml", title: "Predicted volume (mL)" },
    draws: predicted,
    lacking: "without a prediction",
  },
  {
    key: "differences",
    title: "Bland–Altman",
    about: "Of one model and one lesion: bias, and 1.96 standard deviations around it.",
    x: { measure: "mean_ml", title: "Mean of both volumes (mL)" },
    y: { measure: "volume_error_ml", title: "Predicted − reference (mL)" },
    draws: predicted,
    lacking: "without a prediction",
  },
];

/** A row as it is drawn: `chosen` unless another chart's mark leaves it out. */
export type Drawn = Row & { chosen: boolean; jitter: number };

/** Spread over the height of a model's points, always in the same way. */
export const drawn = (row: Row, chosen: boolean): Drawn => ({
  ...row,
  chosen,
  jitter: ((row.place * 0.618034) % 1) - 0.5,
});

/** Points, beyond which they are drawn smaller and fainter. */
const MANY = 400;

const TOOLTIP = [
  { field: "scan", title: "Scan" },
  { field: "model_title", title: "Model" },
  { field: "lesion_name", title: "Lesion" },
  { field: "dice", title: "Dice", format: ".3f", type: "quantitative" },
  { field: "reference_ml", title: "Reference (mL)", format: ".2f", type: "quantitative" },
  { field: "predicted_ml", title: "Predicted (mL)", format: ".2f", type: "quantitative" },
];

function quantitative(axis: Axis, shared?: [number, number]) {
  const domain = axis.ends ?? shared;
  const log = axis.scale === "log";
  const scale = { type: axis.scale, domain, nice: !domain && !log, padding: log ? 10 : undefined };
  return { field: axis.measure, type: "quantitative", title: axis.title, scale, axis: { grid: !log } };
}

/** 0 to the largest volume, for both axes. */
function volumeEnds(rows: readonly Row[]): [number, number] {
  const largest = rows.reduce((most, row) => Math.max(most, row.reference_ml ?? 0, row.predicted_ml ?? 0), 0);
  return [0, largest || 1];
}

/** Bias and limits of agreement of what is drawn, as horizontal lines. */
function agreement(look: Look) {
  const bias = { aggregate: [{ op: "mean", field: "volume_error_ml", as: "bias" }] };
  const spread = { op: "stdev", field: "volume_error_ml", as: "sd" };
  const line = (y: string, dash: number[]) => ({
    transform: [
      { aggregate: [...bias.aggregate, spread] },
      { calculate: `isValid(datum.sd) ? ${y} : null`, as: "level" },
    ],
    mark: { type: "rule", color: look.text, strokeDash: dash, strokeWidth: 1.5 },
    encoding: { y: { field: "level", type: "quantitative" } },
  });
  return [
    line("datum.bias", []),
    line("datum.bias - 1.96 * datum.sd", [6, 4]),
    line("datum.bias + 1.96 * datum.sd", [6, 4]),
  ];
}

/** Lines behind the points. */
function lines(chart: Chart, rows: readonly Row[], look: Look) {
  const plain = { color: look.muted, strokeWidth: 1 };
  if (chart.key === "volumes") {
    const values = volumeEnds(rows).map((ml) => ({ ml }));
    const encoding = { x: { field: "ml", type: "quantitative" }, y: { field: "ml", type: "quantitative" } };
    return [{ data: { values }, mark: { type: "line", ...plain }, encoding }];
  }
  if (chart.key !== "differences") return [];
  const zero = { data: { values: [{ zero: 0 }] }, mark: { type: "rule", ...plain } };
  const one = new Set(rows.map((row) => `${row.model} ${row.lesion}`)).size === 1;
  return [
    { ...zero, encoding: { y: { field: "zero", type: "quantitative" } } },
    ...(one ? agreement(look) : []),
  ];
}

function byModel(look: Look, domain: string[]) {
  const median = {
    mark: { type: "tick", color: look.text, thickness: 2, size: 18, opacity: 1 },
    encoding: { x: { aggregate: "median", field: "dice" }, y: { field: "model_title", type: "nominal" } },
  };
  const y = {
    field: "model_title",
    type: "nominal",
    title: null,
    scale: { domain, paddingInner: 0.3 },
    axis: { labelLimit: 160, grid: false },
  };
  return { y, yOffset: { field: "jitter", type: "quantitative", scale: { domain: [-0.5, 0.5] } }, median };
}

/**
 * The specification of a chart; its points stand in the data `rows`, what is marked in the signal `brush`.
 *
 * @param rows that it draws.
 */
export function specification(chart: Chart, rows: readonly Row[], look: Look): TopLevelSpec {
  const domain = look.models.map((model) => model.title);
  const range = (of: (symbol: Symbol) => string) => look.models.map((model) => of(model.symbol));
  const shared = chart.key === "volumes" ? volumeEnds(rows) : undefined;
  const models = byModel(look, domain);
  const model = { field: "model_title", type: "nominal", legend: null };
  const many = rows.length > MANY;
  const colours = range((symbol) => symbol.colour);
  const place = chart.y ? { y: quantitative(chart.y, shared) } : { y: models.y, yOffset: models.yOffset };
  const points = {
    params: [
      {
        name: "brush",
        select: {
          type: "interval",
          encodings: chart.y ? ["x", "y"] : ["x"],
          mark: { fill: look.accent, fillOpacity: 0.12, stroke: look.accent, strokeWidth: 1.5 },
        },
      },
    ],
    mark: {
      type: "point",
      filled: false,
      size: many ? 24 : 60,
      strokeWidth: 1,
      strokeOpacity: many ? 0.6 : 1,
      cursor: "pointer",
    },
    encoding: {
      x: quantitative(chart.x, shared),
      ...place,
      stroke: { ...model, scale: { domain, range: colours } },
      fill: { ...model, scale: { domain, range: colours } },
      shape: { ...model, scale: { domain, range: range((symbol) => symbol.path) } },
      opacity: { condition: { test: "datum.chosen", value: 1 }, value: 0.12 },
      fillOpacity: { condition: { test: "datum.failure !== null", value: 0 }, value: many ? 0.25 : 0.5 },
      tooltip: TOOLTIP,
    },
  };
  const label = { labelColor: look.muted, titleColor: look.text, labelFontSize: 12, titleFontSize: 12 };
  const axis = { ...label, titleFontWeight: 400, gridColor: look.rule, domainColor: look.muted };
  return {
    description: `${chart.title}: ${chart.about} The same numbers stand in the table below.`,
    data: { name: "rows" },
    width: "container",
    height: chart.y ? 260 : Math.max(200, 26 * domain.length + 20),
    autosize: { type: "fit", contains: "padding" },
    background: "transparent",
    layer: [...lines(chart, rows, look), points, ...(chart.y ? [] : [models.median])],
    config: {
      font: look.font,
      view: { stroke: null },
      axis: { ...axis, tickColor: look.muted },
      axisX: { tickCount: 5 },
    },
  } as TopLevelSpec; // its types know no field that is named by a variable
}
