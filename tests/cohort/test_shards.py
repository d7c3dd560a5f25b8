"""Shards: which scan is in which, and which scans of one a job converts again."""

from __future__ import annotations

import csv
import multiprocessing
import os
import shutil
import time
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import SimpleITK as sitk
from hypothesis import given
from hypothesis import strategies as st

from headct.cohort import conversion, ingest, shards
from headct.command_line import run_step
from headct.contracts.artefacts import read_json, sha256_of, write_json
from headct.contracts.problems import BadInput
from headct.settings import sheet
from support.ct_series import head, write_series
from support.label_sets import MASKS_GIVEN
from support.masked_scan import drawn, write_mask

pytestmark = pytest.mark.whole

COLUMNS = ("scan_id", "participant_id", "site", "dicom", "mask", "age", "sex", "onset_to_ct_h", "rater")
SCANS = ("s1", "s2", "s3")

ids = st.lists(st.text(min_size=1), unique=True, max_size=40)


@given(ids=ids, added=ids, number=st.integers(1, 100))
def test_a_scan_that_is_added_moves_no_other(ids: list[str], added: list[str], number: int) -> None:
    def places(scans: list[str]) -> dict[str, str]:
        members = shards.divide([{"scan_id": scan} for scan in scans], number)
        return {row["scan_id"]: shard for shard, rows in members.items() for row in rows}

    before, after = places(ids), places([*added, *(scan for scan in ids if scan not in added)])
    assert set(before) == set(ids)
    assert before.items() <= after.items()


def test_shards_are_of_like_size() -> None:
    """1732 scans in 64 shards: a binomial distribution of mean 27.1 and SD 5.2."""
    sizes = Counter(shards.name_of(f"scan-{number:04d}", 64) for number in range(1732))
    assert set(sizes) == {f"{number:02d}" for number in range(64)}
    assert min(sizes.values()) > 27.1 - 4 * 5.2
    assert max(sizes.values()) < 27.1 + 4 * 5.2
    assert shards.name_of("any", 1) == "0"
    assert shards.name_of("any", 10) in set("0123456789")


def test_scans_of_an_external_set_are_in_shards_of_their_own() -> None:
    own = [{"scan_id": f"s{scan}", "set": None} for scan in range(40)]
    outside = [{"scan_id": f"x{scan}", "set": f"external:{'ab'[scan % 2]}"} for scan in range(20)]
    together = shards.divide(own + outside, 4)
    assert {name: together[name] for name in shards.divide(own, 4)} == shards.divide(own, 4)
    of_sets = {name: rows for name, rows in together.items() if rows[0]["set"]}
    assert {name.split("-")[0] for name in of_sets} == {"a", "b"}
    assert all(row["set"] == f"external:{name[0]}" for name, rows in of_sets.items() for row in rows)


def test_masks_and_their_columns_define_a_scan_and_the_order_of_columns_does_not() -> None:
    row = dict.fromkeys((*shards.OF_A_SCAN, *sheet.READINGS)) | {"mask:ICH": "a.nii", "mask:PHE": "b.nii"}
    same = dict(reversed(row.items()))
    assert shards.masks_of(same) == {"mask:ICH": "a.nii", "mask:PHE": "b.nii"}
    assert shards.definition(same) == shards.definition([row])
    others = [{"mask:ICH": "b.nii", "mask:PHE": "a.nii"}, {"mask:PHE": None}, {"mask_inter:ICH": "c.nii"}]
    assert len({shards.definition(row | other) for other in [{}, *others]}) == 4


