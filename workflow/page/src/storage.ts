/** What the browser keeps for a page, and how a text leaves it: nothing is sent anywhere. */

import { element } from "./controls.ts";

export const NO_STORAGE =
  "This browser keeps nothing for this page: download what you have decided before you close it.";

/** What the browser keeps under a name; null where it keeps nothing, or is told to keep nothing. */
export function kept(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

/** Keep a text under a name; whether the browser does. */
export function keep(key: string, text: string): boolean {
  try {
    localStorage.setItem(key, text);
    return true;
  } catch {
    return false;
  }
}

/** Hand a table to whoever looks at the page, as a file. */
export function download(text: string, file: string): void {
  const href = URL.createObjectURL(new Blob([text], { type: "text/tab-separated-values" }));
  element("a", { href, download: file }).click();
  setTimeout(() => URL.revokeObjectURL(href), 1000);
}

/** Today, as 2026-11-29. */
export const today = (): string => new Date().toISOString().slice(0, 10);
