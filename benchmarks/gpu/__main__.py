"""Everything that only a GPU can show, in ten minutes on one: ``make gpu``, or

    python3 benchmarks/gpu --device cuda --scale full --half all --out benchmarks/gpu.md

Each part is a program of its own with a time limit of its own, the most valuable first. What a part has
measured is kept in a folder beside the document (gpu.md: gpu.measured), and the document is written anew,
whole, while a part runs and after it: it is valid whenever this ends. Parts that are not run this time keep
what an earlier run measured, with its card and date; so does a part that is run again, until it has measured
something or has ended.

``--device cpu --scale small`` runs all of it on small scans without a GPU, to show that the programs work.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

from common import BENCHMARKS, DEVICES, ROOT, SCALES, SHARED_DATA

PACKAGES = {
    "torch": "torch",
    "numpy": "numpy",
    "scipy": "scipy",
    "pandas": "pandas",
    "SimpleITK": "simpleitk",
    "nibabel": "nibabel",
    "pydicom": "pydicom",
    "yaml": "pyyaml",
    "jsonschema": "jsonschema",
    "filelock": "filelock",
    "psutil": "psutil",
    "threadpoolctl": "threadpoolctl",
    "tensorboard": "tensorboard",
    "pytest": "pytest",
    "hypothesis": "hypothesis",
    "skimage": "scikit-image",
    "einops": "einops",
    "nnunetv2": "nnunetv2",
    "monai": "monai",
    "blast_ct": "blast-ct",
}
"""What the parts import: name in Python, name for pip."""

LOCK = ROOT / "workflow" / "envs" / "requirements.lock"
PIN = re.compile(r"^([\w.-]+)(?:\[[^]]*\])?==([^\s;]+)", re.MULTILINE)
"""Name and version of a line of the lock file, which may end in a condition."""

LINES_OF_ERROR = 12
UNDER_WAY = "was under way when this was written"

FACTS = """
import importlib.metadata, json, platform, sys, torch
cuda = sys.argv[1] == "cuda"
if cuda and not torch.cuda.is_available():
    sys.exit("no GPU")
print(json.dumps({
    "card": torch.cuda.get_device_name() if cuda else None,
    "memory_bytes": torch.cuda.get_device_properties(0).total_memory if cuda else None,
    "memory_gib": round(torch.cuda.get_device_properties(0).total_memory / 2**30) if cuda else None,
    "cuda": torch.version.cuda if cuda else None,
    "cudnn": torch.backends.cudnn.version() if cuda else None,
    "versions": {"Python": platform.python_version(),
                 **{name: importlib.metadata.version(name) for name in sys.argv[2:]}},
}))
"""
"""A program of its own, so that this process stays small and never holds the GPU."""


@dataclass(frozen=True)
class Part:
    """A program of this folder; ``limit_s`` on an H100, where both halves have five minutes each.

    What a part does not need is added to the limit of the next one of its half.
    """

    name: str
    title: str
    half: str
    limit_s: int


HALVES = ("A", "B")
PARTS = (
    Part("correct", "Correct", "A", 75),
    Part("speed", "Training at the study's size", "A", 165),
    Part("prediction", "Prediction", "A", 60),
    Part("choices", "Compilation, precisions, losses, and a small comparison", "B", 300),
)
CPU_LIMIT_S = 600
"""Of each part on a CPU, which may be shared with others: the parts take a minute on two idle cores."""


def main() -> None:
    """Run the parts of the halves that are asked for; fail if one of them did not end well."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", choices=DEVICES, default="cuda")
    parser.add_argument("--scale", choices=SCALES, default="full")
    parser.add_argument("--half", choices=(*HALVES, "all"), default="all")
    parser.add_argument(
        "--slower",
        type=float,
        default=1.0,
        help="limits are so many times longer, for a slower GPU than an H100",
    )
    parser.add_argument("--parts", nargs="+", choices=[part.name for part in PARTS], help="only these")
    parser.add_argument("--out", type=Path, default=BENCHMARKS / "gpu.md", help="file, or folder for gpu.md")
    options = parser.parse_args()
    out = options.out / "gpu.md" if options.out.is_dir() else options.out
    require_packages()
    machine = facts(options.device)
    folder = out.with_suffix(".measured")
    folder.mkdir(parents=True, exist_ok=True)
    chosen = [part for part in PARTS if options.half in ("all", part.half)]
    chosen = [part for part in chosen if part.name in (options.parts or [part.name])]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the part under way is ended, too
    left_s = dict.fromkeys(HALVES, 0.0)
    with tempfile.TemporaryDirectory(prefix="headct-gpu-") as shared:
        os.environ[SHARED_DATA] = shared
        for part in chosen:
            own_s = options.slower * (part.limit_s if options.device == "cuda" else CPU_LIMIT_S)
            limit_s = round(own_s + left_s[part.half])
            run(part, options.device, options.scale, limit_s, machine, folder, out)
            left_s[part.half] = limit_s - read_state(folder, part)["seconds"]
    failed = [part.name for part in chosen if read_state(folder, part)["end"] != "ended"]
    print(f"{out} is written." + (f" Not ended well: {', '.join(failed)}" if failed else ""))
    sys.exit(1 if failed else 0)


