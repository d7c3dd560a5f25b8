"""Check a results folder from the folder alone: is everything still as it was when it was made?

Nothing is written, nothing outside the folder is read (links are not followed), file times don't count.
What can't be checked, whatever is wrong with it, is a finding, too. What agrees with a root
digest that was printed or signed elsewhere is untouched since the seal; without such a digest, a folder
that was sealed anew after a change is found only where its records contradict one another.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from headct.contracts.amendments import Amendment
from headct.contracts.artefacts import LEDGER
from headct.contracts.untrusted import Unusable
from headct.provenance import ledger, manifest, repeating, signing
from headct.provenance.checks.amended import amended
from headct.provenance.checks.copied_code import code
from headct.provenance.checks.folder import Check, Finding, ResultsFolder, guarded
from headct.provenance.checks.jobs import jobs, makers_listed
from headct.provenance.checks.lists import listed_files
from headct.provenance.checks.records import inputs, inputs_from_elsewhere, logs, outputs
from headct.provenance.checks.said_twice import scans, trainings
from headct.provenance.checks.sealed import files, root
from headct.provenance.checks.settings import label_sets, settings
from headct.provenance.checks.stated import crate, evidence_digest, printed_digests, test_set_ledger
from headct.provenance.repeating import Repeated
from headct.provenance.signing import Signed
from headct.publish import evidence

INTEGRITY: tuple[Check, ...] = (
    root,
    signing.forms,
    files,
    amended,
    outputs,
    inputs,
    inputs_from_elsewhere,
    logs,
    code,
    settings,
    label_sets,
    scans,
    trainings,
    crate,
    evidence_digest,
    test_set_ledger,
    listed_files,
    jobs,
    makers_listed,
    printed_digests,
)
"""All checks that need nothing but the folder."""


def verify(folder: ResultsFolder, checks: Sequence[Check]) -> list[Finding]:
    """All findings, by path; several checks can find one change."""
    found = {finding for check in checks for finding in guarded(".", check, folder)}
    return sorted(found | set(folder.faults))


def unrecorded(folder: ResultsFolder) -> list[str]:
    """Files that were sealed, and of which no record tells what made them."""
    return [entry.path for entry in folder.listed.values() if not entry.made_by]


@dataclass(frozen=True)
class Summary:
    """What a verification looked at, and what it found."""

    root: str
    signed: str
    repeated: str
    evidence: str
    files: int
    bytes: int
    records: int
    seconds: float
    openings: str
    unrecorded: Sequence[str]
    former: Sequence[str]
    amendments: Sequence[str]
    findings: Sequence[Finding]
    not_checked: Sequence[str]


NO_ROOT = (
    "That the folder was not sealed anew after a change: give --root the digest that was printed, "
    "published or signed, or --signer the names and keys of those who may have signed it."
)
SIGNATURE_UNCHECKED = "there is a signature, of which nothing is known: --signer tells whose it is"
NOT_SIGNED = "by nobody in the file of --signer, as far as this can be checked: see the findings"
NO_DICOM = "That no value of the trial's own DICOM headers is here: give --dicom, or a --sheet of DICOM."
OTHER_ROWS = (
    "That tables lost nothing but rows of withdrawn scans: the root after an amendment stands for them as"
    " they were left, and the one before can't tell."
)
PIXELS = "What the pixels show: faces, burnt-in letters."


def summary(
    folder: ResultsFolder,
    findings: Sequence[Finding],
    with_dicom: bool,
    began: float,
    unread: Mapping[str, int] = MappingProxyType({}),
    signed: Signed | None = None,
    repeated: Repeated | None = None,
) -> Summary:
    """Everything that a report prints.

    Args:
        folder: what was looked at.
        findings: and what was found.
        with_dicom: whether the trial's own headers were sought.
        began: ``time.monotonic()`` when it began.
        unread: how much of the trial's DICOM could not be read, by what a message calls its folder.
        signed: what came of checking the signature, where that was asked for.
        repeated: what came of repeating jobs, where that was asked for.
    """
    try:
        stated = evidence.parsed(folder.json_of(evidence.EVIDENCE))["sha256"]
    except Unusable:
        stated = ""
    try:
        openings = ledger.openings_in_words(ledger.parsed(folder.text_of(LEDGER)))
    except Unusable as error:
        openings = f"The ledger of the test set {error}."
    return Summary(
        root=manifest.root_of(folder.results),
        signed=_signed(folder, signed),
        repeated=repeated.in_words() if repeated else "none",
        evidence=stated,
        files=len(folder.sizes),
        bytes=sum(folder.sizes.values()),
        records=len(folder.records),
        seconds=time.monotonic() - began,
        openings=openings,
        unrecorded=unrecorded(folder),
        former=folder.former,
        amendments=[_in_words(folder, one) for one in folder.amendments],
        findings=findings,
        not_checked=_not_checked(folder, with_dicom, unread, repeated),
    )


def _signed(folder: ResultsFolder, signed: Signed | None) -> str:
    """Whose signature there is, in words."""
    if signed:
        return signed.by or NOT_SIGNED
    return SIGNATURE_UNCHECKED if manifest.SIGNATURE in folder.there else "no"


def _in_words(folder: ResultsFolder, one: Amendment) -> str:
    """An amendment, with the root digests before and after it."""
    if not one.root:
        return f"{one.in_words()}; the results were not sealed then"
    return f"{one.in_words()}; root before {one.root}, after {folder.root_after(one) or 'unknown'}"


def _not_checked(
    folder: ResultsFolder, with_dicom: bool, unread: Mapping[str, int], repeated: Repeated | None
) -> list[str]:
    """What was not looked at, a sentence each."""
    sentences = []
    if not folder.root:
        sentences.append(NO_ROOT)
    sentences += [*repeated.not_repeated, repeating.NEVER] if repeated else [repeating.NOT_ASKED_FOR]
    if not with_dicom:
        sentences.append(NO_DICOM)
    if folder.amendments:
        sentences.append(OTHER_ROWS)
    for name, count in unread.items():
        sentences.append(f"{count} files or folders in {name}, which can't be read.")
    return [*sentences, PIXELS]
