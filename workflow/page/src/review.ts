/**
 * Reviewing cases one after the other, by keyboard: keep, flag, redraw, exclude, with a reason and a name.
 *
 * Decisions stay in this browser (`review_state.ts`) until they are downloaded as a table, which
 * `headct review import` takes. A case is shown by whoever listens to `open-case`.
 */

import { button, element } from "./controls.ts";
import { openCase, type Rows, rows, type Study, study } from "./headct.ts";
import { Memory } from "./memory.ts";
import { inOrder, nameOf } from "./review_orders.ts";
import {
  type Act,
  actOf,
  type Bar,
  bar,
  needsReason,
  type Setup,
  setup,
  table,
  tellHeight,
} from "./review_parts.ts";
import {
  type Decided,
  type Decision,
  type Decisions,
  decidedOn,
  exported,
  hindrance,
  isDecided,
  nextUndecided,
  reasonOf,
  reviewerOf,
  storageKey,
  withDecision,
  withoutDecision,
  withoutReason,
} from "./review_state.ts";
import { download, today } from "./storage.ts";

const NO_CASES =
  "There is no case to review: the study has no test scan, or was made without files of its cases (report.cases).";
const NO_NAME = "Write your name, initials or code first: it stands beside each decision.";
const NONE_YET = "No decision yet.";

export class Review {
  #study: Study;
  #rows: Rows;
  #setup: Setup;
  #bar: Bar;
  #message = element("p", { class: "review-message", role: "alert" });
  #list = element("div", { class: "review-list" });
  #scans: string[];
  /** The case under review: the one that was opened last, here or elsewhere on the page. */
  #scan = "";
  /** The case in sight; none while one is opened, or can't be shown. */
  #shown = "";
  #reviewer = "";
  #active = false;
  #memory: Memory<Decided>;

