"""Identifiers are found in ids and facts however they are written; chance meetings are not."""

from __future__ import annotations

import string
from datetime import date

import pytest
from dicomanonymizer.dicom_anonymization_databases import dicomfields_2026c as ps315
from hypothesis import assume, given
from hypothesis import strategies as st
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from headct.imaging import dicom, identifiers


def found(text: str, **values: str) -> bool:
    """Whether an id contains one of the values."""
    return bool(identifiers.identifiers_in({"scan_id": text}, values))


# -- numbers ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("patient_id", "scan_id"),
    [
        ("UKE-123/45", "scan_uke12345"),
        ("0001234", "scan-1234"),
        ("1234", "scan-0001234"),
        ("UKE1234567", "1234567-baseline"),
        ("MRN 12345", "P12345"),
        ("ab12", "AB12-1"),
        ("12", "scan-12"),
        ("12", "P12"),
        ("Lee", "lee01"),
        ("555\\98765", "scan-98765"),
    ],
)
def test_patient_id_is_found(patient_id: str, scan_id: str) -> None:
    assert found(scan_id, PatientID=patient_id)
    assert found(scan_id, OtherPatientIDs=patient_id)
    assert found(scan_id, AccessionNumber=patient_id)


@pytest.mark.parametrize(
    ("patient_id", "scan_id"),
    [
        ("12", "scan-0012"),
        ("12", "scan-112"),
        ("0012", "scan-12"),
        ("123", "scan-1234"),
        ("1234567", "scan-123456"),
        ("MRN 12345", "MRN-1"),
        ("ABC-12345", "abc-0001"),
        ("", "scan-1"),
        ("--", "scan-1"),
    ],
)
def test_short_numbers_and_shared_prefixes_are_no_find(patient_id: str, scan_id: str) -> None:
    assert not found(scan_id, PatientID=patient_id)


@pytest.mark.parametrize(
    "value",
    [
        "ANONYMOUS",
        "Anonymous^Anonymous",
        "UNKNOWN",
        "0",
        "00000000",
        "XXXX",
        "N/A",
        "None",
        "PATIENT",
        "scan",
    ],
)
def test_values_that_point_at_nobody_do_not_count(value: str) -> None:
    scan_id = "anonymous-unknown-patient-scan-none-xxxx-n-a-0-00000000"
    assert not found(scan_id, PatientID=value, PatientName=value, AccessionNumber=value)


token = st.text(string.ascii_uppercase + string.digits, min_size=4, max_size=12).filter(
    lambda text: len(set(text)) > 1 and text.lower() not in identifiers.GENERIC
)
separator = st.sampled_from(["", "-", "_"])


@given(token, token, token, separator, separator, st.data())
def test_a_number_is_found_in_any_writing(
    before: str, value: str, after: str, first: str, second: str, data: st.DataObject
) -> None:
    cut = data.draw(st.integers(0, len(value)))
    inside = data.draw(separator)
    written = value[:cut] + inside + value[cut:].lower()
    for keyword in ("PatientID", "AccessionNumber"):
        assert found(f"{before}{first}{written}{second}{after}", **{keyword: f"  {value} "})


@given(st.text("ABCDEF", min_size=1, max_size=20), st.text("uvwxyz0123456789-^ ", max_size=20))
def test_an_id_of_other_characters_is_never_refused(scan_id: str, value: str) -> None:
    assert not found(scan_id, PatientID=value, PatientName=value, PatientBirthDate=value)


@given(st.integers(1, 99999), st.integers(1, 99999))
def test_counted_ids_meet_other_numbers_of_four_digits_never(own: int, patient_id: int) -> None:
    """Ids with a fixed width are refused for their own number only, or one written within it."""
    assume(f"{patient_id}" not in f"{own:05d}")
    assert not found(f"scan-{own:05d}", PatientID=str(patient_id))


# -- names -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "scan_id"),
    [
        ("Miller^Anna", "scan-MILLER-1"),
        ("Miller^Anna", "annam01"),
        ("Müller^Jörg", "mueller-1"),
        ("Müller^Jörg", "muller-1"),
        ("M\u00c3\u00bcller^J", "mueller-1"),  # UTF-8 bytes read as Latin-1
        ("Søndergård", "soendergaard_2"),
        ("Strauß^X", "strauss2"),
        ("Wałęsa", "walesa"),
        ("O'Brien^Pat", "obrien1"),
        ("O'Brien^Pat", "site1-brien"),
        ("Meier-Lang^Eva Maria", "lang-1"),
        ("Meier-Lang^Eva Maria", "meier_lang"),
        ("Meier^Eva Maria", "evamaria"),
        ("Lee^Xi", "scan-lee-1"),
        ("Lee^Xi", "lee7"),
        ("Lee^Xi", "xilee7"),
        ("Li^Wu", "liwu-1"),
        ("Yamada^Tarou=山田^太郎", "tarou-1"),
        ("Smith\\Jones", "jones-1"),
    ],
)
def test_parts_of_names_are_found(name: str, scan_id: str) -> None:
    assert found(scan_id, PatientName=name)
    assert found(scan_id, PatientBirthName=name)
    assert found(scan_id, OtherPatientNames=name)


