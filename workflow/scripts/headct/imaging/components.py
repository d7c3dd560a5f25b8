"""Connected components of a mask, numbered."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from headct.settings.blocks import Connectivity


def connected_components(
    mask: NDArray[np.bool_], connectivity: Connectivity
) -> tuple[NDArray[np.unsignedinteger[Any]], int]:
    """The number of the component that each voxel belongs to, from 1, 0 in the background, and the count.

    Args:
        mask: of any shape (z, y, x).
        connectivity: 6, 18 or 26 neighbours make one component.
    """
    import cc3d

    # As bytes, since cc3d 4.1.1 fails on boolean maps of one row, [1, 0, 1].
    as_bytes = np.ascontiguousarray(mask).view(np.uint8)
    components, number = cc3d.connected_components(as_bytes, connectivity=connectivity, return_N=True)
    return components, number
