import { equal } from "node:assert/strict";
import { test } from "node:test";
import { asText, inOneLine, tsv } from "../src/tsv.ts";

test("text that a spreadsheet would run gets an apostrophe, and numbers do not", () => {
  for (const text of ["=1+1", "-15, 100", "+a", "@b", " =c", "'=d", "-", "-1_", "-.", "-1e", "- 1"]) {
    equal(asText(text), `'${text}`);
  }
  for (const text of [
    "-5",
    "+.5",
    "-1e-5",
    "-1_000",
    "-inf",
    "+Infinity",
    "-NaN",
    "-5. ",
    "a=b",
    "5",
    "",
    "'a",
  ]) {
    equal(asText(text), text);
  }
});

test("text becomes one line, without what does not show", () => {
  equal(inOneLine(" two\r\nlines\tand\u00a0a\u202etrick\u200b "), "two lines and a trick");
});

test("a table has a line of names, a cell for each column, and quotation marks doubled", () => {
  const rows: Record<string, string>[] = [{ a: 'says "no"', b: "=x" }, { b: "tab\there" }];
  equal(tsv(["a", "b"], rows), 'a\tb\n"says ""no"""\t\'=x\n\ttab here\n');
});
