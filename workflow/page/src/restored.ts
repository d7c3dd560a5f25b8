/** What the browser has kept for people who judge cases, as it is taken up again. */

/** By person, then by case. */
export type ByPerson<T> = Readonly<Record<string, Readonly<Record<string, T>>>>;

export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** What a text holds, if all of it is what is expected; nothing, where the text can't be read or is something else. */
export function restoredFrom<T>(text: string | null, isOne: (value: unknown) => boolean): ByPerson<T> {
  try {
    const found: unknown = JSON.parse(text ?? "{}");
    const isOfPerson = (own: unknown) => isRecord(own) && Object.values(own).every(isOne);
    return isRecord(found) && Object.values(found).every(isOfPerson) ? (found as ByPerson<T>) : {};
  } catch {
    return {};
  }
}
