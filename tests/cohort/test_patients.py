"""Whose scan: headers against the sheet, and against those of other participants; no value is shown."""

from __future__ import annotations

import csv
import json
import logging
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from headct.cohort import gathering as cohort
from headct.cohort import patients
from headct.command_line import run_step
from headct.contracts.artefacts import read_json, read_tsv
from headct.imaging import sources
from support.ct_series import head, write_series
from support.label_sets import GIVEN, MASKS_GIVEN
from support.masked_scan import drawn, write_mask

COLUMNS = ("scan_id", "participant_id", "site", "dicom", "mask", "age", "sex", "onset_to_ct_h", "rater")
SECRETS = ("Okonkwo", "Adaeze", "H4471902", "19510307")


class Trial:
    """Small scans, each with headers and a row of its own; ``cohort`` runs both steps."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.rows = folder, []

    def add(self, headers: dict[str, str], **row: str) -> None:
        number = len(self.rows) + 1
        scan = f"s{number}"
        dicom = self.folder / "dicom" / scan

        def change(_: int, dataset: Any) -> None:
            for keyword in ("PatientName", "PatientID"):
                delattr(dataset, keyword)
            for keyword, value in headers.items():
                setattr(dataset, keyword, value)

        image = head()
        image[0, 0, 0] += number  # no two scans have the same pixels
        write_series(dicom, image, change=change)
        labels = drawn()
        labels[4, 8, 8] = 3
        labels[3 + number % 4, 5 + number // 4 % 4, 5 + number // 16] = 0  # nor the same drawing
        write_mask(dicom, self.folder / f"{scan}.nii.gz", labels)
        cells = [scan, f"p{number}", "A", f"dicom/{scan}", f"{scan}.nii.gz", "70", "F", "2", "r1"]
        self.rows.append(dict(zip(COLUMNS, cells, strict=True)) | row)

    def ingest(self, **settings: Any) -> list[dict[str, Any]]:
        sheet = self.folder / "scans.tsv"
        with open(sheet, "w", newline="") as stream:
            writer = csv.DictWriter(stream, COLUMNS, delimiter="\t")
            writer.writeheader()
            writer.writerows(self.rows)
        words = ["--sheet", sheet, *MASKS_GIVEN, "--settings", json.dumps(settings)]
        words += ["--data", self.folder / "data", "--manifest", self.folder / "0.tsv"]
        run_step("ingest", [str(word) for word in words])
        return [read_json(self.folder / "data" / row["scan_id"] / "scan.json") for row in self.rows]

    def cohort(self, trust_sheet: bool = False, different_patients: Sequence[str] = ()) -> Any:
        self.ingest()
        names = {name: self.folder / f"{name}.tsv" for name in ("cohort", "flow")}
        cohort.main(
            labels=GIVEN[1],
            sheet=self.folder / "scans.tsv",
            data=self.folder / "data",
            max_excluded=0.9,
            age_cap_years=90.0,
            trust_sheet=trust_sheet,
            different_patients=json.dumps(list(different_patients)),
            **names,
        )
        return read_tsv(names["cohort"]).set_index("scan_id")

    def outputs(self) -> str:
        """All text that both steps wrote."""
        return "".join(path.read_text() for path in self.folder.glob("data/*/*.json")) + "".join(
            (self.folder / f"{name}.tsv").read_text() for name in ("cohort", "flow")
        )


@pytest.fixture
def trial(tmp_path: Path) -> Trial:
    return Trial(tmp_path)


OTHER = {"PatientID": "H9", "PatientName": "Berg^Ida", "PatientBirthDate": "19440101"}

SAME_PATIENT = {
    "Patient ID": ({"PatientID": "H4471902"}, {"PatientID": "h 447-1902"}),
    "Patient ID with leading zeros": ({"PatientID": "0004471902"}, {"PatientID": "4471902"}),
    "another Patient ID": ({"PatientID": "H4471902"}, {"PatientID": "X1", "OtherPatientIDs": "H4471902"}),
    "name and birth date": (
        {"PatientID": "1A", "PatientName": "Okonkwo^Adaeze^C", "PatientBirthDate": "19510307"},
        {"PatientID": "2B", "PatientName": "OKONKWO^ADAEZE", "PatientBirthDate": "19510307"},
    ),
    "umlaut": (
        {"PatientName": "Mueller^Jörg", "PatientBirthDate": "19510307", "SpecificCharacterSet": "ISO_IR 192"},
        {"PatientName": "Müller^Jörg", "PatientBirthDate": "19510307", "SpecificCharacterSet": "ISO_IR 192"},
    ),
}


@pytest.mark.parametrize("case", SAME_PATIENT)
def test_one_patient_under_two_participants_is_an_error_of_both(
    trial: Trial, case: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    one, other = SAME_PATIENT[case]
    trial.add(one)
    trial.add(OTHER)
    trial.add(other)
    table = trial.cohort()
    assert table["status"].tolist() == ["error", "included", "error"]
    assert "s3 (row 4)" in table.loc["s1", "reason"]
    assert table.loc["s1", "reason"].startswith("same patient as another participant: ")
    assert "one participant_id" in caplog.text
    told = re.sub(
        r"\b[0-9a-f]{64}\b", "", (trial.outputs() + caplog.text).lower()
    )  # digests hold any four digits
    for secret in (*SECRETS, "4471902", "1951", "mueller", "müller"):
        assert secret.lower() not in told


def test_participants_known_to_be_different_people_are_flagged(
    trial: Trial, caplog: pytest.LogCaptureFixture
) -> None:
    """Twins of one initial, and a third scan that shares an id with the first of them."""
    twin = {"PatientName": "Okonkwo^A", "PatientBirthDate": "19510307"}
    trial.add(twin | {"PatientID": "H4471902"})
    trial.add(twin | {"PatientID": "H9"})
    trial.add({})
    assert trial.cohort()["status"].tolist() == ["error", "error", "included"]
    assert "ingest.different_patients" in caplog.text
    converted = (trial.folder / "data/s1/scan.json").stat().st_mtime_ns
    table = trial.cohort(different_patients=["p1", "p2"])
    assert set(table["status"]) == {"included"}
    assert table["flags"].str.contains(patients.SHARED_PATIENT).tolist() == [True, True, False]
    trial.ingest(different_patients=["p1", "p2"])
    assert (trial.folder / "data/s1/scan.json").stat().st_mtime_ns == converted, "not converted again"
    trial.add({"PatientID": "H4471902"})
    table = trial.cohort(different_patients=["p1", "p2"])
    assert table["status"].tolist() == ["error", "included", "included", "error"]
    assert table.loc["s1", "reason"].endswith("share Patient ID with s4 (row 5)")


DIFFERENT_PATIENTS = {
    "nothing but placeholders": (
        {"PatientID": "ANON", "PatientName": "Anonymous", "PatientBirthDate": "19000101"},
    )
    * 2,
    "empty headers": ({},) * 2,
    "a common name": (
        {"PatientName": "Smith^John", "PatientBirthDate": "19510307"},
        {"PatientName": "Smith^John", "PatientBirthDate": "19620411"},
    ),
    "twins": (
        {"PatientName": "Smith^John", "PatientBirthDate": "19510307"},
        {"PatientName": "Smith^Jane", "PatientBirthDate": "19510307"},
    ),
    "ids pseudonymised alike": ({"PatientID": "MYTRIAL7"},) * 3,
}


@pytest.mark.parametrize("case", DIFFERENT_PATIENTS)
def test_what_does_not_name_a_patient_makes_no_two_one(trial: Trial, case: str) -> None:
    for headers in DIFFERENT_PATIENTS[case]:
        trial.add(headers)
    assert set(trial.cohort()["status"]) == {"included"}


def test_two_scans_of_one_participant_are_one_patient(trial: Trial) -> None:
    trial.add({"PatientID": "H4471902"}, participant_id="p")
    trial.add({"PatientID": "H4471902"}, participant_id="p")
    assert set(trial.cohort()["status"]) == {"included"}


def test_hospitals_that_number_alike_are_told_apart_by_birth_dates() -> None:
    here, there = (
        patients.patient_in({"PatientID": "4711", "PatientBirthDate": d}) for d in ("19510307", "19620411")
    )
    people = [here, there]
    assert patients.under_several_participants(people, ["p1", "p2"], ["A", "B"]) == {}
    assert set(patients.under_several_participants(people, ["p1", "p2"], ["A", "A"])) == {0, 1}
    nameless = patients.patient_in({"PatientID": "4711"})
    assert set(patients.under_several_participants([here, nameless], ["p1", "p2"], ["A", "B"])) == {0, 1}


def test_a_pseudonym_of_one_site_names_nobody() -> None:
    """Site A wrote one Patient ID into all of its exports, site B the true ones, two of them equal."""
    people = [patients.patient_in({"PatientID": name}) for name in ("SITEA",) * 3 + ("H1", "H2", "H1")]
    participants = [f"p{number}" for number in range(6)]
    found = patients.under_several_participants(people, participants, ["A"] * 3 + ["B"] * 3)
    assert found == {3: {5: "Patient ID"}, 5: {3: "Patient ID"}}


ANN = {"PatientID": "H77", "PatientName": "ROE^ANN", "PatientBirthDate": "19500101"}


def several(*headers: dict[str, str]) -> set[int]:
    """Which of these scans, each of a participant of its own at one site, share a patient."""
    people = [patients.patient_in(values) for values in headers]
    names = [f"p{number}" for number in range(len(people))]
    return set(patients.under_several_participants(people, names, ["A"] * len(people)))


@pytest.mark.parametrize("keywords", [["PatientID"], ["PatientName", "PatientBirthDate"], list(ANN)], ids=str)
@pytest.mark.parametrize("others", [2, 3, 30])
def test_one_patient_under_most_participants_of_a_site_is_no_pseudonym(
    keywords: list[str], others: int
) -> None:
    same = {keyword: ANN[keyword] for keyword in keywords}
    rest = [
        {"PatientID": f"H{n}", "PatientName": f"DOE{n}^JOHN", "PatientBirthDate": f"19{n + 40}0101"}
        for n in range(others)
    ]
    assert several(*[same] * (others + 1), *rest) == set(range(others + 1))


def test_a_pseudonym_may_lack_in_a_few_headers_of_a_site() -> None:
    assert several(*[{"PatientID": "MYTRIAL7"}] * 18, {"PatientID": "H1"}, {}) == set()
    assert len(several(*[{"PatientID": "MYTRIAL7"}] * 17, {"PatientID": "H1"}, {}, {})) == 17
    trial = {"PatientName": "MYTRIAL7", "PatientBirthDate": "19500101"}
    assert several(*[trial] * 19, {}) == set()
    assert len(several(*[trial] * 19, OTHER)) == 19, "a name beside which there is another one"


@pytest.mark.parametrize("participants", [3, 30])
@pytest.mark.parametrize("name", ["ROE^ANN", "Roe, Ann", "Roe Ann"])
def test_a_persons_name_and_birth_date_are_no_pseudonym_of_a_site(name: str, participants: int) -> None:
    assert len(several(*[ANN | {"PatientName": name}] * participants)) == participants
    assert several(*[ANN | {"PatientName": "MYTRIAL^7"}] * participants) == set()


@pytest.mark.parametrize(
    "name", ["Roe^Ann^Mary", "ROE ANN", "Roe^Ann Mary", "Roe, Ann Mary", "ROE,ANN", "Ann^Roe", "Roe^Ann^^Dr"]
)
def test_one_name_in_several_writings_is_one_patient(name: str) -> None:
    born = {"PatientBirthDate": "19500101"}
    written = [born | {"PatientName": text} for text in ("ROE^ANN", name)]
    assert several(*written) == {0, 1}
    third = born | {"PatientName": "roe^ann^m."}
    assert several(*written, third) == {0, 1, 2}, "a pseudonym is written alike everywhere"


@pytest.mark.parametrize("name", ["Roe^Beth Ann", "Roe^Ann-Kathrin", "Roe-Hill^Ann", "Roe"])
def test_who_shares_a_part_of_a_name_is_another_one(name: str) -> None:
    born = {"PatientBirthDate": "19500101"}
    assert several(born | {"PatientName": "ROE^ANN"}, born | {"PatientName": name}) == set()


def test_the_header_is_that_of_the_converted_series(trial: Trial) -> None:
    """A scout of another patient lies in the folder, first by name."""
    trial.add({"PatientID": "H4471902"})
    trial.add({"PatientID": "H9"})
    scout = write_series(trial.folder / "scout", head(2), series=7)
    scout[0].rename(trial.folder / "dicom/s2/000000-scout")
    assert set(trial.cohort()["status"]) == {"included"}
    converted = read_json(trial.folder / "data/s2/scan.json")
    values = sources.find(trial.folder / "dicom/s2", "s2").patient(converted)
    assert values is not None
    assert values["PatientID"] == "H9"
    assert sources.find(trial.folder / "dicom/s1", "s1").patient(converted) is None


def test_a_sex_that_contradicts_is_an_error_unless_the_sheet_is_trusted(
    trial: Trial, caplog: pytest.LogCaptureFixture
) -> None:
    trial.add({"PatientSex": "M"})
    for sex in ("F", "O", ""):
        trial.add({"PatientSex": sex})
    trial.add({"PatientSex": "M"}, sex="")
    table = trial.cohort()
    assert table["status"].tolist() == ["error", *["included"] * 4]
    assert table.loc["s1", "reason"] == "the DICOM headers contradict the sheet's sex"
    assert "ingest.trust_sheet" in caplog.text
    converted = (trial.folder / "data/s1/scan.json").stat().st_mtime_ns
    table = trial.cohort(trust_sheet=True)
    assert set(table["status"]) == {"included"}
    flagged = table["flags"].str.contains("sex_differs_from_header").tolist()
    assert flagged == [True, False, False, False, False]
    trial.ingest(trust_sheet=True)
    assert (trial.folder / "data/s1/scan.json").stat().st_mtime_ns == converted, "not converted again"


@pytest.mark.parametrize(
    ("header", "age", "flagged"),
    [
        ("070Y", "70", False),
        ("071Y", "70", False),
        ("072Y", "70", True),
        ("052Y", "70", True),
        ("000Y", "70", False),
        ("", "70", False),
        ("52", "70", False),
        ("070Y", "", False),
        ("018M", "1.4", False),
        ("018M", "3", True),
    ],
)
def test_an_age_that_is_off_by_more_than_a_year_is_flagged(header: str, age: str, flagged: bool) -> None:
    flags = patients.flags({"PatientAge": header}, None, float(age) if age else None)
    assert flags == ({"age_differs_from_header"} if flagged else set())


def test_an_age_flag_reaches_the_cohort_and_a_mended_row_the_scan(trial: Trial) -> None:
    trial.add({"PatientAge": "081Y", "PatientID": "H1"})
    table = trial.cohort()
    assert "age_differs_from_header" in table.loc["s1", "flags"]
    trial.rows[0]["age"] = "81"
    assert "age_differs_from_header" not in trial.cohort().loc["s1", "flags"]
