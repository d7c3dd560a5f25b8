/** Opening a case: the viewer and the case's file are scripts beside the page, loaded when they are asked for. */

import { type CaseFile, type OpenCase, shared } from "./headct.ts";

const FOLDER = "cases";

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
  for (const other of [...cases.keys()]) if (other !== scan) cases.delete(other);
  return file;
}

let asked = "";

async function open({ scan, model, lesion }: OpenCase): Promise<void> {
  const element = document.getElementById("viewer");
  if (!element) return;
  asked = scan;
  element.setAttribute("aria-busy", "true");
  try {
    await load(`${FOLDER}/viewer.js`);
    const file = await caseOf(scan);
    if (asked !== scan) return; // another one was asked for since
    await shared().viewer?.show(file, { element, model, lesion });
    if (asked === scan) document.dispatchEvent(new CustomEvent("case-shown", { detail: { scan } }));
  } catch (error) {
    const message = document.createElement("p");
    message.setAttribute("role", "alert");
    message.textContent = `${scan} can't be shown: ${error instanceof Error ? error.message : error}.`;
    element.querySelector("[role=alert]")?.remove();
    element.prepend(message);
  } finally {
    if (asked === scan) element.removeAttribute("aria-busy");
  }
}

shared();
document.addEventListener("open-case", ({ detail }) => void open(detail));
