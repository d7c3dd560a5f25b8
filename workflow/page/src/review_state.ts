/** What reviewers have decided, as it is kept in the browser and written as a table. */

import type { Kind } from "./headct.ts";
import { type ByPerson, isRecord } from "./restored.ts";
import { inOneLine, tsv } from "./tsv.ts";

export type Decision = "keep" | "flag" | "redraw" | "exclude";

export const DECISIONS: readonly Decision[] = ["keep", "flag", "redraw", "exclude"];

export interface Decided {
  decision: Decision;
  reason: string;
  model: string;
  order: string;
  /** As 2026-11-29. */
  date: string;
}

/** Decisions by reviewer, then by scan. */
export type Decisions = ByPerson<Decided>;

/** Columns of the table, as `workflow/schemas/reviews.schema.yaml` has them. */
export const COLUMNS = [
  "reviewer",
  "scan_id",
  "decision",
  "reason",
  "model",
  "order",
  "date",
  "kind",
  "evidence",
] as const;

/** A reviewer's name as it is kept: in one line, without the semicolon that divides names in the results. */
export const reviewerOf = (typed: string): string => inOneLine(typed.replaceAll(";", ",")).slice(0, 64);

/** With a decision more, or another one in place of that which the reviewer had taken on the scan. */
export function withDecision(
  decisions: Decisions,
  reviewer: string,
  scan: string,
  decided: Decided,
): Decisions {
  const reason = inOneLine(decided.reason).slice(0, 200);
  return { ...decisions, [reviewer]: { ...decisions[reviewer], [scan]: { ...decided, reason } } };
}

/**
 * The reason of a decision, of what stands in the field: why another one was taken, whose place it takes, goes with that.
 * What is written on a scan that was kept is for the decision to come.
 *
 * @param former what the reviewer had decided, if anything.
 */
export function reasonOf(decision: Decision, typed: string, former?: Decided): string {
  const isOther = former && former.decision !== "keep" && former.decision !== decision;
  return isOther && former.reason === inOneLine(typed) ? "" : typed;
}

/** Without a reviewer's decision on a scan. */
export function withoutDecision(decisions: Decisions, reviewer: string, scan: string): Decisions {
  const { [scan]: _, ...others } = decisions[reviewer] ?? {};
  return { ...decisions, [reviewer]: others };
}

/** Why no decision can be taken now: there is no name to set beside it, or the case is not in sight; empty if one can. */
export function hindrance(reviewer: string, scan: string, shown: string): string {
  if (!reviewer) return "No decision without a name: fill in yours.";
  if (!scan) return "No case is open.";
  return scan === shown ? "" : "No decision while this case is not in sight. Next goes on without one.";
}

/** Scans of which a reviewer said something else than keep, and not why: an import would refuse them. */
export const withoutReason = (decisions: Decisions, reviewer: string): string[] =>
  Object.entries(decisions[reviewer] ?? {})
    .filter(([, decided]) => decided.decision !== "keep" && decided.reason === "")
    .map(([scan]) => scan)
    .sort();

/** The next scan without a decision of the reviewer, after the one at a place and round to it; null where there is none. */
export function nextUndecided(
  scans: readonly string[],
  decisions: Decisions,
  reviewer: string,
  place: number,
): string | null {
  const round = [...scans.slice(place + 1), ...scans.slice(0, place + 1)];
  return round.find((scan) => !decisions[reviewer]?.[scan]) ?? null;
}

/** How many of the scans a reviewer has decided on. */
export const decidedOn = (scans: readonly string[], decisions: Decisions, reviewer: string): number =>
  scans.filter((scan) => decisions[reviewer]?.[scan]).length;

/**
 * The table that `headct review import` takes: by reviewer, then by scan.
 *
 * @param evidence digest of the results that were looked at; empty where there were none.
 */
export function exported(decisions: Decisions, kind: Kind, evidence: string): string {
  const rows = Object.keys(decisions)
    .sort()
    .flatMap((reviewer) =>
      Object.entries(decisions[reviewer] ?? {})
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([scan_id, decided]) => ({ reviewer, scan_id, ...decided, kind, evidence })),
    );
  return tsv(COLUMNS, rows);
}

/** Under which name the browser keeps what was decided on these results, or these images and masks. */
export const storageKey = (evidence: string): string => `headct-review:${evidence}`;

/** Whether a value is a decision, as this page keeps them. */
export function isDecided(value: unknown): boolean {
  if (!isRecord(value)) return false;
  const texts = [value.reason, value.model, value.order, value.date];
  return DECISIONS.includes(value.decision as Decision) && texts.every((text) => typeof text === "string");
}
