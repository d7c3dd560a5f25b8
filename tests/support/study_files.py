"""Sample sheets and plans of studies that are never run, so that their files may be empty."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import yaml

from support import snake

OUTSIDE_MODEL = "trial/outside_model"
"""Folder of the label maps of the demo's model that was made elsewhere, which is not looked into."""

COLUMNS = ["scan_id", "participant_id", "site", "image", "mask", "age", "sex", "onset_to_ct_h", "rater"]


def make_sheet(folder: Path, *changes: dict[str, str], drop: str = "", add: Sequence[str] = ()) -> Path:
    """A sheet of as many good rows as there are changes, each then changed; what the demo needs beside it."""
    (folder / OUTSIDE_MODEL).mkdir(parents=True, exist_ok=True)
    columns = [*(name for name in COLUMNS if name != drop), *add]
    lines = ["\t".join(columns)]
    for number, change in enumerate(changes or ({},)):
        scan = f"s{number}"
        (folder / "dicom" / scan).mkdir(parents=True, exist_ok=True)
        (folder / "dicom" / scan / "1.dcm").touch()
        (folder / f"{scan}.nii.gz").touch()
        good = dict(
            zip(
                COLUMNS,
                [scan, f"p{number}", "A", f"dicom/{scan}", f"{scan}.nii.gz", "70", "F", "2.5", "r1"],
                strict=True,
            )
        )
        row = good | change
        lines.append("\t".join(row.get(name, "") for name in columns))
    path = folder / "scans.tsv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def write_sheet(path: Path, scans: int, sites: str = "A") -> None:
    """A sheet of scans whose files are there but empty; of the sites, a letter each, in turn.

    Beside it lies what the demo's models need.
    """
    (path.parent / Path(OUTSIDE_MODEL).name).mkdir(parents=True, exist_ok=True)
    lines = ["scan_id participant_id site image mask age sex onset_to_ct_h rater".replace(" ", "\t")]
    for number in range(scans):
        folder = path.parent / f"dicom/s{number}"
        folder.mkdir(parents=True)
        (folder / "1.dcm").touch()
        (path.parent / f"s{number}.nii.gz").touch()
        site = sites[number % len(sites)]
        lines.append(f"s{number}\tp{number}\t{site}\tdicom/s{number}\ts{number}.nii.gz\t70\tF\t2.5\tr1")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def plan_about(folder: Path, model: str, against: str, **changed: str) -> Path:
    """The shipped analysis plan, its endpoints about two models, and other keys as given."""
    plan = yaml.safe_load((snake.REPOSITORY / "config" / "analysis_plan.yaml").read_text(encoding="utf-8"))
    for endpoint in (plan["primary"], *plan["key_secondary"]):
        endpoint |= {"model": model, "against": [against]}
    plan |= changed
    path = folder / "plan.yaml"
    path.write_text(yaml.safe_dump(plan), encoding="utf-8")
    return path