def require_packages() -> None:
    """Say in one message which packages are missing, and how to install them."""
    missing = [pip for module, pip in PACKAGES.items() if importlib.util.find_spec(module) is None]
    if not missing:
        return
    pins = PIN.findall(LOCK.read_text(encoding="utf-8"))
    version_of = {name.lower().replace("_", "-"): version for name, version in pins}
    # PyTorch is built for a version of CUDA: which, the machine decides.
    wanted = [
        name if name == "torch" or name not in version_of else f"{name}=={version_of[name]}"
        for name in missing
    ]
    sys.exit(
        f"{sys.executable} lacks {', '.join(missing)}. "
        f"Install them: {sys.executable} -m pip install {' '.join(wanted)}"
    )


def facts(device: str) -> dict[str, Any]:
    """The card, its driver, and versions."""
    compared = ["torch", "nnunetv2", "monai", "blast-ct", "numpy"]
    answer = subprocess.run(
        [sys.executable, "-c", FACTS, device, *compared], capture_output=True, text=True, check=False
    )
    if answer.returncode and answer.stderr.strip().endswith("no GPU"):
        sys.exit(
            "PyTorch sees no NVIDIA GPU here. With one: see nvidia-smi, and that torch.version.cuda fits the "
            "driver. Without: make gpu DEVICE=cpu SCALE=small OUT=/tmp/gpu.md shows that the programs work."
        )
    if answer.returncode:
        sys.exit(f"The GPU could not be asked what it is:\n{answer.stderr}")
    further = {"driver": driver() if device == "cuda" else None, "cores": len(os.sched_getaffinity(0))}
    return json.loads(answer.stdout) | further


def driver() -> str:
    """Version of NVIDIA's driver, as its own tool says it."""
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        versions = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return versions[0] if versions else "unknown"


def commit() -> str:
    """The commit that is checked out, marked where files differ from it; unknown outside of a repository."""
    command = ["git", "describe", "--always", "--dirty", "--exclude=*"]
    try:
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def run(
    part: Part, device: str, scale: str, limit_s: int, machine: dict[str, Any], folder: Path, out: Path
) -> None:
    """Run one part under its limit; the document tells how far it is, and how it ended.

    What an earlier run measured is replaced as soon as there is a row of this one, or at its end.

    Args:
        part: which is run.
        device: on which it is run.
        scale: of what it measures.
        limit_s: after which it is stopped.
        machine: what :func:`facts` says.
        folder: for what it measures.
        out: the document.
    """
    new_rows, log = folder / f"{part.name}.new.jsonl", folder / f"{part.name}.log"
    new_rows.write_text("", encoding="utf-8")
    program = Path(__file__).with_name(f"{part.name}.py")
    command = [sys.executable, str(program), "--device", device, "--scale", scale, "--out", str(new_rows)]
    now = datetime.datetime.now(datetime.UTC)
    state: dict[str, Any] = {
        "machine": machine,
        "device": device,
        "scale": scale,
        "date": f"{now:%Y-%m-%d}",
        "commit": commit(),
        "limit_s": limit_s,
    }

    def tell(**more: Any) -> None:
        state.update(more, seconds=round(time.monotonic() - started, 1))
        copy_whole(new_rows, folder / f"{part.name}.jsonl")
        (folder / f"{part.name}.json").write_text(json.dumps(state), encoding="utf-8")
        write_document(folder, out)

    started = time.monotonic()
    with log.open("w") as written:
        process = subprocess.Popen(command, stdout=written, stderr=subprocess.STDOUT, start_new_session=True)
        try:
            if not read_state(folder, part):
                tell(end=UNDER_WAY)
            known = 0
            while process.poll() is None and time.monotonic() - started < limit_s:
                if has_row(new_rows) and new_rows.stat().st_size > known:
                    known = new_rows.stat().st_size
                    tell(end=UNDER_WAY)
                time.sleep(0.2)
        finally:
            status = process.poll()
            end_group(process)
            if has_row(new_rows):  # also where this program itself is ended
                tell(end=UNDER_WAY)
    last_lines = log.read_text(errors="replace").splitlines()[-LINES_OF_ERROR:]
    if status is None:
        tell(end="stopped")
    elif status:
        tell(end="failed", last_lines=last_lines)
    else:
        tell(end="ended")
    print(f"{part.name}: {state['end']} after {state['seconds']:.0f} s", flush=True)
    if state["end"] != "ended":
        print("\n".join(last_lines), file=sys.stderr)
    new_rows.unlink()


