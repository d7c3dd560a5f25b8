"""Where the real CT series are (neurolabusc/dcm_qa_ct, BSD-2-Clause).

They are public, and not part of the repository: get them from github.com/neurolabusc/dcm_qa_ct and name their
folder in ``HEADCT_REAL_CT`` (else they are looked for in ``../shared/data/real_ct``).
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

BESIDE = Path(__file__).resolve().parents[3] / "shared" / "data" / "real_ct"
REAL_CT = Path(os.environ.get("HEADCT_REAL_CT", BESIDE))
NAMES = ("ge_head_uneven", "philips_5mm", "philips_tilted")
HEAD_ABOVE_HU = -200
ABSENT = f"no real CT series in {REAL_CT}; HEADCT_REAL_CT may name their folder"

needed = pytest.mark.skipif(not REAL_CT.is_dir(), reason=ABSENT)
