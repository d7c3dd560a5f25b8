"""To be written."""

from __future__ import annotations

from common import add_row, options


def main() -> None:
    """A part that measures nothing yet."""
    given = options(__doc__)
    add_row(given.out, "Nothing yet", {"what": "correct", "measured": None})


if __name__ == "__main__":
    main()
