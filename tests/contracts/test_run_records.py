"""What a run record says of its job's command."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest

from headct.contracts.run_records import Record


@pytest.mark.parametrize(
    ("words", "values"),
    [
        (["--models", "a", "b", "--out", "f"], ["a", "b"]),
        (["--models=a"], ["a"]),
        (["--models={}", "--model", "b"], ["{}"]),
        (["--models="], [""]),
        (["--models"], []),
        (["--model", "a", "--out=--models"], []),
    ],
)
def test_the_values_of_an_option_however_it_is_written(words: list[str], values: list[str]) -> None:
    content: dict[str, Any] = {field.name: None for field in fields(Record)}
    record = Record(**{**content, "command": ["headct", "tables", "table1", *words]})
    assert record.option("--models") == values
