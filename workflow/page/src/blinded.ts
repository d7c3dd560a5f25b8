/** The page on which maps are judged by who does not know whose they are; a script of its own, without names. */

import "./cases.ts";
import { exported, isRated, isRating, type Rating, withRating } from "./blinded_state.ts";
import { button, element } from "./controls.ts";
import { openCase, type Study, study } from "./headct.ts";
import { Memory } from "./memory.ts";
import { reviewerOf } from "./review_state.ts";
import { download, today } from "./storage.ts";

const NO_NAME = "Write your name, initials or code first.";
const NONE = "";

class Blinded {
  #study: Study;
  #memory: Memory<Rating>;
  #place = 0;
  #name = element("input", { type: "text", maxlength: "64", autocomplete: "off", size: "18" });
  #where = element("strong", { class: "name" });
  #progress = element("progress", { "aria-label": "Cases that you have judged" });
  #counts = element("span");
  #accepted = new Map<string, HTMLInputElement>();
  #best = new Map<string, HTMLInputElement>();
  #questions = [element("fieldset"), element("fieldset")] as const;
  #message = element("p", { class: "review-message", role: "alert" });
  #previous = button("Previous case", () => this.#goTo(this.#place - 1));
  #next = button("Next case", () => this.#goTo(this.#place + 1));
  #download = button("Download ratings", () =>
    download(exported(this.#memory.now, this.#study.evidence), "ratings.tsv"),
  );

  constructor(panel: HTMLElement, of: Study) {
    this.#study = of;
    this.#memory = new Memory(`headct-blinded:${of.evidence}`, isRating);
    this.#memory.onElsewhere(() => this.#show());
    const [accept, best] = this.#questions;
    accept.append(element("legend", {}, "Which would you accept as they are?"));
    best.append(element("legend", {}, "Which is the best?"));
    for (const { key, title } of of.models) {
      accept.append(this.#input(this.#accepted, "checkbox", key, title));
      best.append(this.#input(this.#best, "radio", key, title));
    }
    best.append(this.#input(this.#best, "radio", NONE, "None is better than the others"));
    this.#name.addEventListener("change", () => this.#show());
    const where = element("div", { class: "review-where" }, this.#where, this.#counts, this.#progress);
    const ends = element("div", { class: "review-buttons" }, this.#previous, this.#next, this.#download);
    const name = element("label", {}, element("span", {}, "Your name"), this.#name);
    panel.replaceChildren(
      element("div", { class: "review-setup" }, name),
      this.#message,
      where,
      element("div", { class: "rating-questions" }, accept, best),
      ends,
    );
    // A case is judged by what is seen of it, not before.
    document.addEventListener("case-shown", ({ detail }) => this.#ask(detail.scan === this.#case));
    this.#goTo(0);
  }

  get #case(): string {
    return this.#study.cases[this.#place] ?? "";
  }

  get #rater(): string {
    return reviewerOf(this.#name.value);
  }

  #input(
    into: Map<string, HTMLInputElement>,
    type: "checkbox" | "radio",
    value: string,
    words: string,
  ): HTMLElement {
    const input = element("input", { type, name: type, value });
    input.addEventListener("change", () => this.#judge());
    into.set(value, input);
    return element("label", {}, input, element("span", {}, words));
  }

  /** What is chosen is the rater's judgement of the case. */
  #judge(): void {
    if (!this.#rater) {
      this.#show();
      this.#message.textContent = NO_NAME;
      this.#name.focus();
      return;
    }
    const chosen = (inputs: Map<string, HTMLInputElement>) =>
      [...inputs].filter(([, input]) => input.checked).map(([value]) => value);
    const rating: Rating = {
      accepted: chosen(this.#accepted),
      best: chosen(this.#best)[0] ?? null,
      date: today(),
    };
    const [rater, name] = [this.#rater, this.#case];
    this.#memory.change((now) => withRating(now, rater, name, rating));
    this.#show();
  }

  #goTo(place: number): void {
    if (this.#study.cases[place] === undefined) return;
    this.#place = place;
    this.#ask(false);
    openCase({ scan: this.#case });
    this.#show();
  }

  #ask(isShown: boolean): void {
    for (const question of this.#questions) question.disabled = !isShown;
  }

  #show(): void {
    const { cases } = this.#study;
    const rater = this.#rater;
    const ratings = this.#memory.now;
    const rating = ratings[rater]?.[this.#case];
    const { warning } = this.#memory;
    if (this.#message.textContent !== warning) this.#message.textContent = warning;
    for (const [letter, input] of this.#accepted) input.checked = rating?.accepted.includes(letter) ?? false;
    for (const [letter, input] of this.#best) input.checked = rating?.best === letter;
    const judged = cases.filter((name) => isRated(ratings, rater, name)).length;
    this.#where.textContent = this.#case;
    this.#counts.textContent = `${judged} of ${cases.length} judged`;
    this.#progress.max = cases.length;
    this.#progress.value = judged;
    this.#previous.disabled = this.#place === 0;
    this.#next.disabled = this.#place >= cases.length - 1;
    this.#download.disabled = judged === 0;
  }
}

const panel = document.getElementById("rating");
const found = study();
if (panel && found) new Blinded(panel, found);
