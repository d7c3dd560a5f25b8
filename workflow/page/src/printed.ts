/** How numbers are printed in the page. */

export const DASH = "–";

/** A number with so many decimals and a true minus sign, never a negative zero; a dash where there is none. */
export function printed(value: number | null, decimals: number): string {
  if (value === null) return DASH;
  const text = value.toFixed(decimals);
  return Number(text) === 0 ? text.replace("-", "") : text.replace("-", "−");
}
