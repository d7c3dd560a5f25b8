"""Numbers as tables, pages and figures print them."""

from __future__ import annotations

import math

DASH = "–"
"""Printed where there is no number."""

DICE_DECIMALS = 3

SMALL = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
"""Whole numbers as running text has them."""


def number(value: float, decimals: int = 2) -> str:
    """Fixed decimals with a true minus sign, never a negative zero; a dash where there is none."""
    if value is None or math.isnan(value):
        return DASH
    text = f"{value:.{decimals}f}"
    return text.lstrip("-") if float(text) == 0 else text.replace("-", "−")


def spelled_out(n: int) -> str:
    """A number of things, as running text has it; in digits from ten on."""
    return SMALL[n] if n < len(SMALL) else str(n)


def spread(centre: float, low: float, high: float, decimals: int = 2) -> str:
    """``centre (low–high)``, a median with its quartiles for instance; ``to`` beside minus signs.

    Args:
        centre: a mean or median.
        low, high: ends of the interval.
        decimals: of all three.
    """
    if math.isnan(centre):
        return DASH
    low_text, high_text = number(low, decimals), number(high, decimals)
    between = " to " if "−" in low_text + high_text else "–"
    return f"{number(centre, decimals)} ({low_text}{between}{high_text})"


def count(value: float) -> str:
    """A count; a mean of counts over seeds keeps one decimal."""
    if math.isnan(value):
        return DASH
    return f"{value:.0f}" if float(value).is_integer() else f"{value:.1f}"


def share(part: float, whole: float) -> str:
    """``part/whole (percent)``; a dash of nothing."""
    if not whole:
        return DASH
    return f"{count(part)}/{count(whole)} ({100 * part / whole:.0f}%)"


def p_value(p: float) -> str:
    """P as radiology journals print it: no leading zero, three digits below .01, "<.001"."""
    if math.isnan(p):
        return DASH
    if p < 0.001:
        return "<.001"
    # .01 and .05 must not appear by rounding: one digit more decides.
    text = f"{p:.3f}" if p < 0.01 or 0.045 <= p < 0.055 else f"{p:.2f}"
    return ">.99" if float(text) >= 1 else text.removeprefix("0")
