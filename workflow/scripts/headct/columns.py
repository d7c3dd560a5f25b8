"""Tables for the terminal."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence


def aligned(rows: Sequence[Sequence[str]], right: Container[int] = ()) -> Iterator[str]:
    """One line per row, its columns as wide as their widest cell, two blanks between them.

    Args:
        rows: the first is the head, where there is one; all have the same number of cells.
        right: columns, from 0, whose cells stand to the right, as numbers do.
    """
    widths = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
    for row in rows:
        cells = (
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        yield "  ".join(cells).rstrip()
