"""``headct review blind``: letters are drawn, the key is kept apart, and no file of the page tells a name."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from headct.command_line import run_step
from headct.contracts.artefacts import read_tsv
from headct.contracts.problems import BadInput, WrongOptions
from headct.publish.page import blinded_page
from headct.run import review
from headct.settings.ratings import REFERENCE, read_key
from support.blinded_page import LACKING, MODELS, SCANS, blind, leaks, study_with_maps
from support.case_studies import read_case


@pytest.fixture(autouse=True)
def bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bundle of scripts that do nothing: what is searched is the study's own."""
    folder = tmp_path / "bundle"
    folder.mkdir()
    for name in ("page.css", "blinded.js", "viewer.js"):
        (folder / name).write_text("")
    monkeypatch.setattr(review, "BUNDLE", folder)


def test_no_file_of_the_page_tells_a_name_and_the_key_lies_apart(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, key = blind(tmp_path)
    assert "3 cases, 3 maps each" in capsys.readouterr().out
    files = [path for path in out.rglob("*") if path.is_file()]
    assert sorted(path.relative_to(out).as_posix() for path in files) == [
        *(f"cases/scans/case-{number}.js" for number in (1, 2, 3)),
        "cases/viewer.js",
        "index.html",
    ]
    assert {path.name: found for path in files if (found := leaks(path.read_text() + path.name))} == {}
    assert leaks(key.read_text()) >= {*MODELS, *SCANS} - {LACKING}, "the search finds what there is"
    of_letters = read_key(key)
    assert of_letters.sha256 in (out / "index.html").read_text()
    assert set(of_letters.scan_of.values()) == set(SCANS) - {LACKING}
    read = read_case((out / "cases/scans/case-1.js").read_text())
    assert list(read.maps) == ["A", "B", "C"]


def test_the_draw_is_of_the_seed_and_letters_are_drawn_for_each_case() -> None:
    scans = [f"s{number}" for number in range(300)]
    one, again, other = (blinded_page.draw(scans, MODELS, None, seed) for seed in (1, 1, 2))
    assert one == again
    assert one != other
    assert {case.scan for case in one} == set(scans)
    assert [case.name for case in one[:2]] == ["case-001", "case-002"]
    firsts = Counter(case.model_of["A"] for case in one)
    assert set(firsts) == {*MODELS, REFERENCE}
    assert min(firsts.values()) > 70, "100 are expected of each; fewer than 70 in less than 1 of 10 000 draws"
    assert len(blinded_page.draw(scans, MODELS, 5, 1)) == 5


def test_the_key_cannot_be_found_by_trying_seeds(tmp_path: Path) -> None:
    keys = []
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        keys.append(blind(tmp_path / name)[1])
    seeds = [int(read_tsv(key, seed=str)["seed"].unique().item()) for key in keys]
    assert min(seeds) > 2**64, "less in 1 of 2**64 draws"
    assert seeds[0] != seeds[1]
    (tmp_path / "again").mkdir()
    _, again = blind(tmp_path / "again", "--seed", str(seeds[0]))
    assert again.read_bytes() == keys[0].read_bytes()
    for seed in range(20):
        drawn = blinded_page.draw(sorted(set(SCANS) - {LACKING}), MODELS, None, seed)
        tried = blinded_page.write_key(drawn, seed, tmp_path / "tried.tsv")
        assert tried not in {read_key(key).sha256 for key in keys}


def test_nothing_is_overwritten_and_the_key_is_not_handed_out(tmp_path: Path) -> None:
    options = study_with_maps(tmp_path)

    def refused(out: str, key: str) -> str:
        words = ["blind", "--models", *MODELS, "--out", str(tmp_path / out), "--key", str(tmp_path / key)]
        with pytest.raises(BadInput) as error:
            run_step("review", [*words, *options])
        return str(error.value)

    assert "raters are given" in refused("page", "page/key.tsv")
    (tmp_path / "there").mkdir()
    (tmp_path / "key.tsv").write_text("")
    found = refused("there", "key.tsv")
    assert found.count("nothing is overwritten") == 2
    (tmp_path / "results/audit/runs").mkdir(parents=True)
    assert "results folder" in refused("results/report/blinded", "other.tsv")
    assert "results folder" in refused("page", "results/key.tsv")


def test_models_must_be_known_and_have_predicted(tmp_path: Path) -> None:
    options = study_with_maps(tmp_path)
    places = ["--out", str(tmp_path / "page"), "--key", str(tmp_path / "key.tsv")]
    with pytest.raises(WrongOptions, match="of blast-ct, unet"):
        run_step("review", ["blind", "--models", "vnet", *places, *options])
    (tmp_path / "results/predictions/unet/seed-0.tsv").unlink()
    with pytest.raises(BadInput, match="has not predicted yet"):
        run_step("review", ["blind", "--models", "unet", *places, *options])


@pytest.mark.parametrize("cases", [0, -2])
def test_at_least_one_case_is_drawn(tmp_path: Path, cases: int) -> None:
    with pytest.raises(WrongOptions, match="at least one"):
        blind(tmp_path, f"--cases={cases}")
