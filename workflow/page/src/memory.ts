/** What people have decided on a page, kept in the browser for all tabs that show the page. */

import { type ByPerson, restoredFrom } from "./restored.ts";
import { keep, kept, NO_STORAGE } from "./storage.ts";

type Change<T> = (now: ByPerson<T>) => ByPerson<T>;

export class Memory<T> {
  readonly #key: string;
  readonly #isOne: (value: unknown) => boolean;
  #stored: ByPerson<T> = {};
  #unread = 0;
  /** Changes that the browser has not kept. */
  #unsaved: Change<T>[] = [];
  #isFull = false;

  constructor(key: string, isOne: (value: unknown) => boolean) {
    this.#key = key;
    this.#isOne = isOne;
    this.read();
  }

  /** All that is decided, of this tab also what the browser has not kept. */
  get now(): ByPerson<T> {
    return this.#unsaved.reduce((now, change) => change(now), this.#stored);
  }

  /** What whoever decides must know; empty where all is kept and read. */
  get warning(): string {
    const unread = `${this.#unread} ${this.#unread === 1 ? "entry" : "entries"} of what this browser kept can't be read: left out here, kept as ${this.#aside}.`;
    return [this.#isFull ? NO_STORAGE : "", this.#unread ? unread : ""].filter(Boolean).join(" ");
  }

  /** Where what can't be read is put before anything is written over it. */
  get #aside(): string {
    return `${this.#key}:unread`;
  }

  /** Read what the browser has by now, other tabs' decisions among it; the text itself. */
  read(): string | null {
    const text = kept(this.#key);
    const { read, unread } = restoredFrom<T>(text, this.#isOne);
    this.#stored = read;
    this.#unread = Math.max(this.#unread, unread);
    return unread ? text : null;
  }

  /** Change what is there now, in whichever tab it was decided. */
  change(change: Change<T>): void {
    const unread = this.read();
    this.#unsaved.push(change);
    const aside = unread === null || this.#putAside(unread);
    this.#isFull = !(aside && keep(this.#key, JSON.stringify(this.now)));
    if (this.#isFull) return;
    this.#stored = this.now;
    this.#unsaved = [];
  }

  #putAside(text: string): boolean {
    const before = kept(this.#aside);
    return keep(this.#aside, before === null ? text : `${before}\n${text}`);
  }

  /** Call a listener whenever another tab has changed what is kept. */
  onElsewhere(listener: () => void): void {
    window.addEventListener("storage", ({ key }) => {
      if (key !== this.#key && key !== null) return;
      this.read();
      listener();
    });
  }
}
