"""The cohort: every scan of the sheet, included, excluded or in error, with its reason.

``python -m headct cohort --help``. A broken scan is put aside and shown; the run ends here, before
anything is trained, when too many scans are lost or an identifier of a patient was found.
"""

from __future__ import annotations

import json
import logging
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pandas as pd

from headct.cohort import patients
from headct.contracts import amendments, sets
from headct.contracts import labels as label_sets
from headct.contracts.amendments import Amendment
from headct.contracts.artefacts import read_json, write_tsv
from headct.contracts.declarations import MadeOf, PublishedStatistic
from headct.contracts.labels import LabelSet
from headct.contracts.problems import BadInput, Problem, WrongOptions, as_table
from headct.imaging import sources
from headct.settings import reviews
from headct.settings import sheet as sample_sheet
from headct.settings.reviews import Review

logger = logging.getLogger(__name__)

FLOW = PublishedStatistic(
    name="flow",
    help="counts of scans in the sheet, included and excluded, by reason",
    step="cohort",
    folder="cohort",
    columns="status reason scans participants",
    keys="status reason",
    made_of=(MadeOf(rows="sheet"),),
)

BETWEEN_SETS = "in several sets"
"""Status of a scan whose pixels, drawing or patient are those of a scan of another set, too.

It is never written: the run ends. Were both put aside, a scan from outside would take one out of the study.
"""

FROM_SHEET = ("scan_id", "participant_id", "site", "age", "sex", "onset_to_ct_h", "rater")
NOT_INGESTED: dict[str, Any] = {
    "status": "excluded",
    "reason": "",
    "problems": [],
    "flags": [],
    "geometry": None,
    "acquisition": {},
    "volumes_ml": {},
    "pixels_sha256": "",
    "drawings_sha256": {},
    "sha256": {},
}


def main(
    *,
    labels: str,
    sheet: Path,
    data: Path,
    max_excluded: float,
    age_cap_years: float,
    trust_sheet: bool = False,
    different_patients: str = "[]",
    quality_review: Path | None = None,
    only_look: bool = False,
    withdrawn: list[Path] | None = None,
    cohort: Path,
    flow: Path,
) -> None:
    """The cohort: every scan of the sheet, included, excluded or in error, with its reason.

    Args:
        labels: JSON: the lesion classes, in their order.
        sheet: sample sheet.
        data: folder of the converted scans.
        max_excluded: largest share of baseline scans that may be excluded or in error.
        age_cap_years: ages above are written as this age.
        trust_sheet: let scans pass whose headers contradict the sheet's sex.
        different_patients: JSON: participant_ids known to be of different people though their DICOM headers
            name one patient.
        quality_review: reviews of images and masks alone, which exclude scans.
        only_look: write the tables however many scans are lost, since nobody will go on with them.
        withdrawn: records of withdrawals, whose scans are counted though nothing else of them is left.
        cohort: cohort.tsv to write.
        flow: flow.tsv to write.
    """
    not_one = _list_of("--different-patients", different_patients)
    lesions = label_sets.read(labels)
    rows = sample_sheet.load(sheet)
    records = [_record_of(row, data) for row in rows]
    records = with_same_pixels_resolved(rows, records, str(sheet))
    records = with_same_drawings_resolved(rows, records, str(sheet))
    records = with_same_patients_resolved(rows, records, str(sheet), not_one)
    if not trust_sheet:
        records = with_other_sex_in_error(rows, records, str(sheet))
    if quality_review:
        ingested = {row["scan_id"] for row in sample_sheet.baseline(rows)}
        reviewed = reviews.of_study(quality_review, reviews.QUALITY, ingested)
        records = with_quality_reviewed(rows, records, reviewed)
    scans = pd.DataFrame(
        [cohort_row(row, record, age_cap_years, lesions) for row, record in zip(rows, records, strict=True)]
    )
    counts = flow_of(scans, [amendments.read(path) for path in withdrawn or []])
    errors = problems_of(rows, records, sheet, "error")
    if errors:
        put_aside = int((scans["status"] == "error").sum())
        logger.warning("%d scans have errors and are put aside:\n%s", put_aside, as_table(errors))
    refused = problems_of(rows, records, sheet, "refused") + problems_of(rows, records, sheet, BETWEEN_SETS)
    obstacles = too_many_lost(rows, records, sheet, max_excluded)
    of_study = [
        record for row, record in zip(rows, records, strict=True) if not sample_sheet.external_set(row)
    ]
    if not obstacles and not any(record["status"] == "included" for record in of_study):
        reasons = reasons_in_words(counts)
        todo = "mend or add scans; each one's reason stands in its scan.json, and 'snakemake qc' shows all"
        obstacles = [Problem(str(sheet), f"no scan is eligible: {reasons}; {todo}")]
    obstacles = obstacles or classes_without_voxel(of_study, lesions)
    if refused or (obstacles and not only_look):
        raise BadInput([*refused, *obstacles])
    if obstacles:
        logger.warning("nothing could be trained on these scans:\n%s", as_table(obstacles))
    write_tsv(scans, cohort)
    write_tsv(counts, flow)
    for step in counts.itertuples():
        logger.info("cohort  %-9s %4d scans  %s", step.status, step.scans, step.reason)
    for flag, n_scans in flag_counts(records):
        logger.info("cohort  flag      %4d scans  %s", n_scans, flag)