  constructor(panel: HTMLElement, of: Study, measured: Rows) {
    this.#study = of;
    this.#rows = measured;
    this.#setup = setup(
      of,
      () => this.#reorder(),
      () => this.#toggle(),
    );
    this.#bar = bar(
      (act) => this.#perform(act),
      () => this.#toggle(),
      () => this.#rewrite(),
    );
    this.#scans = inOrder(of.cases, this.#setup.chosen(), of, measured);
    this.#memory = new Memory(storageKey(of.evidence), isDecided);
    this.#memory.onElsewhere(() => {
      // A reason that is being written here is not taken away by what another tab decides.
      if (document.activeElement === this.#bar.reason) this.#show();
      else this.#refill();
    });
    panel.replaceChildren(this.#setup.element, this.#message, this.#list);
    this.#bar.element.hidden = true;
    document.body.append(this.#bar.element);
    tellHeight(this.#bar.element);
    this.#setup.name.addEventListener("change", () => {
      this.#reviewer = reviewerOf(this.#setup.name.value);
      this.#refill();
    });
    // Before the viewer, which lets no key of its pictures through, and takes none of these.
    document.addEventListener("keydown", (event) => this.#onKey(event), { capture: true });
    document.addEventListener("open-case", ({ detail }) => this.#onCase(detail.scan, false));
    document.addEventListener("case-shown", ({ detail }) => this.#onCase(detail.scan, true));
    this.#show();
  }

  get #place(): number {
    return this.#scans.indexOf(this.#scan);
  }

  get #decisions(): Decisions {
    return this.#memory.now;
  }

  get #decided(): Decided | undefined {
    return this.#decisions[this.#reviewer]?.[this.#scan];
  }

  #toggle(): void {
    this.#reviewer = reviewerOf(this.#setup.name.value);
    if (!this.#reviewer) {
      this.#message.textContent = NO_NAME;
      this.#setup.name.focus();
      return;
    }
    this.#active = !this.#active;
    this.#bar.element.hidden = !this.#active;
    document.body.classList.toggle("reviewing", this.#active);
    this.#show();
    if (this.#active) {
      this.#bar.focus();
      this.#goOn(-1);
    }
  }

  #reorder(): void {
    this.#scans = inOrder(this.#study.cases, this.#setup.chosen(), this.#study, this.#rows);
    this.#show();
    if (this.#active) this.#goOn(-1);
  }

  #perform(act: Act): void {
    if (act === "reason") this.#bar.reason.focus({ preventScroll: true });
    else if (act === "next") this.#goTo(this.#place + 1);
    else if (act === "previous") this.#goTo(this.#place - 1);
    else if (act === "go on") this.#goOn(this.#place);
    else this.#decide(act);
  }

  #goTo(place: number): void {
    const scan = this.#scans[place];
    if (scan === undefined) return;
    const { model } = this.#setup.chosen();
    openCase({ scan, ...(model && { model }) });
  }

  /** To the next case without a decision, after a place; where there is none, the case that is open stays. */
  #goOn(place: number): void {
    const next = nextUndecided(this.#scans, this.#decisions, this.#reviewer, place);
    if (next !== null) this.#goTo(this.#scans.indexOf(next));
    else if (this.#scan === "") this.#goTo(0);
  }

  #decide(decision: Decision): void {
    if (hindrance(this.#reviewer, this.#scan, this.#shown)) return;
    const chosen = this.#setup.chosen();
    const reason = reasonOf(decision, this.#bar.reason.value, this.#decided);
    this.#bar.reason.value = reason;
    const decided = { decision, reason, model: chosen.model, order: nameOf(chosen), date: today() };
    this.#keep(decided);
    if (needsReason(decision) && reason.trim() === "") this.#bar.reason.focus({ preventScroll: true });
    else this.#goOn(this.#place);
  }

  /** The reason was written, of a decision that is there already. */
  #rewrite(): void {
    const now = this.#decided;
    if (now && this.#reviewer) {
      this.#keep({ ...now, reason: this.#bar.reason.value });
    }
  }

  #keep(decided: Decided): void {
    const [reviewer, scan] = [this.#reviewer, this.#scan];
    this.#memory.change((now) => withDecision(now, reviewer, scan, decided));
    this.#show();
  }

  #takeBack(scan: string): void {
    const reviewer = this.#reviewer;
    this.#memory.change((now) => withoutDecision(now, reviewer, scan));
    this.#refill();
  }

  #onKey(event: KeyboardEvent): void {
    if (event.repeat && event.key === "Enter" && this.#bar.element.contains(event.target as Node)) {
      event.preventDefault(); // held down on a button, it would decide on case after case
    }
    const act = this.#active ? actOf(event) : null;
    if (act === null) return;
    event.preventDefault();
    this.#perform(act);
  }

  /** A case is opened, or in sight; whoever asked for it, a figure say, it is now under review. */
  #onCase(scan: string, isShown: boolean): void {
    const isOther = scan !== this.#scan;
    this.#scan = scan;
    this.#shown = isShown ? scan : "";
    if (isOther) this.#refill();
    else this.#show();
  }

  /** Show the case under review with what the reviewer has said of it, and nothing of another case or person. */
  #refill(): void {
    this.#bar.reason.value = this.#decided?.reason ?? "";
    this.#show();
  }

  #show(): void {
    this.#setup.show(this.#active);
    const { warning } = this.#memory;
    if (this.#message.textContent !== warning) this.#message.textContent = warning;
    this.#bar.show({
      scan: this.#scan,
      place: this.#place,
      cases: this.#scans.length,
      done: decidedOn(this.#scans, this.#decisions, this.#reviewer),
      decided: this.#decided,
      warning,
      hindrance: hindrance(this.#reviewer, this.#scan, this.#shown),
    });
    this.#list.replaceChildren(...this.#listed());
  }

  #listed(): Node[] {
    const all = this.#decisions[this.#reviewer] ?? {};
    const own = this.#scans.filter((scan) => all[scan]);
    const others = Object.entries(this.#decisions).filter(
      ([reviewer, decided]) => reviewer !== this.#reviewer && Object.keys(decided).length > 0,
    );
    const parts: Node[] = [];
    if (own.length > 0) {
      parts.push(
        table(
          own,
          all,
          (scan) => this.#goTo(this.#scans.indexOf(scan)),
          (scan) => this.#takeBack(scan),
        ),
      );
    } else parts.push(element("p", {}, NONE_YET));
    if (others.length > 0) {
      const names = others.map(([reviewer]) => reviewer).join("; ");
      parts.push(
        element("p", {}, `In this browser, too: decisions of ${names}. The table has them as well.`),
      );
    }
    const lacking = withoutReason(this.#decisions, this.#reviewer);
    if (lacking.length > 0) {
      parts.push(element("p", { class: "review-message" }, `Without a reason yet: ${lacking.join(", ")}.`));
    }
    const toDownload = button("Download decisions", () => this.#download());
    toDownload.disabled = Object.keys(all).length === 0 && others.length === 0;
    parts.push(element("p", {}, toDownload));
    return parts;
  }

  #download(): void {
    const { review = "results", evidence } = this.#study;
    download(exported(this.#decisions, review, review === "results" ? evidence : ""), "reviews.tsv");
  }
}

const panel = document.getElementById("review");
const [found, measured] = [study(), rows()];
if (panel && found && measured) {
  if (found.cases.length > 0) new Review(panel, found, measured);
  else panel.append(element("p", {}, NO_CASES));
}
