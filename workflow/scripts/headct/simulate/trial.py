"""Write a whole simulated trial: DICOM, masks, the sample sheet, and the truth beside them."""

from __future__ import annotations

import json
import logging
import multiprocessing
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from headct.contracts.artefacts import read_json, write_atomically, write_json, write_tsv
from headct.contracts.problems import BadInput, Problem
from headct.contracts.sets import EXTERNAL
from headct.settings.blocks import Rater
from headct.simulate import rater_readings
from headct.simulate.dicom_writer import series_header, write_series
from headct.simulate.participant import Participant, simulate
from headct.simulate.random_streams import stream
from headct.simulate.settings import LESIONS, TrialSettings

logger = logging.getLogger("headct.simulate")

FORMAT = 2
"""Raised when the same settings give another trial."""

GROWING = ("participants", "incomplete_participants")
"""Settings that may grow: more participants leave the existing ones as they are."""

ADDED = ("outside_model", "external_set")
"""Settings that may be given to a trial that had none: files and rows come to it, and the others stay."""

OUTSIDE_MODEL = "outside_model"
"""Folder of the label maps of the stand-in for a model that was made elsewhere."""

SECONDS_BETWEEN_REPORTS = 5.0

SHEET_COLUMNS = (
    "scan_id", "participant_id", "site", "dicom", "mask", "age", "sex", "onset_to_ct_h", "rater",
    "mask_intra", "mask_inter",
)  # fmt: skip

SET_COLUMN = "set"
"""Column of the sheet of a trial that has an external set."""


@dataclass(frozen=True)
class Enrolled:
    """One participant of the trial, before anything is simulated."""

    participant_id: str
    scan_id: str
    is_complete: bool
    is_external: bool = False


def enrolled(settings: TrialSettings) -> list[Enrolled]:
    """All participants; incomplete ones have numbers from 9001, those of an external set another letter."""
    complete = [Enrolled(f"P{i:04d}", f"scan-{i:04d}", True) for i in range(1, settings.participants + 1)]
    incomplete = [
        Enrolled(f"P{i:04d}", f"scan-{i:04d}", False)
        for i in range(9001, 9001 + settings.incomplete_participants)
    ]
    return complete + incomplete + _external(settings)


def _external(settings: TrialSettings) -> list[Enrolled]:
    if settings.external_set is None:
        return []
    numbers = range(1, settings.external_set.participants + 1)
    return [Enrolled(f"E{i:04d}", f"ext-{i:04d}", True, is_external=True) for i in numbers]


def write_trial(settings: TrialSettings, out: Path, jobs: int) -> None:
    """Write the trial, or what is missing of it; a complete one is left alone.

    Each participant is written whole or not at all, and the bytes do not depend on ``jobs``.

    Raises:
        BadInput: the folder holds a trial of other settings or something else, or can't be written.
    """
    try:
        _claim(settings, out)
        _write_missing(settings, out, jobs)
    except OSError as error:
        raise BadInput([Problem(str(out), f"the trial can't be written here: {error}")]) from error


def _claim(settings: TrialSettings, out: Path) -> None:
    """Mark the folder as this trial's, unless it is another's."""
    wanted = _plain({"format": FORMAT, "settings": asdict(settings)})
    marker = out / "trial.json"
    if not marker.is_file():
        if out.is_dir() and any(out.iterdir()):
            message = "this folder holds files but no simulated trial (trial.json); choose another one"
            raise BadInput([Problem(str(out), message)])
    else:
        try:
            found = read_json(marker)
        except ValueError as error:
            message = "damaged; delete the folder of this trial to have it written anew"
            raise BadInput([Problem(str(marker), message)]) from error
        differing = _differing(found, wanted)
        if differing:
            message = (
                f"this trial was written with other settings ({', '.join(differing)}); "
                "delete the folder to have it written anew, or choose another one"
            )
            raise BadInput([Problem(str(out), message)])
        if found == wanted:
            return
    write_json(wanted, marker)


def _plain(value: Any) -> Any:
    return json.loads(json.dumps(value))


