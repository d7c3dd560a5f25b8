/** The parts that a viewer's controls are made of, each with a label. */

type Child = Node | string;

export function element<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Record<string, string> = {},
  ...children: Child[]
): HTMLElementTagNameMap[Tag] {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

export interface Choice<Value extends string> {
  element: HTMLElement;
  readonly value: Value;
  choose(value: Value): void;
  /** Offer a value or not; another one is chosen where the chosen one is not offered any more. */
  offer(value: Value, isOffered: boolean): void;
}

/** A group of which one is chosen: buttons in sight, as a radio group. */
export function choice<Value extends string>(
  title: string,
  options: Record<Value, string>,
  chosen: Value,
  onChange: (value: Value) => void,
): Choice<Value> {
  const name = `viewer-${title.toLowerCase().replaceAll(/\W+/g, "-")}`;
  const choices = element("div", { class: "viewer-choices" });
  const group = element("fieldset", { class: "viewer-choice" }, element("legend", {}, title), choices);
  const inputs = new Map<Value, HTMLInputElement>();
  for (const [value, words] of Object.entries(options) as [Value, string][]) {
    const input = element("input", { type: "radio", name, value });
    input.addEventListener("change", () => onChange(value));
    inputs.set(value, input);
    choices.append(element("label", {}, input, element("span", {}, words)));
  }
  const made: Choice<Value> = {
    element: group,
    get value() {
      return ([...inputs].find(([, input]) => input.checked)?.[0] ?? chosen) as Value;
    },
    choose(value: Value) {
      const input = inputs.get(value);
      if (!input || input.checked || input.disabled) return;
      input.checked = true;
      onChange(value);
    },
    offer(value: Value, isOffered: boolean) {
      const input = inputs.get(value);
      if (!input) return;
      input.disabled = !isOffered;
      input.closest("label")?.toggleAttribute("hidden", !isOffered);
      const other = [...inputs].find(([, one]) => !one.disabled);
      if (input.checked && !isOffered && other) made.choose(other[0]);
    },
  };
  const first = inputs.get(chosen);
  if (first) first.checked = true;
  return made;
}

/** A slider with what it says beside it. */
export function slider(
  title: string,
  [from, to, step]: [number, number, number],
  value: number,
  onInput: (value: number) => void,
): { element: HTMLElement; input: HTMLInputElement; output: HTMLOutputElement } {
  const input = element("input", { type: "range", min: String(from), max: String(to), step: String(step) });
  input.value = String(value);
  const output = element("output", { class: "name" });
  input.addEventListener("input", () => onInput(input.valueAsNumber));
  return {
    element: element("label", { class: "viewer-slider" }, element("span", {}, title), input, output),
    input,
    output,
  };
}

export function select(
  title: string,
  options: [value: string, words: string][],
  onChange: (value: string) => void,
): { element: HTMLElement; input: HTMLSelectElement } {
  const input = element("select");
  for (const [value, words] of options) input.append(element("option", { value }, words));
  input.addEventListener("change", () => onChange(input.value));
  return { element: element("label", { class: "viewer-select" }, element("span", {}, title), input), input };
}

/** A button that does something, or that is pressed or not. */
export function button(words: string, onClick: () => void, pressed?: boolean): HTMLButtonElement {
  const made = element("button", { type: "button" }, words);
  if (pressed !== undefined) made.setAttribute("aria-pressed", String(pressed));
  made.addEventListener("click", onClick);
  return made;
}
