"""From the words of a command line to the call of a step; they are read by cyclopts.

A parameter of a step's function is an option; its text in the docstring is the option's help.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from cyclopts import App, CycloptsError, Group, MissingArgumentError, Parameter, UnknownOptionError

from headct.contracts.problems import WrongOptions
from headct.steps import STEPS

Step = Callable[..., None]

LOG_OPTION = "--log FILE: everything that the step prints goes there, too"


def list_of_steps() -> App:
    """What ``headct --help`` shows: every step with its line; none is imported for it."""
    app = _app("headct", help="Compare segmentation models on head CT. 'headct STEP --help' has the options.")
    for place, (name, step) in enumerate(STEPS.items()):
        app.command(App(name=name, help=step.does, sort_key=place))
    return app


def app_of_step(name: str) -> App:
    """The application that reads the options of a step."""
    module = STEPS[name].load()
    functions = functions_of(module)
    if "" in functions:
        return app_of(f"headct {name}", functions[""])
    return app_of(f"headct {name}", functions, help=_summary(module))


def functions_of(module: ModuleType) -> Mapping[str, Step]:
    """The functions of a step's module, by the word that follows the step's name; empty for ``main``."""
    functions: Mapping[str, Step] = module.commands() if hasattr(module, "commands") else {"": module.main}
    return functions


def app_of(name: str, does: Step | Mapping[str, Step], help: str | None = None) -> App:
    """The application that reads the options of a function, or of functions by the word that tells which."""
    app = _app(name, help=help, help_epilogue=LOG_OPTION)
    if isinstance(does, Mapping):
        for place, (word, function) in enumerate(does.items()):
            app.command(function, name=word, sort_key=place)
    else:
        app.default(does)
    return app


@dataclass(frozen=True)
class Call:
    """What a command line asks for: a function, perhaps the one that prints help, and its values."""

    function: Step
    bound: inspect.BoundArguments

    @property
    def arguments(self) -> dict[str, Any]:
        """Values by the name of the parameter, defaults among them."""
        return self.bound.arguments

    def run(self) -> None:
        """Raises what the function raises."""
        self.function(*self.bound.args, **self.bound.kwargs)


def parsed(app: App, words: Sequence[str]) -> Call:
    """What the words ask an application for.

    Raises:
        WrongOptions: one is unknown, abbreviated, lacking, or has a value that it can't have.
    """
    try:
        function, bound, _ = app.parse_args(list(words), exit_on_error=False, print_error=False)
    except CycloptsError as error:
        name = " ".join(app.name)
        raise WrongOptions(f"{name}: {_fault(error, words)} ('{name} --help' lists the options)") from error
    bound.apply_defaults()
    return Call(function, bound)


def run_step(name: str, words: Sequence[str]) -> None:
    """Run a step in this process; raises what it raises, and :class:`WrongOptions`."""
    parsed(app_of_step(name), words).run()


def without_log(words: Sequence[str]) -> tuple[Path | None, list[str]]:
    """The value of ``--log``, which each step has, and the other words; what follows ``--`` is not looked at.

    Raises:
        WrongOptions: ``--log`` has no value.
    """
    end = _end_of_options(words)
    app = _app("headct", help_flags=())
    app.default(_only_log)
    try:
        _, bound, others, _ = app.parse_known_args(words[:end])
    except CycloptsError as error:
        raise WrongOptions("--log needs the name of a file") from error
    return bound.arguments.get("log"), [*others, *words[end:]]


def _end_of_options(words: Sequence[str]) -> int:
    """Place of the ``--`` behind which no word is an option; behind all words where there is none."""
    return words.index("--") if "--" in words else len(words)


def _fault(error: CycloptsError, words: Sequence[str]) -> str:
    """What is wrong with the words: all options that are unknown or lacking, or else what cyclopts says."""
    no_options = {word.partition("=")[0] for word in words[_end_of_options(words) :]}
    if isinstance(error, UnknownOptionError) and error.token.keyword in no_options:
        return f"{error.token.keyword} stands behind --, where no option is read: take the -- out"
    if not (isinstance(error, MissingArgumentError) and error.target):
        return str(error)
    given = {word.partition("=")[0] for word in words if word.startswith("--")}
    parameters = inspect.signature(error.target).parameters.values()
    options = {
        f"--{each.name.replace('_', '-')}": each for each in parameters if each.kind is each.KEYWORD_ONLY
    }
    unknown = given - options.keys()
    lacking = [
        option for option, each in options.items() if each.default is each.empty and option not in given
    ]
    faults = {"unknown option": sorted(unknown), "must be given": lacking}
    messages = [f"{fault}: {', '.join(of_fault)}" for fault, of_fault in faults.items() if of_fault]
    return "; ".join(messages) or str(error)


def _only_log(*, log: Path | None = None) -> None: ...


def _app(name: str, **more: Any) -> App:
    """An application of the settings that all have: no ``--no-…``, no JSON for lists, one line per error."""
    app = App(
        name=name,
        version_flags=(),
        help_format="plaintext",
        group_commands=Group("Commands", sort_key=0),
        group_parameters=Group("Options", sort_key=1),
        default_parameter=Parameter(
            consume_multiple=1, negative=(), json_list=False, show_default=_default_in_help
        ),
        result_action="return_value",
        **more,
    )
    if app.help_flags:
        app["--help"].show = False  # that it is there needs no telling
    return app


def _default_in_help(value: Any) -> str | None:
    """What the help says of a default: nothing where there is none, a flag is not set, or a text is empty."""
    return None if value is None or value is False or value == "" else str(value)


def _summary(module: ModuleType) -> str:
    return inspect.cleandoc(module.__doc__ or "").split("\n\n")[0]
