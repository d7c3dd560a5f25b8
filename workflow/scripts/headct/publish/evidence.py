"""The evidence digest: one number for what the comparison rests on, without times, equal in every rebuild.

It is the SHA-256 of a text with one line ``<sha256>  <path>`` for each of ``cohort/split.tsv``,
``metrics/*.tsv`` and the analysis plan, sorted by path, as ``sha256sum`` prints them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from headct.contracts import run_records
from headct.contracts.artefacts import sha256_of, write_json
from headct.contracts.untrusted import Unusable

EVIDENCE = "audit/evidence.json"
"""Below the results folder."""
PLAN = "analysis plan"
"""What the plan is called in the list, since its path differs between studies."""


def main(
    *,
    split: Path,
    metrics: list[Path],
    plan: Path,
    out: Path,
) -> None:
    """Write the evidence digest: one number for what the comparison rests on, equal in every rebuild.

    Args:
        split: split.tsv.
        metrics: metrics tables of all models.
        plan: analysis plan.
        out: the digest to write (JSON).
    """
    files = {"cohort/split.tsv": sha256_of(split), PLAN: sha256_of(plan)}
    files |= {f"metrics/{path.name}": sha256_of(path) for path in metrics}
    write_json({"sha256": digest(files), "files": files}, out)


def parsed(content: object) -> dict[str, Any]:
    """The digest (``sha256``) and what it was made of (``files``), from its JSON.

    Raises:
        Unusable: it is none.
    """
    if (
        not isinstance(content, dict)
        or not run_records.is_sha256(content.get("sha256"))
        or not isinstance(content.get("files"), dict)
        or not all(map(run_records.is_sha256, content["files"].values()))
    ):
        raise Unusable("is no evidence digest")
    return content


def digest(files: Mapping[str, str]) -> str:
    """The evidence digest of files by path."""
    lines = "".join(f"{sha256}  {path}\n" for path, sha256 in sorted(files.items()))
    return hashlib.sha256(lines.encode()).hexdigest()
