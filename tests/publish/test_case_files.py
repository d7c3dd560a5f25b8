"""Files of cases: what they show lies where it was, nothing of a lesion is lost, faces are."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from headct.command_line import run_step
from headct.contracts import amendments
from headct.contracts.artefacts import read_tsv, sha256_of, write_json, write_tsv
from headct.contracts.labels import Extent
from headct.contracts.manifests import files_listed
from headct.contracts.problems import WrongOptions
from headct.imaging import face
from headct.provenance import contents
from headct.publish.page import case_content
from headct.publish.page.case_content import (
    HOUNSFIELD_STEPS,
    TRUTH,
    Case,
    codes,
    content_of,
    script,
    steps_of,
)
from support.case_studies import TILTED, UNEVEN, largest_case, plain_geometry, read_case, simulated_case
from support.figure_inputs import metrics, write_manifest, write_scan
from support.label_sets import LABELS

LARGEST_MB = 8
"""Of a case of 512 × 512 × 40 voxels with ten models (issue 17)."""


def test_brain_and_blood_are_shown_to_the_unit_and_all_else_nearly() -> None:
    steps = HOUNSFIELD_STEPS.astype(int)
    assert len(steps) <= 256
    assert (np.diff(steps) > 0).all()
    assert set(range(-20, 181)) <= set(steps.tolist()), "brain 0 to 80, blood to 180"
    every = np.arange(-1024, 3072, dtype=np.int16)
    shown = steps[codes(every, HOUNSFIELD_STEPS)]
    assert (np.diff(shown) >= 0).all()
    off = np.abs(shown - every)
    assert off[(every >= -1000)].max() <= 250
    assert off[(every >= -200) & (every <= 400)].max() <= 10, "a tenth of a blood window at most"
    nearest = np.abs(steps[None] - every[:, None]).min(axis=1)
    assert (off == nearest).all()


def test_grey_levels_of_a_windowed_study_are_kept() -> None:
    image = np.arange(0, 250, dtype=np.int16).reshape(2, 5, 25)
    steps = steps_of(image, "windowed")
    assert (steps[codes(image, steps)] == image).all()
    many = np.arange(0, 3000, dtype=np.int16).reshape(2, 5, 300)
    steps = steps_of(many, "windowed")
    assert np.abs(steps[codes(many, steps)] - many).max() <= 6, "half of 3000 / 255"


@pytest.mark.parametrize("site", [TILTED, UNEVEN])
def test_each_voxel_lies_where_its_slice_does(site: int) -> None:
    case = simulated_case(site)
    read = read_case(script(content_of(case, "hounsfield", mask_face=False)))
    x_size, y_size, z_size = read.content["shape"]
    x, y, z = np.meshgrid(range(x_size), range(y_size), range(z_size), indexing="ij")
    index = np.stack([x, y, z, np.ones_like(x)]).reshape(4, -1)
    affine = np.array(read.content["affine"])
    positions = np.array(read.content["positions_mm"])
    # Along the stack, a slice lies in proportion to its position between the first and the last.
    index = index.astype(float)
    index[2] = (positions / positions[-1] * (z_size - 1))[z.ravel()]
    placed = (affine @ index)[:3]
    origins = np.array(case.geometry["slice_origins_mm_lps"])[z.ravel()]
    in_plane = np.array(case.geometry["directions_lps"])[:, :2] * case.pixel_mm
    crop = np.array(read.content["crop"])[:, None]
    lps = origins.T + in_plane @ (np.stack([x.ravel(), y.ravel()]) + crop)
    assert np.allclose(placed, lps * [[-1], [-1], [1]], atol=1e-4)
    if site == UNEVEN:
        assert np.ptp(np.diff(positions)) > 1, "or the test shows nothing"


@pytest.mark.parametrize("mask_face", [False, True])
@pytest.mark.parametrize("site", [TILTED, UNEVEN])
def test_what_is_read_is_what_was_written(site: int, mask_face: bool) -> None:
    case = simulated_case(site)
    read = read_case(script(content_of(case, "hounsfield", mask_face)))
    assert read.content["face_masked"] is mask_face
    assert read.content["lesions"] == ["ICH", "PHE", "IVH"]
    assert read.maps.keys() == case.maps.keys()
    for name, labels in case.maps.items():
        assert (read.maps[name] == labels[read.box]).all()
        assert np.count_nonzero(read.maps[name]) == np.count_nonzero(labels), "the crop cut a lesion"
    image = case.image[read.box]
    inside = (case.maps[TRUTH][read.box] > 0) & (image >= -20) & (image <= 180)
    assert inside.sum() > 100
    assert (read.hu[inside] == image[inside]).all()
    again = content_of(case, "hounsfield", mask_face)
    assert again == read.content


def test_all_that_is_shown_of_a_case_changes_its_digest() -> None:
    case = simulated_case(TILTED)
    other = replace(case, maps={**case.maps, "moved": case.maps[TRUTH]})
    cases = [case, other, replace(case, scan_id="x"), replace(case, image=case.image + np.int16(1))]
    shown = [content_of(each, "hounsfield", mask_face=False) for each in cases]
    shown.append(content_of(case, "hounsfield", mask_face=True))
    digests = {content["digest"] for content in shown}
    assert len(digests) == len(shown)
    assert all(re.fullmatch("[0-9a-f]{16}", digest) for digest in digests)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.integers(0, 23), st.integers(0, 29), st.integers(1, 3)), max_size=6
    ),
    st.booleans(),
)
def test_the_crop_keeps_every_voxel_of_every_map(
    voxels: list[tuple[int, int, int, int]], has_head: bool
) -> None:
    shape = (4, 24, 30)
    image = np.full(shape, -1000, np.int16)
    if has_head:
        image[:, 8:16, 10:20] = 40
    labels = np.zeros(shape, np.uint8)
    for z, y, x, value in voxels:
        labels[z, y, x] = value
    case = Case("S1", image, {"model": labels}, plain_geometry(shape), list(LABELS))
    read = read_case(script(content_of(case, "hounsfield", mask_face=False)))
    assert np.count_nonzero(read.maps["model"]) == np.count_nonzero(labels)
    assert np.count_nonzero(read.hu > 0) == np.count_nonzero(image > 0)


def a_head(gap_deg: float = 0.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Brain in a skull under 10 mm of scalp, 1 mm pixels, with a nose, the skull open on the left.

    Returns the image, where the brain is, and the distance from the centre.
    """
    y, x = np.mgrid[-128:128, -128:128]
    distance = np.hypot(y, x)
    angle = np.abs(np.degrees(np.arctan2(y, x)))
    image = np.full(distance.shape, -1000, np.int16)
    image[(np.abs(x) < 10) & (y < 0) & (y > -115)] = 40  # a nose in front
    image[distance < 90] = 40
    skull = (distance < 80) & (distance >= 74) & (angle >= gap_deg / 2)
    image[skull] = 900
    brain = distance < 74
    image[brain] = 35
    return np.repeat(image[None], 3, 0), np.repeat(brain[None], 3, 0), np.repeat(distance[None], 3, 0)


