"""A toy: a small network of MONAI that sees each scan whole, on one grid."""

from headct.frameworks.base import Framework

FRAMEWORK = Framework(name="toy", title="Toy", package="monai", optimiser_copies=2)