def _record_of(row: Mapping[str, Any], data: Path) -> dict[str, Any]:
    """What ingest left of a scan; where the sheet says that it is not ingested, that."""
    if why := sample_sheet.why_not_ingested(row):
        return NOT_INGESTED | {"reason": why}
    record: dict[str, Any] = read_json(data / row["scan_id"] / "scan.json")
    return record


def _list_of(option: str, text: str) -> list[str]:
    """The texts of a JSON list; raises WrongOptions where it is none."""
    try:
        texts = json.loads(text)
    except ValueError as error:
        raise WrongOptions(f"{option}: {text!r} is not JSON") from error
    if not (isinstance(texts, list) and all(isinstance(each, str) for each in texts)):
        raise WrongOptions(f"{option}: {text!r} is no JSON list of texts")
    return texts


def with_same_pixels_resolved(
    rows: Sequence[dict[str, Any]], records: Sequence[dict[str, Any]], file: str
) -> list[dict[str, Any]]:
    """The records, those of scans whose pixels stand under several ids excluded or in error.

    Of one participant's scans the first by id is kept. Scans of several participants are all in
    error: at most one of them can be right, and nothing here says which.
    """
    resolved = list(records)
    same = defaultdict(list)
    for index, record in enumerate(records):
        if record["status"] == "included":
            same[record["pixels_sha256"]].append(index)
    for indices in same.values():
        indices.sort(key=lambda index: rows[index]["scan_id"])
        if len({rows[index]["participant_id"] for index in indices}) > 1:
            for index in indices:
                others = [other for other in indices if other != index]
                resolved[index] = _whose_pixels(rows, records, index, others, file)
        else:
            for index in indices[1:]:
                reason = f"same pixels as another scan: {rows[indices[0]]['scan_id']}"
                resolved[index] = records[index] | {"status": "excluded", "reason": reason}
    return resolved


def _whose_pixels(
    rows: Sequence[dict[str, Any]],
    records: Sequence[dict[str, Any]],
    index: int,
    others: Sequence[int],
    file: str,
) -> dict[str, Any]:
    reason = f"same pixels as a scan of another participant: {_named(rows, others)}"
    return _in_error(rows, records, index, file, "image", reason, "whose are they?", others)


def with_same_drawings_resolved(
    rows: Sequence[dict[str, Any]], records: Sequence[dict[str, Any]], file: str
) -> list[dict[str, Any]]:
    """The records, included scans in error of which a reading is, voxel for voxel, another participant's too.

    At most one of the scans can be what was drawn on, and nothing here says which. They are held against all
    that were converted: one that was put aside since may have been handed the drawing as well. Scans of one
    participant may share one, as two reconstructions of an acquisition do.
    """
    resolved = list(records)
    scans_with: dict[str, set[int]] = defaultdict(set)
    for index, record in enumerate(records):
        for digest in record["drawings_sha256"].values():
            scans_with[digest].add(index)
    advice = "whose is it? Hand in the mask that was drawn on each scan, or take the row out"
    for index, (row, record) in enumerate(zip(rows, records, strict=True)):
        shared: dict[str, list[int]] = {}
        for reading, digest in record["drawings_sha256"].items():
            others = [i for i in scans_with[digest] if rows[i]["participant_id"] != row["participant_id"]]
            if others:
                shared[reading] = others
        if record["status"] == "included" and shared:
            of_others = sorted({other for others in shared.values() for other in others})
            reason = f"same drawing as a scan of another participant: {_named(rows, of_others)}"
            column = _first_column(row, next(iter(shared)))
            resolved[index] = _in_error(rows, records, index, file, column, reason, advice, of_others)
    return resolved


