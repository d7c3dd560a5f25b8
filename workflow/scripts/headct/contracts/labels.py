"""The lesion classes that every label map, prediction and table of the project uses."""

LABELS = {"ICH": 1, "PHE": 2, "IVH": 3}
"""Voxel value of each lesion class; 0 is background.

ICH intracerebral haemorrhage, PHE perihaematomal oedema, IVH intraventricular haemorrhage.
"""

N_CLASSES = 1 + len(LABELS)
"""Number of classes of a network, background included."""
