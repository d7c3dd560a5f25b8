/** What a review consists of on the page: who reviews in which order, the bar of a case, the list of decisions. */

import { button, element } from "./controls.ts";
import type { Study } from "./headct.ts";
import { type Chosen, ORDERS, type Order } from "./review_orders.ts";
import type { Decided, Decision } from "./review_state.ts";

/** What each key does. */
export const KEYS = {
  p: "previous",
  n: "next",
  k: "keep",
  f: "flag",
  r: "redraw",
  x: "exclude",
  w: "reason",
} as const;

/** What a key does; and going on to the next case without a decision, which Enter does once a reason is written. */
export type Act = (typeof KEYS)[keyof typeof KEYS] | "go on";

const WORDS: Record<Exclude<Act, "reason" | "go on">, string> = {
  previous: "Previous",
  next: "Next",
  keep: "Keep",
  flag: "Flag",
  redraw: "Redraw",
  exclude: "Exclude",
};

const ORDER_WORDS: Record<Order, string> = {
  worst: "worst first",
  best: "best first",
  "disputed by Dice": "most disputed first, by Dice",
  "disputed by volume": "most disputed first, by volume",
  random: "random",
  "as listed": "as listed",
  "remarks first": "remarks of the checks first",
};

const ALL_DONE = "You have decided on every case. Download your decisions.";

/** Reasons that are offered; any other may be typed. */
const REASONS = [
  "motion",
  "metal",
  "part of the head is missing",
  "mask misses blood",
  "mask has more than the blood",
  "mask of another lesion",
  "another disease",
];

/** The action of a key, unless it is part of a text or of a command of the browser. */
export function actOf(event: KeyboardEvent): Act | null {
  if (event.ctrlKey || event.metaKey || event.altKey || takesText(event.target)) return null;
  const act = KEYS[event.key.toLowerCase() as keyof typeof KEYS] ?? null;
  // A key that is held down leafs through cases, but decides on one only.
  return event.repeat && act !== "next" && act !== "previous" ? null : act;
}

function takesText(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target instanceof HTMLInputElement)
    return !["radio", "checkbox", "range", "button"].includes(target.type);
  return target.isContentEditable || target.matches("select, textarea");
}

function labelled(words: string, input: HTMLElement, key?: string): HTMLLabelElement {
  const title = element("span", {}, ...(key ? [element("kbd", {}, key.toUpperCase()), " "] : []), words);
  return element("label", {}, title, input);
}

function selected(options: readonly (readonly [value: string, words: string])[]): HTMLSelectElement {
  return element("select", {}, ...options.map(([value, words]) => element("option", { value }, words)));
}

/** Who reviews, in which order. */
export interface Setup {
  element: HTMLFormElement;
  name: HTMLInputElement;
  chosen(): Chosen;
  /** Say on its button whether a review goes on. */
  show(active: boolean): void;
}

export function setup(study: Study, onOrder: () => void, onStart: () => void): Setup {
  const name = element("input", { type: "text", maxlength: "64", autocomplete: "off", size: "18" });
  const order = selected(ORDERS[study.review ?? "results"].map((one) => [one, ORDER_WORDS[one]] as const));
  const models = study.models.filter((one) => !one.trivial);
  const model = selected([["", "all models"], ...models.map((one) => [one.key, one.title] as const)]);
  const seed = element("input", { type: "number", min: "0", step: "1", value: "1" });
  const ofModel = labelled("Ranked by", model);
  const ofSeed = labelled("Seed", seed);
  const start = element("button", { type: "submit" });
  const form = element(
    "form",
    { class: "review-setup" },
    labelled("Your name", name),
    labelled("Order", order),
  );
  form.append(ofModel, ofSeed, start);
  const isRanked = () => order.value === "worst" || order.value === "best";
  const arrange = () => {
    ofModel.hidden = !isRanked();
    ofSeed.hidden = order.value !== "random";
  };
  for (const input of [order, model, seed]) {
    input.addEventListener("change", () => {
      arrange();
      onOrder();
    });
  }
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    onStart();
  });
  arrange();
  return {
    element: form,
    name,
    chosen: () => ({
      order: order.value as Order,
      seed: Math.max(0, Math.trunc(seed.valueAsNumber || 0)),
      model: isRanked() ? model.value : "",
    }),
    show(active) {
      start.textContent = active ? "Stop reviewing" : "Start reviewing";
      start.setAttribute("aria-pressed", String(active));
    },
  };
}

/** What the bar says of the case under review. */
export interface UnderReview {
  scan: string;
  /** Its place in the order, from 0; -1 where it has none. */
  place: number;
  cases: number;
  /** Cases with a decision. */
  done: number;
  decided: Decided | undefined;
  /** What is not kept, or could not be read; empty if all is well. */
  warning: string;
  /** Why no decision can be taken; empty if one can. */
  hindrance: string;
}

/** The bar at the foot of the window, while cases are reviewed. */
export interface Bar {
  element: HTMLElement;
  reason: HTMLInputElement;
  show(now: UnderReview): void;
  focus(): void;
}

export function bar(perform: (act: Act) => void, onStop: () => void, onReason: () => void): Bar {
  const where = element("strong", { class: "name" });
  const counts = element("span");
  const progress = element("progress", { "aria-label": "Cases with a decision" });
  const stop = button("Stop reviewing", onStop);
  const status = element("p", { class: "review-status", "aria-live": "polite" });
  const buttons = new Map<Act, HTMLButtonElement>();
  const row = element("div", { class: "review-buttons", role: "group", "aria-label": "Decision" });
  for (const [key, act] of Object.entries(KEYS)) {
    if (act === "reason") continue;
    const made = button("", () => perform(act));
    made.append(element("kbd", {}, key.toUpperCase()), ` ${WORDS[act]}`);
    made.setAttribute("aria-keyshortcuts", key);
    buttons.set(act, made);
    row.append(made);
  }
  const reason = element("input", { type: "text", maxlength: "200", list: "review-reasons" });
  reason.setAttribute("aria-keyshortcuts", "w");
  const reasons = element("datalist", { id: "review-reasons" });
  reasons.append(...REASONS.map((value) => element("option", { value })));
  const focus = () => buttons.get("keep")?.focus({ preventScroll: true });
  reason.addEventListener("input", onReason);
  reason.addEventListener("keydown", (event) => {
    if (event.key === "Escape") focus();
    if (event.key !== "Enter") return;
    event.preventDefault();
    focus();
    perform("go on");
  });
  return {
    element: element(
      "section",
      { class: "review-bar", "aria-label": "Case under review" },
      element("div", { class: "review-where" }, where, counts, progress, stop),
      row,
      labelled("Reason", reason, "w"),
      reasons,
      status,
    ),
    reason,
    focus,
    show({ scan, place, cases, done, decided, warning, hindrance }) {
      where.textContent = scan;
      counts.textContent = place < 0 ? `${done} decided` : `case ${place + 1} of ${cases}, ${done} decided`;
      progress.max = cases;
      progress.value = done;
      for (const [act, made] of buttons) {
        if (act === "previous") made.disabled = place <= 0;
        else if (act === "next") made.disabled = place >= cases - 1;
        else {
          made.setAttribute("aria-pressed", String(decided?.decision === act));
          made.setAttribute("aria-disabled", String(hindrance !== "")); // it keeps the focus
        }
      }
      const all = done === cases ? ALL_DONE : "";
      status.textContent = [hindrance || inWords(decided), all, warning].filter(Boolean).join(" ");
    },
  };
}

/** Tell the style sheet how high the bar is, 0 while it is hidden: pictures are fitted into the room above it. */
export function tellHeight(bar: HTMLElement): void {
  const tell = () => {
    const { height } = bar.getBoundingClientRect();
    document.documentElement.style.setProperty("--review-bar", `${height}px`);
  };
  new ResizeObserver(tell).observe(bar, { box: "border-box" });
}

function inWords(decided: Decided | undefined): string {
  if (!decided) return "Not decided yet.";
  const said = `Decided: ${decided.decision}${decided.reason ? `, ${decided.reason}` : ""}.`;
  return needsReason(decided.decision) && !decided.reason ? `${said} Say why, then press Enter.` : said;
}

export const needsReason = (decision: Decision): boolean => decision !== "keep";

/** A reviewer's decisions in the order of the cases, each to be opened again or taken back. */
export function table(
  scans: readonly string[],
  decided: Readonly<Record<string, Decided>>,
  onOpen: (scan: string) => void,
  onTakeBack: (scan: string) => void,
): HTMLTableElement {
  const heads = ["Case", "Decision", "Reason", "Order", ""];
  const head = element("tr", { role: "row" });
  head.append(...heads.map((words) => element("th", { scope: "col", role: "columnheader" }, words)));
  const body = element("tbody", { role: "rowgroup" });
  for (const scan of scans) {
    const one = decided[scan];
    if (!one) continue;
    const open = button(scan, () => onOpen(scan));
    open.className = "review-open name";
    const back = button("Take back", () => onTakeBack(scan));
    back.setAttribute("aria-label", `Take back the decision on ${scan}`);
    const reason = one.reason || (needsReason(one.decision) ? "needs a reason" : "");
    const row = element("tr", { role: "row" });
    for (const [place, cell] of [open, one.decision, reason, one.order, back].entries()) {
      row.append(
        element("td", { role: "cell", "data-heading": heads[place] ?? "" }, element("span", {}, cell)),
      );
    }
    body.append(row);
  }
  const top = element("thead", { role: "rowgroup" }, head);
  return element("table", { role: "table", class: "review-table" }, top, body);
}
