"""What crate, evidence digest and ledger state of the files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import unquote

from headct.contracts import amendments
from headct.contracts.artefacts import LEDGER
from headct.contracts.untrusted import Unusable
from headct.provenance import ledger, manifest, seal
from headct.provenance.checks.folder import Finding, ResultsFolder, about, guarded
from headct.publish import evidence


@about(manifest.CRATE)
def crate(folder: ResultsFolder) -> Iterator[Finding]:
    """The files and digests that the RO-Crate names, if there is one."""
    if manifest.CRATE not in folder.sizes:
        return
    content = folder.json_of(manifest.CRATE)
    entities = content.get("@graph") if isinstance(content, dict) else None
    if not isinstance(entities, list) or not all(isinstance(entity, dict) for entity in entities):
        raise Unusable("is no RO-Crate")
    for entity in entities:
        path = unquote(str(entity.get("@id", "")))
        if path in folder.sizes and entity.get("sha256", folder.digests[path]) != folder.digests[path]:
            yield Finding(manifest.CRATE, f"has another digest of {path} than the file")
        elif "sha256" in entity and path in folder.listed and path not in folder.sizes:
            yield Finding(manifest.CRATE, f"names {path}, which is not there")


@about(evidence.EVIDENCE)
def evidence_digest(folder: ResultsFolder) -> Iterator[Finding]:
    """The evidence digest computed anew, and as the pages of the tables print it."""
    stated = evidence.parsed(folder.json_of(evidence.EVIDENCE))
    copies = {digest for path, digest in folder.digests.items() if path.startswith(seal.WORKFLOW)}
    for path, digest in stated["files"].items():
        now = amendments.digest_now(folder.amendments, path, digest)
        there = digest in copies if path == evidence.PLAN else folder.digests.get(path) == now
        if not there:
            yield Finding(evidence.EVIDENCE, f"was computed from another {path} than the one there")
    if evidence.digest(stated["files"]) != stated["sha256"]:
        yield Finding(evidence.EVIDENCE, "is not the digest of the files that it names")
    for path in folder.sizes:
        if path.startswith("tables/") and path.endswith((".html", ".tex")):
            yield from guarded(path, _printed_digest, folder, path, stated["sha256"])


def _printed_digest(folder: ResultsFolder, path: str, stated: str) -> Iterator[Finding]:
    printed = re.findall(r"[Ee]vidence digest\D{0,40}?([0-9a-f]{64})", folder.text_of(path))
    if any(each != stated for each in printed):
        yield Finding(path, "prints another evidence digest than that of the results")


@about(LEDGER)
def test_set_ledger(folder: ResultsFolder) -> Iterator[Finding]:
    """The ledger of the test set: its chain of lines, and each job that scored."""
    scored = {record.path: record.opening for record in folder.records if record.opening}
    text = folder.text_of(LEDGER) if LEDGER in folder.there else ""
    for what in ledger.faults(text, scored):
        yield Finding(LEDGER, what)
    for record in folder.records:
        if record.rule in ledger.SCORING and not record.opening:
            yield Finding(record.path, "scored the test set and names no line of the ledger")
