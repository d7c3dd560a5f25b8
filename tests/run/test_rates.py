"""Files of measured rates: what is read and refused, which card a rate is of, and what is added."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from headct.contracts.problems import BadInput
from headct.run.cluster.rates import COLUMNS, RATES, SCHEMA, Rate, add, memory_mb, on_card, read

RATE = Rate(
    task="train",
    kind="monai basicunet",
    card="NVIDIA H100 80GB HBM3",
    device="cuda",
    date="2026-11-28",
    s_per_step=0.25,
    source="a test",
)


def written(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(line.replace("|", "\t") for line in lines) + "\n", encoding="utf-8")
    return path


HEADER = "task|kind|card|device|date|s_per_step|s_per_scan|source"


def test_the_rates_of_the_repository_are_read_and_none_is_of_a_gpu_that_is_not_cited() -> None:
    rates = read(RATES)
    assert {rate.task for rate in rates} == {"train", "ingest"}
    assert all(
        rate.commit is None and "documentation" in rate.source for rate in rates if rate.device == "cuda"
    )


def test_columns_are_those_of_the_schema() -> None:
    assert list(COLUMNS) == list(yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))["properties"])


def test_rates_are_read_as_they_were_written_and_added_once(tmp_path: Path) -> None:
    path = tmp_path / "mine" / "rates.tsv"
    other = replace(RATE, s_per_step=1 / 3, peak_gpu_memory_mb=7000.0)
    assert add([RATE, RATE], path) == 1
    assert add([RATE, other], path) == 1
    assert add([other], path) == 0
    first, second = read(path)
    assert first == RATE
    assert second == replace(other, s_per_step=0.333333)


@pytest.mark.parametrize(
    ("cells", "row", "key", "value"),
    [
        ("train|a|h100|cuda|2026-11-28|fast||x", "2", "s_per_step", "fast"),
        ("train|a|h100|cuda|2026-11-28|0||x", "2", "s_per_step", "0"),
        ("train|a|h100|cuda|2026-11-28|nan||x", "2", "s_per_step", "nan"),
        ("train|a|h100|cuda|2026-11-28||3|x", "2", "s_per_step", ""),
        ("predict|a|h100|cuda|2026-11-28|3||x", "2", "s_per_scan", ""),
        ("walk|a|h100|cuda|2026-11-28|3||x", "2", "task", "walk"),
        ("train|a|h100|gpu|2026-11-28|3||x", "2", "device", "gpu"),
        ("train|a|h100|cuda|yesterday|3||x", "2", "date", "yesterday"),
        ("train|a|h100", "2", "", ""),
    ],
)
def test_a_bad_cell_is_told_with_row_and_column(
    tmp_path: Path, cells: str, row: str, key: str, value: str
) -> None:
    path = written(tmp_path / "rates.tsv", HEADER, cells)
    with pytest.raises(BadInput) as refused:
        read(path)
    (problem,) = refused.value.problems
    assert (problem.file, problem.row, problem.key) == (str(path), row, key)
    assert problem.value.removesuffix(".0") == value


def test_all_faults_of_a_file_are_told_at_once(tmp_path: Path) -> None:
    path = written(tmp_path / "rates.tsv", HEADER, "train|a|b|cuda|2026|x||s", "", "walk|a|b|cuda|2026|1||s")
    with pytest.raises(BadInput) as refused:
        read(path)
    assert [(problem.row, problem.key) for problem in refused.value.problems] == [
        ("2", "s_per_step"),
        ("4", "task"),
    ]


@pytest.mark.parametrize(
    ("header", "key"),
    [
        ("task|kind|card|device|date|s_per_step", "source"),
        (f"{HEADER}|speed", "speed"),
        (f"{HEADER}|card", "card"),
    ],
)
def test_a_column_that_is_missing_unknown_or_there_twice_is_named(
    tmp_path: Path, header: str, key: str
) -> None:
    with pytest.raises(BadInput) as refused:
        read(written(tmp_path / "rates.tsv", header))
    assert [(problem.row, problem.key) for problem in refused.value.problems] == [("1", key)]


def test_a_file_that_is_absent_or_no_text_is_refused_with_what_makes_one(tmp_path: Path) -> None:
    (tmp_path / "binary.tsv").write_bytes(b"\xff\xfe\x00")
    for path in (tmp_path / "absent.tsv", tmp_path / "binary.tsv", tmp_path):
        with pytest.raises(BadInput, match="make rates") as refused:
            read(path)
        assert refused.value.problems[0].file == str(path)


@pytest.mark.parametrize(
    ("asked", "card", "is_it"),
    [
        ("h100", "NVIDIA H100 80GB HBM3", True),
        ("nvidia_h100_80gb_hbm3", "NVIDIA H100 80GB HBM3", True),
        ("rtx 3090", "NVIDIA GeForce RTX 3090", True),
        ("", "NVIDIA GeForce RTX 3090", True),
        ("a10", "NVIDIA A100-SXM4-80GB", False),
        ("a100", "NVIDIA H100 80GB HBM3", False),
        ("h100", "NVIDIA H100 80GB HBM3 MIG 1g.10gb", False),
        ("h100_1g.10gb", "NVIDIA H100 80GB HBM3 MIG 1g.10gb", True),
        ("1g.10gb", "NVIDIA H100 80GB HBM3 MIG 1g.10gb", True),
        ("2g.20gb", "NVIDIA H100 80GB HBM3 MIG 1g.10gb", False),
    ],
)
def test_a_card_is_found_by_its_name_in_slurm_and_a_part_of_it_is_another(
    asked: str, card: str, is_it: bool
) -> None:
    assert bool(on_card([replace(RATE, card=card)], asked)) == is_it


def test_memory_of_a_card_is_measured_or_in_its_name() -> None:
    known = replace(RATE, card_memory_mb=84_900.0)
    assert memory_mb("h100", [known]) == 84_900
    assert memory_mb("nvidia_a100_40gb_pcie", [known]) == 40_000
    assert memory_mb("h100_1g.10gb", [known]) == 10_000
    assert memory_mb("v100", [known]) is None
    assert memory_mb("", [known]) is None
