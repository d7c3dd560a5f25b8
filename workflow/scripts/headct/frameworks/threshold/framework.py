"""Fixed thresholds, declared."""

from headct.frameworks.base import Framework
from headct.frameworks.threshold.settings import (
    ThresholdInference,
    ThresholdPreparation,
    ThresholdTraining,
)

FRAMEWORK = Framework(
    name="threshold",
    title="Fixed HU threshold",
    package="numpy",
    prepares_by=ThresholdPreparation,
    trains_by=ThresholdTraining,
    predicts_by=ThresholdInference,
    optimiser_copies=0,  # nothing is optimised step by step
)
