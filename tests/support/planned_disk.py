"""What the plan says that a study takes on disk, beside what the finished study has."""

from __future__ import annotations

from pathlib import Path

from headct.run.cluster.resource_plan import PlannedStudy, disk_stages
from headct.settings import blocks


class _OneEach(dict[tuple[str, str], float]):
    """Sizes by which each file takes 1 MB, so that sums are counts."""

    def get(self, *_: object) -> float:
        return 1.0


def counts(configfile: Path, scans: int) -> dict[str, tuple[float, int]]:
    """Of networks and of label maps, how many the plan has in ``results`` and how many there are.

    Args:
        configfile: of the finished study, in its folder.
        scans: of the study.
    """
    config, results = blocks.load(configfile), configfile.parent / "results"
    stages = disk_stages(PlannedStudy(config, configfile.parent, scans, []), _OneEach())
    planned = {name: sum(parts) for name, parts in stages.items()}
    of_networks = next(name for name in planned if name.startswith("results/models"))
    return {
        "networks": (planned[of_networks], len(list(results.rglob("*.pth")))),
        "label maps": (
            planned["results/predictions"],
            len(list((results / "predictions").rglob("*.nii.gz"))),
        ),
    }
