"""Files of reviews: what is read and refused, and what several reviewers decide together."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from headct.contracts.problems import BadInput
from headct.contracts.repository import REPOSITORY
from headct.settings import reviews
from headct.settings.reviews import COLUMNS, DECISIONS, EXCLUDE, REDRAW, SCHEMA
from support.reviews import EVIDENCE, review, written

HEADER = "reviewer\tscan_id\tdecision\treason\tkind\n"


def refused(path: Path, text: str) -> list[tuple[str, str]]:
    """Row and column of each fault of a file."""
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BadInput) as error:
        reviews.load(path)
    assert all(problem.file == str(path) for problem in error.value.problems)
    return [(problem.row, problem.key) for problem in error.value.problems]


def test_columns_and_decisions_are_those_of_the_schema() -> None:
    schema = yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))
    assert list(COLUMNS) == list(schema["properties"])
    assert list(DECISIONS) == schema["properties"]["decision"]["enum"]
    assert schema["properties"]["kind"]["enum"] == [reviews.QUALITY, reviews.RESULTS]


def test_reviews_are_read_as_they_were_written(tmp_path: Path) -> None:
    first = review(
        "A. Reader", "s1", EXCLUDE, model="unet", order="worst", date="2026-11-29", evidence=EVIDENCE
    )
    second = review("Zoë", "007")
    found = reviews.load(written(tmp_path / "reviews.tsv", first, second))
    assert found == (first, second)
    assert [one.row for one in found] == [2, 3]


def test_text_that_a_spreadsheet_would_run_is_read_without_its_mark(tmp_path: Path) -> None:
    path = tmp_path / "reviews.tsv"
    path.write_text(f"{HEADER}A\ts1\tflag\t'=2+3 slices missing\tquality\n")
    assert reviews.load(path)[0].reason == "=2+3 slices missing"
    path.write_text(f'{HEADER}A\ts1\tflag\t"says ""old"", so what"\tquality\n')
    assert reviews.load(path)[0].reason == 'says "old", so what'


def test_every_fault_is_told_at_once(tmp_path: Path) -> None:
    lines = [
        "\ts1\tkeep\t\tresults",  # who?
        "A\ts1\tdelete\t\tresults",  # no such decision
        "A\t\tkeep\t\tresults",  # of what?
        "A\ts3\tkeep\t\tlooks",  # no such kind
        "A; B\ts4\tkeep\t\tresults",  # two names in one
        "A\ts5\tflag\tright\u202eleft\tresults",  # turns the direction of writing
    ]
    found = refused(tmp_path / "reviews.tsv", HEADER + "\n".join(lines) + "\n")
    keys = ["reviewer", "decision", "scan_id", "kind", "reviewer", "reason"]
    assert found == [(str(row), key) for row, key in enumerate(keys, start=2)]


def test_what_is_not_kept_needs_a_reason(tmp_path: Path) -> None:
    lines = [f"A\ts{number}\t{decision}\t\tresults\n" for number, decision in enumerate(DECISIONS)]
    assert refused(tmp_path / "r.tsv", HEADER + "".join(lines)) == [(row, "reason") for row in "345"]


@pytest.mark.parametrize(
    ("text", "row", "key"),
    [
        ("", "1", "reviewer"),
        ("reviewer\tscan_id\tdecision\treason\n", "1", "kind"),
        ("reviewer\tscan_id\tdecision\treason\tkind\tcolour\n", "1", "colour"),
        ("reviewer\tscan_id\tdecision\treason\tkind\tkind\n", "1", "kind"),
        (f"{HEADER}A\ts1\tkeep\n", "2", ""),
        (f'{HEADER}A\ts1\tflag\t"open\tresults\nB\ts1\tkeep\t\tresults\n', "3", ""),
    ],
)
def test_what_is_no_such_table_is_refused(tmp_path: Path, text: str, row: str, key: str) -> None:
    assert refused(tmp_path / "reviews.tsv", text)[0] == (row, key)


def test_what_is_no_text_is_refused_with_what_to_read(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"review\.md"):
        reviews.load(tmp_path / "none.tsv")
    (tmp_path / "latin.tsv").write_bytes("reviewer\tZo\xeb".encode("latin-1"))
    with pytest.raises(BadInput, match="not UTF-8"):
        reviews.load(tmp_path / "latin.tsv")


def test_a_reviewer_decides_once_on_a_scan(tmp_path: Path) -> None:
    one = review("A", "s1", EXCLUDE)
    again = replace(one, date="2026-11-30", order="best")
    found = reviews.load(written(tmp_path / "same.tsv", one, again, review("B", "s1")))
    assert found == (one, review("B", "s1")), "a decision that stands twice counts once"
    with pytest.raises(BadInput, match=r"A decided otherwise in row 2 of .*\(exclude: exclude it\)") as error:
        reviews.load(written(tmp_path / "other.tsv", one, review("A", "s1", REDRAW)))
    (problem,) = error.value.problems
    assert (problem.row, problem.key, problem.value) == ("3", "decision", "redraw")


SPELLINGS = ("Dr. M\u00fcller", "Dr. Mu\u0308ller", "Dr.  M\u00fcller", "Dr.\u00a0M\u00fcller")


def test_a_reviewer_is_one_however_the_name_is_spelled(tmp_path: Path) -> None:
    reviewed = [review(name, "s1", EXCLUDE) for name in SPELLINGS]
    others = [review(name, "s1") for name in "ABC"]
    found = reviews.load(written(tmp_path / "r.tsv", *reviewed, *others))
    assert [one.reviewer for one in found] == [SPELLINGS[0], *"ABC"]
    assert reviews.decided_by_most(found, [EXCLUDE]) == set(), "one of four, not four of seven"
    with pytest.raises(BadInput, match="decided otherwise in row 2"):
        reviews.load(
            written(tmp_path / "r.tsv", review(SPELLINGS[0], "s1"), review(SPELLINGS[1], "s1", EXCLUDE))
        )


def test_a_table_without_rows_is_refused(tmp_path: Path) -> None:
    assert refused(tmp_path / "reviews.tsv", HEADER) == [("1", "")]


@pytest.mark.parametrize("date", ["2026-13-45", "2026-02-29", "29.11.2026", "20261129"])
def test_a_date_is_a_day_of_the_calendar(tmp_path: Path, date: str) -> None:
    path = written(tmp_path / "r.tsv", review("A", "s1", date=date))
    with pytest.raises(BadInput, match="must be a date as 2026-11-29") as error:
        reviews.load(path)
    assert [(problem.row, problem.key) for problem in error.value.problems] == [("2", "date")]


@pytest.mark.parametrize(("separator", "named"), [(";", "semicolons"), (",", "commas")])
def test_another_separator_is_told_in_one_line(tmp_path: Path, separator: str, named: str) -> None:
    path = tmp_path / "r.csv"
    text = f"{HEADER}A\ts1\tkeep\t\tresults\n".replace("\t", separator)
    assert refused(path, text) == [("1", "")]
    with pytest.raises(BadInput, match=f"separated by {named}: save it with tabs"):
        reviews.load(path)


def test_two_kinds_do_not_share_a_file(tmp_path: Path) -> None:
    file = str(written(tmp_path / "r.tsv", review("A", "s1")))
    with pytest.raises(BadInput, match="two kinds") as error:
        reviews.files_of_study({"quality": file, "results": file}, {"s1"})
    assert [one.key for one in error.value.problems] == ["reviews.quality", "reviews.results"]


def test_a_file_of_a_study_holds_one_kind_and_scans_of_the_sheet(tmp_path: Path) -> None:
    path = written(tmp_path / "q.tsv", review("A", "s1", kind="quality"), review("A", "s9"))
    with pytest.raises(BadInput) as error:
        reviews.of_study(path, "quality", {"s1"})
    assert [(problem.row, problem.key) for problem in error.value.problems] == [
        ("3", "kind"),
        ("3", "scan_id"),
    ]
    named = {"quality": str(path), "results": None}
    with pytest.raises(BadInput):
        reviews.files_of_study(named, {"s1", "s9"})
    written(path, review("A", "s1", kind="quality"))
    assert reviews.files_of_study(named | {"results": str(tmp_path / "later.tsv")}, {"s1"}) == {
        "quality": str(path)
    }


REVIEWS = st.lists(
    st.builds(review, st.sampled_from("ABC"), st.sampled_from(["s1", "s2"]), st.sampled_from(DECISIONS)),
    unique_by=lambda one: (one.reviewer, one.scan_id),
)


@given(REVIEWS, st.sets(st.sampled_from(DECISIONS), min_size=1))
def test_most_are_more_than_half_and_any_is_one(reviewed: list[reviews.Review], decisions: set[str]) -> None:
    by_most, by_any = (of(reviewed, decisions) for of in (reviews.decided_by_most, reviews.decided_by_any))
    assert by_most <= by_any
    for scan, of_scan in reviews.by_scan(reviewed).items():
        share = sum(one.decision in decisions for one in of_scan) / len(of_scan)
        assert (scan in by_most) == (share > 0.5)
        assert (scan in by_any) == (share > 0)


def test_the_page_lists_the_columns_as_the_schema_has_them() -> None:
    page = (REPOSITORY / "docs/how-to/review.md").read_text(encoding="utf-8")
    schema = yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))
    for name, part in schema["properties"].items():
        must = "the column" if name in schema["required"] else "optional"
        if part["type"] == "string":
            must += ", and a value in each row"
        assert f"| `{name}` | {must} | `{part['examples'][0]}` | {part['description']} |\n" in page
