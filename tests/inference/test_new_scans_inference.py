"""Prediction of scans and of new scans: the way in, the way out, and what goes wrong in between."""

from __future__ import annotations

import errno
import gc
import gzip
import itertools
import json
import logging
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import dcm2niix
import nibabel
import numpy as np
import pytest
import SimpleITK as sitk
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from headct.cohort import conversion
from headct.command_line import run_step
from headct.contracts.artefacts import read_json, read_tsv, write_json
from headct.contracts.problems import BadInput
from headct.frameworks.monai import inference as monai_inference
from headct.frameworks.predictor import Predictor, with_fallback
from headct.imaging import nifti
from headct.imaging.fitness import SeriesRules
from headct.imaging.sources import nifti_file
from headct.imaging.sources.image_source import Volume
from headct.inference import at_work, new_scans, pipeline
from headct.inference.trial_scan import TrialScan
from support import ct_series, monai_miniature
from support.label_sets import LABELS, MASK_RULES

pytestmark = pytest.mark.whole


def write_model(folder: Path, seed: int) -> Path:
    return monai_miniature.write_untrained(folder, seed)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder: Path = tmp_path_factory.mktemp("models")
    return [write_model(folder / str(seed), seed) for seed in range(3)]


def head(seed: int = 0, shape: tuple[int, int, int] = (12, 20, 18)) -> np.ndarray:
    """Noise like a brain's in air: no symmetry, each slice different."""
    hu = np.full(shape, -1000, np.int16)
    hu[1:-1, 3:-3, 3:-3] = np.random.default_rng(seed).normal(35, 20, shape)[1:-1, 3:-3, 3:-3]
    return hu


def write_nifti(path: Path, seed: int = 0) -> Path:
    image = sitk.GetImageFromArray(head(seed))
    image.SetSpacing((4.0, 3.5, 6.0))
    path.parent.mkdir(parents=True, exist_ok=True)
    sitk.WriteImage(image, str(path))
    return path


def predict(
    out: Path,
    models: Sequence[Path],
    *scans: Path,
    threads: int = 1,
    settings: dict[str, dict[str, Any]] | None = None,
    names: str = "given",
    **options: Any,
) -> None:
    words = ["--out", out, "--device", "cpu", "--threads", threads, "--scans", *scans, "--names", names]
    words += [word for model in models for word in ("--member", model)]
    words += ["--ingest", json.dumps(options), "--settings", json.dumps(settings or {})]
    words += ["--report", '{"cases": "none"}']  # publish/page/test_new_scans_page.py looks at images
    run_step("new-scans", [str(word) for word in words])


def predict_trial(
    folder: Path, models: Sequence[Path], test: dict[str, str], given: Any = None, **settings: Any
) -> None:
    """Predict the test scans, given with the digests of their CTs, as the workflow does."""
    rows = "".join(f"{scan}\ttest\t{digest}\n" for scan, digest in test.items())
    (folder / "split.tsv").write_text(f"scan_id\tset\tct_sha256\n{rows}")
    members = " ".join(f"--member {model}" for model in models)
    words = f"--model m {members} --split {folder}/split.tsv --data {folder}/data --device cpu --threads 1"
    words += f" --work {folder}/work --manifest {folder}/trial.tsv"
    run_step("predict", [*words.split(), "--settings", json.dumps(settings if given is None else given)])


def table(out: Path) -> dict[str, dict[str, Any]]:
    rows = read_tsv(out / new_scans.TABLE, reason=str, flags=str).fillna({"reason": "", "flags": ""})
    return {row["scan_id"]: row for row in rows.to_dict("records")}


