/** Opening a case: the viewer and the case's file are scripts beside the page, loaded when they are asked for. */

import { type CaseFile, type OpenCase, shared, study } from "./headct.ts";

const FOLDER = "cases";
const VIEWER = `${FOLDER}/viewer.js`;
/** What opens a case, and where somebody is who will open one. */
const NEAR = "[data-open-case], .opens, #viewer, #review";

const NOT_OF_THIS_PAGE =
  "was not made with this page: it is of another study, or of an earlier or later state of this one";

const loading = new Map<string, Promise<void>>();

/** Load a script beside the page, once. */
function load(path: string): Promise<void> {
  const found = loading.get(path);
  if (found) return found;
  const loaded = new Promise<void>((resolve, reject) => {
    const script = document.createElement("script");
    script.src = path;
    script.onload = () => {
      script.remove(); // what it has done stays
      resolve();
    };
    script.onerror = () => {
      script.remove();
      loading.delete(path);
      reject(new Error(`${path} is not beside this page`));
    };
    document.head.append(script);
  });
  loading.set(path, loaded);
  return loaded;
}

/** The file of a case, loaded if need be; only the last one is kept, for each has megabytes. */
async function caseOf(scan: string): Promise<CaseFile> {
  const { cases } = shared();
  const path = `${FOLDER}/scans/${encodeURIComponent(scan)}.js`;
  if (!cases.has(scan)) {
    loading.delete(path);
    await load(path);
  }
  const file = cases.get(scan);
  if (!file) throw new Error(`${path} holds no case ${scan}`);
  if (file.digest !== study()?.digests[scan]) {
    cases.delete(scan); // read anew when it is asked for again
    throw new Error(`${path} ${NOT_OF_THIS_PAGE}`);
  }
  for (const other of [...cases.keys()]) if (other !== scan) cases.delete(other);
  return file;
}

let asked = "";
let goBack = () => {};

/** Above the pictures: what is being done, and a way back to where a case was opened from. */
const bar = document.createElement("div");
const said = document.createElement("p");
const back = document.createElement("button");
bar.className = "viewer-bar";
said.setAttribute("role", "status");
back.type = "button";
back.textContent = "Back to where this was opened";
back.addEventListener("click", () => goBack());
bar.append(said, back);

/** Remember where a case is opened from, unless it is the viewer itself; what may lose the focus to the picture. */
function remember(viewer: HTMLElement): Element | null {
  const from = document.activeElement;
  if (viewer.contains(from)) return null;
  const { scrollX, scrollY } = window;
  goBack = () => {
    window.scrollTo(scrollX, scrollY);
    if (from instanceof HTMLElement || from instanceof SVGElement) from.focus({ preventScroll: true });
  };
  // Who leafs through cases by keys of the page, of the review or of the rating goes on with them.
  return from === document.body || from?.closest("#review, .review-bar, #rating") ? null : from;
}

async function open({ scan, model, lesion }: OpenCase): Promise<void> {
  const element = document.getElementById("viewer");
  if (!element) return;
  asked = scan;
  const from = remember(element);
  if (bar.parentElement !== element) element.prepend(bar);
  said.setAttribute("role", "status");
  said.textContent = `Opening ${scan} …`;
  element.setAttribute("aria-busy", "true");
  try {
    await load(VIEWER);
    const file = await caseOf(scan);
    if (asked !== scan) return; // another one was asked for since
    element.classList.remove("unseen");
    await shared().viewer?.show(file, { element, model, lesion });
    if (asked !== scan) return;
    said.textContent = "";
    // Not from whoever went on meanwhile, and writes a reason, say: what is typed would be keys of the viewer.
    if (from && document.activeElement === from)
      element.querySelector<HTMLElement>("canvas")?.focus({ preventScroll: true });
    document.dispatchEvent(new CustomEvent("case-shown", { detail: { scan } }));
  } catch (error) {
    if (asked !== scan) return;
    element.classList.add("unseen"); // pictures and heading of the former case
    said.setAttribute("role", "alert");
    const why = error instanceof Error ? error.message : String(error);
    said.textContent = `${scan} can't be shown: ${why.replace(/\.+$/, "")}.`;
    bar.scrollIntoView({ block: "nearest" });
  } finally {
    if (asked === scan) element.removeAttribute("aria-busy");
  }
}

const COMES = ["pointerover", "focusin"];

/** Start the viewer, which takes longer than a case, when the mouse or the focus comes near to what opens one. */
function prepare({ target }: Event): void {
  if (!(target instanceof Element) || !target.closest(NEAR) || !study()?.cases.length) return;
  for (const event of COMES) document.removeEventListener(event, prepare);
  load(VIEWER)
    .then(() => shared().viewer?.prepare())
    .catch(() => {}); // why it failed is told when a case is opened
}

shared();
for (const event of COMES) document.addEventListener(event, prepare);
document.addEventListener("open-case", ({ detail }) => void open(detail));
