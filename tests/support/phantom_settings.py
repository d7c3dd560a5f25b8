"""Settings of a small simulated trial at two sites."""

from __future__ import annotations

from headct.settings.blocks import Phantom
from headct.settings.typed import typed

SITES = [
    {
        "name": "Tilted", "share": 0.5, "manufacturer": "Phantom Imaging", "model": "A", "kernel": "H30s",
        "reconstruction_diameter_mm": 226, "slice_thickness_mm": 6.0, "upper_slice_thickness_mm": None,
        "tilt_deg": 18.0, "noise_hu": 2.0, "resolution_mm": 0.9, "bits_stored": 12,
    },
    {
        "name": "Uneven", "share": 0.5, "manufacturer": "Simulated Systems", "model": "B", "kernel": "STD",
        "reconstruction_diameter_mm": 230, "slice_thickness_mm": 5.0, "upper_slice_thickness_mm": 8.0,
        "tilt_deg": 0.0, "noise_hu": 3.0, "resolution_mm": 0.7, "bits_stored": 16,
    },
]  # fmt: skip


MASK_VALUES = {"ICH": 1, "PHE": 2, "IVH": 3}

PHANTOM = typed(
    Phantom,
    {
        "seed": 7,
        "participants": 3,
        "incomplete_participants": 1,
        "matrix": 48,
        "subvoxels_in_plane": 2,
        "subvoxels_through_plane": 2,
        "volumes_ml": {
            "ICH": [20, 35, 55, 80, 130],
            "PHE": [15, 25, 38, 55, 90],
            "IVH": [8, 15, 25, 35, 55],
        },
        "phe_share": 1.0,
        "ivh_share": 1.0,
        "ich_phe_correlation": 0.7,
        "second_reading_share": 1.0,
        "outside_model": None,
        "external_set": None,
        "raters": [
            {"name": "r1", "bias_mm": 0.0, "jitter_mm": 0.3},
            {"name": "r2", "bias_mm": 0.2, "jitter_mm": 0.3},
        ],
        "sites": SITES,
    },
)
