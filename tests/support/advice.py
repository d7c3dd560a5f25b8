"""Whether a message says what to do, and not only what is wrong."""

from __future__ import annotations

import re

VERBS = (
    *("add", "bring", "choose", "end", "enlarge", "fetch", "give", "hand", "keep", "leave", "make", "mend"),
    *("name", "put", "save", "set", "shorten", "take", "tell", "write"),
)
RIGHT = re.compile(r"\b(must|may not) (not )?(be|have)\b|\bneeds\b")
"""What something must be."""

DO = re.compile(rf"(^|[:;,.?] )(or |and )?({'|'.join(VERBS)})\b", re.IGNORECASE)
"""A clause that begins with a verb in the imperative."""


def says_what_to_do(message: str) -> bool:
    """Whether a reader of the message knows what to do next."""
    return bool(RIGHT.search(message) or DO.search(message))