@pytest.mark.parametrize(
    ("name", "scan_id"),
    [
        ("Can^Ali", "scan-0001-baseline"),
        ("Li^Ma", "li-0001"),
        ("Meier^P", "P-0001"),
        ("Meier^^^Prof.", "profess-0001"),
        ("CT^Head", "head-0001"),
        ("Pat 001", "scan-001"),
        ("van Dam^J", "advance-1"),
    ],
)
def test_syllables_within_words_are_no_find(name: str, scan_id: str) -> None:
    assert not found(scan_id, PatientName=name)


# -- birth dates -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "scan_id",
    ["19500307", "p-1950-03-07", "07_03_1950", "x03071950x", "500307-1", "070350-1234", "1950-3-7",
     "7_3_1950", "07MAR1950", "7mar50"],
)  # fmt: skip
def test_birth_date_is_found(scan_id: str) -> None:
    assert found(scan_id, PatientBirthDate="19500307")
    assert found(scan_id, PatientBirthDate="1950.03.07")


@pytest.mark.parametrize(
    ("birth_date", "scan_id"),
    [
        ("19500307", "scan-1950"),
        ("19500307", "scan-0307"),
        ("00000000", "scan-00000000"),
        ("19500000", "scan-19500000"),
        ("19000101", "scan-0001-01"),
        ("1950", "scan-1950"),
        ("", "scan-1"),
    ],
)
def test_a_year_or_a_placeholder_is_no_birth_date(birth_date: str, scan_id: str) -> None:
    assert not found(scan_id, PatientBirthDate=birth_date)


@given(
    st.dates(date(1900, 1, 2), date(2030, 12, 31)),
    st.sampled_from(["%Y{0}%m{0}%d", "%d{0}%m{0}%Y", "%m{0}%d{0}%Y", "%y{0}%m{0}%d", "%d{0}%b{0}%Y"]),
    separator,
    st.sampled_from(["", "scan-", "P_"]),
)
def test_any_birth_date_is_found_in_any_writing(born: date, form: str, between: str, before: str) -> None:
    written = born.strftime(form.format(between))
    assert found(before + written, PatientBirthDate=f"{born:%Y%m%d}")


# -- refusals --------------------------------------------------------------------------------------

SECRETS = {
    "PatientID": "QZ-887766",
    "PatientName": "Quartermain^Allan",
    "PatientBirthDate": "19310722",
    "AccessionNumber": "AC-554433",
}


@pytest.mark.parametrize("column", ["scan_id", "participant_id"])
@pytest.mark.parametrize("keyword", SECRETS)
def test_refusal_names_column_and_attribute_but_no_value(column: str, keyword: str) -> None:
    ids = {"scan_id": "scan-1", "participant_id": "P1"}
    ids[column] = "x-" + SECRETS[keyword].replace("^", "-")
    (problem,) = identifiers.refusals(ids, SECRETS)
    assert (problem.file, problem.key, problem.value, problem.row) == ("sheet", column, "", "")
    assert identifiers.SOUGHT_IN_IDS[keyword] in problem.message
    assert ("patient_id_is_pseudonym" in problem.message) == (keyword == "PatientID")
    for secret in SECRETS.values():
        assert secret.split("^")[0].lower() not in str(problem).lower()


def test_all_refusals_come_at_once() -> None:
    ids = {"scan_id": "quartermain-19310722", "participant_id": "887766"}
    assert [p.key for p in identifiers.refusals(ids, SECRETS)] == ["scan_id", "scan_id", "participant_id"]


def test_a_pseudonym_as_patient_id_does_not_count_where_the_user_says_so() -> None:
    ids = {"scan_id": "TICH-0012-1", "participant_id": "TICH-0012"}
    values = {"PatientID": "TICH-0012", "PatientName": "TICH^0012", "AccessionNumber": "tich0012"}
    assert len(identifiers.refusals(ids, values)) == 6
    assert identifiers.refusals(ids, values, patient_id_is_pseudonym=True) == []
    named = {**values, "PatientName": "Miller^Anna", "PatientBirthDate": "19500307"}
    ids["scan_id"] = "TICH-0012-miller-070350"
    keywords = [p.message.split(" of its")[0] for p in identifiers.refusals(ids, named, True)]
    assert keywords == ["contains a part of the Patient's Name", "contains the Patient's Birth Date"]


def test_a_pseudonym_that_holds_the_name_is_still_refused() -> None:
    values = {"PatientID": "MILLER1950", "PatientName": "Miller^Anna"}
    assert identifiers.refusals({"scan_id": "miller1950"}, values, patient_id_is_pseudonym=True)


# -- values of a header ----------------------------------------------------------------------------


