"""A simulated trial: parametric head CT with known lesions, written as DICOM, masks and a sheet.

Everything is a pure function of (seed, participant index). Coordinates are DICOM patient
coordinates (LPS: x to the left, y to posterior, z to superior) in mm.
"""
