"""Ratings of blinded maps and their key: what is read and refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from headct.contracts.problems import BadInput
from headct.settings.blocks import Blinded
from headct.settings.ratings import REFERENCE, check, load, read_key

KEY = "case\tletter\tmodel\tscan_id\n" + "".join(
    f"{case}\t{letter}\t{model}\t{scan}\n"
    for case, scan, models in (("case-1", "s7", ("unet", REFERENCE)), ("case-2", "s3", (REFERENCE, "unet")))
    for letter, model in zip("AB", models, strict=True)
)
HEADER = "rater\tcase\taccepted\tbest\tdate\tkey\n"


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "key.tsv"
    path.write_text(KEY)
    return path


def written(path: Path, *lines: str) -> Path:
    path.write_text(HEADER + "".join(f"{line}\n" for line in lines).replace("|", "\t"))
    return path


def test_the_key_tells_what_letters_stand_for(key: Path) -> None:
    found = read_key(key)
    assert found.models == [REFERENCE, "unet"]
    assert found.model_of["case-2", "A"] == REFERENCE
    assert found.scan_of == {"case-1": "s7", "case-2": "s3"}
    key.write_text(f"{KEY}case-1\tA\tunet\ts7\n")
    with pytest.raises(BadInput, match="the letter stands twice"):
        read_key(key)


def test_every_fault_of_all_ratings_is_told(key: Path, tmp_path: Path) -> None:
    sha256 = read_key(key).sha256
    good = written(tmp_path / "good.tsv", f"R|case-1|A B|B|2026-11-29|{sha256}", f"R|case-2||||{sha256}")
    (first, second) = load([good], read_key(key))
    assert (first.accepted_letters, first.best) == (["A", "B"], "B")
    assert (second.accepted_letters, second.best) == ([], None)
    wrong = written(
        tmp_path / "wrong.tsv",
        f"R|case-1|A|||{sha256}",
        f"S|case-9|A|||{sha256}",
        f"S|case-1|A C|D||{sha256}",
        f"S|case-2|A|||{'0' * 64}",
        f"T|case-2|a|||{sha256}",
        f"|case-2|A|||{sha256}",
    )
    with pytest.raises(BadInput) as error:
        load([good, wrong], read_key(key))
    found = {(problem.row, problem.key) for problem in error.value.problems}
    assert found == {
        ("2", "case"),
        ("3", "case"),
        ("4", "accepted"),
        ("4", "best"),
        ("5", "key"),
        ("6", "accepted"),
        ("7", "rater"),
    }


@pytest.mark.parametrize("letters", ["A A A", "A B A"])
def test_a_map_is_accepted_once(key: Path, tmp_path: Path, letters: str) -> None:
    sha256 = read_key(key).sha256
    with pytest.raises(BadInput, match="each once") as error:
        load([written(tmp_path / "r.tsv", f"R|case-1|{letters}|||{sha256}")], read_key(key))
    (problem,) = error.value.problems
    assert (problem.row, problem.key, problem.value) == ("2", "accepted", letters)


def test_a_rater_is_one_however_the_name_is_spelled(key: Path, tmp_path: Path) -> None:
    sha256 = read_key(key).sha256
    lines = [f"{name}|case-1|A|||{sha256}" for name in ("Zo\u00eb", "Zoe\u0308")]
    with pytest.raises(BadInput, match="judged this case in row 2"):
        load([written(tmp_path / "r.tsv", *lines)], read_key(key))


def test_ratings_without_rows_are_refused(key: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="has no row"):
        check(Blinded((str(written(tmp_path / "r.tsv")),), str(key)))


def test_ratings_need_a_key(key: Path, tmp_path: Path) -> None:
    ratings = (str(written(tmp_path / "r.tsv", f"R|case-1|A|||{read_key(key).sha256}")),)
    check(Blinded(ratings, str(key)))
    check(Blinded((), None))
    with pytest.raises(BadInput, match="no key"):
        check(Blinded(ratings, None))
