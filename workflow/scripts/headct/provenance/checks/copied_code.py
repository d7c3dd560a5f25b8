"""The copy of the software against the code that ran."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

from headct.contracts import untrusted
from headct.contracts.artefacts import sha256_of
from headct.contracts.code import digest_of, older_source_digest, source_digest
from headct.provenance import seal
from headct.provenance.checks.folder import Check, Finding, ResultsFolder

DIGESTS_OF_CODE = (source_digest, older_source_digest)
"""How records may have taken the digest of a module: those of this release, and of older ones."""


def code(folder: ResultsFolder) -> Iterator[Finding]:
    """The copied code against the digests that each job recorded of the modules that it ran."""
    ran: dict[tuple[str, str], list[str]] = defaultdict(list)
    for record in folder.current:
        if record.workflow["code"] != digest_of(record.workflow["modules"]):
            yield Finding(record.path, "states another digest of its code than that of the modules it names")
        for module, digest in record.workflow["modules"].items():
            ran[module, digest].append(record.path)
    for (module, digest), by in ran.items():
        path = copy_of(folder, module)
        if not path:
            yield Finding(f"{_stem(module)}.py", f"is missing from the copy of the code, and {by[0]} ran it")
        elif not is_code_of(folder, path, digest):
            others = f" and {len(by) - 1} others" if len(by) > 1 else ""
            yield Finding(path, f"is not the code that {by[0]}{others} ran")


def copy_of(folder: ResultsFolder, module: str) -> str:
    """The file of a module in the copy of the software; "" where it is not there."""
    files = (f"{_stem(module)}.py", f"{_stem(module)}/__init__.py")
    return next((path for path in files if path in folder.sizes), "")


def _stem(module: str) -> str:
    return f"{seal.WORKFLOW}/workflow/scripts/{module.replace('.', '/')}"


def is_code_of(folder: ResultsFolder, path: str, digest: str) -> bool:
    """Whether a file of the copy holds the code that has a digest, taken in any way that records took it."""
    return any(_code_digest(folder.results / path, take) == digest for take in DIGESTS_OF_CODE)


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
