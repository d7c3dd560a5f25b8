/**
 * Reviewing cases one after the other, by keyboard: keep, flag, redraw, exclude, with a reason and a name.
 *
 * Decisions stay in this browser (`review_state.ts`) until they are downloaded as a table, which
 * `headct review import` takes. A case is shown by whoever listens to `open-case`.
 */

import { button, element } from "./controls.ts";
import { type CaseShown, openCase, type Rows, rows, type Study, study } from "./headct.ts";
import { inOrder, nameOf } from "./review_orders.ts";
import { type Act, actOf, type Bar, bar, needsReason, type Setup, setup, table } from "./review_parts.ts";
import {
  type Decided,
  type Decision,
  type Decisions,
  decidedOn,
  exported,
  nextUndecided,
  restored,
  reviewerOf,
  storageKey,
  withDecision,
  withoutDecision,
  withoutReason,
} from "./review_state.ts";
import { download, keep, kept, NO_STORAGE, today } from "./storage.ts";

const NO_CASES =
  "There is no case to review: the study has no test scan, or was made without files of its cases (report.cases).";
const NO_NAME = "Write your name, initials or code first: it stands beside each decision.";
const ALL_DONE = "You have decided on every case. Download your decisions.";
const NONE_YET = "No decision yet.";

export class Review {
  #study: Study;
  #rows: Rows;
  #setup: Setup;
  #bar: Bar;
  #message = element("p", { class: "review-message", role: "alert" });
  #list = element("div", { class: "review-list" });
  #scans: string[];
  #place = 0;
  #reviewer = "";
  #active = false;
  #decisions: Decisions;

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
    this.#decisions = restored(kept(storageKey(of.evidence)));
    panel.replaceChildren(this.#setup.element, this.#message, this.#list);
    this.#bar.element.hidden = true;
    document.body.append(this.#bar.element);
    this.#setup.name.addEventListener("change", () => {
      this.#reviewer = reviewerOf(this.#setup.name.value);
      this.#show();
    });
    // Before the viewer, which lets no key of its pictures through, and takes none of these.
    document.addEventListener("keydown", (event) => this.#onKey(event), { capture: true });
    document.addEventListener("case-shown", ({ detail }) => this.#onShown(detail));
    this.#show();
  }

  get #scan(): string {
    return this.#scans[this.#place] ?? "";
  }

  get #decided(): Decided | undefined {
    return this.#decisions[this.#reviewer]?.[this.#scan];
  }

  #toggle(): void {
    this.#reviewer = reviewerOf(this.#setup.name.value);
    this.#message.textContent = this.#reviewer ? "" : NO_NAME;
    if (!this.#reviewer) {
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
    this.#place = 0;
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
    this.#place = place;
    this.#bar.reason.value = this.#decided?.reason ?? "";
    this.#show();
    const { model } = this.#setup.chosen();
    openCase({ scan, ...(model && { model }) });
  }

  /** To the next case without a decision, after a place. */
  #goOn(place: number): void {
    const next = nextUndecided(this.#scans, this.#decisions, this.#reviewer, place);
    if (next !== null) this.#goTo(this.#scans.indexOf(next));
    else this.#bar.say(ALL_DONE);
  }

  #decide(decision: Decision): void {
    const chosen = this.#setup.chosen();
    const { value: reason } = this.#bar.reason;
    const decided = { decision, reason, model: chosen.model, order: nameOf(chosen), date: today() };
    this.#keep(withDecision(this.#decisions, this.#reviewer, this.#scan, decided));
    if (needsReason(decision) && reason.trim() === "") this.#bar.reason.focus({ preventScroll: true });
    else this.#goOn(this.#place);
  }

  /** The reason was written, of a decision that is there already. */
  #rewrite(): void {
    const now = this.#decided;
    if (now) {
      const decided = { ...now, reason: this.#bar.reason.value };
      this.#keep(withDecision(this.#decisions, this.#reviewer, this.#scan, decided));
    }
  }

  #keep(decisions: Decisions): void {
    this.#decisions = decisions;
    if (!keep(storageKey(this.#study.evidence), JSON.stringify(decisions))) {
      this.#message.textContent = NO_STORAGE;
    }
    this.#show();
  }

  #onKey(event: KeyboardEvent): void {
    const act = this.#active ? actOf(event) : null;
    if (act === null) return;
    event.preventDefault();
    this.#perform(act);
  }

  /** A case is in sight. One that was opened elsewhere, in a figure say, is now under review. */
  #onShown({ scan }: CaseShown): void {
    const place = this.#scans.indexOf(scan);
    if (place < 0 || place === this.#place) return;
    this.#place = place;
    this.#bar.reason.value = this.#decided?.reason ?? "";
    this.#show();
  }

  #show(): void {
    this.#setup.show(this.#active);
    this.#bar.show({
      scan: this.#scan,
      place: this.#place,
      cases: this.#scans.length,
      done: decidedOn(this.#scans, this.#decisions, this.#reviewer),
      decided: this.#decided,
    });
    this.#list.replaceChildren(...this.#listed());
  }

  #listed(): Node[] {
    const own = this.#decisions[this.#reviewer] ?? {};
    const others = Object.entries(this.#decisions).filter(
      ([reviewer, decided]) => reviewer !== this.#reviewer && Object.keys(decided).length > 0,
    );
    const parts: Node[] = [];
    if (Object.keys(own).length > 0) {
      parts.push(
        table(
          this.#scans,
          own,
          (scan) => this.#goTo(this.#scans.indexOf(scan)),
          (scan) => this.#keep(withoutDecision(this.#decisions, this.#reviewer, scan)),
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
    toDownload.disabled = Object.keys(own).length === 0 && others.length === 0;
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