def _first_column(row: Mapping[str, Any], reading: str) -> str:
    """The first column in which a row of the sheet names a file of a reading."""
    columns = sample_sheet.mask_columns(row)
    return next(name for name in columns if sample_sheet.of_column(name)[0] == reading and row[name])


def with_same_patients_resolved(
    rows: Sequence[dict[str, Any]],
    records: Sequence[dict[str, Any]],
    file: str,
    different: Collection[str],
) -> list[dict[str, Any]]:
    """The records, included scans in error whose DICOM headers name a patient of another participant, too.

    Where both participants are among those known to be ``different``, that is a flag. The headers are read
    again, since nothing that tells a patient may be kept (:mod:`headct.cohort.patients`).

    Args:
        rows: of the sample sheet.
        records: what ingest left of each scan.
        file: the sheet, for messages.
        different: participants that are known to be different patients.
    """
    resolved = list(records)
    patient_of: dict[int, patients.Patient] = {}
    for index, record in enumerate(records):
        if record["status"] != "included":
            continue
        values = _patient_values(rows[index], record)
        if values is None:
            reason = "its files are not those that were converted"
            resolved[index] = _in_error(rows, records, index, file, "image", reason, "run again")
        else:
            patient_of[index] = patients.patient_in(values)
    indices = list(patient_of)
    shared = patients.under_several_participants(
        list(patient_of.values()),
        [rows[index]["participant_id"] for index in indices],
        [rows[index]["site"] for index in indices],
    )
    for position, others in shared.items():
        index = indices[position]
        known = rows[index]["participant_id"] in different
        doubtful = [
            other
            for other in sorted(others)
            if not (known and rows[indices[other]]["participant_id"] in different)
        ]
        if not doubtful:
            flags = sorted({*records[index]["flags"], patients.SHARED_PATIENT})
            resolved[index] = records[index] | {"flags": flags}
            continue
        words = " and ".join(sorted({others[other] for other in doubtful}))
        with_same = [indices[other] for other in doubtful]
        named = _named(rows, with_same)
        reason = f"same patient as another participant: the DICOM headers share {words} with {named}"
        advice = (
            "give both rows one participant_id, or mend their folders; where they are known to be different "
            "people (twins, say), name both participants in ingest.different_patients"
        )
        resolved[index] = _in_error(rows, records, index, file, "participant_id", reason, advice, with_same)
    n_identified = sum(patient != patients.Patient() for patient in patient_of.values())
    logger.info(
        "cohort  headers of %d of %d included scans tell patients apart", n_identified, len(patient_of)
    )
    return resolved


def _patient_values(row: Mapping[str, Any], record: Mapping[str, Any]) -> dict[str, str] | None:
    """What the headers say of the patient; None where the files are not those that were converted."""
    try:
        return sources.find(Path(row["image"]), row["scan_id"]).patient(record)
    except OSError:  # no longer there, or not to be opened
        return None


def with_other_sex_in_error(
    rows: Sequence[dict[str, Any]], records: Sequence[dict[str, Any]], file: str
) -> list[dict[str, Any]]:
    """The records, included scans in error whose DICOM headers contradict the sheet's sex."""
    reason = "the DICOM headers contradict the sheet's sex"
    advice = (
        "is it another patient's scan? Mend the row or the folder; where the sheet is known to be right, set "
        "ingest.trust_sheet"
    )
    return [
        _in_error(rows, records, index, file, "sex", reason, advice)
        if record["status"] == "included" and patients.OTHER_SEX in record["flags"]
        else record
        for index, record in enumerate(records)
    ]


