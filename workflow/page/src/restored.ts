/** What the browser has kept for people who judge cases, as it is taken up again. */

/** By person, then by case. */
export type ByPerson<T> = Readonly<Record<string, Readonly<Record<string, T>>>>;

export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** What of a text is as expected, and how many entries are not; a text that can't be read at all is one. */
export function restoredFrom<T>(
  text: string | null,
  isOne: (value: unknown) => boolean,
): { read: ByPerson<T>; unread: number } {
  const found = parsed(text ?? "{}");
  if (!isRecord(found)) return { read: {}, unread: 1 };
  const read: Record<string, Record<string, T>> = {};
  let unread = 0;
  for (const [person, own] of Object.entries(found)) {
    if (!isRecord(own)) {
      unread++;
      continue;
    }
    const good = Object.entries(own).filter(([, one]) => isOne(one));
    unread += Object.keys(own).length - good.length;
    read[person] = Object.fromEntries(good) as Record<string, T>;
  }
  return { read, unread };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
