"""On PYTHONPATH, this has trainings wait after the checkpoints that ``holds.Holds`` names, and Snakemake ask
often whether its jobs have ended.

Python imports it at the start of every process; only those of a test that holds trainings are changed.
"""

import os
import sys
import time
from pathlib import Path

FOLDER = os.environ.get("HEADCT_TEST_HOLDS", "")

if FOLDER and {"train", "--model"} <= set(sys.orig_argv):
    from headct.engine import checkpoints, stopping

    MODEL = sys.orig_argv[sys.orig_argv.index("--model") + 1]
    HOLD, WAITING = (Path(FOLDER) / folder / MODEL for folder in ("wanted", "waiting"))
    requests = []
    save = checkpoints.save

    class KnownRequest(stopping.StopRequest):
        """A stop request that a training at its hold sees, too."""

        def __init__(self):
            requests.append(self)

    def is_held(step):
        """Whether there is a hold at this step or one before."""
        try:
            return step >= int(HOLD.read_text())
        except FileNotFoundError:
            return False

    def save_and_wait(folder, state, step):
        """Save the checkpoint, and wait for as long as the training is held and no signal asks it to stop."""
        save(folder, state, step)
        if is_held(step):
            WAITING.write_text(f"{os.getpid()} {step}")
            while is_held(step) and not any(request.signal_name for request in requests):
                time.sleep(0.02)
            WAITING.unlink()

    stopping.StopRequest = KnownRequest
    checkpoints.save = save_and_wait

if FOLDER and {"snakemake", "slurm"} <= set(sys.orig_argv):
    import asyncio

    from snakemake_interface_executor_plugins.executors.remote import RemoteExecutor

    async def sleep(executor):
        """A second: the plugin waits 10 s longer each time that no job has ended, as a busy cluster needs."""
        await asyncio.sleep(1)

    RemoteExecutor.sleep = sleep
