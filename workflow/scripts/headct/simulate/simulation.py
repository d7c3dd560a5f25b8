"""``python -m headct simulate --configfile config/demo.yaml --out demo/trial``: write the simulated trial."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from headct.settings import configuration
from headct.simulate.settings import from_config
from headct.simulate.trial import write_trial


def arguments() -> argparse.ArgumentParser:
    """The command line of this step."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--configfile", type=Path, required=True, help="a configuration with a phantom block")
    parser.add_argument("--out", type=Path, required=True, help="folder of the trial")
    parser.add_argument(
        "--jobs", type=int, default=os.cpu_count() or 1, help="processes (default: one per core)"
    )
    return parser


def main(args: argparse.Namespace) -> None:
    """Write the trial that the configuration describes, if it is not there yet."""
    write_trial(from_config(configuration.load(args.configfile), str(args.configfile)), args.out, args.jobs)
