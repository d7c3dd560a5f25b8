"""The page of new scans: volumes of cells, no word of a reference, no face, no name of a patient."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from PIL import Image

from headct.contracts.artefacts import read_tsv
from headct.contracts.problems import BadInput
from headct.contracts.repository import BUNDLE
from headct.provenance import contents
from headct.publish.page import new_scans_page
from headct.publish.page.new_scans_page import PREDICTION
from headct.run import predict_new_scans
from support import ct_series, monai_miniature, page_numbers
from support.case_studies import read_case
from support.label_sets import LABELS
from support.scan_pages import SCANS, predict, write_dicom

pytestmark = [
    pytest.mark.whole,
    pytest.mark.skipif(not (BUNDLE / "scans.js").is_file(), reason="no bundle: make environment"),
]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A network that was never trained, and finds something everywhere."""
    return [monai_miniature.write_untrained(tmp_path_factory.mktemp("models") / "0")]


@pytest.fixture(scope="module")
def dicom(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A tilted scan, and one with uneven gaps, as DICOM with a patient's name and number."""
    folder = tmp_path_factory.mktemp("dicom")
    return [write_dicom(case, folder / scan) for scan, case in SCANS.items()]


@pytest.fixture(scope="module")
def page(models: list[Path], dicom: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of both, and of a file that is no scan."""
    folder = tmp_path_factory.mktemp("new")
    (folder / "broken 3.nii").write_text("no scan")
    return predict(folder / "out", models, *dicom, folder / "broken 3.nii")


def text_of(page: Path) -> str:
    return " ".join(page_numbers.Walked(page.read_text(encoding="utf-8")).text.split())


def cases_of(page: Path) -> list[str]:
    return read_tsv(page.parent / "cases.tsv")["scan_id"].tolist()


def test_volumes_name_their_cells_and_what_failed_says_why(page: Path) -> None:
    assert page_numbers.faults(page, page.parents[1]) == []
    text = text_of(page)
    rows = read_tsv(page.parents[1] / "predictions.tsv").set_index("scan_id")
    for scan in SCANS:
        assert rows.loc[scan, "volumes_from"] == "slice positions"
        for label in LABELS:
            assert f"{rows.loc[scan, f'{label}_ml']:.1f}" in text
    assert str(rows.loc["broken 3", "reason"]) in text
    assert "tilted" in text
    assert "unet" in text
    for word in ("Dice", "difference", "error"):
        assert word not in text
    assert cases_of(page) == list(SCANS)
    assert 'data-open-case="broken 3"' not in page.read_text()


def test_a_case_has_the_scan_and_the_map_that_were_handed_over(page: Path) -> None:
    for scan, case in SCANS.items():
        read = read_case((page.parent / f"cases/scans/{scan}.js").read_text())
        assert list(read.maps) == [PREDICTION]
        assert read.content["face_masked"]
        stored = sitk.GetArrayFromImage(sitk.ReadImage(str(page.parents[1] / f"{scan}.nii.gz")))
        assert (read.maps[PREDICTION] == stored[read.box]).all()
        assert np.isin(np.unique(stored), (0, *LABELS.values())).all()
        positions = np.array(case.geometry["slice_positions_mm"])
        np.testing.assert_allclose(read.content["positions_mm"], positions - positions[0], atol=1e-3)
        brain = (case.image[read.box] > 20) & (case.image[read.box] < 60) & (read.hu > -1000)
        assert brain.sum() > 1000
        assert (read.hu[brain] == case.image[read.box][brain]).all()
        with Image.open(page.parent / f"cases/pictures/{scan}.png") as picture:
            assert picture.width > 300
            assert np.asarray(picture.convert("L")).std() > 20, "a head, not one grey"


def test_a_file_shows_the_map_on_its_own_grid(models: list[Path], tmp_path: Path) -> None:
    """Whatever the order of its axes: the map and the image of a case lie on one another."""
    case = next(iter(SCANS.values()))
    image = sitk.GetImageFromArray(case.image)
    image.SetSpacing(case.geometry["spacing_mm_xyz"])
    turned = sitk.Flip(sitk.PermuteAxes(image, (1, 2, 0)), (True, False, True))
    found = []
    for name, each in (("straight", image), ("turned", turned)):
        sitk.WriteImage(each, str(tmp_path / f"{name}.nii.gz"))
        page = predict(tmp_path / name, models, tmp_path / f"{name}.nii.gz", report='{"mask_face": false}')
        found.append(read_case((page.parent / f"cases/scans/{name}.js").read_text()))
    straight, turned_back = found
    assert straight.content["shape"] == turned_back.content["shape"]
    assert (straight.hu == turned_back.hu).all()
    assert (straight.maps[PREDICTION] == turned_back.maps[PREDICTION]).all()
    assert not straight.content["face_masked"]


def test_no_identifier_is_in_any_file(page: Path) -> None:
    for path in page.parents[1].rglob("*"):
        assert "canary" not in path.name.lower()
        if path.is_file():
            for layer in contents.layers(path.read_bytes()):
                assert b"canary" not in layer.lower(), path


def test_what_is_there_is_not_made_again(models: list[Path], dicom: list[Path], tmp_path: Path) -> None:
    page = predict(tmp_path / "out", models, dicom[0])
    case = page.parent / "cases/scans/s-tilted.js"
    before, text = case.stat().st_mtime_ns, page.read_bytes()
    predict(tmp_path / "out", models, *dicom)
    assert case.stat().st_mtime_ns == before
    assert cases_of(page) == list(SCANS)
    assert page.read_bytes() != text
    case.write_text("edited")
    predict(tmp_path / "out", models, *dicom)
    assert case.read_text() != "edited"
    again = predict(tmp_path / "again", models, *dicom)
    for path in (path for path in again.parents[1].rglob("*") if path.is_file()):
        if path.name != "predictions.tsv":  # which has seconds
            same = tmp_path / "out" / path.relative_to(again.parents[1])
            assert path.read_bytes() == same.read_bytes(), path


def test_images_that_are_not_wanted_any_more_are_gone(
    models: list[Path], dicom: list[Path], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    page = predict(out, models, *dicom, report='{"mask_face": false}')
    predict(out, models, dicom[0])  # masked by default; the other scan is not at hand to be masked
    assert cases_of(page) == ["s-tilted"]
    assert [path.name for path in page.parent.glob("cases/scans/*")] == ["s-tilted.js"]
    assert [path.name for path in page.parent.glob("cases/pictures/*")] == ["s-tilted.png"]
    assert read_case((page.parent / "cases/scans/s-tilted.js").read_text()).content["face_masked"]
    predict(out, models, dicom[0], report='{"cases": "none"}')
    assert cases_of(page) == []
    assert not list(page.parent.glob("cases/*/*"))
    assert "report.cases is none" in text_of(page)
    assert "<img" not in page.read_text()
    assert page_numbers.faults(page, out) == []


def test_where_nothing_was_predicted_the_page_says_so(models: list[Path], tmp_path: Path) -> None:
    ct_series.write_series(tmp_path / "short", ct_series.head(4))
    with pytest.raises(RuntimeError, match="no scan could be predicted"):
        predict(tmp_path / "out", models, tmp_path / "short")
    text = text_of(tmp_path / "out/report/index.html")
    assert "No scan could be predicted." in text
    assert "too few slices: 4 of at least" in text


def test_a_name_that_is_the_patients_stands_nowhere(models: list[Path], tmp_path: Path) -> None:
    ct_series.write_series(tmp_path / "CANARY-ID", ct_series.head())
    with pytest.raises(RuntimeError):
        predict(tmp_path / "out", models, tmp_path / "CANARY-ID")
    page = tmp_path / "out/report/index.html"
    assert "contains the Patient ID" in text_of(page)
    assert "canary" not in page.read_text().lower()


@pytest.mark.parametrize(
    ("report", "message"),
    [
        ('{"cases": "worst 3"}', "say 'all' or 'none'"),
        ('{"faces": 1}', "faces"),
        ("[]", "JSON"),
    ],
)
def test_wrong_settings_of_the_page_end_it_before_anything_is_predicted(
    models: list[Path], tmp_path: Path, report: str, message: str
) -> None:
    with pytest.raises(BadInput) as caught:
        predict(tmp_path / "out", models, tmp_path / "gone", report=report)
    assert message in str(caught.value)
    assert "gone" in str(caught.value), "all faults at once"
    assert not (tmp_path / "out").exists()


def test_without_a_bundle_scans_are_predicted_all_the_same(
    models: list[Path],
    dicom: list[Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(predict_new_scans, "BUNDLE", tmp_path / "none")
    page = predict(tmp_path / "out", models, dicom[0])
    assert not page.exists()
    assert (page.parents[1] / "s-tilted.nii.gz").is_file()
    assert "no page is made" in caplog.text


def test_a_scan_that_cannot_be_read_again_is_listed_and_does_not_open(
    models: list[Path],
    dicom: list[Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    write = new_scans_page.write_case

    def gone(scan: str, *rest: Any) -> dict[str, Any]:
        if scan == "s-tilted":
            raise FileNotFoundError(2, "No such file")
        return write(scan, *rest)

    monkeypatch.setattr(new_scans_page, "write_case", gone)
    page = predict(tmp_path / "out", models, *dicom)
    assert "s-tilted can't be shown" in caplog.text
    assert cases_of(page) == ["s-uneven"]
    assert "s-tilted" in text_of(page)
    assert 'data-open-case="s-tilted"' not in page.read_text()
    assert page_numbers.faults(page, tmp_path / "out") == []


def test_scripts_are_told_of_volumes_and_remarks_alone(page: Path) -> None:
    found = dict(re.findall(r'<script type="application/json" id="(\w+)">(.*?)</script>', page.read_text()))
    study, rows = json.loads(found["study"]), json.loads(found["rows"])
    assert study["remarks"]["s-uneven"]
    assert study["volumes"] == "predictions.tsv"
    assert "review" not in study
    measured = {name for name, column in rows.items() if any(value is not None for value in column)}
    assert measured == {"scan", "model", "lesion", "predicted_ml"}
