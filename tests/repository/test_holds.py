"""Whether a training waits is true of one that is at work, and of none that has ended."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from support.holds import Holds, wait_for

TRAINING = [sys.executable, "-c", "input()", "train", "--model", "unet"]


def test_what_a_training_said_last_does_not_outlive_it(tmp_path: Path) -> None:
    holds = Holds(tmp_path)
    assert not holds.is_waiting("unet", 1)
    process = subprocess.Popen(TRAINING, stdin=subprocess.PIPE)
    words = Path(f"/proc/{process.pid}/cmdline")
    wait_for(words.read_text, "the start of a process")
    said = tmp_path / "waiting/unet"
    said.write_text("")
    assert not holds.is_waiting("unet", 1), "it is just being written"
    said.write_text(f"{process.pid} 9")
    assert holds.is_waiting("unet", 9)
    assert not holds.is_waiting("unet", 10)
    process.kill()
    wait_for(lambda: not words.read_text(), "the end of a process")
    assert words.exists(), "a zombie, until its end is taken note of"
    assert not holds.is_waiting("unet", 9)
    process.communicate()
    said.write_text("1 9")
    assert not holds.is_waiting("unet", 9), "another process has its number"
