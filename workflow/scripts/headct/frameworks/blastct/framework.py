"""BLAST-CT, declared."""

from headct.frameworks.base import Framework, Notation
from headct.frameworks.blastct.sampling_checks import problems
from headct.frameworks.blastct.settings import BlastctInference, BlastctPreparation, BlastctTraining

FRAMEWORK = Framework(
    name="blastct",
    title="BLAST-CT",
    package="blast-ct",
    prepares_by=BlastctPreparation,
    trains_by=BlastctTraining,
    predicts_by=BlastctInference,
    optimiser_copies=2,  # mean square and momentum of RMSprop
    notation=Notation(
        names={
            "network": "architecture",
            "parameters": "n_parameters",
            "patch_size_xyz": "patch_size_voxels",
            "spacing_mm_xyz": "spacing_mm",
        },
        slices_first=("patch_size_xyz",),
    ),
    prepared_at="resampled/*",
    problems=problems,
)
