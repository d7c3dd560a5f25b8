/**
 * Where numbers are from: told of the one that has the focus, by a click or by keyboard.
 *
 * The Tab key stops once at the numbers of each table, and once at those in the text of each section; arrow keys go
 * on from one to the next. So a page of a thousand numbers does not have a thousand stops.
 */

import { element } from "./controls.ts";

const NUMBER = "data.from";
const KEYS = "Arrow keys: other numbers. Escape: close.";

/** What shares one stop: the cells of a table, or all else in a section. */
const groupOf = (number: Element): Element =>
  number.closest("td, th")?.closest("table") ?? number.closest("section") ?? document.body;

const isNumber = (target: EventTarget | null): target is HTMLElement =>
  target instanceof HTMLElement && target.matches(NUMBER);

function numbersOf(group: Element): HTMLElement[] {
  const found = [...group.querySelectorAll<HTMLElement>(NUMBER)];
  return found.filter((number) => groupOf(number) === group && number.checkVisibility());
}

/** Let the Tab key stop here, and nowhere else in this group. */
function stopAt(number: HTMLElement): void {
  const group = groupOf(number);
  for (const former of group.querySelectorAll(`${NUMBER}[tabindex]`)) {
    if (former === number || groupOf(former) !== group) continue;
    former.removeAttribute("tabindex");
    former.removeAttribute("role");
  }
  number.tabIndex = 0;
  number.setAttribute("role", "button");
}

/** Give a number the focus, and then the stop: whatever lost the stop first would lose the focus to nothing. */
function leadTo(number: HTMLElement, how?: FocusOptions): void {
  number.tabIndex = 0;
  number.focus(how);
  stopAt(number);
}

/** Give the numbers in an element their stops, one for each table or section: the first of each. */
export function reachable(within: ParentNode): void {
  const groups = new Set<Element>();
  for (const number of within.querySelectorAll<HTMLElement>(NUMBER)) {
    const group = groupOf(number);
    if (groups.has(group)) continue;
    groups.add(group);
    stopAt(number);
    number.closest("[role=region]")?.removeAttribute("tabindex"); // a table that scrolls is a stop without it
  }
}

/** The number in the next or last row of the table, in the same column and place; none where there is no such row. */
function inNextRow(number: HTMLElement, step: 1 | -1): HTMLElement | undefined {
  const cell = number.closest<HTMLTableCellElement>("td, th");
  const row = number.closest("tr");
  const table = number.closest("table");
  if (!cell || !row || !table) return undefined;
  // Counted from the right: a heading of several rows stands in the first of them only.
  const fromRight = row.cells.length - cell.cellIndex;
  const place = numbersOf(table)
    .filter((one) => cell.contains(one))
    .indexOf(number);
  for (let next = row.rowIndex + step; table.rows[next]; next += step) {
    const cells = table.rows[next]?.cells;
    const below = cells?.[cells.length - fromRight]?.querySelectorAll<HTMLElement>(NUMBER) ?? [];
    if (below.length) return below[Math.min(place, below.length - 1)];
  }
  return undefined;
}

/** The number that a key leads to. */
function ledTo(number: HTMLElement, key: string): HTMLElement | undefined {
  const all = numbersOf(groupOf(number));
  const place = all.indexOf(number);
  const isInText = number.closest("td, th") === null;
  switch (key) {
    case "ArrowRight":
      return all[place + 1];
    case "ArrowLeft":
      return all[place - 1];
    case "ArrowDown":
      return isInText ? all[place + 1] : inNextRow(number, 1);
    case "ArrowUp":
      return isInText ? all[place - 1] : inNextRow(number, -1);
    case "Home":
      return all[0];
    case "End":
      return all.at(-1);
    default:
      return undefined;
  }
}

/** Where a number stands, in words: file, cells that name the row, column, and the value as in the file. */
function whereFrom(number: HTMLElement): string {
  const { file = "", row = "{}", column = "" } = number.dataset;
  const names = Object.entries(JSON.parse(row)).map(([key, cell]) => `${key} ${cell}`);
  const value = number.getAttribute("value");
  return [file, ...names, value === null ? column : `${column}: ${value}`].join(" · ");
}

/** Tell it at the foot of the window, and who came by keyboard how to go on. */
function tell(where: HTMLElement, number: HTMLElement): void {
  const words = element("span", {}, whereFrom(number));
  const keys = element("span", { class: "keys", "aria-hidden": "true" }, KEYS);
  where.replaceChildren(words, ...(number.matches(":focus-visible") ? [keys] : []));
  where.hidden = false;
}

/** Attend to all numbers of the page, those that come later too. */
export function attend(where: HTMLElement): void {
  const close = () => {
    where.hidden = true;
  };
  document.addEventListener("focusin", ({ target }) => {
    if (isNumber(target)) tell(where, target);
  });
  document.addEventListener("focusout", ({ target, relatedTarget }) => {
    // The text that is told can be selected and copied.
    if ((isNumber(target) || target === where) && !isNumber(relatedTarget) && relatedTarget !== where)
      close();
  });
  document.addEventListener("click", ({ target }) => {
    const number = target instanceof Element ? target.closest<HTMLElement>(NUMBER) : null;
    if (!number) return;
    leadTo(number, { preventScroll: true });
    tell(where, number);
  });
  // Before the viewer, which leafs through slices by arrow keys.
  document.addEventListener(
    "keydown",
    (event) => {
      const { key, target } = event;
      if (key === "Escape") close();
      if (!isNumber(target) || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
      const isAsked = key === "Enter" || key === " ";
      const next = isAsked ? target : ledTo(target, key);
      if (!next && !key.startsWith("Arrow")) return;
      event.preventDefault();
      event.stopPropagation();
      if (isAsked) tell(where, target);
      else if (next) leadTo(next);
    },
    { capture: true },
  );
  reachable(document);
}