def _differing(found: dict[str, Any], wanted: dict[str, Any]) -> list[str]:
    """Settings that forbid going on with the trial found."""
    old, new = found.get("settings", {}), wanted["settings"]
    keys = [
        key
        for key in sorted(old.keys() | new.keys())
        if old.get(key) != new.get(key)
        and not (key in GROWING and old.get(key, 0) < new[key])
        and not (key in ADDED and old.get(key) is None)
    ]
    return keys if found.get("format") == wanted["format"] else ["format", *keys]


def _write_missing(settings: TrialSettings, out: Path, jobs: int) -> None:
    people = enrolled(settings)
    missing = [person for person in people if not _is_written(settings, out, person)]
    tables = [out / "scans.tsv", out / "truth.tsv"]
    if not missing and all(table.is_file() for table in tables):
        logger.info("simulated trial of %d participants is complete in %s", len(people), out)
    else:
        if missing:
            _simulate_all(settings, missing, out, jobs)
        _write_tables(settings, people, out)
    truth = pd.read_csv(out / "truth.tsv", sep="\t")
    n_truncated = int(truth["truncated"].sum())
    logger.info(
        "%d of %d simulated lesions truncated, where the anatomy could not hold them",
        n_truncated,
        int((truth["requested_ml"] > 0).sum()),
    )


def _is_written(settings: TrialSettings, out: Path, person: Enrolled) -> bool:
    record = out / "truth" / f"{person.scan_id}.json"
    if not record.is_file():
        return False
    content = read_json(record)
    row, n_slices = content["sheet"], content["n_slices"]
    paths = [row[column] for column in ("dicom", "mask", "mask_intra", "mask_inter") if row[column]]
    folder = out / row["dicom"]
    if settings.outside_model:
        paths.append(_map_of_stand_in(person))
    if not all((out / path).exists() for path in paths):
        return False
    return sum(1 for _ in folder.glob("*.dcm")) == n_slices


def _simulate_all(settings: TrialSettings, missing: list[Enrolled], out: Path, jobs: int) -> None:
    logger.info("simulating %d participants in %s", len(missing), out)
    started = reported = time.monotonic()
    for done, _ in enumerate(_each_written(settings, missing, out, jobs), start=1):
        now = time.monotonic()
        if now - reported > SECONDS_BETWEEN_REPORTS or done == len(missing):
            left = (now - started) / done * (len(missing) - done)
            logger.info("simulated %d/%d participants, about %.0f s left", done, len(missing), left)
            reported = now


def _each_written(settings: TrialSettings, missing: list[Enrolled], out: Path, jobs: int) -> Iterator[None]:
    """Write the participants, in several processes if wanted; yield once for each that is done.

    Each process keeps to one thread: sums then have one order, and results one value.
    """
    jobs = min(jobs, len(missing))
    if jobs <= 1:
        with threadpool_limits(1):
            for person in missing:
                write_participant(settings, person, out)
                yield
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, context, initializer=threadpool_limits, initargs=(1,)) as pool:
        futures = [pool.submit(write_participant, settings, person, out) for person in missing]
        for future in as_completed(futures):
            future.result()  # raises what the process raised
            yield


def write_participant(settings: TrialSettings, person: Enrolled, out: Path) -> None:
    """Simulate and write one participant; its record in ``truth/`` is written last."""
    random = stream(settings.seed, person.participant_id, "enrolment")
    own = settings.external_set.sites if settings.external_set and person.is_external else settings.sites
    sites = [site for site in own if person.is_complete or site.is_even]
    shares = np.array([site.share for site in sites])
    site = sites[random.choice(len(sites), p=shares / shares.sum())]
    participant = simulate(settings, person.participant_id, site)
    slices = list(range(len(participant.image)))
    if not person.is_complete:
        first = len(slices) // 2 + int(random.integers(-3, 2))
        del slices[first : first + 2]
    header = series_header(
        settings.seed, person.participant_id, site, participant.clinical, participant.geometry
    )
    temporary = out / "dicom" / f".{person.scan_id}.partial"
    final = out / "dicom" / person.scan_id
    for folder in (temporary, final):
        shutil.rmtree(folder, ignore_errors=True)
    from_top = bool(random.random() < 0.5)
    write_series(temporary, header, participant.image, participant.geometry, slices, from_top)
    temporary.replace(final)
    readings = _readings(settings, random)
    row = _sheet_row(person, participant, readings)
    drawn = {row[column]: (rater, f"reading {column}") for column, rater in readings.items()}
    if settings.outside_model:
        stand_in = Rater(OUTSIDE_MODEL, **asdict(settings.outside_model))
        drawn[_map_of_stand_in(person)] = (stand_in, OUTSIDE_MODEL)
    for file, (rater, name) in drawn.items():
        random_of_reading = stream(settings.seed, person.participant_id, name)
        labels = rater_readings.draw(participant.fractions, participant.geometry, rater, random_of_reading)
        with write_atomically(out / file) as path:
            rater_readings.write_mask(labels, participant.geometry, slices, settings.labels, path)
    write_json(_record(participant, row, len(slices)), out / "truth" / f"{person.scan_id}.json")