def has_row(path: Path) -> bool:
    """Whether a part has measured something: notes alone are no measurement."""
    return any(rows for rows, _ in tables(path).values())


def copy_whole(source: Path, target: Path) -> None:
    """Copy a file so that the target is never there in part."""
    part = target.with_name(f".{target.name}.new")
    part.write_bytes(source.read_bytes())
    part.replace(target)


def end_group(process: subprocess.Popen[bytes]) -> None:
    """End a part and whatever it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def read_state(folder: Path, part: Part) -> dict[str, Any]:
    """How the last run of a part ended; empty if there was none."""
    path = folder / f"{part.name}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def write_document(folder: Path, out: Path) -> None:
    """All parts that have been run, as Markdown; the file is whole at any time."""
    parts = [(part, state) for part in PARTS if (state := read_state(folder, part))]
    text = "\n".join(["# On a GPU", "", *(line for one in parts for line in section(*one, folder))])
    new = out.with_name(f".{out.name}.new")
    new.write_text(text.rstrip() + "\n", encoding="utf-8")
    new.replace(out)


def section(part: Part, state: dict[str, Any], folder: Path) -> list[str]:
    """One part: where and when it ran, how it ended, its tables."""
    lines = [f"## {part.title}", "", f"{where(state)} {ending(state)}", ""]
    if state["end"] == "failed":
        lines += ["```", *state["last_lines"], "```", ""]
    for title, (rows, notes) in tables(folder / f"{part.name}.jsonl").items():
        lines += [f"### {title}", ""]
        if rows:
            columns = list(dict.fromkeys(column for row in rows for column in row))
            lines += [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
            lines += [f"| {' | '.join(cell(row.get(column)) for column in columns)} |" for row in rows]
            lines += [""]
        lines += [line for note in notes for line in (note, "")]
    return lines


def where(state: dict[str, Any]) -> str:
    """Card, driver, versions, date and commit of a part."""
    machine = state["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    if state["device"] == "cuda":
        on = (
            f"{machine['card']} ({machine['memory_gib']} GiB), driver {machine['driver']}, CUDA "
            f"{machine['cuda']}, cuDNN {machine['cudnn']}, {machine['cores']} CPU cores"
        )
    else:
        on = f"no GPU, {machine['cores']} CPU cores"
    return f"{state['date']}, commit {state['commit']}, scale `{state['scale']}`; {on}; {versions}."


def ending(state: dict[str, Any]) -> str:
    """How long a part took, and whether it came to its end."""
    seconds = f"{state['seconds']:.0f} s"
    sentences = {
        "ended": f"It ended after {seconds}.",
        "failed": f"**It failed after {seconds}**, with:",
        "stopped": f"**It was stopped by its limit of {state['limit_s']} s**: rows after that are missing.",
    }
    return sentences.get(state["end"], f"It {state['end']}, after {seconds}.")


def tables(path: Path) -> dict[str, tuple[list[dict[str, Any]], list[str]]]:
    """Rows and notes of each table of a part; a last line that was being written is left out."""
    found: dict[str, tuple[list[dict[str, Any]], list[str]]] = {}
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    for line in text[: text.rfind("\n") + 1].splitlines():
        record = json.loads(line)
        rows, notes = found.setdefault(record["table"], ([], []))
        if "row" in record:
            rows.append(record["row"])
        else:
            notes.append(record["note"])
    return found


def cell(value: Any) -> str:
    """A value in print: four digits of a number, a dash for nothing."""
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return str(value).replace("|", "\\|").replace("\n", " ")


if __name__ == "__main__":
    main()
