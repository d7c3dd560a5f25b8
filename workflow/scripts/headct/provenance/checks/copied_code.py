"""The copy of the software against the code that ran."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

from headct.contracts import untrusted
from headct.contracts.artefacts import sha256_of
from headct.contracts.code import older_source_digest, source_digest
from headct.provenance import seal
from headct.provenance.checks.folder import Check, Finding, ResultsFolder

DIGESTS_OF_CODE = (source_digest, older_source_digest)
"""How records may have taken the digest of a module: those of this release, and of older ones."""


def code(folder: ResultsFolder) -> Iterator[Finding]:
    """The copied code against the digests that each job recorded of the modules that it ran."""
    base = f"{seal.WORKFLOW}/workflow/scripts/"
    ran: dict[tuple[str, str], list[str]] = defaultdict(list)
    for record in folder.current:
        for module, digest in record.workflow["modules"].items():
            ran[module, digest].append(record.path)
    for (module, digest), by in ran.items():
        stem = base + module.replace(".", "/")
        path = next((name for name in (f"{stem}.py", f"{stem}/__init__.py") if name in folder.sizes), "")
        if not path:
            yield Finding(f"{stem}.py", f"is missing from the copy of the code, and {by[0]} ran it")
        elif all(_code_digest(folder.results / path, take) != digest for take in DIGESTS_OF_CODE):
            others = f" and {len(by) - 1} others" if len(by) > 1 else ""
            yield Finding(path, f"is not the code that {by[0]}{others} ran")


def _code_digest(file: Path, take: Callable[[str], str] = source_digest) -> str:
    """Digest of a module, blind to comments; "" for what is none."""
    try:
        return take(untrusted.text_of(file))
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return ""


def against_checkout(workflow: Path) -> Check:
    """The copied workflow against a checkout: which files differ, and whether more than comments do."""

    def check(folder: ResultsFolder) -> Iterator[Finding]:
        base = f"{seal.WORKFLOW}/"
        for path, digest in folder.digests.items():
            if not path.startswith(base):
                continue
            other = workflow / path.removeprefix(base)
            if not other.is_file():
                yield Finding(path, f"is not in {workflow}")
            elif sha256_of(other) != digest:
                code = _code_digest(folder.results / path) if path.endswith(".py") else ""
                same = code and code == _code_digest(other)
                yield Finding(path, f"differs from {other}" + (" in comments only" if same else ""))

    return check
