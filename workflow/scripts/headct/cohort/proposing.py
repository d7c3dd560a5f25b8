"""A sheet for data that nobody has put in order: rows as far as they are certain, and a list of what is open.

``python -m headct sheet propose --help``. Participants and scans get new names, in random order. The key
that leads back to the patients is written where the user says, and never into the repository.
"""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from headct.cohort import clinical_tables, found_scans
from headct.cohort.found_scans import Found, FoundImage
from headct.contracts.problems import BadInput, Problem
from headct.contracts.repository import REPOSITORY
from headct.contracts.terminal import visible

EFFECT = "speed"  # a sheet is proposed, which somebody reads before it is used

SHEET, OPEN = "scans.tsv", "OPEN.md"
COLUMNS = (
    "scan_id", "participant_id", "site", "image", "mask", "timepoint", "age", "sex", "onset_to_ct_h", "rater",
)  # fmt: skip


@dataclass
class ProposedRow:
    """One scan of the proposed sheet, and in words what is open about it."""

    cells: dict[str, str]
    image: FoundImage
    open: list[str] = field(default_factory=list)


@dataclass
class Proposal:
    """Rows, the key to their participants, and what is open beside them."""

    rows: list[ProposedRow]
    patients: dict[str, str]
    open: list[str]
    left_out: list[Path] = field(default_factory=list)


def propose(
    paths: Sequence[Path], masks: Sequence[Path], clinical: Path | None, key: str, order: random.Random
) -> Proposal:
    """Rows for all images below some paths.

    Args:
        paths: folders and files with images.
        masks: folders and files with masks.
        clinical: a table of patients.
        key: its column that tells the patient.
        order: draws the order of participants.

    Raises:
        BadInput: no image, or no table with such a column.
    """
    found = found_scans.look(paths, masks)
    if not found.images:
        message = "no CT here: neither DICOM nor NIfTI" + "".join(f"; {words}" for words in found.open[:3])
        raise BadInput([Problem(", ".join(map(str, paths)), message)])
    table = clinical_tables.read(clinical, key) if clinical else clinical_tables.ClinicalTable()
    patients = sorted({image.patient for image in found.images})
    order.shuffle(patients)
    names = {patient: f"P{number:04d}" for number, patient in enumerate(patients, start=1)}
    by_image = found_scans.masks_by_image(found)
    places = sorted(
        range(len(found.images)),
        key=lambda place: (names[found.images[place].patient], found.images[place].date),
    )
    rows: list[ProposedRow] = []
    for number, place in enumerate(places, start=1):
        image = found.images[place]
        participant = names[image.patient]
        is_later = any(row.cells["participant_id"] == participant for row in rows)
        cells = dict.fromkeys(COLUMNS, "") | {
            "scan_id": f"scan-{number:04d}",
            "participant_id": participant,
            "image": str(image.path),
            "timepoint": "follow-up" if is_later else "baseline",
            "age": image.age,
            "sex": image.sex,
        }
        row = ProposedRow(cells, image)
        if is_later:
            row.open.append("a later scan of its participant by date or name: is it a follow-up?")
        _choose_mask(row, by_image[place], found)
        _add_clinical(row, table)
        _add_series(row)
        rows.append(row)
    unused = set(found.masks) - {file for files in by_image.values() for file in files}
    more = (
        [f"{len(unused)} masks are no image's: {', '.join(sorted(f.name for f in unused))}."]
        if unused
        else []
    )
    patient_of = {name: patient for patient, name in names.items()}
    return Proposal(rows, patient_of, [*found.open, *table.open, *more], found.left_out)


def _choose_mask(row: ProposedRow, candidates: Sequence[Path], found: Found) -> None:
    fitting = [file for file in candidates if not found_scans.fits(found.masks[file], row.image)]
    if len(fitting) == 1:
        row.cells["mask"] = str(fitting[0])
    elif fitting:
        row.open.append(f"{len(fitting)} masks fit: {', '.join(file.name for file in fitting)}")
    elif candidates:
        why = found_scans.fits(found.masks[candidates[0]], row.image)
        row.open.append(f"the mask of its name does not fit: {why}")
    else:
        row.open.append("no mask")


def _add_clinical(row: ProposedRow, table: clinical_tables.ClinicalTable) -> None:
    if not table.rows:
        return
    values = next((table.rows[name] for name in row.image.names if name in table.rows), None)
    if values is None:
        row.open.append("no row in the clinical table")
        return
    for column, value in values.items():
        if row.cells[column] not in ("", value):
            row.open.append(f"{column}: the header and the clinical table differ; the table's was taken")
        row.cells[column] = value


def _add_series(row: ProposedRow) -> None:
    if row.image.series and not row.image.grids:
        row.open.append("no series can be segmented")
    if len(row.image.grids) > 1:
        row.open.append(f"{len(row.image.grids)} series can be segmented: ingest.series_preference decides")


def write(proposal: Proposal, out: Path, pseudonyms: Path) -> None:
    """Write sheet, list and key; nothing is overwritten, and only the owner may read the key.

    Raises:
        BadInput: a file is there already, or the key would lie in the repository or beside the sheet.
    """
    problems = [
        Problem(str(path), "is there already, and is not overwritten")
        for path in (out / SHEET, out / OPEN, pseudonyms)
        if os.path.lexists(path)
    ]
    folder = pseudonyms.parent.resolve()
    for forbidden, what in ((REPOSITORY, "the repository"), (out.resolve(), "the study's folder")):
        if forbidden.resolve() in (folder, *folder.parents):
            message = f"the key to the patients would lie in {what}: name a file elsewhere"
            problems.append(Problem(str(pseudonyms), message, key="--pseudonyms"))
    if problems:
        raise BadInput(problems)
    out.mkdir(parents=True, exist_ok=True)
    root = out.resolve()
    lines = ["\t".join(COLUMNS)]
    for row in proposal.rows:
        cells = dict(row.cells)
        for column in ("image", "mask"):
            if cells[column]:
                cells[column] = os.path.relpath(Path(cells[column]).resolve(), root)
        lines.append("\t".join(cells[column] for column in COLUMNS))
    (out / SHEET).write_text("\n".join(lines) + "\n", encoding="utf-8")
    (out / OPEN).write_text(in_words(proposal), encoding="utf-8")
    descriptor = os.open(pseudonyms, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write("participant_id\tpatient\n")
        file.writelines(f"{name}\t{visible(patient)}\n" for name, patient in proposal.patients.items())
        file.writelines(f"left out\t{visible(str(folder))}\n" for folder in proposal.left_out)


def in_words(proposal: Proposal) -> str:
    """What is open, as a page in Markdown that tells no patient."""
    lines = [
        "# What is open",
        "",
        f"{len(proposal.rows)} scans of {len(proposal.patients)} participants were found. Before the "
        "sheet can be used:",
        "",
        "- `site` and `rater` must have a value in each row, and each baseline scan a mask.",
        *(f"- {words}" for words in proposal.open),
        "",
        "| scan | participant | open |",
        "|---|---|---|",
    ]
    for row in proposal.rows:
        what = "; ".join(row.open) or "nothing"
        lines.append(f"| {row.cells['scan_id']} | {row.cells['participant_id']} | {what} |")
    of_studies = [row for row in proposal.rows if row.image.series]
    if of_studies:
        lines += [
            "",
            "| scan | series, in order of number | can it be segmented, by its headers? |",
            "|---|---|---|",
        ]
    for row in of_studies:
        lines += [
            f"| {row.cells['scan_id']} | {one.words} | {one.unfit or 'yes'} |" for one in row.image.series
        ]
    return "\n".join(lines) + "\n"
