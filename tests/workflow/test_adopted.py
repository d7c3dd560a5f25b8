"""A data set of a known layout goes to a plan, and to a look at its scans, by what adopt writes."""

from __future__ import annotations

from pathlib import Path

from headct.cohort import sheet_commands
from headct.contracts.artefacts import read_tsv
from support import public_layouts, snake


def study_of(layout: str, data: Path) -> tuple[str | Path, ...]:
    """Adopt a data set; the arguments by which Snakemake runs it."""
    study = data.with_name(f"{data.name}-study")
    sheet_commands.adopt(layout, data, out=study)
    return "--directory", study, "--configfile", study / "config.yaml"


def test_one_class_of_phe_sich_is_planned(tmp_path: Path) -> None:
    data = public_layouts.phe_sich(tmp_path / "phe", "images", "labels", 1)
    planned = snake.planned(snake.run("-n", *study_of("phe-sich", data)))
    assert planned["train"] == 5 * 5, "five folds of a threshold and four networks"
    assert planned["ingest"] <= 4, "few jobs for few scans"
    assert planned["predict"] == 6, "and of their ensemble"
    assert planned["flow"] == planned["ingest_qc"] == planned["paired_analysis"] == 1


def test_files_of_each_lesion_in_bids_are_converted(tmp_path: Path) -> None:
    masks = {
        f"manual/sub-0{n}/ct/sub-0{n}_label-{lesion}_mask.nii.gz": [place]
        for n in range(1, 4)
        for place, lesion in enumerate(("ICH", "IVH"), start=1)
    }
    data = public_layouts.bids(tmp_path / "data", [f"sub-0{n}" for n in range(1, 4)], masks)
    (data / "participants.tsv").write_text("participant_id\tage\nsub-02\t71\n", encoding="utf-8")
    study = study_of("bids", data)
    done = snake.run("qc", "--cores", "2", *study)
    assert done.returncode == 0, done.stdout
    cohort = read_tsv(study[1] / "qc/cohort.tsv").set_index("scan_id")  # type: ignore[operator]
    assert set(cohort["status"]) == {"included"}
    assert cohort.loc["sub-02", "age"] == 71
    assert (cohort[["ICH_ml", "IVH_ml"]] > 0).all(axis=None)


def test_cases_of_nnunet_are_converted_and_shown(tmp_path: Path) -> None:
    described = {"channel_names": {"0": "CT"}, "labels": {"background": 0, "lesion": 1, "other": 2}}
    data = public_layouts.nnunet(tmp_path / "data", ["case_1", "case_2", "case_3"], described, [1, 2])
    not_a_mask = data / "labelsTr/case_3.nii.gz"
    public_layouts.save(public_layouts.head(9), not_a_mask)
    study = study_of("nnunet", data)
    done = snake.run("qc", "--cores", "2", *study)
    assert done.returncode == 0, done.stdout
    statuses = read_tsv(study[1] / "qc/cohort.tsv").set_index("scan_id")["status"]  # type: ignore[operator]
    assert statuses.to_dict() == {"case_1": "included", "case_2": "included", "case_3": "error"}