def with_quality_reviewed(
    rows: Sequence[Mapping[str, Any]], records: Sequence[dict[str, Any]], reviewed: Iterable[Review]
) -> list[dict[str, Any]]:
    """The records, included scans excluded that more than half of their reviewers exclude.

    A scan that stays, and of which any reviewer said something else than that it is to be kept, is flagged.
    """
    excluded = reviews.decided_by_most(reviewed, [reviews.EXCLUDE])
    of_scan = reviews.by_scan(reviewed)
    resolved = []
    for row, record in zip(rows, records, strict=True):
        of_this = of_scan.get(row["scan_id"], ())
        flags = {f"quality_review_{review.decision}" for review in of_this if review.decision != reviews.KEEP}
        if record["status"] != "included" or not flags:
            resolved.append(record)
        elif row["scan_id"] in excluded:
            reason = f"{reviews.EXCLUDED}: {reviews.reasons(of_this, [reviews.EXCLUDE])}"
            resolved.append(record | {"status": "excluded", "reason": reason})
        else:
            resolved.append(record | {"flags": sorted({*record["flags"], *flags})})
    return resolved


def _named(rows: Sequence[dict[str, Any]], indices: Sequence[int]) -> str:
    """Scans with their rows in the sheet, for messages."""
    return ", ".join(f"{rows[index]['scan_id']} (row {rows[index]['row']})" for index in indices)


def _in_error(
    rows: Sequence[dict[str, Any]],
    records: Sequence[dict[str, Any]],
    index: int,
    file: str,
    column: str,
    reason: str,
    advice: str,
    others: Sequence[int] = (),
) -> dict[str, Any]:
    """A scan's record as one in error, for what a column of its row in the sheet says.

    What it shares with ``others`` of another set ends the run (:data:`BETWEEN_SETS`).
    """
    row = rows[index]
    problem = Problem(file, f"{reason}; {advice}", str(row["row"]), column, str(row[column]))
    of_sets = {sample_sheet.external_set(rows[one]) for one in (index, *others)}
    status = BETWEEN_SETS if len(of_sets) > 1 else "error"
    return records[index] | {"status": status, "reason": reason, "problems": [asdict(problem)]}


def cohort_row(
    row: dict[str, Any], record: dict[str, Any], age_cap_years: float, labels: LabelSet
) -> dict[str, Any]:
    """One line of ``cohort.tsv``; geometry and volumes only where ingest got that far.

    Args:
        row: of the sample sheet.
        record: what ingest left of the scan.
        age_cap_years: above which an age is not told.
        labels: whose volumes are told.
    """
    geometry, acquisition = record["geometry"] or {}, record["acquisition"]
    spacing_x_mm, spacing_y_mm, spacing_z_mm = geometry.get("spacing_mm_xyz", [None] * 3)
    as_in_sheet = {name: row[name] for name in FROM_SHEET}
    volumes = {f"{label}_ml": record["volumes_ml"].get(label) for label in labels}
    digests = record["sha256"]
    return {
        **as_in_sheet,
        "age": None if row["age"] is None else min(row["age"], age_cap_years),
        "status": record["status"],
        "reason": record["reason"],
        "flags": ",".join(record["flags"]),
        "n_slices": geometry.get("size_xyz", [None] * 3)[2],
        "spacing_x_mm": spacing_x_mm,
        "spacing_y_mm": spacing_y_mm,
        "spacing_z_mm": spacing_z_mm,
        "tilt_deg": geometry.get("tilt_deg"),
        "manufacturer": acquisition.get("manufacturer"),
        "kernel": acquisition.get("kernel"),
        **volumes,
        "pixels_sha256": record["pixels_sha256"] or None,
        "ct_sha256": digests.get("ct.nii.gz"),
        "labels_sha256": digests.get("labels.nii.gz"),
        "labels_intra_sha256": digests.get("labels_intra.nii.gz"),
        "labels_inter_sha256": digests.get("labels_inter.nii.gz"),
        "external_set": sample_sheet.external_set(row) or None,
    }


def problems_of(
    rows: Sequence[dict[str, Any]], records: Sequence[dict[str, Any]], path: Path, status: str
) -> list[Problem]:
    """Faults of all scans of one status, each with the scan's row in the sheet.

    Of a refused scan only the row and the column are told, since its id is, or holds, an identifier.

    Args:
        rows: of the sample sheet.
        records: what ingest left of each scan.
        path: of the sheet.
        status: of the scans that are told.
    """
    problems = []
    for row, record in zip(rows, records, strict=True):
        if record["status"] != status:
            continue
        for content in record["problems"]:
            problem = Problem(**content)
            if status == "refused":
                problem = Problem(str(path), problem.message, str(row["row"]), problem.key)
            elif problem.file != str(path):
                problem = replace(problem, row=f"{row['row']} of {path.name}")
            problems.append(problem)
    return problems


