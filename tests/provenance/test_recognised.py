"""What identifies somebody by its form, in text: days, names, unique identifiers."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.uid import generate_uid

from headct.provenance import days, recognised, said_of_patients, texts

DAYS = st.dates(date(1900, 1, 1), date(2099, 12, 31))
FORMS = (
    "{0:%Y-%m-%d}", "{0:%Y/%m/%d}", "{0:%d.%m.%Y}", "{0.day}.{0.month}.{0.year}", "{0:%m/%d/%Y}",
    "{0:%d-%m-%Y}", "{0.day} {0:%B} {0.year}", "{0:%B} {0.day}, {0.year}", "{0:%d-%b-%Y}", "{0:%d%b%Y}",
    "{0.day}. {0:%B} {0.year}", "{0:%a %b %d 10:15:00 %Y}", "the {0.day}th of {0:%B}, {0.year}",
    "{0.year}年{0.month}月{0.day}日", "{0:%Y-%b-%d}",
    "{0:%Y-%m-%dT10:15:00}", "{0:%G-W%V-%u}",
)  # fmt: skip


@given(
    DAYS,
    st.sampled_from(FORMS),
    st.sampled_from(("", "on ", "(", "scan: ")),
    st.sampled_from(("", ".", ")", ", ")),
)
def test_a_day_is_found_in_each_form_and_known_again(day: date, form: str, before: str, behind: str) -> None:
    text = before + form.format(day) + behind
    either = {day, date(day.year, day.day, day.month) if day.day <= 12 else day}
    assert {found for _, found in days.days_in(text)} & either


@given(DAYS)
def test_digits_alone_are_a_day_only_where_it_is_said(day: date) -> None:
    digits = f"{day:%Y%m%d}"
    assert not list(recognised.in_text(f"{digits} voxels"))
    assert any(value == day.isoformat() for _, value in recognised.in_text(f"PatientBirthDate: {digits}"))
    assert any(value == day.isoformat() for _, value in recognised.in_name(f"scan_{digits}_head.nii.gz"))


NAMES = (
    "Doe^John", "DOE^J", "Doe^J^^Dr", "王^小明", "山田^太郎", "김^철수", "Иванов^Пётр", "Ἀρχ^Ἐλ",
    "שרון^דוד", "علي^حسن", "शर्मा^राज", "ศรีสุข^มาลี", "O'Brien^Mary",
    "Müller-Lüdenscheidt^Erna", "van den Berg^A", "Nguyễn^Văn An",
)  # fmt: skip
ENCODINGS = {
    "王^小明": ("gb18030", "utf-16", "utf-16-be"),
    "山田^太郎": ("iso2022_jp", "utf-16"),
    "김^철수": ("euc_kr", "utf-16"),
    "Иванов^Пётр": ("iso8859_5", "utf-16"),
    "Müller-Lüdenscheidt^Erna": ("latin-1", "utf-16"),
    "שרון^דוד": ("iso8859_8", "utf-16"),
}


@pytest.mark.parametrize("name", NAMES)
def test_names_are_found_in_all_scripts(name: str) -> None:
    assert recognised.NAME_FOUND in dict(recognised.in_text(f"of {name}, 3 slices"))
    for encoding in ("utf-8", *ENCODINGS.get(name, ())):
        found = [
            what
            for text in texts.texts_in(f"{name}\n".encode(encoding))
            for what, _ in recognised.in_text(text)
        ]
        assert recognised.NAME_FOUND in found, encoding


MATHEMATICS = (
    "x^2",
    "A^T",
    "mm^3",
    "e^x",
    "10^-3",
    "a^b",
    "σ^2",
    "AB^T",
    "Hr40^3",
    "^[a-z]+$",
    "T-A0100^SRT^Brain",
)


@pytest.mark.parametrize("text", MATHEMATICS)
def test_mathematics_is_no_name(text: str) -> None:
    assert not list(recognised.in_text(text))


@given(st.integers(0, 10**6))
def test_every_uid_that_software_makes_is_found(seed: int) -> None:
    for uid in (generate_uid(entropy_srcs=[str(seed)]), generate_uid(prefix=None, entropy_srcs=[str(seed)])):
        for text in (uid, f"CT.{uid}.dcm", f"({uid})", f"MR{uid}", f'"{uid}"'):
            assert recognised.UID_FOUND in dict(recognised.in_text(text)), text


@given(st.binary(max_size=200_000))
def test_bytes_of_any_kind_are_no_error(data: bytes) -> None:
    for text in texts.texts_in(data):
        list(recognised.in_text(text))


@pytest.mark.parametrize(
    "text",
    [
        "#tool/tables/accf2ee48119",
        "#tool/tables/acc2ee48119",
        "the file was accessed 20261129",
        "for example 2026-11-29",
        "MobileNet 12345678",
        "studies 2022-10-05",
        "visitors 2022-10-05",
    ],
)
def test_a_word_or_digest_that_begins_like_a_label_is_none(text: str) -> None:
    assert not list(said_of_patients.said_in(text))


@pytest.mark.parametrize(
    "text",
    [
        "ACC 12345678",
        "Acc# 2023-004512",
        "ACC12345678",
        "exam: 2026-11-29",
        "Examination of 2026-11-29",
        "Visit 2 2026-11-29",
    ],
)
def test_such_a_label_is_one_where_its_word_ends(text: str) -> None:
    assert list(said_of_patients.said_in(text))
