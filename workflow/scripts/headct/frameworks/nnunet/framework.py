"""nnU-Net v2, declared."""

from headct.frameworks.base import Framework, Notation
from headct.frameworks.nnunet.network_checks import problems
from headct.frameworks.nnunet.settings import NnunetInference, NnunetPreparation, NnunetTraining

FRAMEWORK = Framework(
    name="nnunet",
    title="nnU-Net",
    package="nnunetv2",
    prepares_by=NnunetPreparation,
    trains_by=NnunetTraining,
    predicts_by=NnunetInference,
    named_by=("configuration",),
    optimiser_copies=1,  # momentum of SGD
    variant="planner",
    notation=Notation(
        names={
            "patch_size_xyz": "patch_size",
            "spacing_mm_xyz": "spacing_mm",
            "learning_rate": "initial_learning_rate",
        },
        slices_first=("patch_size_xyz", "spacing_mm_xyz"),
    ),
    words={
        "2d": "2D",
        "3d_fullres": "3D, full resolution",
        "dice_ce": "Dice + cross-entropy",
        "dice_topk": "Dice + cross-entropy of the worst voxels",
        "tversky": "Tversky",
        "focal_tversky": "focal Tversky",
    },
    preparation="nnU-Net clips to percentiles of the intensities in lesions of the training scans.",
    problems=problems,
)
