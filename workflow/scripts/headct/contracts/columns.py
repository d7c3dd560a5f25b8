"""Tables for the terminal."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence

from headct.contracts.terminal import visible


def aligned(rows: Sequence[Sequence[str]], right: Container[int] = ()) -> Iterator[str]:
    """One line per row, its columns as wide as their widest cell, two blanks between them.

    What does not show in a cell is shown escaped (:func:`headct.contracts.terminal.visible`).

    Args:
        rows: the first is the head, where there is one; all have the same number of cells.
        right: columns, from 0, whose cells stand to the right, as numbers do.
    """
    shown = [list(map(visible, row)) for row in rows]
    widths = [max(map(len, cells)) for cells in zip(*shown, strict=True)]
    for row in shown:
        cells = (
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        yield "  ".join(cells).rstrip()
