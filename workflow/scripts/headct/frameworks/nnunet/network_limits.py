"""Limits of nnU-Net's networks, which are asked for before a job as well as in it."""

MIN_EDGE = 4
"""Smallest edge of a feature map, in voxels, below which nnU-Net pools no further."""

MIN_STAGES = 3
"""nnU-Net's deep supervision leaves out the lowest resolution of the decoder; one must remain."""
