"""What is wrong with configuration files, and with the analysis plan that they name; no sheet is needed.

``python -m headct configuration --check FILE…`` takes the files in the order in which Snakemake would be
given them, and tells what it would refuse at its start; with ``--document`` it prints ``config/README.md``.
"""

from __future__ import annotations

import os
from pathlib import Path

from headct.contracts.problems import WrongOptions
from headct.contracts.terminal import say
from headct.run import preflight
from headct.settings import analysis_plan, blocks, config_files, configuration


def main(
    *,
    document: bool = False,
    check: list[Path] | None = None,
    directory: Path = Path(),
) -> None:
    """Check configuration files and the analysis plan that they name, or print the list of all keys.

    Args:
        document: print the list of all keys, which is config/README.md.
        check: configuration files, in the order of --configfile.
        directory: folder of the study, in which its analysis plan is looked for before the workflow's.
    """
    if document == bool(check):
        raise WrongOptions("give --document, or --check with configuration files")
    if document:
        say(configuration.table_of_keys(configuration.load_schema()), end="")
        return
    sources = config_files.read(check or [], {})
    config = blocks.configured(configuration.complete(sources.merged(), sources.name_of))
    path = analysis_plan.path_of(config.analysis_plan, directory)
    plan, plan_file = analysis_plan.load(path), os.path.relpath(path)
    preflight.check_settings(config, sources.name_of, plan, plan_file)
    for words in preflight.warnings_of_settings(config, plan, plan_file):
        say(f"Warning: {words}")