def test_scalp_and_nose_become_air_and_the_brain_stays() -> None:
    image, brain, distance = a_head()
    outside = face.outside_skull(image, (1.0, 1.0))
    assert not outside[brain].any()
    assert not outside[(image == 900)].any()
    assert outside[distance > 84].all(), "all of the scalp but what shares a coarse pixel with the skull"


def test_an_open_skull_costs_no_more_than_a_given_depth() -> None:
    image, brain, distance = a_head(gap_deg=60)
    outside = face.outside_skull(image, (1.0, 1.0))
    lost = outside & brain
    assert lost.any(), "the gap is too wide to be closed, or the test shows nothing"
    assert not outside[distance < 90 - face.DEPTH_MM - 3].any()
    narrow, brain, _ = a_head(gap_deg=4)
    assert not face.outside_skull(narrow, (1.0, 1.0))[brain].any(), "5 mm, as a suture"


def test_a_lesion_outside_of_the_skull_is_shown_with_what_is_near() -> None:
    image, _, distance = a_head(gap_deg=60)
    labels = np.zeros(image.shape, np.uint8)
    labels[1, 124:132, 198:206] = 1  # behind the gap, 70 mm from the centre
    case = Case("S1", image, {TRUTH: labels}, plain_geometry(image.shape), ["ICH"])
    shown = case_content.without_face(case, "hounsfield")
    away_mm = ndimage.distance_transform_edt(labels[1] == 0)
    assert (shown[1] == image[1])[away_mm <= case_content.AROUND_LESION_MM].all()
    assert (shown[1] == -1000)[(away_mm > 12) & (distance[1] > 84)].all()


def test_faces_of_windowed_images_are_masked_too() -> None:
    image, brain, distance = a_head()
    grey = (np.clip(image, -20, 80) + 20).astype(np.int16)
    case = Case("S1", grey, {}, plain_geometry(image.shape), ["ICH"])
    shown = case_content.without_face(case, "windowed")
    assert (shown[brain] == grey[brain]).all()
    assert (shown[distance > 84] == 0).all()


def test_a_simulated_head_keeps_all_that_is_in_its_skull() -> None:
    case = simulated_case(TILTED)
    shown = case_content.without_face(case, "hounsfield")
    gone = (shown != case.image) & (case.image > -300)
    assert gone.sum() > 1000, "scalp and table"
    assert not (gone & (case.image > 300)).sum() > 0.02 * (case.image > 300).sum(), "bone"
    assert not (gone & (case.maps[TRUTH] > 0)).any()


def test_the_largest_case_fits_the_budget() -> None:
    case = largest_case()
    assert case.image.shape == (40, 512, 512)
    assert len(case.maps) == 11
    assert len(script(content_of(case, "hounsfield", mask_face=False))) < LARGEST_MB * 1e6


