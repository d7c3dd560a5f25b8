"""The command ``headct``: how a step runs, with its log, its errors and its exit status."""

from __future__ import annotations

import difflib
import logging
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from headct import command_line
from headct.contracts.problems import BadInput, Stopped, WrongOptions
from headct.contracts.terminal import visible, visible_lines
from headct.steps import STEPS

logger = logging.getLogger("headct")

STOPPED = 143
"""Exit status of work that ended in good order when it was asked to, as a shell's after SIGTERM."""
INTERRUPTED = 130
"""The same, after Ctrl-C."""
WRONG_OPTIONS = 2
"""Exit status where there is no such step, or its options are not what it takes."""


def main() -> None:
    """``headct STEP OPTION …``; exits with the status of the step, 2 if there is no such step."""
    name, *words = sys.argv[1:] or ["--help"]
    if name in ("-h", "--help"):
        command_line.parsed(command_line.list_of_steps(), ["--help"]).run()
        sys.exit(0)
    if name not in STEPS:
        near = difflib.get_close_matches(name, STEPS)
        meant = f" Did you mean {' or '.join(near)}?" if near else ""
        print(
            f"headct: there is no step {visible(name)}.{meant} 'headct --help' lists them.", file=sys.stderr
        )
        sys.exit(WRONG_OPTIONS)
    try:
        log, words = command_line.without_log(words)
    except WrongOptions as error:
        print(f"headct {name}: {visible_lines(str(error))}", file=sys.stderr)
        sys.exit(WRONG_OPTIONS)
    status = run(name, words, log)
    logging.shutdown()
    sys.exit(status)


def run(name: str, words: Sequence[str], log: Path | None = None) -> int:
    """Run a step with its options; its exit status, as :func:`status_of` tells it.

    With a log everything that the process and its libraries print goes to that file; the
    console shows only what the project itself has to say, so that progress stays readable.

    Raises:
        SystemExit: the step ends by itself with a status of its own.
    """
    open_log(log)
    return status_of(command_line.run_step, name, words)


def open_log(log: Path | None) -> None:
    """Have all that is printed from now on go to a file; messages of the project go to the console, too."""
    _configure_logging(_divert_output(log))


def status_of(work: Callable[..., None], *arguments: object) -> int:
    """Do some work; its exit status, after the error has been told.

    0 when done, 1 after an error, 2 if the options were wrong, 143 if asked to stop, 130 after Ctrl-C.
    """
    try:
        work(*arguments)
    except BadInput as error:
        logger.error("%s", error)
    except WrongOptions as error:
        logger.error("%s", error)
        return WRONG_OPTIONS
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
