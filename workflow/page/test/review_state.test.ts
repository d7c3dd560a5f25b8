import { deepEqual, equal, match } from "node:assert/strict";
import { test } from "node:test";
import { restoredFrom } from "../src/restored.ts";
import {
  type Decided,
  type Decision,
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
} from "../src/review_state.ts";

const decided = (decision: Decision, reason = ""): Decided => ({
  decision,
  reason,
  model: "",
  order: "worst",
  date: "2026-11-29",
});

const BOTH = withDecision(
  withDecision(withDecision({}, "B", "s2", decided("keep")), "A", "s3", decided("exclude", "moved\nhead")),
  "A",
  "s1",
  decided("flag"),
);

test("the reason of the decision whose place another takes goes with it", () => {
  const former = decided("exclude", "mask wrong");
  equal(reasonOf("keep", "mask wrong", former), "");
  equal(reasonOf("redraw", " mask wrong ", former), "", "another decision has a reason of its own");
  equal(reasonOf("redraw", "mask is shifted", former), "mask is shifted", "which was written before the key");
  equal(reasonOf("exclude", "mask wrong", former), "mask wrong", "the same decision once more");
  equal(reasonOf("flag", "written first"), "written first");
  equal(reasonOf("flag", "written first", decided("keep", "written first")), "written first");
});

test("a decision takes the place of the reviewer's former one, and of no other's", () => {
  const changed = withDecision(BOTH, "A", "s1", decided("keep"));
  equal(changed.A?.s1?.decision, "keep");
  equal(changed.A?.s3?.reason, "moved head");
  deepEqual(changed.B, BOTH.B);
  equal(BOTH.A?.s1?.decision, "flag", "what was there is not changed");
  deepEqual(Object.keys(withoutDecision(BOTH, "A", "s1").A ?? {}), ["s3"]);
  deepEqual(withoutDecision(BOTH, "C", "s1").C, {});
});

test("what needs a reason is known", () => {
  deepEqual(withoutReason(BOTH, "A"), ["s1"]);
  deepEqual(withoutReason(BOTH, "B"), []);
  deepEqual(withoutReason(BOTH, "nobody"), []);
});

test("progress and the next case are of one reviewer", () => {
  const scans = ["s1", "s2", "s3", "s4"];
  equal(decidedOn(scans, BOTH, "A"), 2);
  equal(nextUndecided(scans, BOTH, "A", 0), "s2");
  equal(nextUndecided(scans, BOTH, "A", 3), "s2", "it goes round");
  equal(nextUndecided(["s1", "s3"], BOTH, "A", 0), null);
  equal(nextUndecided(scans, BOTH, "C", 3), "s1");
});

test("the table is by reviewer and scan, with kind and evidence", () => {
  const lines = exported(BOTH, "results", "ab12").split("\n");
  equal(lines[0], "reviewer\tscan_id\tdecision\treason\tmodel\torder\tdate\tkind\tevidence");
  deepEqual(lines.slice(1), [
    "A\ts1\tflag\t\t\tworst\t2026-11-29\tresults\tab12",
    "A\ts3\texclude\tmoved head\t\tworst\t2026-11-29\tresults\tab12",
    "B\ts2\tkeep\t\t\tworst\t2026-11-29\tresults\tab12",
    "",
  ]);
  equal(exported({}, "quality", ""), `${lines[0]}\n`);
});

test("what the browser kept comes back, and nothing else is taken for it", () => {
  deepEqual(restoredFrom(JSON.stringify(BOTH), isDecided), { read: BOTH, unread: 0 });
  deepEqual(restoredFrom(null, isDecided), { read: {}, unread: 0 });
  for (const text of ["", "{", "[]", "7", '{"A": []}']) {
    deepEqual(restoredFrom(text, isDecided), { read: {}, unread: 1 });
  }
  const broken = JSON.stringify({ ...BOTH, C: { s1: { decision: "delete" }, s2: decided("keep") } });
  deepEqual(restoredFrom(broken, isDecided), { read: { ...BOTH, C: { s2: decided("keep") } }, unread: 1 });
  equal(storageKey("ab12"), "headct-review:ab12");
});

test("a decision needs a name, and its case in sight", () => {
  equal(hindrance("A", "s1", "s1"), "");
  match(hindrance("", "s1", "s1"), /name/);
  match(hindrance("A", "s1", ""), /in sight/);
  match(hindrance("A", "s1", "s2"), /in sight/);
  match(hindrance("A", "", ""), /No case/);
});

test("a name is one line without semicolons", () => {
  equal(reviewerOf(" A.\tReader; MD "), "A. Reader, MD");
});
