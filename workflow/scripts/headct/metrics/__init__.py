"""Measures of every predicted scan and lesion, one implementation for all models: docs/reference/measures.md.

This module says what the tables hold; ``python -m headct measure`` writes them.
"""

COLUMNS = (
    "model",
    "seed",
    "scan_id",
    "label",
    "dice",
    "reference_ml",
    "predicted_ml",
    "intersection_ml",
    "false_positive_ml",
    "false_negative_ml",
    "volume_error_ml",
    "dice_present",
    "presence",
    "presence_at_minimum",
    "swapped_ml",
    "reference_header_ml",
    "predicted_header_ml",
    "intersection_header_ml",
    "false_positive_header_ml",
    "false_negative_header_ml",
    "volume_error_header_ml",
    "hd95_mm",
    "mean_surface_distance_mm",
    "surface_dice",
    "reference_lesions",
    "predicted_lesions",
    "found_lesions",
    "false_lesions",
    "lesion_f1",
    "lesion_dice",
    "failure",
)
