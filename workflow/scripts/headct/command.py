"""The one way in which a step runs from the command line: its log, its errors, its exit status."""

from __future__ import annotations

import argparse
import contextlib
import io
import logging
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from headct.audit import record
from headct.problems import BadInput, Stopped
from headct.terminal import visible_lines

logger = logging.getLogger("headct")

STOPPED = 143
"""Exit status of work that ended in good order when it was asked to, as a shell's after SIGTERM."""


def run(main: Callable[[argparse.Namespace], None], parser: argparse.ArgumentParser) -> None:
    """Parse the command line, run ``main``, and exit: 0 when all is done, 1 with one clear error,
    143 if it was asked to stop.

    With ``--log`` everything that the process and its libraries print goes to that file; the
    console shows only what the project itself has to say, so that progress stays readable. With
    ``--rule``, as a job of the workflow, it leaves a record of itself (:mod:`headct.audit.record`); with
    ``--once``, too, it does nothing where the former record says that just this was done.
    """
    option = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    option.add_argument("--log", type=Path, help="file for everything that the step prints")
    option.add_argument("--rule", type=lambda text: text.strip("{}"))
    option.add_argument("--wildcards", default="")
    option.add_argument("--inputs", nargs="*", type=Path, default=[])
    option.add_argument("--outputs", nargs="*", type=Path, default=[])
    option.add_argument("--once", action="store_true")
    job, words = option.parse_known_args()  # taken out first, so that it may follow a subcommand too
    parser.epilog = "--log FILE: everything that the step prints goes there, too"
    console = _divert_output(job.log)
    _configure_logging(console)
    arguments = _parsed(parser, words)
    try:
        with record.kept(job, arguments, words) as to_do:
            if to_do:
                main(arguments)
            else:
                logger.info("%s: done before, and all of it is as it was", " ".join(map(str, job.outputs)))
    except BadInput as error:
        logger.error("%s", error)
        status = 1
    except Stopped as stop:
        logger.error("%s", stop)
        status = STOPPED
    except KeyboardInterrupt:
        logger.error("interrupted")
        status = 130
    except Exception as error:
        logging.getLogger("traceback").exception("uncaught")
        logger.error("%s: %s", type(error).__name__, error)
        status = 1
    else:
        status = 0
    logging.shutdown()
    sys.exit(status)


def _parsed(parser: argparse.ArgumentParser, words: Sequence[str]) -> argparse.Namespace:
    """The step's own arguments; what is wrong with them is told on the console and in the log."""
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            return parser.parse_args(words)
    except SystemExit as end:
        if end.code:
            logger.error("%s", said.getvalue().rstrip())
        logging.shutdown()
        raise


def _divert_output(log: Path | None) -> int:
    """Send file descriptors 1 and 2 to the log; return a descriptor of the console."""
    console = os.dup(2)
    if log is not None:
        log.parent.mkdir(parents=True, exist_ok=True)
        sys.stdout.flush()
        sys.stderr.flush()
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        os.close(descriptor)
    return console


class _Visible(logging.Formatter):
    """Messages and tracebacks quote names and values of others, which can't steer the terminal here."""

    def format(self, record: logging.LogRecord) -> str:
        return visible_lines(super().format(record))


def _configure_logging(console: int) -> None:
    to_log = logging.StreamHandler(sys.stderr)
    to_log.setFormatter(_Visible("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    diverted = not os.path.sameopenfile(console, sys.stderr.fileno())
    root = logging.getLogger()
    root.setLevel(logging.WARNING)
    logger.setLevel(logging.INFO)
    if diverted:
        root.addHandler(to_log)
    to_console = logging.StreamHandler(os.fdopen(console, "w", buffering=1, errors="backslashreplace"))
    to_console.setFormatter(_Visible("%(message)s"))
    logger.addHandler(to_console)
    if not diverted:
        logging.getLogger("traceback").addHandler(to_log)
