"""Blocks of the configuration as values: the same settings as in the schema, and as in the file."""

from __future__ import annotations

from dataclasses import asdict, fields
from pathlib import Path

import pytest

from headct.settings import blocks, configuration

REPOSITORY = Path(__file__).parents[2]


@pytest.mark.parametrize("kind", blocks.BLOCKS)
def test_a_block_has_the_settings_of_the_schema_in_their_order(kind: type[blocks.Block]) -> None:
    block = configuration.load_schema()["properties"][kind.KEY]["properties"]
    assert [setting.name for setting in fields(kind)] == list(block)


@pytest.mark.parametrize("kind", blocks.BLOCKS)
def test_a_block_says_what_the_configuration_says(kind: type[blocks.Block]) -> None:
    config = configuration.load(REPOSITORY / "config" / "demo.yaml")[kind.KEY]
    value = blocks.typed(kind, config)
    back = {key: list(said) if isinstance(said, tuple) else said for key, said in asdict(value).items()}
    assert back == config
    assert hash(value) == hash(blocks.typed(kind, config)), "nothing in it can change"
