"""What is sealed of the workflow: the software and the configuration that was used, and nothing beside it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pydicom
import pytest

from headct.contracts.artefacts import read_tsv
from headct.contracts.repository import REPOSITORY
from headct.provenance import privacy, seal, verify

NAME = "Zwetschge^Ottilie"
BESIDE = {
    "config/scans.tsv": "scan_id\tage\ns1\t97\n",
    "config/.env": "PASSWORD=geheim",
    "config/patients.csv": f"{NAME};22.07.1931",
    "config/Zwetschge Ottilie": "",
    "config/Zwetschge.Ottilie": "",
    "config/letters/1931-07-22.docx": "",
    "config/other_study.yaml": "study: {}",
    "resources/patients.csv": NAME,
    "resources/published/patients.tsv": NAME,
    "resources/reporting/patients.yaml": NAME,
    "slurm/ottilie.sh": "echo",
    "workflow/notes.txt": NAME,
    "workflow/scripts/headct/patients.json": NAME,
}
"""What a study leaves beside the workflow, and must never be copied."""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A copy of the software with a study's own files beside it."""
    copy = tmp_path / "clone"
    ignore = shutil.ignore_patterns("__pycache__", "node_modules", "bundle")
    for name in seal.FOLDERS:
        shutil.copytree(REPOSITORY / name, copy / name, ignore=ignore)
    shutil.copyfile(REPOSITORY / "Snakefile", copy / "Snakefile")
    for path, text in BESIDE.items():
        (copy / path).parent.mkdir(parents=True, exist_ok=True)
        (copy / path).write_text(text)
    (copy / "workflow" / "linked.py").symlink_to(copy / "config" / "patients.csv")
    (copy / "workflow" / "rules" / "linked").symlink_to(copy / "config")
    dicom = pydicom.Dataset()
    dicom.PatientName = NAME
    dicom.file_meta = pydicom.dataset.FileMetaDataset()
    dicom.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    dicom.save_as(copy / "config" / "Zwetschge_Ottilie.dcm", enforce_file_format=False)
    return copy


def copied(repository: Path, *settings: Path) -> tuple[Path, set[str]]:
    """The results folder with the copy of the workflow, and the paths of the copied files."""
    results = repository.parent / "results"
    used = settings or (repository / "config" / "demo.yaml",)
    seal.copy_workflow(repository, results, [*used, repository / "config" / "analysis_plan.yaml"])
    copy = results / seal.WORKFLOW
    return results, {path.relative_to(copy).as_posix() for path in copy.rglob("*") if path.is_file()}


def test_only_the_software_and_what_was_used_is_copied(repository: Path) -> None:
    _, paths = copied(repository)
    assert paths == {*seal.software(REPOSITORY), "config/demo.yaml", "config/analysis_plan.yaml"}


def test_what_is_not_copied_is_counted_by_kind_and_never_named(repository: Path) -> None:
    results, _ = copied(repository)
    table = read_tsv(results / seal.NOT_COPIED)
    counts = {(row.folder, row.kind): row.files for row in table.itertuples()}
    for of in (("config", "*.tsv"), ("config", "*.env"), ("config", "*.csv"), ("config", "*.dcm")):
        assert counts[of] == 1
    assert counts["config", "other"] == 2
    assert counts["config", "*.docx"] == 1
    assert counts["resources", "*.csv"] == counts["resources", "*.tsv"] == 1
    assert counts["workflow", "other"] == 2  # the links
    assert not any(text in (results / seal.NOT_COPIED).read_text().casefold() for text in ("ottilie", "1931"))


def test_what_is_installed_and_bundled_at_set_up_is_neither_copied_nor_counted(repository: Path) -> None:
    before, results = copied(repository)[1], repository.parent / "results"
    counted = (results / seal.NOT_COPIED).read_text()
    for file in ("node_modules/vega/setup.py", "node_modules/a/b.yaml", "bundle/index.js"):
        path = repository / "workflow/page" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    assert copied(repository)[1] == before
    assert (results / seal.NOT_COPIED).read_text() == counted
    assert {"workflow/page/src/page.ts", "workflow/page/package-lock.json"} <= before


def test_the_scripts_of_the_page_have_the_days_that_the_search_knows_and_no_others() -> None:
    script = REPOSITORY / "workflow/page/bundle/index.js"
    if not script.is_file():
        pytest.skip("the page's scripts are not bundled: make environment")
    found = {value for _, value in privacy._recognised(script.read_bytes())}
    assert found == set(privacy.PROBED)


def test_the_software_has_no_other_resources() -> None:
    listed = subprocess.run(
        ["git", "-C", str(REPOSITORY), "ls-files", "resources"], capture_output=True, text=True
    )
    if listed.returncode:
        pytest.skip("this is no git repository")
    assert sorted(listed.stdout.split()) == sorted(seal.RESOURCES)


def test_configuration_from_elsewhere_is_copied_and_none_takes_anothers_place(repository: Path) -> None:
    elsewhere = repository.parent / "study" / "study.yaml"
    elsewhere.parent.mkdir()
    elsewhere.write_text("study: {name: x}\n")
    _, paths = copied(repository, elsewhere)
    assert "config/study.yaml" in paths
    other = repository.parent / "study" / "demo.yaml"
    other.write_text("study: {name: y}\n")
    results, paths = copied(repository, repository / "config" / "demo.yaml", other)
    assert (results / seal.WORKFLOW / "config" / "2" / "demo.yaml").read_text() == "study: {name: y}\n"
    assert "config/demo.yaml" in paths


# -- the search of the copy --------------------------------------------------------------------------

HIDDEN: dict[str, Callable[[Path], None]] = {
    "workflow/patients.yaml": lambda path: path.write_text("patient: Meier^Hans"),
    "workflow/rules/notes.smk": lambda path: path.write_text("# born 22.07.1931"),
    "workflow/scripts/headct/engine/losses.py": lambda path: path.write_text(
        path.read_text() + "# 1.3.12.2.1107.5.1.4.12345.30000012345678901234"
    ),
    "config/demo.yaml": lambda path: path.write_text(path.read_text() + "# PatientBirthDate: later"),
}


def test_the_copy_is_searched_for_what_identifies(repository: Path) -> None:
    results, _ = copied(repository)
    assert list(privacy.patterns(verify.ResultsFolder(results))) == []
    for path, hide in HIDDEN.items():
        hide(repository / path)
    results, _ = copied(repository)
    found = {finding.path for finding in privacy.patterns(verify.ResultsFolder(results))}
    assert found == {f"{seal.WORKFLOW}/{path}" for path in HIDDEN}


def test_the_copy_is_searched_for_values_of_the_headers_and_excuses_none(repository: Path) -> None:
    header = pydicom.Dataset()
    header.PatientName = NAME
    (repository / "workflow" / "patients.yaml").write_text("ottilie: 1")
    results, _ = copied(repository)
    (results / "x.log").write_text("see Ottilie")
    check = privacy.values([header])
    found = {finding.path for finding in check(verify.ResultsFolder(results))}
    assert found == {"x.log", f"{seal.WORKFLOW}/workflow/patients.yaml"}
