"""Texts of a PDF: those of its pages, in whatever fonts, and all others that are in its objects."""

from __future__ import annotations

import io
import logging
import time
from collections.abc import Iterator
from typing import Any

import pypdf
from pypdf.generic import ArrayObject, ByteStringObject, DictionaryObject, StreamObject, TextStringObject

from headct.contracts.untrusted import Unusable

logging.getLogger("pypdf").addHandler(logging.NullHandler())
logging.getLogger("pypdf").propagate = False  # its warnings may quote what must not be shown

LONGEST_S = 5.0
"""Processor seconds for one file: those of this workflow take less than one."""
DRAWN = frozenset(("/Width", "/Length1", "/Length2", "/BBox", "/FunctionType", "/ShadingType", "/N"))
"""Keys of streams that are pictures, fonts, drawings, functions or objects, which are read as such."""
LARGEST_PAGE = 8 << 20
"""Bytes of drawing, beyond which a page is left to the search of its strings."""


def parts_of(data: bytes) -> Iterator[bytes]:
    """The text of each page in UTF-8; then of each object its strings, and its stream if that is no drawing.

    Raises:
        Unusable: not all of it can be read; what can be is given first.
    """
    ends = time.process_time() + LONGEST_S
    try:
        reader = pypdf.PdfReader(io.BytesIO(data))
        if reader.is_encrypted and not reader.decrypt(""):
            raise Unusable("is an encrypted PDF, and was not searched")
        drawings = set()
        for page in reader.pages:
            _in_time(ends)
            content = page.get_contents()
            if content is not None and len(content.get_data()) > LARGEST_PAGE:
                raise Unusable("is a PDF with a page too large to be read, and was not searched to its end")
            drawings.add(_number(page.get("/Contents")))
            yield page.extract_text().encode(errors="replace")
        numbers = set(reader.xref_objStm).union(*(set(found) for found in reader.xref.values()))
        for number in sorted(numbers - {0}):
            _in_time(ends)
            thing = reader.get_object(number)
            yield "\n".join(_strings(thing)).encode(errors="replace")
            if isinstance(thing, StreamObject) and number not in drawings and not DRAWN.intersection(thing):
                yield thing.get_data()
    except Unusable:
        raise
    except Exception as error:  # of damaged files pypdf can raise anything
        raise Unusable("is a PDF that can't be read to its end") from error


def _number(reference: Any) -> int:
    return getattr(reference, "idnum", 0)


def _in_time(ends: float) -> None:
    if time.process_time() > ends:
        raise Unusable("is a PDF that takes too long to read, and was not searched to its end")


def _strings(thing: Any) -> Iterator[str]:
    """The strings in an object, not in those that it refers to."""
    if isinstance(thing, (TextStringObject, ByteStringObject)):
        yield thing if isinstance(thing, str) else bytes(thing).decode("latin-1")
    elif isinstance(thing, (DictionaryObject, StreamObject)):
        for value in thing.values():
            yield from _strings(value)
    elif isinstance(thing, ArrayObject) and not _lists_colours(thing):
        for value in thing:
            yield from _strings(value)


def _lists_colours(array: ArrayObject) -> bool:
    """Whether it is a space of listed colours: bytes written as a string (ISO 32000, 8.6.6.3).

    Among them names stand by chance. A list that can be read as a text is none of colours.
    """
    if not array or array[0] != "/Indexed":
        return False
    lists = [value for value in array if isinstance(value, (TextStringObject, ByteStringObject))]
    return not all(value.original_bytes.isascii() for value in lists)