def _map_of_stand_in(person: Enrolled) -> str:
    """Where the label map of the stand-in is, below the trial's folder."""
    return f"{OUTSIDE_MODEL}/{person.scan_id}.nii.gz"


def _readings(settings: TrialSettings, random: np.random.Generator) -> dict[str, Rater]:
    """Who draws what: one reader, and for a share of scans the same one again and another one."""
    first, other = random.choice(len(settings.raters), 2, replace=False)
    readings = {"mask": settings.raters[first]}
    if random.random() < settings.second_reading_share:
        readings |= {"mask_intra": settings.raters[first], "mask_inter": settings.raters[other]}
    return readings


def _sheet_row(person: Enrolled, participant: Participant, readings: dict[str, Rater]) -> dict[str, Any]:
    names = {"mask": "", "mask_intra": "_intra", "mask_inter": "_inter"}
    masks = {
        column: f"masks/{person.scan_id}{suffix}.nii.gz" if column in readings else ""
        for column, suffix in names.items()
    }
    return {
        "scan_id": person.scan_id,
        "participant_id": person.participant_id,
        "site": participant.site.name,
        "dicom": f"dicom/{person.scan_id}",
        "mask": masks["mask"],
        "age": participant.clinical.age_years,
        "sex": participant.clinical.sex,
        "onset_to_ct_h": participant.clinical.onset_to_ct_hours,
        "rater": readings["mask"].name,
        "mask_intra": masks["mask_intra"],
        "mask_inter": masks["mask_inter"],
    }


def _record(participant: Participant, row: dict[str, Any], n_slices: int) -> dict[str, Any]:
    truth = participant.truth
    return {
        "sheet": row,
        "n_slices": n_slices,
        "missing_slices": len(participant.image) - n_slices,
        "tilt_deg": participant.geometry.tilt_deg,
        "location": participant.bleed.location,
        "side": participant.bleed.side,
        "requested_ml": truth.requested_ml,
        "met_ml": truth.met_ml,
        "truncated": truth.truncated,
        "largest_subvoxel_ml": float(participant.geometry.subvoxel_ml.max()),
    }


def _write_tables(settings: TrialSettings, people: list[Enrolled], out: Path) -> None:
    records = [read_json(out / "truth" / f"{person.scan_id}.json") for person in people]
    truth = pd.DataFrame(
        {
            "scan_id": record["sheet"]["scan_id"],
            "label": label,
            "requested_ml": record["requested_ml"][label],
            "met_ml": record["met_ml"][label],
            "truncated": record["truncated"][label],
            "location": record["location"],
            "side": record["side"],
            "tilt_deg": record["tilt_deg"],
            "missing_slices": record["missing_slices"],
            "largest_subvoxel_ml": record["largest_subvoxel_ml"],
        }
        for record in records
        for label in LESIONS
    )
    write_tsv(truth, out / "truth.tsv")
    sheet = pd.DataFrame([record["sheet"] for record in records], columns=list(SHEET_COLUMNS))
    if settings.external_set:
        of_set = f"{EXTERNAL}{settings.external_set.name}"
        sheet[SET_COLUMN] = [of_set if person.is_external else "" for person in people]
    write_tsv(sheet, out / "scans.tsv")