class Study:
    """Scans of one shard with their sheet; ``run`` runs the job."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.data, self.manifest = folder, folder / "data", folder / "shards/0.tsv"

    def write_sheet(self, *scans: str, **changes: str) -> None:
        with open(self.folder / "scans.tsv", "w", newline="") as stream:
            writer = csv.DictWriter(stream, COLUMNS, delimiter="\t")
            writer.writeheader()
            for scan in scans:
                cells = [scan, f"p-{scan}", "A", f"dicom/{scan}", f"{scan}.nii.gz", "70", "F", "2.5", "r1"]
                row = dict(zip(COLUMNS, cells, strict=True))
                writer.writerow(row | (changes if scan == scans[0] else {}))

    def add_scan(self, scan: str) -> None:
        dicom = self.folder / "dicom" / scan
        write_series(dicom)
        write_mask(dicom, self.folder / f"{scan}.nii.gz", drawn())

    @property
    def rows(self) -> list[dict]:
        return sheet.load(self.folder / "scans.tsv")

    def words(self, *more: str) -> list[str]:
        options = {"sheet": self.folder / "scans.tsv", "data": self.data, "manifest": self.manifest}
        given = [word for name, path in options.items() for word in (f"--{name}", str(path))]
        return [*given, *MASKS_GIVEN, *more]

    def run(self, *more: str) -> list[str]:
        """Run the job; the scans that it converted."""
        before = self._versions()
        run_step("ingest", self.words(*more))
        return sorted(scan for scan, version in self._versions().items() if before.get(scan) != version)

    def _versions(self) -> dict[str, int]:
        return {path.parent.name: path.stat().st_mtime_ns for path in self.data.glob("*/scan.json")}

    def revision(self) -> int:
        return shards.revision(self.manifest, self.data, self.rows)


@pytest.fixture
def study(tmp_path: Path) -> Study:
    """Three scans, not yet converted."""
    made = Study(tmp_path)
    for scan in SCANS:
        made.add_scan(scan)
    made.write_sheet(*SCANS)
    return made


def test_the_manifest_lists_the_records(study: Study) -> None:
    assert study.run("--revision", "3") == [*SCANS]
    assert {read_json(study.data / scan / "scan.json")["status"] for scan in SCANS} == {"included"}
    with open(study.manifest, newline="") as stream:
        listed = list(csv.DictReader(stream, delimiter="\t"))
    expected = [(scan, sha256_of(study.data / scan / "scan.json"), "3") for scan in SCANS]
    assert [(row["scan_id"], row["sha256"], row["revision"]) for row in listed] == expected
    assert study.revision() == 3


def test_what_is_as_it_was_is_not_converted_again(study: Study) -> None:
    assert study.run() == [*SCANS]
    assert study.run() == []
    study.manifest.unlink()
    assert study.revision() == 0
    assert study.run() == [], "nor where the manifest is lost"
    assert study.run("--shards", "1", "--shard", "0") == [], "nor in another division"


def test_a_scan_in_error_is_tried_again_once_a_permission_is_mended(study: Study) -> None:
    """Neither name, size nor time of a file tell that it may be read now; the time of its entry does."""
    write_series(study.folder / "dicom/s1", head() + 1, series=2)
    assert study.run() == [*SCANS]
    assert read_json(study.data / "s1/scan.json")["status"] == "error"
    assert study.run() == []
    record = read_json(study.data / "s1/scan.json")
    unread = next(iter((study.folder / "dicom/s1").iterdir()))
    record["other_files"].remove(sha256_of(unread))  # root can read everything, and has hashed it
    write_json(record, study.data / "s1/scan.json")
    shards.write_manifest(study.manifest, study.data, SCANS, 0)
    assert study.revision() == 0
    unread.chmod(0o600)
    next((study.folder / "dicom/s2").iterdir()).chmod(0o600)
    assert study.revision() == 1
    assert study.run() == ["s1"]


def test_files_in_a_linked_subfolder_are_part_of_the_scan(study: Study) -> None:
    (study.folder / "store").mkdir()
    (study.folder / "dicom/s1/more").symlink_to(study.folder / "store", target_is_directory=True)
    assert study.run() == [*SCANS]
    (study.folder / "store/notes.txt").write_text("new")
    assert study.run() == ["s1"]


def touch(study: Study) -> None:
    for path in (study.folder / "dicom/s1").iterdir():
        os.utime(path, (2e9, 2e9))


def another_pixel(study: Study) -> None:
    path = next((study.folder / "dicom/s1").iterdir())
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    os.utime(path, (2e9, 2e9))


def added_file(study: Study) -> None:
    path = next((study.folder / "dicom/s1").iterdir())
    shutil.copy2(path, path.with_name("again.dcm"))


def added_file_below(study: Study) -> None:
    path = next((study.folder / "dicom/s1").iterdir())
    (path.parent / "below").mkdir()
    shutil.copy2(path, path.parent / "below/again.dcm")


def removed_file(study: Study) -> None:
    next((study.folder / "dicom/s1").iterdir()).unlink()


def renamed_file(study: Study) -> None:
    path = next((study.folder / "dicom/s1").iterdir())
    path.rename(path.with_name("renamed.dcm"))


def no_folder(study: Study) -> None:
    shutil.rmtree(study.folder / "dicom/s1")


def lost_volume(study: Study) -> None:
    (study.data / "s1/ct.nii.gz").unlink()


def lost_record(study: Study) -> None:
    (study.data / "s1/scan.json").unlink()


@pytest.mark.parametrize(
    "change",
    [
        another_pixel,
        added_file,
        added_file_below,
        removed_file,
        renamed_file,
        no_folder,
        lost_volume,
        lost_record,
    ],
)
def test_a_change_is_noticed_and_converts_its_scan_alone(
    study: Study, change: Callable[[Study], None]
) -> None:
    study.run()
    change(study)
    assert study.revision() == 1
    assert study.run("--revision", "1") == ["s1"]
    if change is not another_pixel:  # that one is dated into the future
        assert study.revision() == 1, "noticed once, not for ever"


def test_new_times_are_no_change(study: Study) -> None:
    study.run()
    touch(study)
    assert study.revision() == 0
    assert study.run() == []


def test_new_times_of_files_that_are_not_converted_are_no_change(study: Study) -> None:
    """As after `cp -r`: a second series beside the chosen one, and a scan that is excluded."""
    for path in write_series(study.folder / "dicom/s1", head()[:3], series=2):
        path.rename(path.with_name(f"scout-{path.name}"))
    shutil.rmtree(study.folder / "dicom/s2")
    write_series(study.folder / "dicom/s2", head()[:4])
    study.run()
    records = {scan: read_json(study.data / scan / "scan.json") for scan in SCANS}
    assert (records["s1"]["status"], records["s2"]["status"]) == ("included", "excluded")
    assert (len(records["s1"]["other_files"]), len(records["s2"]["other_files"])) == (3, 4)
    for scan in SCANS:
        for path in (study.folder / "dicom" / scan).iterdir():
            os.utime(path, (2e9, 2e9))
    assert study.revision() == 0
    assert study.run() == []
    scout = next((study.folder / "dicom/s1").glob("scout-*"))
    scout.write_bytes(scout.read_bytes()[:-2] + b"xy")
    assert study.revision() == 1


def test_a_record_that_was_edited_is_noticed(study: Study) -> None:
    study.run()
    path = study.data / "s2/scan.json"
    path.write_text(path.read_text() + "\n")
    assert study.revision() == 1


def test_added_scans_are_converted_alone_and_removed_ones_leave_the_manifest(study: Study) -> None:
    study.run()
    study.add_scan("s0")
    study.write_sheet("s0", *SCANS)
    assert study.revision() == 0, "the digest of the sheet's rows brings the job back"
    assert study.run() == ["s0"]
    study.write_sheet("s0", "s2")
    assert study.run() == []
    assert [line.split("\t")[0] for line in study.manifest.read_text().splitlines()[1:]] == ["s0", "s2"]


@pytest.mark.parametrize(
    "change",
    [{"participant_id": "p4"}, {"mask": "other.nii.gz"}, {"dicom": "other"}, {"age": "71"}, {"sex": ""}],
    ids=str,
)
def test_what_the_sheet_says_of_a_scan_counts(study: Study, change: dict[str, str]) -> None:
    study.run()
    before = shards.definition(study.rows)
    study.write_sheet(*SCANS, onset_to_ct_h="7", site="B")
    assert shards.definition(study.rows) == before
    assert study.run() == []
    shutil.copytree(study.folder / "dicom/s1", study.folder / "other")
    study.write_sheet(*SCANS, **change)
    assert shards.definition(study.rows) != before
    assert study.run() == ["s1"]


def test_a_mask_that_comes_changes_or_goes_converts_its_scan_alone(study: Study) -> None:
    mask = study.folder / "s2.nii.gz"
    study.run()
    for content in (b"no image", b"nor this"):
        mask.write_bytes(content)
        assert study.run() == ["s2"]
        assert study.run() == []
    mask.unlink()
    assert study.run() == ["s2"]
    assert read_json(study.data / "s2/scan.json")["status"] == "error"


def test_settings_labels_and_code_convert_all(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    study.run()
    assert study.run("--settings", '{"minimum_slices": 3}') == [*SCANS]
    assert study.run("--settings", '{"minimum_slices": 3}') == []
    monkeypatch.setattr(ingest, "code_digest", lambda *_, **__: "edited")
    assert study.run("--settings", '{"minimum_slices": 3}') == [*SCANS]


def test_a_scan_that_fails_stops_no_other_and_is_tried_again(study: Study, caplog) -> None:
    obstacle = study.data / "s1/ct.nii.gz"  # a folder where a file must be
    obstacle.mkdir(parents=True)
    with pytest.raises(ingest.ScansFailed, match=r"1 of 3 scans could not be converted.*\ns1: IsADirectory"):
        study.run()
    assert not study.manifest.exists()
    assert any(record.exc_info and record.getMessage() == "s1" for record in caplog.records), (
        "with its traceback"
    )
    assert read_json(study.data / "s2/scan.json")["scan_id"] == "s2"
    obstacle.rmdir()
    assert study.run() == ["s1"]
    assert study.manifest.exists()


def test_what_ended_a_former_job_comes_last(study: Study, caplog: pytest.LogCaptureFixture) -> None:
    (study.data / "s1").mkdir(parents=True)
    caplog.set_level("INFO")
    study.run()
    said = [record.getMessage().split(": ")[:2] for record in caplog.records]
    assert [scan for scan, _ in said] == ["s2", "s3", "s1", "s1"]
    assert said[2] == ["s1", "begun before and not finished; comes last"]


def test_a_job_that_is_killed_keeps_what_it_finished(tmp_path: Path) -> None:
    study = Study(tmp_path)
    scans = [f"s{number:02d}" for number in range(12)]
    for scan in scans:
        study.add_scan(scan)
    study.write_sheet(*scans)

    def waits_for_ever_at_the_sixth(
        scan: conversion.SheetScan, *rest: Any, really: Any = conversion.ingest
    ) -> Any:
        while scan.scan_id == "s05":
            time.sleep(60)
        return really(scan, *rest)

    def run() -> None:
        ingest.ingest = waits_for_ever_at_the_sixth
        study.run()

    process = multiprocessing.get_context("fork").Process(target=run)
    process.start()
    while not (study.data / "s02/scan.json").exists():
        assert process.is_alive()
        time.sleep(0.002)
    process.kill()
    process.join()
    finished = [path.parent.name for path in study.data.glob("*/scan.json")]
    assert 3 <= len(finished) <= 5
    assert not study.manifest.exists()
    assert study.run() == sorted(set(scans) - set(finished))


def test_settings_are_refused_before_any_scan(study: Study) -> None:
    with pytest.raises(BadInput, match=r"key minimum: unknown key; .*known: minimum_slices"):
        study.run("--settings", '{"minimum": 3}')
    assert not study.data.exists()


def test_a_pipe_where_a_mask_should_be_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "mask.nii.gz")
    assert shards.digests_of({"mask": tmp_path / "mask.nii.gz"}) == {}


def test_files_and_archives_are_noticed_when_they_change_as_folders_are(study: Study) -> None:
    """A header's voxels lie beside it, an archive is one file, and a DICOMDIR means its folder."""
    image = sitk.GetImageFromArray(head())
    image.SetSpacing((4.0, 4.0, 5.0))
    image.SetOrigin((-30.0, -30.0, 10.0))
    dicom = study.folder / "dicom"
    sitk.WriteImage(image, str(dicom / "s1.mhd"))
    shutil.make_archive(str(dicom / "s2"), "zip", dicom / "s2")
    (dicom / "s3/DICOMDIR").write_bytes(b"index")
    images = {"s1": "s1.mhd", "s2": "s2.zip", "s3": "s3/DICOMDIR"}
    study.write_sheet(*SCANS)
    text = (study.folder / "scans.tsv").read_text()
    for scan, name in images.items():
        text = text.replace(f"\tdicom/{scan}\t", f"\tdicom/{name}\t")
    (study.folder / "scans.tsv").write_text(text)
    assert study.run() == [*SCANS]
    kinds = {scan: read_json(study.data / scan / "scan.json")["kind"] for scan in SCANS}
    assert kinds == {"s1": "MetaImage file", "s2": "zip archive", "s3": "DICOM folder"}
    statuses = {scan: read_json(study.data / scan / "scan.json")["reason"] for scan in SCANS}
    assert statuses == dict.fromkeys(SCANS, "")
    assert (study.run(), study.revision()) == ([], 0)
    for file in (dicom / "s1.raw", dicom / "s2.zip", next((dicom / "s3").glob("*.dcm"))):
        os.utime(file)  # newer, with the same bytes
    assert study.revision() == 0
    voxels = bytearray((dicom / "s1.raw").read_bytes())
    voxels[:2] = b"\x22\xfc"
    (dicom / "s1.raw").write_bytes(voxels)
    assert (study.revision(), study.run()) == (1, ["s1"])
    with zipfile.ZipFile(dicom / "s2.zip", "a") as archive:
        archive.writestr("notes.txt", "more")
    write_series(dicom / "s3", head()[:3], series=2)
    assert study.run() == ["s2", "s3"]
