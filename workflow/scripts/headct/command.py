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

from headct.problems import BadInput, Stopped
from headct.terminal import visible_lines

logger = logging.getLogger("headct")

STOPPED = 143
"""Exit status of work that ended in good order when it was asked to, as a shell's after SIGTERM."""
INTERRUPTED = 130
"""The same, after Ctrl-C."""


def run(main: Callable[[argparse.Namespace], None], parser: argparse.ArgumentParser) -> None:
    """Parse the command line, run ``main``, and exit with the status that :func:`status_of` tells.

    With ``--log`` everything that the process and its libraries print goes to that file; the
    console shows only what the project itself has to say, so that progress stays readable.
    """
    option = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    option.add_argument("--log", type=Path, help="file for everything that the step prints")
    own, words = option.parse_known_args()  # taken out first, so that it may follow a subcommand too
    parser.epilog = "--log FILE: everything that the step prints goes there, too"
    open_log(own.log)
    arguments = _parsed(parser, words)
    status = status_of(main, arguments)
    logging.shutdown()
    sys.exit(status)


def open_log(log: Path | None) -> None:
    """Have all that is printed from now on go to a file; messages of the project go to the console, too."""
    _configure_logging(_divert_output(log))


def status_of(work: Callable[..., None], *arguments: object) -> int:
    """Do some work; 0 when done, 1 after an error, which is told, 143 if asked to stop, 130 after Ctrl-C."""
    try:
        work(*arguments)
    except BadInput as error:
        logger.error("%s", error)
    except Stopped as stop:
        logger.error("%s", stop)
        return STOPPED
    except KeyboardInterrupt:
        logger.error("interrupted")
        return INTERRUPTED
    except Exception as error:
        logging.getLogger("traceback").exception("uncaught")
        logger.error("%s: %s", type(error).__name__, error)
    else:
        return 0
    return 1


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
