"""MONAI, declared."""

from headct.frameworks.base import Framework
from headct.frameworks.monai.networks import problems
from headct.frameworks.monai.settings import MonaiInference, MonaiPreparation, MonaiTraining

FRAMEWORK = Framework(
    name="monai",
    title="MONAI",
    package="monai",
    prepares_by=MonaiPreparation,
    trains_by=MonaiTraining,
    predicts_by=MonaiInference,
    optimiser_copies=2,  # two moments of Adam
    variant="network",
    prepared_at="*/*",
    words={"basicunet": "BasicUNet of MONAI", "deeplabv3plus": "DeepLabv3+"},
    problems=problems,
)
