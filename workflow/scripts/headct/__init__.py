"""Compare segmentation models on head CT of a stroke trial, from DICOM to figures.

Each step of the workflow is one module that runs by itself: ``python -m headct.<step> --help``.
"""
