"""``python -m headct simulate --configfile config/demo.yaml --out demo/trial``: write the simulated trial."""

from __future__ import annotations

import os
from pathlib import Path

from headct.settings import blocks
from headct.simulate.settings import from_configuration
from headct.simulate.trial import write_trial

N_CORES = os.cpu_count() or 1


def main(
    *,
    configfile: Path,
    out: Path,
    jobs: int = N_CORES,
) -> None:
    """Write the simulated trial that a configuration describes, if it is not there yet.

    Args:
        configfile: a configuration with a phantom block.
        out: folder of the trial.
        jobs: processes; one per core by default.
    """
    config = blocks.load(configfile)
    write_trial(from_configuration(config, str(configfile)), out, jobs)
