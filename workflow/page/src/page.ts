/** What all of the page does: a number tells where it is from, a figure is enlarged, a case is opened. */

import { openCase } from "./headct.ts";
import { attend } from "./numbers.ts";

const WITHIN = ".zoom, [data-beside], [data-open-case]";

/** A figure over the whole page; plus and minus enlarge it, Escape closes it. */
function enlarge(image: HTMLImageElement): void {
  const dialog = document.createElement("dialog");
  dialog.className = "enlarged";
  dialog.setAttribute("aria-label", image.alt);
  const bar = document.createElement("div");
  bar.className = "bar";
  const copy = image.cloneNode() as HTMLImageElement;
  let zoom = 1;
  const resize = (factor: number) => {
    zoom = Math.min(8, Math.max(0.5, zoom * factor));
    copy.style.setProperty("--zoom", String(zoom));
  };
  const button = (text: string, name: string, act: () => void) => {
    const made = document.createElement("button");
    made.type = "button";
    made.textContent = text;
    made.setAttribute("aria-label", name);
    made.addEventListener("click", act);
    bar.append(made);
  };
  button("+", "Larger", () => resize(1.5));
  button("−", "Smaller", () => resize(1 / 1.5));
  button("Close", "Close", () => dialog.close());
  dialog.addEventListener("keydown", (event) => {
    if (event.key === "+") resize(1.5);
    if (event.key === "-") resize(1 / 1.5);
  });
  dialog.addEventListener("close", () => dialog.remove());
  dialog.append(bar, copy);
  document.body.append(dialog);
  dialog.showModal();
}

/** A picture that lies beside the page, in the place of the button that asks for it. */
function showBeside(button: HTMLElement): void {
  const image = document.createElement("img");
  image.alt = button.closest("figure")?.querySelector("h3")?.textContent ?? "";
  const frame = document.createElement("button");
  frame.type = "button";
  frame.className = "zoom";
  frame.setAttribute("aria-label", `${image.alt}: enlarge`);
  frame.append(image);
  image.addEventListener("load", () => button.replaceWith(frame));
  image.addEventListener("error", () => {
    button.outerHTML = '<p class="none">It does not lie beside this page.</p>';
  });
  image.src = button.dataset.beside ?? "";
}

document.addEventListener("click", (event) => {
  const clicked = event.target instanceof Element ? event.target.closest<HTMLElement>(WITHIN) : null;
  const image = clicked?.matches(".zoom") ? clicked.querySelector("img") : null;
  if (image) enlarge(image);
  if (clicked?.matches("[data-beside]")) showBeside(clicked);
  const { openCase: scan, model, lesion } = clicked?.dataset ?? {};
  if (scan) openCase({ scan, ...(model && { model }), ...(lesion && { lesion }) });
});

/** In a review the picture is brought above the bar, where there is one yet; else all that is told of the case. */
function bringIntoSight(): void {
  const picture = document.querySelector("body.reviewing #viewer:not(.unseen) .viewer-picture");
  if (picture) picture.scrollIntoView({ block: "end" });
  else document.getElementById("viewer")?.scrollIntoView();
}

document.addEventListener("open-case", bringIntoSight);
document.addEventListener("case-shown", () => {
  if (document.body.classList.contains("reviewing")) bringIntoSight();
});

const where = document.getElementById("where");
if (where) attend(where);
