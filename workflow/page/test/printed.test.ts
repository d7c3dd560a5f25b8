import { equal } from "node:assert/strict";
import { test } from "node:test";
import { printed } from "../src/printed.ts";

test("numbers in print", () => {
  equal(printed(0.88605, 3), "0.886");
  equal(printed(-7.074, 2), "−7.07");
  equal(printed(-0.001, 2), "0.00");
  equal(printed(null, 2), "–");
});
