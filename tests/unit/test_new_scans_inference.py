"""Prediction of scans and of new scans: the way in, the way out, and what goes wrong in between."""

from __future__ import annotations

import errno
import itertools
import json
import logging
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ct_series
import numpy as np
import pytest
import SimpleITK as sitk
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from headct import ingest, networks
from headct.artefacts import read_json, read_tsv, write_json
from headct.inference import __main__ as trial
from headct.inference import monai as monai_inference
from headct.inference import new_scans, pipeline
from headct.inference.predictor import Predictor, with_fallback
from headct.labels import LABELS
from headct.problems import BadInput
from headct.series import SeriesRules
from headct.training.__main__ import save_weights
from headct.training.job import TrainedModel

SETTINGS: dict[str, Any] = {
    "network": "basicunet",
    "features": [4, 4, 4, 4, 4, 4],
    "patch_size_xyz": [32, 16, 16],
    "spacing_mm_xyz": [4.0, 4.0, 6.0],
    "hu_window": [-15, 100],
}
OF_INFERENCE = {"tile_overlap": 0.25}


def write_model(folder: Path, seed: int) -> Path:
    """A network as it is before training: it finds something of each class everywhere."""
    torch.manual_seed(seed)
    weights = networks.build(SETTINGS).state_dict()
    folder.mkdir()
    digest = save_weights(TrainedModel(weights, SETTINGS, [], {}, 1.0, 0.0), folder / "final.pth")
    write_json({"framework": "monai", "model": "unet", "sha256": digest}, folder / "train.json")
    return folder


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
    **options: Any,
) -> None:
    words = ["--out", out, "--device", "cpu", "--threads", threads, "--scans", *scans]
    words += [word for model in models for word in ("--member", model)]
    words += ["--ingest", json.dumps(options), "--settings", json.dumps(settings or {})]
    new_scans.main(new_scans.arguments().parse_args([str(word) for word in words]))


def predict_trial(folder: Path, models: Sequence[Path], test: dict[str, str], **settings: Any) -> None:
    """Predict the test scans, given with the digests of their CTs, as the workflow does."""
    rows = "".join(f"{scan}\ttest\t{digest}\n" for scan, digest in test.items())
    (folder / "split.tsv").write_text(f"scan_id\tset\tct_sha256\n{rows}")
    members = " ".join(f"--member {model}" for model in models)
    words = f"--model m {members} --split {folder}/split.tsv --data {folder}/data --device cpu --threads 1"
    words += f" --work {folder}/work --manifest {folder}/trial.tsv"
    trial.main(trial.arguments().parse_args([*words.split(), "--settings", json.dumps(settings)]))


def table(out: Path) -> dict[str, dict[str, Any]]:
    rows = read_tsv(out / new_scans.TABLE, reason=str, flags=str).fillna({"reason": "", "flags": ""})
    return {row["scan_id"]: row for row in rows.to_dict("records")}


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
    scan = ingest.Scan("series", tmp_path / "series", {}, {})
    record = ingest.ingest(scan, SeriesRules(), tmp_path / "data" / "series")
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
    written = b"".join(path.read_bytes() for path in (tmp_path / "out").iterdir())
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
    one, two, three = (pipeline.load_one(folder, "cpu", {})(image) for folder in models)
    for probabilities in (one, two, three):
        assert probabilities.min() >= 0
        assert probabilities.max() <= 1
        np.testing.assert_allclose(probabilities.sum(axis=0), 1, atol=1e-5)
    by_hand = (((one.astype(float) + two) / 2 + three) / 2).argmax(axis=0)
    a, b, c = models
    found = labels_of(pipeline.load([[a, b], [c]], "cpu", {}), image)
    np.testing.assert_array_equal(found, by_hand)
    for members in ([[c], [a, b]], [[b, a], [c]]):
        np.testing.assert_array_equal(labels_of(pipeline.load(members, "cpu", {}), image), found)
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
    predictor = monai_inference.load(models[0], "cpu", OF_INFERENCE)
    expected = predictor(image)
    assert not caplog.records
    predictor.network = LittleMemory(predictor.network)
    np.testing.assert_allclose(predictor(image), expected, atol=1e-5)
    assert "goes on with one tile at a time" in caplog.text


def test_weights_that_are_not_those_recorded_are_refused(models: list[Path], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(models[0], tmp_path / "model"))
    write_json(read_json(folder / "train.json") | {"sha256": "0" * 64}, folder / "train.json")
    with pytest.raises(ValueError, match="is not the file"):
        pipeline.load([[folder]], "cpu", {})


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

    outcome = pipeline.Outcome(trial.TrialScan("scan-1", tmp_path, tmp_path))
    with pytest.raises(OSError, match="No space left"):
        outcome.step(fail, errno.ENOSPC)
    outcome.step(fail, errno.EACCES)
    assert "Permission denied" in outcome.reason
