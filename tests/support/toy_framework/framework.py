"""A toy: a small network of MONAI that sees each scan whole, on one grid."""

from headct.frameworks.base import Framework
from headct.frameworks.toy.settings import ToyInference, ToyPreparation, ToyTraining

FRAMEWORK = Framework(
    name="toy",
    title="Toy",
    package="monai",
    optimiser_copies=2,
    prepares_by=ToyPreparation,
    trains_by=ToyTraining,
    predicts_by=ToyInference,
)