@pytest.fixture
def study(tmp_path: Path) -> list[str]:
    """Four test scans with the predictions of two models, of which one lacks a scan; the step's arguments."""
    data = tmp_path / "data"
    truth = {f"S{i:03d}": write_scan(data, f"S{i:03d}") for i in range(4)}
    for scan, labels in truth.items():
        write_json({"scan_id": scan, "geometry": plain_geometry(labels.shape)}, data / scan / "scan.json")
    manifests = []
    for model, missing in (("one", {}), ("other", {"S002": None})):
        manifests.append(write_manifest(tmp_path / "predictions", model, truth | missing, data))
    table = metrics("one", 4).assign(dice=[d for d in (0.9, 0.2, 0.5, 0.3) for _ in LABELS])
    write_tsv(table, tmp_path / "one.tsv")
    write_tsv(pd.DataFrame({"scan_id": list(truth), "set": "test"}), tmp_path / "split.tsv")
    (tmp_path / "viewer.js").write_text("viewer")
    return [
        *("--split", str(tmp_path / "split.tsv"), "--data", str(data)),
        *("--predictions", *map(str, manifests), "--metrics", str(tmp_path / "one.tsv")),
        *("--labels", LABELS.written(Extent.NAMES), "--select-by", "one", "--rank-by", "dice"),
        *("--intensity", "hounsfield", "--viewer", str(tmp_path / "viewer.js")),
        *("--out", str(tmp_path / "results/report/cases.tsv")),
    ]


def test_the_list_names_each_case_with_its_digest_and_nothing_stale_is_left(
    study: list[str], tmp_path: Path
) -> None:
    results = tmp_path / "results"
    run_step("cases", ["--which", "all", *study])
    table = read_tsv(results / "report/cases.tsv", digest=str)
    assert list(table["scan_id"]) == ["S000", "S001", "S002", "S003"]
    for row in table.itertuples():
        assert sha256_of(results / row.path) == row.sha256
        assert (results / row.path).stat().st_size == row.bytes
        assert read_case((results / row.path).read_text()).content["digest"] == row.digest
    assert files_listed(results / "report/cases.tsv").keys() == {results / path for path in table["path"]}
    lacking = read_case((results / "report/cases/scans/S002.js").read_text())
    assert lacking.maps.keys() == {TRUTH, "one"}
    assert (results / "report/cases/viewer.js").read_text() == "viewer"
    run_step("cases", ["--which", "worst 2", *study])
    table = read_tsv(results / "report/cases.tsv")
    assert list(table["scan_id"]) == ["S001", "S003"]
    assert sorted(path.name for path in (results / "report/cases/scans").iterdir()) == ["S001.js", "S003.js"]


def test_a_scan_without_a_prediction_is_among_the_worst(study: list[str], tmp_path: Path) -> None:
    table = read_tsv(tmp_path / "one.tsv", failure=str)
    table.loc[table["scan_id"] == "S000", "failure"] = "out of memory"
    write_tsv(table, tmp_path / "one.tsv")
    run_step("cases", ["--which", "worst 2", *study])
    assert list(read_tsv(tmp_path / "results/report/cases.tsv")["scan_id"]) == ["S000", "S001"]


@pytest.mark.parametrize("words", ["", "worst", "worst 0", "some"])
def test_what_is_no_choice_of_cases_is_refused(study: list[str], words: str) -> None:
    with pytest.raises(WrongOptions, match="all"):
        run_step("cases", ["--which", words, *study])


def test_a_case_is_its_scans_own_when_consent_is_withdrawn() -> None:
    assert amendments.is_of("report/cases/scans/S001.js", ["S001"])
    assert amendments.is_of("report/cases/scans/.S001.js.unfinished-x.js", ["S001"])
    assert not amendments.is_of("report/cases/scans/S0010.js", ["S001"])
    assert not amendments.is_of("report/cases/viewer.js", ["viewer"])


def test_the_search_for_identifiers_reads_all_of_a_case_but_its_voxels(tmp_path: Path) -> None:
    case = simulated_case(TILTED)
    path = tmp_path / "S1.js"
    text = script(content_of(case, "hounsfield", mask_face=False))
    path.write_text(text)
    assert sum(map(len, contents.readable(path))) < 10_000, "voxels are searched as if they were words"
    hidden = case_content.packed(np.frombuffer(b"\0" * case.image.size + b"DOE^JANE", np.uint8))
    content = json.loads(text.removeprefix("headct.registerCase(").removesuffix(");\n"))
    packed = dict(content["maps"], other=hidden)
    changed = f"headct.registerCase({json.dumps({**content, 'maps': packed}, separators=(',', ':'))});\n"
    path.write_text(changed + "// DOE^JOHN\n")
    found = b"\n".join(contents.readable(path))
    assert b"DOE^JANE" in found
    assert b"DOE^JOHN" in found


def test_a_case_of_a_scan_without_reference_has_none() -> None:
    case = replace(simulated_case(TILTED), maps={})
    assert read_case(script(content_of(case, "hounsfield", mask_face=True))).maps == {}
