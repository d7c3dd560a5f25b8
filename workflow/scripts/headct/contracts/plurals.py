"""How many there are of something, in running text."""

from __future__ import annotations

EFFECT = "print"  # how numbers of things are told


def counted(n: int, noun: str, rest: str = "") -> str:
    """``1 scan``, ``1,732 test scans``, ``2 images without a mask``.

    Args:
        n: how many.
        noun: in the singular; its plural takes an s.
        rest: what follows the noun, in either number.
    """
    return f"{n:,} {noun if n == 1 else f'{noun}s'} {rest}".rstrip()
