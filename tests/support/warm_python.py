"""A ``python`` that has imported the libraries of all jobs before it is started.

A small study has some forty jobs, and most of what each takes is the import of NumPy, pandas, SciPy,
Matplotlib and PyTorch. Here one process imports them once, and each start of the ``python`` that it leaves in
a folder is a fork of it, with the arguments, environment, working directory and streams of that start.
Nothing of this project is imported before, so that records list the modules of a job as ever.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

LIBRARIES = (
    *("cyclopts", "jinja2", "jsonschema", "matplotlib.backends.backend_pdf", "matplotlib.pyplot", "monai"),
    *("nibabel", "numpy", "pandas", "pydicom", "scipy.ndimage", "scipy.stats", "SimpleITK", "torch", "yaml"),
)

CLIENT = """#!{python} -IS
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as server:
    server.connect({address!r})
    socket.send_fds(server, [b"."], [0, 1, 2])
    server.sendall(json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode())
    server.shutdown(socket.SHUT_WR)
    sys.exit(int(server.recv(8) or b"70"))
"""
"""The ``python`` of the folder: it hands itself over, and ends as what was done for it."""


@contextlib.contextmanager
def started() -> Iterator[Path]:
    """The ``python``, which knows ``-m MODULE …`` only, as long as the block lasts."""
    with tempfile.TemporaryDirectory(prefix="headct-warm-") as folder:
        server = subprocess.Popen([sys.executable, __file__, folder], stdout=subprocess.PIPE)
        try:
            assert server.stdout is not None
            assert server.stdout.readline() == b"ready\n"
            yield Path(folder, "python")
        finally:
            server.terminate()
            server.communicate()


def serve(folder: Path) -> None:
    """Import the libraries, leave the ``python`` in a folder, and fork at each of its starts."""
    for library in LIBRARIES:
        importlib.import_module(library)
    address = str(folder / "socket")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen(64)
        client = folder / "python"
        client.write_text(CLIENT.format(python=sys.executable, address=address), encoding="utf-8")
        client.chmod(0o755)
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # no fork is waited for here
        print("ready", flush=True)
        while True:
            connection, _ = listener.accept()
            if os.fork() == 0:
                break
            connection.close()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    answer(connection)


def answer(connection: socket.socket) -> None:
    """In a fork: do what a start asks for in a fork of its own, and send its status."""
    _, streams, _, _ = socket.recv_fds(connection, 1, 3)
    with connection.makefile("rb") as asked:
        words, folder, environment = json.loads(asked.read())
    job = os.fork()
    if job:
        status = os.waitstatus_to_exitcode(os.waitpid(job, 0)[1])
        connection.sendall(str(status if status >= 0 else 128 - status).encode())
        os._exit(0)
    connection.close()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.path[:0] = environment["PYTHONPATH"].split(os.pathsep)
    option, module, *sys.argv[1:] = words
    assert option == "-m", words
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    sys.path.pop(0)  # this folder, whose modules are those of the tests
    serve(Path(sys.argv[1]))
