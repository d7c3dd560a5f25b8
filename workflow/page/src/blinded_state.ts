/** What raters have said of maps whose makers they do not know, as it is kept and written as a table. */

import { type ByPerson, isRecord } from "./restored.ts";
import { tsv } from "./tsv.ts";

export interface Rating {
  /** Letters of the maps that the rater would accept. */
  accepted: readonly string[];
  /** Letter of the best map; empty where none is better; null while the rater has not said. */
  best: string | null;
  /** As 2026-11-29. */
  date: string;
}

/** Ratings by rater, then by case. */
export type Ratings = ByPerson<Rating>;

/** Columns of the table, as `workflow/schemas/ratings.schema.yaml` has them. */
export const COLUMNS = ["rater", "case", "accepted", "best", "date", "key"] as const;

/** With what a rater says of a case, in place of what was said before. */
export function withRating(ratings: Ratings, rater: string, name: string, rating: Rating): Ratings {
  const accepted = [...rating.accepted].sort();
  return { ...ratings, [rater]: { ...ratings[rater], [name]: { ...rating, accepted } } };
}

/** Whether a rater has said all of a case: which map is the best, or that none is. */
export const isRated = (ratings: Ratings, rater: string, name: string): boolean =>
  (ratings[rater]?.[name]?.best ?? null) !== null;

/** The table of all that is said in full, by rater and case. */
export function exported(ratings: Ratings, key: string): string {
  const rows = Object.keys(ratings)
    .sort()
    .flatMap((rater) =>
      Object.entries(ratings[rater] ?? {})
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .filter(([name]) => isRated(ratings, rater, name))
        .map(([name, { accepted, best, date }]) => ({
          rater,
          case: name,
          accepted: accepted.join(" "),
          best: best ?? "",
          date,
          key,
        })),
    );
  return tsv(COLUMNS, rows);
}

/** Whether a value is a rating, as the page keeps them. */
export function isRating(value: unknown): boolean {
  if (!isRecord(value) || !Array.isArray(value.accepted)) return false;
  const texts = [...value.accepted, value.date, value.best ?? ""];
  return texts.every((text) => typeof text === "string");
}
