"""Where results come from, and what would run again: ``python -m headct.audit --help``."""

from __future__ import annotations

import argparse

from headct import command
from headct.audit import asked


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="headct.audit", description=__doc__)
    tasks = parser.add_subparsers(required=True, metavar="TASK")
    asked.add_trace(tasks)
    asked.add_why(tasks)
    return parser


def main(args: argparse.Namespace) -> None:
    args.task(args)


if __name__ == "__main__":
    command.run(main, arguments())