def written_below(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def voxels(path: Path) -> np.ndarray:
    return sitk.GetArrayFromImage(sitk.ReadImage(str(path)))


def test_scans_are_found_in_files_folders_and_folders_of_folders(tmp_path: Path) -> None:
    one = write_nifti(tmp_path / "one.nii.gz")
    several = [write_nifti(tmp_path / "several" / name) for name in ("b.nii", "a.nii.gz")]
    (tmp_path / "several" / "notes.txt").write_text("not a scan")
    ct_series.write_series(tmp_path / "series")
    for name in ("s1", "s2"):
        ct_series.write_series(tmp_path / "trial" / name / "deep")
    (tmp_path / "trial" / "README").write_text("not a scan")
    found = new_scans.find([one, several[0].parent, tmp_path / "series", tmp_path / "trial"])
    assert list(found) == ["one", "a", "b", "series", "s1", "s2"]
    assert found["s1"] == tmp_path / "trial" / "s1"


def test_all_faults_of_the_paths_are_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.txt").write_text("")
    same = [write_nifti(tmp_path / name) for name in ("x/scan.nii", "y/scan.nii.gz")]
    with pytest.raises(BadInput) as caught:
        new_scans.find([tmp_path / "gone", tmp_path / "empty", tmp_path / "text.txt", *same])
    assert len(caught.value.problems) == 4


def test_dicom_is_predicted_as_the_trials_scans_are(models: list[Path], tmp_path: Path) -> None:
    """Tilted, unevenly spaced DICOM: same labels and grid as by way of ingest, volumes by slice weights."""
    heights = np.array([0, 5, 10, 15, 20, 25, 30, 35, 42, 49, 56, 63.0])
    origins = np.asarray((-30.0, -30.0, 10.0)) + np.outer(heights, [0.0, 0.0, 1.0])
    hu = head(shape=(12, 16, 18))
    ct_series.write_series(tmp_path / "series", hu, origins, ct_series.tilted(18.0))
    predict(tmp_path / "new", models[:1], tmp_path / "series")
    scan = conversion.SheetScan("series", tmp_path / "series", {}, MASK_RULES, LABELS)
    record = conversion.ingest(scan, SeriesRules(), tmp_path / "data" / "series")
    assert record.status == "included", record.reason
    predict_trial(tmp_path, models[:1], {"series": "0" * 64})
    new, old = tmp_path / "new" / "series.nii.gz", tmp_path / "trial" / "series.nii.gz"
    assert new.read_bytes() == old.read_bytes()
    row = table(tmp_path / "new")["series"]
    assert (row["volumes_from"], row["flags"]) == ("slice positions", " ".join(record.flags))
    assert {"tilted", "uneven_gaps"} <= set(record.flags)
    weights_mm = record.geometry["slice_weights_mm"]
    for label, value in LABELS.items():
        counts = (voxels(new) == value).sum(axis=(1, 2))
        assert row[f"{label}_ml"] == pytest.approx(4 * 4 * (counts @ weights_mm) / 1000), label
    assert len(np.unique(voxels(new))) > 1


def test_unreadable_scans_cost_no_other(models: list[Path], tmp_path: Path) -> None:
    good = [write_nifti(tmp_path / f"good-{k}.nii.gz", seed=k) for k in range(2)]
    broken, cut, cut_plain = (tmp_path / name for name in ("broken.nii", "cut.nii.gz", "plain.nii"))
    broken.write_bytes(b"no header")
    cut.write_bytes(good[0].read_bytes()[:-500])
    sitk.WriteImage(sitk.ReadImage(str(good[0])), str(cut_plain))
    cut_plain.write_bytes(cut_plain.read_bytes()[:-1])
    labels = write_nifti(tmp_path / "labels.nii.gz")
    sitk.WriteImage(sitk.ReadImage(str(labels)) > 0, str(labels))
    four = tmp_path / "four.nii"
    sitk.WriteImage(sitk.JoinSeries([sitk.ReadImage(str(good[0]))] * 2), str(four))
    short = tmp_path / "short"
    ct_series.write_series(short, head(shape=(4, 16, 18)))
    predict(tmp_path / "out", models[:1], good[0], broken, cut, cut_plain, labels, four, short, good[1])
    rows = table(tmp_path / "out")
    reasons = {name: row["reason"] for name, row in rows.items()}
    assert reasons["good-0"] == reasons["good-1"] == ""
    assert "can't be read" in reasons["broken"]
    assert "truncated" in reasons["cut"]
    assert "truncated" in reasons["plain"]
    assert "not HU" in reasons["labels"]
    assert "not one volume" in reasons["four"]
    assert "too few slices" in reasons["short"]
    assert sorted(p.name for p in (tmp_path / "out").glob("*.gz")) == ["good-0.nii.gz", "good-1.nii.gz"]
    assert rows["good-0"]["volumes_from"] == "header spacing"


def predict_in_a_process(
    *words: Any, killed_by: Sequence[str], signal_: signal.Signals = signal.SIGKILL
) -> int:
    """As :func:`predict`, in a child that one of some scans kills while it is read; its exit status."""
    child = os.fork()
    if child == 0:
        read = nifti_file.Source.read

        def deadly(scan: nifti_file.Source, *rest: Any) -> Volume:
            if scan.scan_id in killed_by:
                os.kill(os.getpid(), signal_)
            return read(scan, *rest)

        nifti_file.Source.read = deadly  # type: ignore[method-assign]
        try:
            predict(*words)
        except BaseException:
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_a_scan_that_kills_the_process_costs_no_other_and_is_passed_over(
    models: list[Path], tmp_path: Path
) -> None:
    """Two are at work when it does, since the next one is read ahead: each is then tried on its own."""
    scans = [write_nifti(tmp_path / f"{name}.nii.gz", seed=k) for k, name in enumerate("abc")]
    out, note = tmp_path / "out", tmp_path / "out" / at_work.NOTE
    assert predict_in_a_process(out, models[:1], *scans, killed_by="b") == -signal.SIGKILL
    assert "b.nii" not in note.read_text()
    assert predict_in_a_process(out, models[:1], *scans, killed_by="b") == -signal.SIGKILL
    assert list(table(out)) == ["c", "a"]
    for status in (1, 1):  # nothing left that could be predicted
        assert predict_in_a_process(out, models[:1], *scans, killed_by="b") == status
        assert "passed over" in table(out)["b"]["reason"]
    write_nifti(scans[1], seed=9)
    predict(out, models[:1], *scans)
    assert table(out)["b"]["reason"] == "", "another file of the same name is tried"
    note.unlink()
    predict(out, models[:1], *scans)
    assert not note.exists()


def test_of_several_scans_at_work_each_is_tried_alone_after_the_others(tmp_path: Path) -> None:
    first = at_work.AtWork(tmp_path)
    first.begin("a")
    first.begin("b")
    second = at_work.AtWork(tmp_path)  # after a kill
    assert (second.passed_over, second.doubtful) == (set(), {"a", "b"})
    with second.struck_out_at_the_end():
        for scan in ("c", "a"):
            second.begin(scan)
            second.end(scan)
        second.begin("b")
        third = at_work.AtWork(tmp_path)  # after another kill
        assert third.passed_over == {"b"}


def test_scans_in_doubt_are_predicted_last_and_one_by_one(models: list[Path], tmp_path: Path) -> None:
    scans = [write_nifti(tmp_path / f"{name}.nii.gz", seed=k) for k, name in enumerate("abc")]
    (tmp_path / "out").mkdir()
    doubtful = [new_scans.digest_of(scan) for scan in scans[:2]]
    write_json({"at_work": doubtful, "passed_over": []}, tmp_path / "out" / at_work.NOTE)
    predict(tmp_path / "out", models[:1], *scans, threads=4)
    assert list(table(tmp_path / "out")) == ["c", "a", "b"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "a.nii.gz",
        "b.nii.gz",
        "c.nii.gz",
        "predictions.tsv",
        "report",
    ]


@pytest.mark.parametrize("content", ["", "{", "[1]", '{"at_work": 1}', '{"at_work": ["a"]}'])
def test_a_damaged_note_is_none(tmp_path: Path, content: str) -> None:
    (tmp_path / at_work.NOTE).write_text(content)
    noted = at_work.AtWork(tmp_path)
    assert (noted.passed_over, noted.doubtful) == (set(), set())


def test_a_run_that_is_asked_to_end_blames_no_scan(models: list[Path], tmp_path: Path) -> None:
    scan = write_nifti(tmp_path / "a.nii.gz")
    status = predict_in_a_process(tmp_path / "out", models[:1], scan, killed_by="a", signal_=signal.SIGTERM)
    assert status == 1
    assert not (tmp_path / "out" / at_work.NOTE).exists()


def test_no_volume_is_kept_once_its_label_map_is_written(models: list[Path], tmp_path: Path) -> None:
    """Else a run of a thousand scans ends for lack of memory."""
    ct_series.write_series(tmp_path / "series", head(shape=(12, 16, 18)))
    sources = [tmp_path / "series", write_nifti(tmp_path / "a.nii.gz"), write_nifti(tmp_path / "b.nii.gz")]
    scans: list[Any] = [
        new_scans.NewScan(
            new_scans.name_of(source), source, 1, tmp_path / "out", SeriesRules(), LABELS, False
        )
        for source in sources
    ]
    scans.append(TrialScan("b", tmp_path / "b.nii.gz", tmp_path / "out" / "trial.nii.gz"))
    gc.collect()
    before = [thing for thing in gc.get_objects() if isinstance(thing, (sitk.Image, nifti.NiftiVolume))]
    outcomes: list[str] = []
    ensemble = pipeline.load([models[:1]], "cpu", {}, LABELS)
    pipeline.predict(ensemble, scans, "cpu", 1, "test", lambda outcome: outcomes.append(outcome.reason))
    assert outcomes == [""] * 4
    gc.collect()
    alive = [thing for thing in gc.get_objects() if isinstance(thing, (sitk.Image, nifti.NiftiVolume))]
    assert len(alive) == len(before)


def test_nothing_predicted_is_an_error(models: list[Path], tmp_path: Path) -> None:
    ct_series.write_series(tmp_path / "short", head(shape=(4, 16, 18)))
    with pytest.raises(RuntimeError, match="too few slices"):
        predict(tmp_path / "out", models[:1], tmp_path / "short")


def test_predicted_scans_are_skipped_and_failed_ones_tried_again(models: list[Path], tmp_path: Path) -> None:
    first, second = (write_nifti(tmp_path / f"{k}.nii.gz", seed=k) for k in range(2))
    whole = second.read_bytes()
    second.write_bytes(whole[:500])
    predict(tmp_path / "out", models[:1], first, second)
    before = (tmp_path / "out" / "0.nii.gz").stat().st_mtime_ns
    second.write_bytes(whole)
    predict(tmp_path / "out", models[:1], first, second)
    assert (tmp_path / "out" / "0.nii.gz").stat().st_mtime_ns == before
    rows = table(tmp_path / "out")
    assert [row["reason"] for row in rows.values()] == ["", ""]
    (tmp_path / "out" / "0.nii.gz").unlink()
    predict(tmp_path / "out", models[:1], first)
    assert set(table(tmp_path / "out")) == {"0", "1"}, "the other scan's row stays"


def test_nothing_is_overwritten(models: list[Path], tmp_path: Path) -> None:
    scan, out = write_nifti(tmp_path / "scan.nii.gz"), tmp_path / "out"
    predict(out, models[:1], scan)
    with pytest.raises(BadInput, match="other networks"):
        predict(out, models[:2], scan)
    with pytest.raises(BadInput, match="or settings"):
        predict(out, models[:1], scan, settings={"unet": {"tile_overlap": 0.5}})
    predict(out, models[:1], scan, settings={"unet": {"tile_overlap": 0.25}})  # as by default
    (out / "new.nii.gz").write_bytes(b"someone's own")
    with pytest.raises(BadInput, match="does not list it"):
        predict(out, models[:1], write_nifti(tmp_path / "new.nii.gz"))
    (out / "scan.nii.gz").write_bytes(b"edited by hand")
    with pytest.raises(BadInput, match="was changed"):
        predict(out, models[:1], scan)
    with pytest.raises(BadInput, match="does not list it"):
        predict(tmp_path, models[:1], scan)


def test_a_name_that_identifies_the_patient_is_refused_and_not_repeated(
    models: list[Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """ct_series writes CANARY as name and id; here the folder is called after both."""

    def pseudonymised(index: int, dataset: Any) -> None:
        dataset.PatientName = dataset.PatientID

    ct_series.write_series(tmp_path / "canary-id", head(shape=(12, 16, 18)), change=pseudonymised)
    ct_series.write_series(tmp_path / "fine", head(shape=(12, 16, 18)))
    with caplog.at_level(logging.INFO):
        predict(tmp_path / "out", models[:1], tmp_path / "canary-id", tmp_path / "fine")
    rows = table(tmp_path / "out")
    assert set(rows) == {"input 1", "fine"}
    assert "contains the Patient ID" in rows["input 1"]["reason"]
    written = written_below(tmp_path / "out")
    assert b"canary" not in (written + caplog.text.encode()).lower()
    predict(tmp_path / "pseudonym", models[:1], tmp_path / "canary-id", patient_id_is_pseudonym=True)
    assert set(table(tmp_path / "pseudonym")) == {"canary-id"}


TURNS = [
    (order, flips)
    for order in itertools.permutations(range(3))
    for flips in itertools.product((False, True), repeat=3)
]


@settings(max_examples=12, deadline=None)
@given(turn=st.sampled_from(TURNS), angle=st.floats(-0.3, 0.3))
def test_label_maps_lie_on_the_grid_that_was_handed_over(
    models: list[Path], tmp_path_factory: pytest.TempPathFactory, turn: Any, angle: float
) -> None:
    """However the axes are stored, flipped or oblique, the patient's labels are the same."""
    tmp_path = tmp_path_factory.mktemp("turned")
    straight = sitk.ReadImage(str(write_nifti(tmp_path / "straight.nii.gz")))
    cos, sin = np.cos(angle), np.sin(angle)
    straight.SetDirection([1, 0, 0, 0, cos, -sin, 0, sin, cos])
    straight.SetOrigin((-30.0, 12.0, 7.0))
    order, flips = turn
    turned = sitk.Flip(sitk.PermuteAxes(straight, order), flips)
    found = []
    for name, image in (("straight", straight), ("turned", turned)):
        sitk.WriteImage(image, str(tmp_path / f"{name}.nii.gz"))
        predict(tmp_path / "out", models[:1], tmp_path / f"{name}.nii.gz")
        found.append(sitk.ReadImage(str(tmp_path / "out" / f"{name}.nii.gz")))
        stored = sitk.ReadImage(str(tmp_path / f"{name}.nii.gz"))
        assert found[-1].GetSize() == stored.GetSize()
        for header in ("GetSpacing", "GetOrigin", "GetDirection"):
            np.testing.assert_allclose(getattr(found[-1], header)(), getattr(stored, header)(), atol=1e-5)
    expected = sitk.Flip(sitk.PermuteAxes(found[0], order), flips)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(found[1]), sitk.GetArrayFromImage(expected))
    volumes = [[row[f"{label}_ml"] for label in LABELS] for row in table(tmp_path / "out").values()]
    np.testing.assert_allclose(volumes[0], volumes[1], rtol=1e-6)
    assert sum(volumes[0]) > 0


def nifti_with(path: Path, change: Callable[[nibabel.Nifti1Image], Any], seed: int = 0) -> Path:
    """The head as nibabel writes it, with one thing changed: in place, or by the image that is returned."""
    affine = np.diag([-4.0, -3.5, 6.0, 1.0])
    image = nibabel.Nifti1Image(head(seed).transpose(), affine)
    image.header.set_xyzt_units("mm")
    image.set_qform(affine, 1)
    image.set_sform(affine, 1)
    nibabel.save(change(image) or image, path)
    return path


def test_values_that_are_none_are_refused_not_taken_for_water(models: list[Path], tmp_path: Path) -> None:
    """ITK reads NaN as 0: a field of view filled with it made 121 mL of a bleed of 38."""

    def without_corners(image: nibabel.Nifti1Image) -> nibabel.Nifti1Image:
        values = image.get_fdata(dtype=np.float32)
        values[:2, :2] = np.nan
        return nibabel.Nifti1Image(values, image.affine)

    nan = nifti_with(tmp_path / "nan.nii.gz", without_corners)
    predict(tmp_path / "out", models[:1], nan, write_nifti(tmp_path / "fine.nii.gz"))
    rows = table(tmp_path / "out")
    assert "48 of 4320 voxels have no value" in rows["nan"]["reason"]
    assert rows["fine"]["reason"] == ""


def test_transforms_that_contradict_each_other_are_refused(models: list[Path], tmp_path: Path) -> None:
    def pixdim(*sizes: float) -> Callable[[nibabel.Nifti1Image], None]:
        return lambda image: image.header["pixdim"].__setitem__(slice(1, 4), sizes)

    def sform(*factors: float) -> Callable[[nibabel.Nifti1Image], None]:
        return lambda image: image.header.set_sform(image.affine @ np.diag([*factors, 1]), 1)

    def save(name: str, change: Callable[[nibabel.Nifti1Image], Any]) -> Path:
        """nibabel mends headers as it writes: this one is written as it is."""
        path = nifti_with(tmp_path / f"{name}.nii", lambda image: None)
        image = nibabel.load(path)
        change(image)
        path.write_bytes(image.header.binaryblock + path.read_bytes()[348:])
        return path

    scans = [
        save("ones", pixdim(1, 1, 1)),
        save("zero", pixdim(4, 3.5, 0)),
        save("nan", pixdim(4, 3.5, np.nan)),
        save("resampled", sform(2, 2, 2)),
        save("thickness", sform(1, 1, 0.8 / 0.6)),
        save("fine", lambda image: None),
    ]
    predict(tmp_path / "out", models[:1], *scans)
    reasons = {name: row["reason"] for name, row in table(tmp_path / "out").items()}
    assert reasons["fine"] == ""
    assert "4 x 3.5 x 6 mm by sform, of 1 x 1 x 1 mm by pixdim" in reasons["ones"]
    assert "4 x 3.5 x 0 mm" in reasons["zero"]
    assert "4 x 3.5 x nan mm" in reasons["nan"]
    assert "8 x 7 x 12 mm by sform" in reasons["resampled"]
    assert "4 x 3.5 x 8 mm by sform" in reasons["thickness"]
    assert {path.name for path in (tmp_path / "out").glob("*.gz")} == {"fine.nii.gz"}


def test_a_size_that_no_head_has_is_refused_and_costs_no_other(models: list[Path], tmp_path: Path) -> None:
    """All transforms agree on it: defaults, a unit that is not meant, a gap of metres."""

    def scaled(*factors: float) -> Callable[[nibabel.Nifti1Image], nibabel.Nifti1Image]:
        def change(image: nibabel.Nifti1Image) -> nibabel.Nifti1Image:
            found = nibabel.Nifti1Image(image.dataobj, image.affine @ np.diag([*factors, 1]))
            found.set_qform(found.affine, 1)
            return found

        return change

    scans = [
        nifti_with(tmp_path / "gap.nii.gz", scaled(1, 1, 1000)),
        nifti_with(tmp_path / "ones.nii.gz", scaled(1 / 4, 1 / 3.5, 1 / 6)),
        nifti_with(tmp_path / "metre.nii.gz", lambda image: image.header.set_xyzt_units("meter")),
        nifti_with(tmp_path / "micron.nii.gz", lambda image: image.header.set_xyzt_units("micron")),
        write_nifti(tmp_path / "fine.nii.gz"),
    ]
    predict(tmp_path / "out", models[:1], *scans)
    reasons = {name: row["reason"] for name, row in table(tmp_path / "out").items()}
    assert reasons.pop("fine") == ""
    assert "voxels of 4 x 3.5 x 6000 mm" in reasons["gap"]
    assert "the scan 18 x 20 x 12 mm" in reasons["ones"]
    assert "voxels of 4000 x 3500 x 6000 mm" in reasons["metre"]
    assert "voxels of 0.004 x 0.0035 x 0.006 mm" in reasons["micron"]


@pytest.mark.parametrize("kind", [nibabel.Nifti1Image, nibabel.Nifti2Image])
def test_the_label_map_carries_the_transforms_of_its_scan(
    models: list[Path], tmp_path: Path, kind: Any
) -> None:
    """Sheared, turned, with a qform of another space: each viewer lays the map over the scan."""
    sheared = np.array([[-4.0, 0, 0, 9], [0, -3.4, 0.3, 8], [0, 0.3, 6, 7], [0, 0, 0, 1]])
    sheared[:3, 2] = (0, 0, 6)
    image = kind(np.flip(head().transpose(), 0), sheared @ np.diag([-1, 1, 1, 1]))
    image.header.set_xyzt_units("mm", "sec")
    image.set_sform(image.affine, 2)
    image.set_qform(image.affine, 1)
    nibabel.save(image, tmp_path / "ct.nii.gz")
    predict(tmp_path / "out", models[:1], tmp_path / "ct.nii.gz")
    row = table(tmp_path / "out")["ct"]
    assert row["reason"] == ""
    assert {"tilted", "header_spacing"} <= set(row["flags"].split())
    stored, found = (nibabel.load(folder / "ct.nii.gz") for folder in (tmp_path, tmp_path / "out"))
    for field in ("pixdim", "xyzt_units", "qform_code", "sform_code", "srow_x", "srow_y", "srow_z"):
        np.testing.assert_array_equal(found.header[field], stored.header[field], field)
    labels, voxel_mm3 = np.asanyarray(found.dataobj), abs(np.linalg.det(sheared))
    for name, value in LABELS.items():
        expected = (labels == value).sum() * voxel_mm3 / 1000
        assert row[f"{name}_ml"] == pytest.approx(expected, rel=1e-6), name
    assert len(np.unique(labels)) > 1
    straight = kind(head().transpose(), np.diag([-4.0, -np.hypot(3.4, 0.3), 1, 1]))
    gap = voxel_mm3 / 4 / np.hypot(3.4, 0.3)
    nibabel.save(kind(straight.dataobj, straight.affine @ np.diag([1, 1, gap, 1])), tmp_path / "straight.nii")
    predict(tmp_path / "out", models[:1], tmp_path / "straight.nii")
    other = np.asanyarray(nibabel.load(tmp_path / "out" / "straight.nii.gz").dataobj)
    np.testing.assert_array_equal(np.flip(labels, 0), other, "a network sees slices of the same size and gap")


@pytest.mark.parametrize("tilt_deg", [0.0, 18.0, -12.0])
def test_what_dcm2niix_makes_of_a_series_has_the_volumes_of_the_series(
    models: list[Path], tmp_path: Path, tilt_deg: float
) -> None:
    orientation = ct_series.tilted(tilt_deg)
    ct_series.write_series(tmp_path / "series", head(shape=(12, 16, 18)), orientation=orientation)
    options = ["-g", "i", "-b", "n", "-z", "y", "-f", "converted", "-o", str(tmp_path)]
    # Its exit status is 1 where it could not un-shear: the slices as they are were written before.
    subprocess.run([dcm2niix.bin, *options, str(tmp_path / "series")], check=False, capture_output=True)
    predict(tmp_path / "out", models[:1], tmp_path / "series", tmp_path / "converted.nii.gz")
    series, converted = (table(tmp_path / "out")[name] for name in ("series", "converted"))
    assert (series["reason"], converted["reason"]) == ("", "")
    for name in LABELS:
        assert converted[f"{name}_ml"] == pytest.approx(series[f"{name}_ml"], rel=1e-4), name
    found = {"tilted", "slice_axis_restored"} & set(converted["flags"].split())
    assert found == ({"tilted", "slice_axis_restored"} if tilt_deg else set())
    labels = [voxels(tmp_path / "out" / "series.nii.gz")]
    stored = np.asanyarray(nibabel.load(tmp_path / "out" / "converted.nii.gz").dataobj)
    assert (stored > 0).any()
    np.testing.assert_array_equal(np.flip(stored.transpose(), 1), labels[0], "dcm2niix turns rows over")
    if tilt_deg:  # saved again with its affine alone, it no longer says which volume is right
        written = nibabel.load(tmp_path / "converted.nii.gz")
        again = nibabel.Nifti1Image(np.asanyarray(written.dataobj), written.affine)
        nibabel.save(again, tmp_path / "again.nii.gz")
        predict(tmp_path / "again", models[:1], tmp_path / "again.nii.gz", tmp_path / "series")
        assert "without a qform nothing says which is right" in table(tmp_path / "again")["again"]["reason"]


def test_what_is_no_scan_is_told_in_its_own_words_and_costs_no_other(
    models: list[Path], tmp_path: Path
) -> None:
    scans = tmp_path / "scans"
    scans.mkdir()

    def stripped(image: nibabel.Nifti1Image) -> nibabel.Nifti1Image:
        values = np.asanyarray(image.dataobj)
        return nibabel.Nifti1Image(np.where(values < -500, 0, values), image.affine, image.header)

    nifti_with(scans / "fine.nii.gz", lambda image: None)
    whole = gzip.decompress((scans / "fine.nii.gz").read_bytes())
    (scans / "not_gzip.nii.gz").write_bytes(whole)
    (scans / "gzip.nii").write_bytes(gzip.compress(whole))
    (scans / "no_suffix").write_bytes(whole)
    nifti_with(scans / "stripped.nii.gz", stripped)
    nifti_with(scans / "one.nii.gz", lambda image: image.slicer[:, :, 4:5])
    nifti_with(scans / "few.nii.gz", lambda image: image.slicer[:, :, 2:8])
    nifti_with(scans / "two.nii.gz", lambda image: nibabel.Nifti2Image(image.dataobj, image.affine))
    nifti_with(scans / "pair.img", lambda image: nibabel.Nifti1Pair(image.dataobj, image.affine))
    (scans / "lfs.nii.gz").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n")
    (scans / "link.nii.gz").symlink_to("/nowhere/key.nii.gz")
    os.mkfifo(scans / "pipe.nii.gz")
    os.mkfifo(scans / "pipe")  # neither is waited for
    predict(tmp_path / "out", models[:1], scans)
    reasons = {name: row["reason"] for name, row in table(tmp_path / "out").items()}
    expected = {
        "stripped": "skull-stripped",
        "one": "a single slice",
        "few": "too few slices: 6",
        "lfs": "Git LFS pointer",
        "link": "a broken link",
        "pipe": "not a regular file",
    }
    assert {name for name in expected if expected[name] not in reasons[name]} == set(), reasons
    assert {name for name, reason in reasons.items() if not reason} == {
        "fine",
        "not_gzip",
        "gzip",
        "no_suffix",
        "two",
        "pair",
    }
    maps = [voxels(tmp_path / "out" / f"{name}.nii.gz") for name in ("fine", "not_gzip", "gzip", "no_suffix")]
    assert (np.array(maps) == maps[0]).all()
    for name, message in (
        ("pair.img", "by its first bytes it is none"),
        ("pipe", "not a regular file"),
        ("gone", "no such file"),
    ):
        with pytest.raises(BadInput, match=message):
            predict(tmp_path / "out", models[:1], scans / name)


def test_a_header_of_65535_rows_costs_no_other_scan(models: list[Path], tmp_path: Path) -> None:
    """96 GB were asked for before a pixel had been looked at."""

    def huge(index: int, dataset: Any) -> None:
        dataset.Rows = dataset.Columns = 65535

    ct_series.write_series(tmp_path / "huge", head(shape=(12, 16, 18)), change=huge)
    predict(tmp_path / "out", models[:1], tmp_path / "huge", write_nifti(tmp_path / "fine.nii.gz"))
    rows = table(tmp_path / "out")
    assert "truncated or damaged pixels" in rows["huge"]["reason"]
    assert rows["fine"]["reason"] == ""
    scan = conversion.SheetScan("huge", tmp_path / "huge", {}, MASK_RULES, LABELS)
    assert conversion.ingest(scan, SeriesRules(), tmp_path / "data" / "huge").status == "excluded"


def test_names_that_are_no_text_cost_no_other_scan(
    models: list[Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    scans = tmp_path / "scans"
    scans.mkdir()
    whole = write_nifti(tmp_path / "whole.nii.gz").read_bytes()
    for name in (b"caf\xe9.nii.gz", b"line\nbreak.nii.gz", b"x" * 150 + b".nii.gz", b"fine.nii.gz"):
        (scans / os.fsdecode(name)).write_bytes(whole)
    predict(tmp_path / "out", models[:1], scans)
    rows = table(tmp_path / "out")
    assert rows["fine"]["reason"] == ""
    reasons = [row["reason"] for name, row in rows.items() if name.startswith("input ")]
    assert len(reasons) == 3
    assert sum("not UTF-8 text" in reason for reason in reasons) == 2
    assert sum("longer than 100 bytes" in reason for reason in reasons) == 1
    predict(tmp_path / "numbered", models[:1], scans, names="numbers")
    numbered = table(tmp_path / "numbered")
    assert list(numbered) == ["input-1", "input-2", "input-3", "input-4"]
    assert not any(row["reason"] for row in numbered.values())


def test_a_scan_too_large_for_the_machine_costs_no_other(tmp_path: Path) -> None:
    class TooLarge(OutOfMemory):
        def prepare(self, ct: sitk.Image) -> Any:
            raise MemoryError("Unable to allocate 96 GiB")

    outcomes: list[pipeline.Outcome] = []
    for predictor in (TooLarge(), OutOfMemory()):
        scans = [Keep(sitk.GetImageFromArray(head()))] * 2
        ensemble = pipeline.Ensemble([[predictor]])
        pipeline.predict(ensemble, scans, "cpu", 1, "test", outcomes.append, memory_ends_run=False)
    assert [outcome.reason for outcome in outcomes] == ["it needs more memory than this machine has"] * 4


def test_a_scan_is_called_as_it_was_handed_over_not_as_what_a_link_points_to(
    models: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_nifti(tmp_path / "archive" / "DOE_JANE.nii.gz")
    ct_series.write_series(tmp_path / "archive" / "DOE_JANE_DICOM", head(shape=(12, 16, 18)))
    (tmp_path / "sub").mkdir()
    links = [tmp_path / "sub" / "p-001.nii.gz", tmp_path / "sub" / "p-002"]
    links[0].symlink_to(tmp_path / "archive" / "DOE_JANE.nii.gz")
    links[1].symlink_to(tmp_path / "archive" / "DOE_JANE_DICOM")
    monkeypatch.chdir(tmp_path / "sub" / "p-002")
    assert list(new_scans.find([Path(), links[0]])) == ["DOE_JANE_DICOM", "p-001"], "a shell's own place"
    assert list(new_scans.find([links[1], Path("../../sub/p-001.nii.gz")])) == ["p-002", "p-001"]
    predict(tmp_path / "out", models[:1], *links)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "p-001.nii.gz",
        "p-002.nii.gz",
        "predictions.tsv",
        "report",
    }
    assert b"DOE" not in written_below(tmp_path / "out" / "report")
    assert "DOE" not in (tmp_path / "out" / "predictions.tsv").read_text()


def test_folders_named_after_patients_are_predicted_by_their_place_in_the_list(
    models: list[Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As a PACS exports them; and a number is no name: another scan in its place is not taken for it."""
    for name, seed in (("CANARY_NAME", 1), ("CANARY-ID", 2)):
        ct_series.write_series(tmp_path / "export" / name, head(seed, shape=(12, 16, 18)))
    predict(tmp_path / "out", models[:1], tmp_path / "export" / "CANARY-ID", write_nifti(tmp_path / "x.nii"))
    assert "--names numbers" in table(tmp_path / "out")["input 1"]["reason"]
    with caplog.at_level(logging.INFO):
        predict(tmp_path / "numbered", models[:1], tmp_path / "export", names="numbers")
    assert set(table(tmp_path / "numbered")) == {"input-1", "input-2"}
    written = written_below(tmp_path / "numbered")
    assert b"canary" not in written.lower()
    assert "canary" not in "".join(
        record.getMessage().lower() for record in caplog.records if "other entries" not in record.message
    )
    predict(tmp_path / "numbered", models[:1], tmp_path / "export", names="numbers")  # nothing to do
    with pytest.raises(BadInput, match="another scan of this name, or this place"):
        predict(tmp_path / "numbered", models[:1], tmp_path / "export" / "CANARY_NAME", names="numbers")


def test_a_wrong_argument_is_told_by_its_name_all_at_once(models: list[Path], tmp_path: Path) -> None:
    shutil.copytree(models[0], tmp_path / "unet" / "seed-1" / "fold-all")
    damaged = Path(shutil.copytree(models[0], tmp_path / "damaged"))
    (damaged / "train.json").write_text('{"framework": "monai", ')
    other, empty, lost = (
        Path(shutil.copytree(models[0], tmp_path / name)) for name in ("other", "empty", "lost")
    )
    (other / "final.pth").write_bytes((other / "final.pth").read_bytes()[:-1])
    (empty / "train.json").write_text("{}")
    (lost / "final.pth").unlink()
    unknown = Path(shutil.copytree(models[0], tmp_path / "unknown"))
    write_json(read_json(unknown / "train.json") | {"framework": "tensorflow"}, unknown / "train.json")
    scan = write_nifti(tmp_path / "scan.nii.gz")
    members = [tmp_path / "gone", tmp_path / "unet", damaged, other, empty, lost, unknown]
    with pytest.raises(BadInput) as caught:
        predict(tmp_path / "out", members, scan, tmp_path / "no-scan", minimum_slice=3)
    told = str(caught.value)
    for part in (
        "there is no such folder",
        f"did you mean {tmp_path}/unet/seed-1/fold-all?",
        "read as JSON",
        "it is not the file that train.json describes",
        "damaged: it needs framework, model, sha256",
        "the weights can't be read: No such file",
        "no framework of this version: tensorflow",
        "no-scan",
        "unknown key; did you mean 'minimum_slices'? known: minimum_slices, minimum_coverage_mm",
    ):
        assert part in told, part
    assert len(caught.value.problems) == 9
    (tmp_path / "file").write_text("someone's own")
    with pytest.raises(BadInput, match="a file, where label maps and table need a folder"):
        predict(tmp_path / "file", models[:1], scan)
    (tmp_path / "out").mkdir()
    for content, message in (("a\tb\n1\t2\n", "a column is missing"), ("", "can't be read as a table")):
        (tmp_path / "out" / new_scans.TABLE).write_text(content)
        with pytest.raises(BadInput, match=message):
            predict(tmp_path / "out", models[:1], scan)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"unet": {"tile_overlapp": 0.5}}, "did you mean 'tile_overlap'? known: tile_overlap"),
        ({"unett": {}}, "did you mean 'unet'? known: unet"),
        ({"unet": {"tile_overlap": 1}}, "must be below 1"),
        ({"unet": {"learning_rate": 1}}, "known: tile_overlap"),
        ([], "must be a JSON object"),
    ],
)
def test_settings_that_nothing_reads_are_refused(
    models: list[Path], tmp_path: Path, settings: Any, message: str
) -> None:
    with pytest.raises(BadInput, match=re.escape(message)):
        predict_trial(tmp_path, models[:1], {"a": "0" * 64}, given=settings)
    if settings:
        with pytest.raises(BadInput, match=re.escape(message)):
            predict(tmp_path / "out", models[:1], write_nifti(tmp_path / "a.nii"), settings=settings)


class Keep:
    """A scan in memory."""

    def __init__(self, image: sitk.Image, name: str = "kept"):
        self.image, self.name = image, name
        self.labels: np.ndarray | None = None

    def read(self) -> sitk.Image:
        return self.image

    def write(self, labels: np.ndarray) -> dict[str, Any]:
        self.labels = labels
        return {"done": True}


def labels_of(ensemble: pipeline.Ensemble, image: sitk.Image, threads: int = 1) -> np.ndarray:
    scan = Keep(image)
    outcomes: list[pipeline.Outcome] = []
    pipeline.predict(ensemble, [scan], "cpu", threads, "test", outcomes.append)
    assert outcomes[0].columns == {"done": True}, outcomes[0].reason
    assert scan.labels is not None
    return scan.labels


def test_ensemble_averages_folds_then_members(models: list[Path]) -> None:
    image = sitk.GetImageFromArray(head())
    image.SetSpacing((4.0, 3.5, 6.0))
    one, two, three = (pipeline.load_one(folder, "cpu", {}, LABELS)(image) for folder in models)
    for probabilities in (one, two, three):
        assert probabilities.min() >= 0
        assert probabilities.max() <= 1
        np.testing.assert_allclose(probabilities.sum(axis=0), 1, atol=1e-5)
    by_hand = (((one.astype(float) + two) / 2 + three) / 2).argmax(axis=0)
    a, b, c = models
    found = labels_of(pipeline.load([[a, b], [c]], "cpu", {}, LABELS), image)
    np.testing.assert_array_equal(found, by_hand)
    for members in ([[c], [a, b]], [[b, a], [c]]):
        np.testing.assert_array_equal(labels_of(pipeline.load(members, "cpu", {}, LABELS), image), found)
    assert (found != one.argmax(axis=0)).any(), "one network alone would say the same"


def test_labels_do_not_depend_on_threads_or_overlap(models: list[Path], tmp_path: Path) -> None:
    scans = [write_nifti(tmp_path / f"{k}.nii.gz", seed=k) for k in range(4)]
    for threads in (1, pipeline.THREADS_TO_OVERLAP):
        predict(tmp_path / str(threads), models[:2], *scans, threads=threads)
    for scan in scans:
        maps = [tmp_path / str(threads) / scan.name for threads in (1, pipeline.THREADS_TO_OVERLAP)]
        assert maps[0].read_bytes() == maps[1].read_bytes()


def test_threads_stay_within_the_budget() -> None:
    from contextlib import ExitStack

    for device, threads, expected in (("cpu", 2, [2, 2, 2]), ("cpu", 4, [3, 1, 1]), ("cuda", 6, [1, 4, 1])):
        with ExitStack() as stack:
            reader, writer = pipeline.executors(stack, device, threads)
            asked = [reader.submit(torch.get_num_threads), writer.submit(torch.get_num_threads)]
            assert [torch.get_num_threads(), *(future.result() for future in asked)] == expected
            assert (reader is writer) == (device == "cpu" and threads >= 4) or threads == 2
    torch.set_num_threads(1)


class OutOfMemory(Predictor):
    """Fails as a network on a GPU that is too small does."""

    preparation = "none"

    def prepare(self, ct: sitk.Image) -> Any:
        return None

    def infer(self, prepared: Any) -> Any:
        raise torch.OutOfMemoryError("not enough")

    def restore(self, prepared: Any, inferred: Any) -> torch.Tensor:
        raise AssertionError


def test_a_machine_that_is_too_small_ends_the_run() -> None:
    scans = [Keep(sitk.GetImageFromArray(head()))] * 2
    with pytest.raises(torch.OutOfMemoryError):
        pipeline.predict(pipeline.Ensemble([[OutOfMemory()]]), scans, "cpu", 4, "test", print)


def test_fallback_takes_the_next_way_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    def work(memory_gb: int) -> int:
        if memory_gb > 8:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return memory_gb

    assert with_fallback(work, {"much": 80, "less": 16, "little": 4, "least": 1}) == 4
    assert [record.message for record in caplog.records] == [
        "out of GPU memory with much: goes on with less",
        "out of GPU memory with less: goes on with little",
    ]
    with pytest.raises(torch.OutOfMemoryError):
        with_fallback(work, {"much": 80, "less": 16})
    with pytest.raises(ZeroDivisionError):
        with_fallback(lambda way: 1 // way, {"none": 0, "one": 1})


class LittleMemory(torch.nn.Module):
    """A network for which the GPU has memory enough for one tile at a time."""

    def __init__(self, network: torch.nn.Module):
        super().__init__()
        self.network = network

    def forward(self, tiles: torch.Tensor) -> torch.Tensor:
        if len(tiles) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return self.network(tiles)


def test_one_tile_at_a_time_gives_the_same(models: list[Path], caplog: pytest.LogCaptureFixture) -> None:
    image = sitk.GetImageFromArray(head(shape=(30, 40, 50)))
    image.SetSpacing((4.0, 4.0, 6.0))
    predictor = monai_inference.load(models[0], "cpu", monai_miniature.OF_INFERENCE, LABELS)
    expected = predictor(image)
    assert not caplog.records
    predictor.network = LittleMemory(predictor.network)
    np.testing.assert_allclose(predictor(image), expected, atol=1e-5)
    assert "goes on with one tile at a time" in caplog.text


def test_weights_that_are_not_those_recorded_are_refused(models: list[Path], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(models[0], tmp_path / "model"))
    write_json(read_json(folder / "train.json") | {"sha256": "0" * 64}, folder / "train.json")
    with pytest.raises(BadInput, match="is not the file"):
        pipeline.load([[folder]], "cpu", {}, LABELS)


def test_only_what_an_earlier_job_did_not_write_is_predicted_again(
    models: list[Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def predicted_again() -> set[str]:
        before = {path: path.stat().st_mtime_ns for path in (tmp_path / "trial").glob("*")}
        (tmp_path / "trial.tsv").unlink(missing_ok=True)  # as Snakemake does before it runs a job again
        predict_trial(tmp_path, models[: len(digests)], digests, **settings)
        paths = sorted((tmp_path / "trial").glob("*"))
        return {path.name[0] for path in paths if path.stat().st_mtime_ns != before.get(path)}

    for seed, name in enumerate("abc"):
        write_nifti(tmp_path / "data" / name / "ct.nii.gz", seed)
    digests, settings = {"a": "0" * 64, "b": "1" * 64}, {}
    assert predicted_again() == {"a", "b"}
    manifest = (tmp_path / "trial.tsv").read_text()
    assert predicted_again() == set()
    assert (tmp_path / "trial.tsv").read_text() == manifest
    (tmp_path / "trial/b.nii.gz").unlink()
    assert predicted_again() == {"b"}
    (tmp_path / "trial/a.nii.gz").write_bytes(b"cut off")
    assert predicted_again() == {"a"}
    digests["b"] = "2" * 64
    assert predicted_again() == {"b"}
    settings["unet"] = {"tile_overlap": 0.5}
    assert predicted_again() == {"a", "b"}
    digests["c"] = "3" * 64  # and a third network
    assert predicted_again() == {"a", "b", "c"}
    del digests["a"]
    assert predicted_again() == {"b", "c"}, "two networks again"
    assert [path.name for path in sorted((tmp_path / "trial").glob("*"))] == ["b.nii.gz", "c.nii.gz"]
    assert list(read_tsv(tmp_path / "trial.tsv")["scan_id"]) == ["b", "c"]


def test_a_full_disk_is_no_fault_of_the_scan(tmp_path: Path) -> None:
    def fail(number: int) -> None:
        raise OSError(number, os.strerror(number))

    outcome = pipeline.Outcome(TrialScan("scan-1", tmp_path, tmp_path))
    with pytest.raises(OSError, match="No space left"):
        outcome.step(fail, errno.ENOSPC)
    outcome.step(fail, errno.EACCES)
    assert "Permission denied" in outcome.reason
