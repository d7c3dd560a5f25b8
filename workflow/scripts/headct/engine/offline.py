"""Run a program that has no network: ``python -m headct.engine.offline PROGRAM ARGUMENT …``.

By a user namespace with an empty network namespace (Linux; no rights are needed). Where the kernel, or who
administers it, does not offer that, the program runs with the network, and standard error says so.
"""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path
from typing import Any

EFFECT = "speed"  # what a program can reach, not what it makes of its input

_LIBC = ctypes.CDLL(None, use_errno=True)


def checked(call: Any, *arguments: Any) -> int:
    """The result of a call of the C library, or the OSError that it tells of."""
    result: int = call(*arguments)
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def without_network() -> None:
    """unshare(2): a network namespace of one's own has no interface that is up. For a process of one thread.

    Raises:
        OSError: the kernel does not offer it.
    """
    new_user, new_network = 0x10000000, 0x40000000
    uid, gid = os.getuid(), os.getgid()
    checked(_LIBC.unshare, new_user | new_network)
    for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
        Path(f"/proc/self/{name}").write_text(text)


def main() -> None:
    """Become the program, without the network."""
    try:
        without_network()
    except OSError as error:
        print(f"this machine can't keep the network away ({error.strerror})", file=sys.stderr)
    os.execvp(sys.argv[1], sys.argv[1:])


if __name__ == "__main__":
    main()
