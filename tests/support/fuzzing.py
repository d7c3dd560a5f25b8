"""Files changed at random: bytes, and values of JSON."""

from __future__ import annotations

import json
import random


def bytes_changed(content: bytes, rng: random.Random) -> bytes:
    """A few bytes changed, put in or taken out."""
    changed = bytearray(content)
    for _ in range(rng.randint(1, 20)):
        if not changed:
            break
        at = rng.randrange(len(changed))
        how = rng.randrange(3)
        if how == 0:
            changed[at] = rng.randrange(256)
        elif how == 1:
            changed[at:at] = rng.randbytes(rng.randint(1, 9))
        else:
            del changed[at : at + rng.randint(1, 9)]
    return bytes(changed)


def values_changed(content: bytes, rng: random.Random) -> bytes:
    """JSON of which one value is another one; other content with a piece of it in another place."""
    try:
        whole = json.loads(content)
    except ValueError:
        cut = rng.randrange(len(content))
        return content[cut:] + content[:cut]
    place, key = whole, None
    while isinstance(place, (dict, list)) and place and (key is None or rng.random() < 0.8):
        inner = place if key is None else place[key]
        if not isinstance(inner, (dict, list)) or not inner:
            break
        place, key = inner, rng.choice(list(inner) if isinstance(inner, dict) else range(len(inner)))
    if key is not None:
        place[key] = rng.choice([None, -1, 1e300, "", "\x1b[2J", [], [[]], {}, {"a": {}}, True])
    return json.dumps(whole).encode()