def too_many_lost(
    rows: Sequence[dict[str, Any]], records: Sequence[dict[str, Any]], path: Path, max_excluded: float
) -> list[Problem]:
    """The counts per reason and each lost scan, if a larger share than is allowed is lost; else nothing.

    Args:
        rows: of the sample sheet.
        records: what ingest left of each scan.
        path: of the sheet, for messages.
        max_excluded: the share of baseline scans that may be lost.
    """
    scans = {row["scan_id"] for row in sample_sheet.baseline(list(rows))}
    lost = [
        (row, record)
        for row, record in zip(rows, records, strict=True)
        if row["scan_id"] in scans and record["status"] in ("excluded", "error")
    ]
    if len(lost) <= max_excluded * len(scans):
        return []
    counts = Counter(category(record["reason"]) for _, record in lost).most_common()
    message = (
        f"{len(lost)} of {len(scans)} baseline scans ({len(lost) / len(scans):.1%}) are lost, too many: "
        + "; ".join(f"{reason} ({count})" for reason, count in counts)
    )
    problems = [Problem(str(path), message, "", "cohort.max_excluded", f"{max_excluded:g}")]
    for row, record in lost:
        reason = f"{record['status']}: {record['reason']}"
        problems.append(Problem(str(path), reason, str(row["row"]), "scan_id", row["scan_id"]))
    return problems


def classes_without_voxel(records: Sequence[dict[str, Any]], labels: LabelSet) -> list[Problem]:
    """A class that no included scan's mask has can be neither learnt nor measured.

    Every model would have a Dice of 1 for it, by convention.
    """
    included = [record for record in records if record["status"] == "included"]
    found = {label for record in included for label, ml in record["volumes_ml"].items() if ml}
    return [
        Problem(
            "config",
            f"no voxel of {label} in the masks of all {len(included)} included scans: it can neither be "
            "learnt nor measured. Give the value that it has in the masks, or take it out of labels",
            key=f"labels.{label}",
        )
        for label in labels
        if label not in found
    ]


def category(reason: str) -> str:
    """A reason without the measurement in its scan, which follows the first colon."""
    return reason.split(": ")[0]


def flow_of(cohort: pd.DataFrame, withdrawals: Sequence[Amendment] = ()) -> pd.DataFrame:
    """Counts of scans and participants: in the sheet, put aside per category, in external sets, included.

    Scans that were withdrawn were in the sheet once, and count there; each reason is a step of its own.
    """

    def step(status: str, reason: str, rows: pd.DataFrame) -> dict[str, Any]:
        return {
            "status": status,
            "reason": reason,
            "scans": len(rows),
            "participants": rows["participant_id"].nunique(),
        }

    put_aside = [
        step(status, str(reason), rows)
        for status in ("excluded", "error")
        for reason, rows in cohort[cohort["status"] == status].groupby(cohort["reason"].map(category))
    ]
    usable = cohort[cohort["status"] == "included"]
    external = [step("external", str(name), rows) for name, rows in usable.groupby("external_set", sort=True)]
    included = step("included", "", sets.of_study(usable))
    in_sheet, gone = step("in sheet", "", cohort), dict[str, dict[str, Any]]()
    for one in withdrawals:
        empty = {"status": "withdrawn", "reason": one.reason, "scans": 0, "participants": 0}
        for counts in (in_sheet, gone.setdefault(one.reason, empty)):
            counts["scans"] += len(one.scans)
            counts["participants"] += one.participants
    return pd.DataFrame([in_sheet, *gone.values(), *put_aside, *external, included])


def reasons_in_words(flow: pd.DataFrame) -> str:
    """The reasons of a flow for which scans are not in the study, with their counts of scans."""
    steps = flow[flow["reason"] != ""]
    return "; ".join(f"{step.reason} ({step.scans})" for step in steps.itertuples())


def flag_counts(records: Sequence[dict[str, Any]]) -> list[tuple[str, int]]:
    """How many included scans carry each flag, by name."""
    included = (record for record in records if record["status"] == "included")
    return sorted(Counter(flag for record in included for flag in record["flags"]).items())
