"""How results reach the disk: whole or not at all, and in the same bytes every time."""

from __future__ import annotations

import contextlib
import errno
import glob
import hashlib
import json
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headct.contracts.folders import contents

if TYPE_CHECKING:  # steps that need no tables (ingest, training) should not pay for importing pandas
    import pandas as pd

EFFECT = "print"  # how files are written, not what stands in them

CONFIG = "config.json"
"""Of the results: the resolved configuration of the study."""
STUDY = "study.json"
"""Of the results: which study they belong to, and its lesion classes in their order."""
LEDGER = "audit/test_set_ledger.tsv"
"""Of the results: every time that labels of the test set were used for scoring."""

FORMULA = re.compile(r"[\s']*[=+\-@]")
"""How text begins that a spreadsheet takes for a formula, and runs; or would, but for the mark before it."""
MARK = "'"
"""What is written before such a text: spreadsheets take the rest for text, and :func:`read_tsv` drops it."""

NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
"""Numbers of the errors of a full disk, or of a used up quota."""

IDENTIFIERS = ("scan_id", "participant_id", "site", "rater", "set", "external_set")
"""Columns of codes, which are text even where they look like numbers ("007")."""

UNFINISHED = "unfinished-"
"""Part of the name of a file that is being written, or was when its job was killed."""

ABANDONED_S = 3600
"""Seconds after which a file of that name is taken for one that nobody writes any more."""


def sha256_of(path: Path | str) -> str:
    """SHA-256 of a file's bytes, as 64 hexadecimal digits.

    ``hashlib.file_digest`` takes twice as long for thousands of small files in several threads.
    """
    sha256 = hashlib.sha256()
    with open(path, "rb", buffering=0) as stream:
        while piece := stream.read(1 << 20):
            sha256.update(piece)
        digest = sha256.hexdigest()
        _HASHED[os.path.abspath(path)] = (_state(os.fstat(stream.fileno())), digest)  # noqa: PTH100
    return digest


def digest_of_path(path: Path | str) -> str:
    """SHA-256 of a file's bytes; of a folder, that of the digests of its files, whatever they are called.

    Raises:
        OSError: neither a file nor a folder, or a file that can't be read.
    """
    if not Path(path).is_dir():
        return sha256_of(path)
    within = sorted(sha256_of(file) for file in contents(path).files)
    return hashlib.sha256("\n".join(within).encode()).hexdigest()


def known_sha256(path: Path | str) -> str:
    """As :func:`sha256_of`, without reading again what this process has hashed and nobody wrote since.

    For records only, where a big file would otherwise be read once more; never for a check.
    """
    state, digest = _HASHED.get(os.path.abspath(path), (None, ""))  # noqa: PTH100
    return digest if state == _state(Path(path).stat()) else sha256_of(path)


_HASHED: dict[str, tuple[tuple[int, ...], str]] = {}
"""Absolute path: state of the file when this process hashed it, and the digest."""


def _state(entry: os.stat_result) -> tuple[int, ...]:
    return entry.st_dev, entry.st_ino, entry.st_size, entry.st_mtime_ns, entry.st_ctime_ns


@contextlib.contextmanager
def write_atomically(path: Path | str) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` that replaces it once the block ends well.

    The temporary file keeps all suffixes, since writers choose their format by them. A reader, or a
    job that is killed, never sees half a file; several processes may write the same file. What a killed
    job left behind is taken away by one that writes the same file later, or when the results are sealed.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    suffixes = "".join(path.suffixes)
    prefix = f".{path.name}.{UNFINISHED}"
    for left in path.parent.glob(f"{glob.escape(prefix)}*"):
        with contextlib.suppress(OSError):  # another process may have been quicker
            if time.time() - left.stat().st_mtime > ABANDONED_S:
                left.unlink()
    handle, name = tempfile.mkstemp(prefix=prefix, suffix=suffixes, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with open(temporary, "rb") as stream:
            os.fsync(stream.fileno())
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(value: Any, path: Path | str) -> None:
    """Write JSON with sorted keys, so that equal values are equal bytes. NaN is refused."""
    with write_atomically(path) as temporary:
        temporary.write_text(
            json.dumps(value, sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False) + "\n",
            encoding="utf-8",
        )


def read_json(path: Path | str) -> Any:
    """Read one JSON file."""
    return json.loads(Path(path).read_text(encoding="utf-8"))


def write_tsv(frame: pd.DataFrame, path: Path | str, float_format: str = "%.10g") -> None:
    """Write a table: tab-separated, one header line, missing values empty, no index.

    Text that a spreadsheet would run as a formula gets an apostrophe before it (:func:`as_text`).
    """
    with write_atomically(path) as temporary:
        _with_texts(frame, as_text).to_csv(
            temporary, sep="\t", index=False, na_rep="", lineterminator="\n", float_format=float_format
        )


def as_text(value: Any) -> Any:
    """A cell as it is written: text that begins as a formula gets an apostrophe, unless it is a number."""
    if not isinstance(value, str) or not FORMULA.match(value):
        return value
    try:
        float(value)
    except ValueError:
        return MARK + value
    return value


def without_mark(value: Any) -> Any:
    """A cell as it was before :func:`as_text`."""
    marked = isinstance(value, str) and value.startswith(MARK) and FORMULA.match(value)
    return value[len(MARK) :] if marked else value


def _with_texts(frame: pd.DataFrame, changed: Callable[[Any], Any]) -> pd.DataFrame:
    """A table with its texts, and the names of its columns, changed; columns of numbers are not touched."""
    import pandas as pd

    frame = frame.rename(columns=changed)
    for place, dtype in enumerate(frame.dtypes):
        if not pd.api.types.is_numeric_dtype(dtype):
            column = frame.iloc[:, place]
            texts = [changed(value) for value in column]
            if any(new is not old for new, old in zip(texts, column, strict=True)):
                frame.isetitem(place, pd.Series(texts, frame.index, column.dtype).array)
    return frame


def without_marks(frame: pd.DataFrame) -> pd.DataFrame:
    """A table as it was before :func:`write_tsv`, which marks texts."""
    return _with_texts(frame, without_mark)


def read_tsv(path: Path | str, /, **dtype: Any) -> pd.DataFrame:
    """Read a table written by :func:`write_tsv`; identifiers stay text, only empty cells are missing."""
    import pandas as pd

    frame = pd.read_csv(
        path,
        sep="\t",
        dtype={**dict.fromkeys(IDENTIFIERS, str), **dtype},
        keep_default_na=False,
        na_values=[""],
        float_precision="round_trip",
    )
    return without_marks(frame)
