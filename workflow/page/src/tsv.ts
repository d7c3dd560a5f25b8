/** Tables as the workflow's own are written (`headct.contracts.artefacts.write_tsv`), so that it reads them. */

/** How text begins that a spreadsheet takes for a formula, and runs; or would, but for the mark before it. */
const FORMULA = /^[\s']*[=+\-@]/;

/** What Python's `float` reads, where a formula could begin: such cells are numbers, and stay as they are. */
const NUMBER =
  /^\s*[+-](?:(?:\d(?:_?\d)*\.?|(?:\d(?:_?\d)*)?\.\d(?:_?\d)*)(?:e[+-]?\d(?:_?\d)*)?|inf(?:inity)?|nan)\s*$/i;

/** A cell as it is written: text that begins as a formula gets an apostrophe, unless it is a number. */
export function asText(text: string): string {
  return FORMULA.test(text) && !NUMBER.test(text) ? `'${text}` : text;
}

/** Text in one line: line breaks, tabs and what does not show become blanks. */
export function inOneLine(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\s]+/gu, " ").trim();
}

/** A cell that has quotation marks stands in quotation marks, with its own doubled. */
const quoted = (text: string): string => (text.includes('"') ? `"${text.replaceAll('"', '""')}"` : text);

/** A table: names of its columns, then its rows, each with a text in one line for each column. */
export function tsv(columns: readonly string[], rows: readonly Record<string, string>[]): string {
  const lines = [columns, ...rows.map((row) => columns.map((column) => row[column] ?? ""))];
  return lines
    .map((cells) => `${cells.map((cell) => quoted(asText(inOneLine(cell)))).join("\t")}\n`)
    .join("");
}
