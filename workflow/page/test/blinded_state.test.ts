import { deepEqual, equal } from "node:assert/strict";
import { test } from "node:test";
import { exported, isRated, isRating, type Rating, withRating } from "../src/blinded_state.ts";
import { restoredFrom } from "../src/restored.ts";

const rating = (accepted: string[], best: string | null): Rating => ({ accepted, best, date: "2026-11-29" });

const BOTH = withRating(
  withRating(withRating({}, "B", "case-2", rating(["C", "A"], "A")), "A", "case-1", rating([], "")),
  "A",
  "case-2",
  rating(["B"], null),
);

test("a case is judged once the best map, or none, was said", () => {
  equal(isRated(BOTH, "B", "case-2"), true);
  equal(isRated(BOTH, "A", "case-1"), true);
  equal(isRated(BOTH, "A", "case-2"), false);
  equal(isRated(BOTH, "C", "case-1"), false);
});

test("the table has what is judged, by rater and case", () => {
  equal(
    exported(BOTH, "ab"),
    "rater\tcase\taccepted\tbest\tdate\tkey\n" +
      "A\tcase-1\t\t\t2026-11-29\tab\n" +
      "B\tcase-2\tA C\tA\t2026-11-29\tab\n",
  );
});

test("what the browser kept comes back, and nothing else is taken for it", () => {
  deepEqual(restoredFrom(JSON.stringify(BOTH), isRating), { read: BOTH, unread: 0 });
  for (const text of ["{", "[]", '{"A": {"c": {"accepted": "B", "best": ""}}}', '{"A": 1}']) {
    equal(restoredFrom(text, isRating).unread, 1);
  }
});
