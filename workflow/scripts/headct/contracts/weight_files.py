"""How files of weights end that a training may start from."""

EFFECT = "speed"  # it names files

SUFFIXES = (".pth", ".pt")
"""By it their digest gets into the record of a job."""
