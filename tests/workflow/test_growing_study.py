"""A study that grows: Snakemake hands the split step its former result, and no scan changes sides."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
import yaml

from headct.cohort.split import split_scans
from headct.contracts.artefacts import read_tsv, write_tsv
from headct.settings import blocks
from support import snake
from support.label_sets import LABELS
from support.study_files import write_sheet

SPLIT = "results/cohort/split.tsv"


def write_cohort(folder: Path, scans: int) -> None:
    """A cohort of included scans, and a sheet of empty files that fits it."""
    shutil.rmtree(folder / "trial", ignore_errors=True)
    (folder / "trial").mkdir()
    write_sheet(folder / "trial/scans.tsv", scans)
    table = pd.DataFrame({"scan_id": [f"s{i}" for i in range(scans)], "status": "included", "site": "A"})
    table["participant_id"] = table["scan_id"].str.replace("s", "p")
    volumes = [{"ICH_ml": 1.0 + 7 * i % 11, "IVH_ml": i % 3} for i in range(scans)]
    write_tsv(
        pd.concat([table, pd.DataFrame(volumes)], axis=1).assign(ct_sha256="c", labels_sha256="l"),
        folder / "results/cohort/cohort.tsv",
    )


def draw(folder: Path, *arguments: str, **split: object) -> tuple[int, str, dict[str, tuple]]:
    """Run the rule alone; its exit status, what it says, and the place of each scan."""
    config = yaml.safe_load((snake.REPOSITORY / "config/demo.yaml").read_text(encoding="utf-8"))
    config["split"] |= split
    (folder / "study.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    done = snake.run(
        "--directory",
        folder,
        "--configfile",
        folder / "study.yaml",
        "--cores",
        "1",
        *arguments,
        "--allowed-rules",
        "split",
        "--",
        SPLIT,
    )
    return done.returncode, done.stdout, places_of(read_tsv(folder / SPLIT))


def places_of(split: pd.DataFrame) -> dict[str, tuple]:
    """Set and fold of each scan."""
    table = split.fillna(-1)
    return dict(zip(table["scan_id"], zip(table["set"], table["fold"], strict=True), strict=True))


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, tuple]]:
    """A study of 20 scans whose split was drawn: its folder, and the places."""
    folder = tmp_path_factory.mktemp("first")
    write_cohort(folder, 20)
    status, said, places = draw(folder)
    assert status == 0, said
    assert len(places) == 20
    return folder, places


@pytest.fixture
def drawn(first: tuple[Path, dict[str, tuple]], tmp_path: Path) -> dict[str, tuple]:
    """The first draw, of 20 scans, in a folder of this test's own."""
    shutil.copytree(first[0], tmp_path, dirs_exist_ok=True)
    return first[1]


def test_added_scans_move_no_other(tmp_path: Path, drawn: dict[str, tuple]) -> None:
    write_cohort(tmp_path, 30)
    status, said, grown = draw(tmp_path)
    assert status == 0, said
    assert drawn.items() <= grown.items()
    assert sum(in_set == "test" for in_set, _ in grown.values()) == 10
    cohort = read_tsv(tmp_path / "results/cohort/cohort.tsv")
    config = yaml.safe_load((tmp_path / "study.yaml").read_text(encoding="utf-8"))
    afresh = split_scans(cohort, blocks.given(blocks.Split, json.dumps(config["split"])), LABELS)
    assert not drawn.items() <= places_of(afresh).items(), "the test can fail: a draw of all 30 moves scans"


def test_a_forced_draw_changes_nothing(tmp_path: Path, drawn: dict[str, tuple]) -> None:
    status, said, again = draw(tmp_path, "--forcerun", "split")
    assert (status, again) == (0, drawn), said


def test_a_failed_draw_leaves_the_former_split(tmp_path: Path, drawn: dict[str, tuple]) -> None:
    (tmp_path / "given.tsv").write_text("scan_id\tset\ns0\ttest\ns1\ttrain\n")
    before = (tmp_path / SPLIT).read_bytes()
    status, said, _ = draw(tmp_path, file="given.tsv")
    assert status == 1
    assert "included scan without a row" in said
    assert (tmp_path / SPLIT).read_bytes() == before
    status, said, _ = draw(tmp_path, file="given.tsv")
    assert status == 1, "what failed is not taken for done"
    status, said, again = draw(tmp_path)
    assert (status, again) == (0, drawn), said


def test_other_settings_are_a_new_draw_that_is_announced(tmp_path: Path, drawn: dict[str, tuple]) -> None:
    status, said, places = draw(tmp_path, seed=1)
    assert status == 0, said
    assert "a new draw, as the settings changed" in said
    assert places != drawn
