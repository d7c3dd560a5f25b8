"""Where scans come from: each module here but ``image_source`` is a source, by its class ``Source``.

A source is found by what is handed over. A new one is a module in this folder, and nothing else: modules are
found by their files. They are loaded when one is asked for; whoever but asks whether a folder is one need not
wait for readers of images.
"""

from __future__ import annotations

import os
from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from headct.imaging.sources.image_source import ImageSource

THE_PROTOCOL = "image_source"


class NoImage(OSError):
    """No source takes what lies at a path; the message says why not, and names no path."""


@cache
def all_sources() -> tuple[type[ImageSource], ...]:
    """The sources in the order in which they are asked: what takes any folder comes last."""
    names = sorted(module.name for module in iter_modules(__path__) if module.name != THE_PROTOCOL)
    found = [import_module(f"{__name__}.{name}").Source for name in names]
    return tuple(sorted(found, key=lambda source: source.takes_any_folder))


def find(path: Path, scan_id: str) -> ImageSource:
    """The source of the scan at a path: by its bytes, and where these tell nothing, by its name.

    Args:
        path: a file or a folder, as it was handed over.
        scan_id: what messages call the scan.

    Raises:
        NoImage: no source takes it.
    """
    for source in all_sources():
        if source.takes(path):
            return source(path, scan_id)
    for source in all_sources():
        if source.is_named(path) and os.path.lexists(path):
            return source(path, scan_id)
    raise NoImage(_what_instead(path))


def why_not(path: Path) -> str:
    """Why what lies at a path is no image of any source; empty where it may be one, as any folder may."""
    if path.is_dir():  # looked at first: no reader of images need be loaded to know
        return ""
    is_one = (os.path.lexists(path) and is_scan(path)) or any(source.takes(path) for source in all_sources())
    return "" if is_one else _what_instead(path)


def _what_instead(path: Path) -> str:
    """The kinds of scans, and what lies at a path instead of one."""
    from headct.imaging import nifti

    files = [source for source in all_sources() if source.suffixes]
    kinds = [f"{source.kind} ({', '.join(sorted(source.suffixes, key=len))})" for source in files]
    instead = nifti.what_it_is(path)
    return f"neither a {', '.join(kinds)} nor a folder: {instead}; name the scan's CT as one of these"


def is_scan(file: Path) -> bool:
    """Whether a file is a whole scan, by its name or its first bytes."""
    files = [source for source in all_sources() if source.suffixes]
    return any(source.is_named(file) for source in files) or any(source.takes(file) for source in files)


def is_part_of_scan(file: Path) -> bool:
    """Whether a file is one of several that make a scan: then its folder is the scan."""
    return any(source.is_part(file) for source in all_sources())


def takes_as_any_folder(folder: Path) -> bool:
    """Whether no source but that of any folder takes one; it may hold several scans then."""
    return not any(source.takes(folder) for source in all_sources() if not source.takes_any_folder)


def name_without_suffix(name: str) -> str:
    """A file's name without the suffix of its source."""
    suffixes = sorted((end for source in all_sources() for end in source.suffixes), key=len, reverse=True)
    suffix = next((end for end in suffixes if name.lower().endswith(end)), "")
    return name[: len(name) - len(suffix)]
