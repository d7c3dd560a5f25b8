import { deepEqual, equal, match } from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { Memory } from "../src/memory.ts";

const texts = new Map<string, string>();
let isFull = false;
const localStorage = {
  getItem: (key: string) => texts.get(key) ?? null,
  setItem(key: string, text: string) {
    if (isFull) throw new Error("QuotaExceededError");
    texts.set(key, text);
  },
};
Object.defineProperty(globalThis, "localStorage", { value: localStorage });

const memory = () => new Memory<number>("k", (value) => typeof value === "number");
const set = (person: string, name: string, value: number) => (now: Memory<number>["now"]) => ({
  ...now,
  [person]: { ...now[person], [name]: value },
});
const stored = () => JSON.parse(texts.get("k") ?? "null");

beforeEach(() => {
  texts.clear();
  isFull = false;
});

test("two tabs keep what was decided in either", () => {
  const [one, two] = [memory(), memory()];
  one.change(set("A", "s1", 1));
  two.change(set("A", "s2", 2));
  one.change(set("B", "s1", 3));
  deepEqual(stored(), { A: { s1: 1, s2: 2 }, B: { s1: 3 } });
  deepEqual(one.now, stored());
});

test("what a full browser does not keep is there and warned of, and kept once there is room", () => {
  const one = memory();
  isFull = true;
  one.change(set("A", "s1", 1));
  one.change(set("A", "s2", 2));
  deepEqual(one.now, { A: { s1: 1, s2: 2 } });
  match(one.warning, /keeps nothing/);
  isFull = false;
  one.change(set("A", "s3", 3));
  deepEqual(stored(), { A: { s1: 1, s2: 2, s3: 3 } });
  equal(one.warning, "");
});

test("what can't be read is counted, and put aside before anything is written over it", () => {
  const broken = '{"A": {"s1": 1, "s2": "?"}, "B": 7}';
  texts.set("k", broken);
  const one = memory();
  deepEqual(one.now, { A: { s1: 1 } });
  match(one.warning, /^2 entries .* k:unread/);
  equal(texts.get("k:unread"), undefined);
  one.change(set("B", "s1", 2));
  deepEqual(stored(), { A: { s1: 1 }, B: { s1: 2 } });
  equal(texts.get("k:unread"), broken);
  match(one.warning, /^2 entries/);
});
