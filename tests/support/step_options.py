"""The options of a step, from its functions."""

from __future__ import annotations

import inspect

from headct.command_line import functions_of
from headct.steps import STEPS


def options_of(step: str) -> set[str]:
    """All options of a step and of its commands."""
    return {
        f"--{name.replace('_', '-')}"
        for function in functions_of(STEPS[step].load()).values()
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }
