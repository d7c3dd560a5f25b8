"""MONAI, declared."""

from headct.frameworks.base import Framework
from headct.frameworks.monai.networks import problems

FRAMEWORK = Framework(
    name="monai",
    title="MONAI",
    package="monai",
    optimiser_copies=2,  # two moments of Adam
    variant="network",
    words={"basicunet": "BasicUNet of MONAI", "deeplabv3plus": "DeepLabv3+"},
    problems=problems,
)
