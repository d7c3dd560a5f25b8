"""A trial whose readings are a file for each lesion: the results of one file, and what is noticed of each."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import SimpleITK as sitk
import yaml

from headct.contracts.artefacts import read_json
from headct.settings.sheet import READINGS
from headct.simulate.settings import from_block
from headct.simulate.trial import write_trial
from support import snake
from support.phantom_settings import MASK_VALUES, PHANTOM

COHORT = "results/cohort/cohort.tsv"
SUFFIXES = {"ICH": ".nii.gz", "PHE": ".nrrd", "IVH": ".mha"}


@pytest.fixture(scope="module")
def studies(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """Two studies of the same drawings, ingested: one file for each reading, and one for each lesion."""
    folder = tmp_path_factory.mktemp("lesion-files")
    block = replace(PHANTOM, participants=3, incomplete_participants=0)
    settings = replace(from_block(block, MASK_VALUES, "test.yaml"), matrix=32, subvoxels_in_plane=1)
    made = {name: folder / name for name in ("whole", "apart")}
    write_trial(settings, made["whole"] / "trial", jobs=1)
    shutil.copytree(made["whole"] / "trial", made["apart"] / "trial")
    take_apart(made["apart"] / "trial")
    for study in made.values():
        write_config(study)
        done = run(study, COHORT)
        assert done.returncode == 0, done.stdout
    return made


def take_apart(trial: Path) -> None:
    """Write a file for each lesion in place of each mask, and the sheet that names them."""
    with open(trial / "scans.tsv", encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    for row in rows:
        for reading in READINGS:
            path = trial / row.pop(reading)
            image = sitk.ReadImage(str(path))
            for value, (lesion, suffix) in enumerate(SUFFIXES.items(), start=1):
                name = f"masks/{row['scan_id']}-{reading}-{lesion}{suffix}"
                sitk.WriteImage(sitk.Cast(image == value, sitk.sitkUInt8) * (255 - value), str(trial / name))
                row[f"{reading}:{lesion}"] = name
            path.unlink()
    write_rows(trial / "scans.tsv", rows)


def write_rows(path: Path, rows: list[dict[str, str]]) -> None:
    with open(path, "w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0], delimiter="\t")
        writer.writeheader()
        writer.writerows(rows)


def write_config(study: Path) -> None:
    config = yaml.safe_load((snake.REPOSITORY / "config/demo.yaml").read_text(encoding="utf-8"))
    del config["phantom"], config["models"]["stand-in"]  # its label maps are not in this trial
    config |= {"sheet": "trial/scans.tsv", "study": {"name": "lesion-files", "note": "Simulated"}}
    config["resources"]["ingest"]["jobs"] = 1
    (study / "study.yaml").write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")


def run(study: Path, *words: str):
    configfile = study / "study.yaml"
    return snake.run("--directory", study, "--configfile", configfile, "--cores", "2", *words)


def written(study: Path) -> dict[str, bytes]:
    """Volumes and label maps, by scan and name."""
    data = study / "results/data"
    return {str(path.relative_to(data)): path.read_bytes() for path in sorted(data.glob("*/*.nii.gz"))}


def test_label_maps_have_the_bytes_of_those_from_one_file(studies: Mapping[str, Path]) -> None:
    apart = written(studies["apart"])
    assert len(apart) == 3 * 4, "the CT and three readings of each scan"
    assert apart == written(studies["whole"])
    for scan in {name.split("/")[0] for name in apart}:
        one, other = (read_json(study / f"results/data/{scan}/scan.json") for study in studies.values())
        for key in ("flags", "volumes_ml", "second_readings", "sha256"):
            assert one[key] == other[key], key
        assert set(other["mask_sha256"]) == {f"{r}:{lesion}" for r in READINGS for lesion in SUFFIXES}


def test_records_name_no_file_of_the_trial(studies: Mapping[str, Path]) -> None:
    records = list((studies["apart"] / "results/audit/runs").rglob("*.json"))
    assert records
    assert not any(f"-mask-{lesion}" in path.read_text() for path in records for lesion in SUFFIXES)


def test_a_file_of_one_lesion_that_changed_is_noticed(studies: Mapping[str, Path], tmp_path: Path) -> None:
    study = Path(shutil.copytree(studies["apart"], tmp_path / "study"))
    before = {path: path.stat().st_mtime_ns for path in study.glob("results/data/*/scan.json")}
    assert "ingest" not in snake.planned(run(study, COHORT, "-n"))
    path = study / "trial/masks" / f"{min(before).parent.name}-mask_inter-PHE.nrrd"
    image = sitk.ReadImage(str(path))
    voxels = sitk.GetArrayFromImage(image)
    voxels[tuple(axis[0] for axis in voxels.nonzero())] = 0
    fewer = sitk.GetImageFromArray(voxels)
    fewer.CopyInformation(image)
    sitk.WriteImage(fewer, str(path))
    assert snake.planned(run(study, COHORT, "-n"))["ingest"] == 1
    done = run(study, COHORT)
    assert done.returncode == 0, done.stdout
    after = {path: path.stat().st_mtime_ns for path in before}
    assert [path for path in before if before[path] != after[path]] == [min(before)], "that scan alone"


def test_faults_of_such_a_sheet_are_told_in_one_table(studies: Mapping[str, Path], tmp_path: Path) -> None:
    study = Path(shutil.copytree(studies["apart"], tmp_path / "study"))
    sheet = study / "trial/scans.tsv"
    lines = sheet.read_text(encoding="utf-8").replace("mask:IVH", "mask:SDH").splitlines()
    with open(sheet, encoding="utf-8", newline="") as stream:
        name = next(csv.DictReader(stream, delimiter="\t"))["mask:PHE"]
    sheet.write_text("\n".join(lines).replace(name, "") + "\n", encoding="utf-8")
    done = run(study, COHORT, "-n")
    assert done.returncode != 0
    assert "3 problems:" in done.stdout, done.stdout
    for words in (
        "mask:SDH  no such lesion among the labels, which are ICH, PHE, IVH",
        "mask:IVH  column is missing",
        "mask:PHE  is empty, and nothing tells whether the scan is free of this lesion",
    ):
        assert words in done.stdout, done.stdout
