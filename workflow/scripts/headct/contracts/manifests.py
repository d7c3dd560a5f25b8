"""Artefacts that list further files with their SHA-256: what stands behind a declared output."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

from headct.contracts.artefacts import read_json


def files_listed(artefact: Path) -> dict[Path, str]:
    """The files that an artefact lists, and those that these list, with the SHA-256 given there.

    Nothing for an artefact of another kind. The files need not be there.
    """
    listed = listed_by(artefact)
    return listed | {file: digest for each in listed for file, digest in files_listed(each).items()}


def listed_by(artefact: Path) -> dict[Path, str]:
    """As :func:`files_listed`, without what those files list, none of which is opened."""
    read = next((read for pattern, read in LISTS.items() if artefact.match(pattern)), None)
    return read(artefact) if read and artefact.is_file() else {}


def _volumes(record: Path) -> dict[Path, str]:
    return {record.parent / name: digest for name, digest in read_json(record)["sha256"].items()}


def _weights(record: Path) -> dict[Path, str]:
    """The last weights, and the record of those that were kept at each share of the training."""
    trained = read_json(record)
    of_shares = {
        record.parent / share_folder(share) / record.name: of_share["sha256"]
        for share, of_share in trained.get("shares", {}).items()
    }
    return {record.parent / "final.pth": trained["sha256"], **of_shares}


def share_folder(share: str) -> str:
    """Name of the folder, in that of a trained model, of the weights at a share of its training."""
    return f"share-{share}"


def _label_maps(manifest: Path) -> dict[Path, str]:
    return {manifest.parent / row["path"]: row["sha256"] for row in _rows(manifest) if row["path"]}


def _cases(manifest: Path) -> dict[Path, str]:
    results = manifest.parent.parent
    return {results / row["path"]: row["sha256"] for row in _rows(manifest)}


def _scans(shard: Path) -> dict[Path, str]:
    data = shard.parent.parent
    return {data / row["scan_id"] / "scan.json": row["sha256"] for row in _rows(shard)}


def _rows(table: Path) -> list[dict[str, str]]:
    with open(table, encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream, delimiter="\t"))


LISTS: dict[str, Callable[[Path], dict[Path, str]]] = {
    "scan.json": _volumes,
    "train.json": _weights,
    "predictions/*/*.tsv": _label_maps,
    "predictions/*/out-of-fold/*.tsv": _label_maps,
    "predictions/*/external/*/*.tsv": _label_maps,
    "predictions/*/effort/*/*.tsv": _label_maps,
    "predictions/*/learning-curve/*/*.tsv": _label_maps,
    "data/shards/*.tsv": _scans,
    "report/cases.tsv": _cases,
}
"""How each kind of artefact that lists files is read, by the end of its path."""
