"""Whose scan is it? What DICOM headers say of the patient, held against the sheet and against each other.

Values of headers are compared in memory and go nowhere: they are neither stored nor shown, not even as a
digest, since names, birth dates and hospital numbers are so few that whoever has a digest can try them
all (docs/decisions/whose-scan.md).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from headct.imaging import identifiers

SEX = {"F": "F", "FEMALE": "F", "M": "M", "MALE": "M"}
"""What Patient's Sex (0010,0040) may say, and the sheet's word for it; all else says nothing."""

YEARS = {"Y": 1.0, "M": 1 / 12, "W": 7 / 365.25, "D": 1 / 365.25}
"""Length of the units of Patient's Age (0010,1010)."""

AGE_TOLERANCE_YEARS = 1.0
"""Ages are rounded, and counted at enrolment or at the scan."""

OTHER_SEX, OTHER_AGE = "sex_differs_from_header", "age_differs_from_header"
"""Flags; the cohort step makes an error of the first, unless ``ingest.trust_sheet``."""

SHARED_PATIENT = "shares_patient_with_other_participant"
"""Flag of what is else an error, for participants in ``ingest.different_patients``."""

FEW = 2
NEARLY_ALL = 0.9
"""What stands in the headers of more than a few participants, and nearly all of a site, names nobody."""


def flags(values: Mapping[str, str], sex: str | None, age_years: float | None) -> set[str]:
    """Flags of a scan whose headers say something else of the patient than the sheet.

    Args:
        values: of the headers, by :func:`headct.imaging.identifiers.in_headers`.
        sex: F, M, or None where the sheet says nothing.
        age_years: the sheet's, None where it says nothing.
    """
    found = set()
    sexes = {SEX.get(part.strip().upper()) for part in values.get("PatientSex", "").split("\\")} - {None}
    if sex and sexes - {sex}:
        found.add(OTHER_SEX)
    ages = [age for part in values.get("PatientAge", "").split("\\") if (age := years_of(part)) is not None]
    if age_years is not None and any(abs(age - age_years) > AGE_TOLERANCE_YEARS for age in ages):
        found.add(OTHER_AGE)
    return found


def years_of(text: str) -> float | None:
    """A Patient's Age such as 063Y in years; None where it is no age, or 0, which stands for unknown."""
    match = re.fullmatch(r"(\d{1,3})([YMWD])", text.strip().upper())
    return int(match[1]) * YEARS[match[2]] if match and int(match[1]) else None


@dataclass(frozen=True)
class Patient:
    """What tells one patient from another, folded as :mod:`headct.imaging.identifiers` compares.

    Attributes:
        numbers: Patient ID and other Patient IDs, without what points at nobody.
        born: names, each with a birth date; both are needed.
        birth_dates: as they stand in the headers, without placeholders.
        written: the names, letter by letter, where there are any with a birth date; a backslash stands
            between several.
    """

    numbers: frozenset[str] = frozenset()
    born: frozenset[str] = frozenset()
    birth_dates: frozenset[str] = frozenset()
    written: str = ""


def patient_in(values: Mapping[str, str]) -> Patient:
    """The patient in the values of headers (:func:`headct.imaging.identifiers.in_headers`)."""
    dates = frozenset(identifiers.birth_dates(values))
    names = identifiers.full_names(values)
    return Patient(
        numbers=frozenset(identifiers.patient_numbers(values)),
        born=frozenset(f"{name} {date}" for name in names for date in dates),
        birth_dates=dates,
        written=values.get("PatientName", "") if names and dates else "",
    )


def under_several_participants(
    patients: Sequence[Patient], participants: Sequence[str], sites: Sequence[str]
) -> dict[int, dict[int, str]]:
    """Scans whose headers name a patient who stands under another participant as well.

    The same Patient ID counts, unless it is another site's and the birth dates differ (hospitals number
    alike); the same name with the same birth date counts. What nearly all participants of a site share, such
    as an export's one pseudonym, names nobody; a name only if it is written alike in all of its headers, and
    is not that of a person: family and given name.

    Returns:
        Position of each such scan: position of each other one, and what they share, in words.
    """
    found: dict[int, dict[int, str]] = defaultdict(dict)
    size_of_site = {site: len(named) for site, named in _participants_by_site(participants, sites).items()}
    names_of_site: dict[str, set[str]] = defaultdict(set)
    for patient, site in zip(patients, sites, strict=True):
        names_of_site[site] |= {patient.written} - {""}
    for attribute, words in (("born", "name and birth date"), ("numbers", "Patient ID")):
        sharing: dict[str, list[int]] = defaultdict(list)
        for scan, patient in enumerate(patients):
            for value in getattr(patient, attribute):
                sharing[value].append(scan)
        for scans in sharing.values():
            named = _participants_by_site([participants[s] for s in scans], [sites[s] for s in scans])
            if any(
                len(few) > FEW
                and len(few) >= NEARLY_ALL * size_of_site[site]
                and (attribute == "numbers" or _is_pseudonym(names_of_site[site]))
                for site, few in named.items()
            ):
                continue
            for one, other in combinations(scans, 2):
                if participants[one] == participants[other]:
                    continue
                dates = patients[one].birth_dates, patients[other].birth_dates
                elsewhere = sites[one] != sites[other] and all(dates) and not dates[0] & dates[1]
                if attribute == "born" or not elsewhere:
                    found[one][other] = found[other][one] = words
    return dict(found)


def _is_pseudonym(names: Collection[str]) -> bool:
    """Whether all names of a site are one that no person has: one word, or words with digits."""
    words = [word for name in names for word in re.split(r"[\^,\s]+", name) if word]
    return len(names) == 1 and (len(words) < 2 or any(re.search(r"\d", word) for word in words))


def _participants_by_site(participants: Sequence[str], sites: Sequence[str]) -> dict[str, set[str]]:
    named: dict[str, set[str]] = defaultdict(set)
    for participant, site in zip(participants, sites, strict=True):
        named[site].add(participant)
    return named