def test_values_of_all_files_are_gathered_nested_ones_too() -> None:
    first, second, item = Dataset(), Dataset(), Dataset()
    first.PatientName, first.PatientID = "Miller^Anna", "A1234"
    second.PatientName, second.PatientID = "Miller^Anna", "B5678"
    second.OtherPatientNames = ["Smith^A", "Jones^B"]
    second.OtherPatientIDs = "D5555"
    item.PatientID = "C9999"
    second.OtherPatientIDsSequence = [item]
    values = identifiers.in_headers([first, second])
    assert values == {
        "PatientName": "Miller^Anna",
        "PatientID": "A1234\\B5678",
        "OtherPatientNames": "Smith^A\\Jones^B",
        "OtherPatientIDs": "D5555\\C9999",
    }
    for scan_id in ("miller", "a-1234", "b5678", "jones", "c9999"):
        assert identifiers.refusals({"scan_id": scan_id}, values)


def test_unreadable_values_are_absent() -> None:
    header = Dataset()
    for keyword, vr, value in (("PatientName", "FD", b"Miller^A"), ("PatientBirthDate", "DS", b"Miller")):
        tag = Tag(keyword)
        header[tag] = RawDataElement(tag, vr, len(value), value, 0, False, True)
    header.PatientID = "A1234"
    assert identifiers.in_headers([header])["PatientID"] == "A1234"


# -- acquisition facts -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fact", "values"),
    [
        ("scanner of CANARY-id", {"PatientID": "Canary-ID"}),
        ("Anna's scanner", {"PatientName": "Miller^Anna"}),
        ("H30 Lee", {"PatientName": "Lee^X"}),
        ("Bay 3, Ashby", {"InstitutionName": "Ashby Hospital"}),
        ("CT-0815-A", {"StationName": "CT0815A"}),
        ("made 07.03.1950", {"PatientBirthDate": "19500307"}),
        ("DrStrange", {"ReferringPhysicianName": "Strange^S^^Dr"}),
    ],
)
def test_a_fact_that_repeats_an_identifier_is_noticed(fact: str, values: dict[str, str]) -> None:
    assert identifiers.repeats_identifier(fact, values)


@pytest.mark.parametrize(
    ("fact", "values"),
    [
        ("GE MEDICAL SYSTEMS", {"InstitutionName": "University Medical Center"}),
        ("ORIGINAL\\PRIMARY\\AXIAL", {"PatientName": "Xia^Mar"}),
        ("STANDARD", {"PatientName": "Tan^A"}),
        ("H30s", {"StudyID": "30", "PatientID": "H"}),
        ("H30s", {}),
    ],
)
def test_a_fact_that_shares_a_common_word_or_syllable_stays(fact: str, values: dict[str, str]) -> None:
    assert not identifiers.repeats_identifier(fact, values)


# -- the allow-list against PS3.15, table E.1-1 (Basic Application Level Confidentiality Profile) --

FREE_TEXT = {
    "Manufacturer": "written by the maker's software, not by an operator",
    "ManufacturerModelName": "written by the maker's software, not by an operator",
    "ConvolutionKernel": "chosen from the scanner's list, and the choice of series depends on it",
}
"""Allow-listed although its VR lets anything be written, and why; each passes ``plain_fact`` first."""


def in_table(keyword: str) -> bool:
    """Whether the profile removes, empties, replaces or cleans an attribute."""
    tag = tag_for_keyword(keyword)
    assert tag is not None
    return (tag >> 16, tag & 0xFFFF) in ps315.ALL_TAGS


def test_no_attribute_that_the_profile_removes_reaches_an_output() -> None:
    assert len(ps315.ALL_TAGS) > 600
    assert [keyword for keyword in dicom.ACQUISITION_FACTS.values() if in_table(keyword)] == []


def test_allow_listed_free_text_has_its_reason() -> None:
    kinds = {keyword: dictionary_VR(keyword) for keyword in dicom.ACQUISITION_FACTS.values()}
    assert {keyword for keyword, vr in kinds.items() if vr in {"SH", "LO"}} == set(FREE_TEXT)
    others = set(kinds.values()) - {"SH", "LO"}
    assert others <= {"CS", "DS", "IS", "FD"}, "code strings and numbers hold no sentence"


@pytest.mark.parametrize(
    "text", ["L 92.81 425.212", "(425.212)", "x=-425.212,", "425.212e+00", "4252.12.", "425.212"]
)
def test_a_number_with_a_decimal_point_is_no_patients(text: str) -> None:
    assert "425212" not in identifiers.words_of(text)


@pytest.mark.parametrize(
    "text", ["425212", "MRN-425.212", "425-212", "42.52.12", "a/425.212", "425.212/a", "425212.", "no425.212"]
)
def test_a_number_in_any_other_writing_may_be(text: str) -> None:
    assert any("425212" in word for word in identifiers.words_of(text))


def test_what_is_sought_is_what_the_profile_removes() -> None:
    sought = {*identifiers.IDENTIFYING_KEYWORDS}
    assert {keyword for keyword in sought if not in_table(keyword)} <= {"IssuerOfPatientID"}
    assert not sought & set(dicom.ACQUISITION_FACTS.values())
    assert set(identifiers.SOUGHT_IN_IDS) <= sought
