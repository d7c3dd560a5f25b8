"""YAML that people write by hand: what is in it twice, or is no plain UTF-8, is refused with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from headct.contracts import yaml_files
from headct.contracts.problems import BadInput
from headct.publish.reports import checklists
from headct.settings import analysis_plan, configuration

REPOSITORY = Path(__file__).parents[2]
MADE_BY_HAND = sorted(
    path
    for folder in ("config", "workflow/schemas", "resources/reporting")
    for path in (REPOSITORY / folder).glob("*.yaml")
)


def refused(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    with pytest.raises(BadInput) as caught:
        yaml_files.read(path)
    assert path.name in str(caught.value)
    return str(caught.value)


def test_a_key_that_stands_twice_is_told_with_both_lines(tmp_path: Path) -> None:
    said = refused(tmp_path / "a.yaml", b"nnunet:\n  epochs: 1\n  epochs: 2\nmodels: {}\nnnunet: {}\n")
    assert "2 problems" in said
    assert "nnunet.epochs" in said
    assert "line 2 and in line 3" in said
    assert "line 1 and in line 5" in said


def test_keys_within_lists_are_looked_at_and_aliases_once(tmp_path: Path) -> None:
    said = refused(tmp_path / "a.yaml", b"sites:\n- &one {name: A, name: B}\n- *one\n")
    assert "sites.0.name" in said
    assert "problems" not in said
    merged = tmp_path / "merged.yaml"
    merged.write_text("a: &a {x: 1}\nb:\n  <<: *a\n  x: 2\n", encoding="utf-8")
    assert yaml_files.read(merged)["b"] == {"x": 2}, "a merged key may be overridden"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\xef\xbb\xbfa: 1\n", "byte-order mark"),
        ("a: 1\n".encode("utf-16"), "UTF-16"),
        ("a: 1\n".encode("utf-16-be"), "UTF-16"),
        ("a: 1\nb: é\n".encode("latin-1"), "line 2 that is not UTF-8"),
        (b"a:\n\tb: 1\n", "line 2 is indented with a tab"),
        (b"a:\n  b: 1\n\tc: 1\n", "line 3 is indented with a tab"),
        (b"a: [1\nb: 2\n", "not valid YAML, line 2"),
        (b"a: 1\nb: &x\n  c: *x\n", "what begins in line 2 holds an alias of itself"),
        (b"a: &x [1, *x]\n", "what begins in line 1 holds an alias of itself"),
        (b"a: &x\n- b: &y {c: *y}\n", "what begins in line 2 holds an alias of itself"),
        (
            b"a0: &a0 [1]\n"
            + b"".join(
                b"a%d: &a%d [%s]\n" % (k, k, b", ".join([b"*a%d" % (k - 1)] * 9)) for k in range(1, 40)
            ),
            "with aliases written out",
        ),
        (b"a: 1\n---\na: 2\n", "single document"),
        (b"a:\n  1: b\n", "key a.1: a key must be text, and in line 2 YAML reads one of the kind 'int'"),
        (b"no: b\n", "key no: a key must be text, and in line 1 YAML reads one of the kind 'bool'"),
        (b"2020-01-01: b\n", "of the kind 'timestamp'"),
        (b"a: " + b"[" * 60 + b"]" * 60, "line 1 is nested more than 50 levels deep"),
        (b"a: " + b"[" * 200_000 + b"]" * 200_000, "more than 50 levels deep"),
        (b"b: 1\na: " + b"{a: " * 60 + b"}" * 60, "line 2 is nested more than 50 levels deep"),
    ],
)
def test_other_encodings_and_tabs_are_told_in_one_line(tmp_path: Path, content: bytes, words: str) -> None:
    said = refused(tmp_path / "a.yaml", content)
    assert words in said
    assert "\n" not in said


@pytest.mark.parametrize("path", MADE_BY_HAND, ids=lambda path: path.name)
def test_shipped_files_are_read(path: Path) -> None:
    assert isinstance(yaml_files.read(path), dict)


@pytest.mark.parametrize(
    "read",
    [
        configuration.load,
        analysis_plan.load,
        configuration.load_schema,
        lambda path: checklists.read(path, {}),
    ],
)
def test_every_reader_of_yaml_is_strict(tmp_path: Path, read) -> None:
    path = tmp_path / "twice.yaml"
    path.write_text("name: a\nname: b\n", encoding="utf-8")
    with pytest.raises(BadInput, match="line 1 and in line 2"):
        read(path)
