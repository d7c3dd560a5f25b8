"""Predict scans one after the other: read ahead, average class probabilities, write behind.

While the network is busy with a scan, the next one is read and prepared, and the one before is brought
to its own grid and written; one scan at most waits on either side. A scan that fails is listed with
its reason, and costs no other.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, ParamSpec, Protocol, TypeVar

import numpy as np
import SimpleITK as sitk
import torch

from headct.contracts.artefacts import NO_ROOM
from headct.contracts.labels import LabelSet
from headct.contracts.postprocessing import Postprocessing
from headct.contracts.problems import BadInput
from headct.frameworks.base import find_framework
from headct.frameworks.predictor import Predictor, on_gpu_first
from headct.inference.largest_component import only_largest
from headct.inference.prediction_cache import inference_settings, trained_record
from headct.settings.models import InferenceByModel

logger = logging.getLogger("headct.inference")

P = ParamSpec("P")
T = TypeVar("T")

THREADS_TO_OVERLAP = 4
"""On a CPU with fewer threads, one that only reads and writes would be missed by the network."""


class ScanToPredict(Protocol):
    """One scan to predict."""

    name: str

    def read(self) -> sitk.Image:
        """The CT in HU, axes in LPS order."""

    def write(self, labels: np.ndarray) -> dict[str, Any]:
        """Write the label map, uint8 (z, y, x) on the grid that was read; return the columns on it."""


@dataclass
class Outcome:
    """What became of a scan: columns for a table, or the reason why there are none."""

    scan: ScanToPredict
    memory_ends_run: bool = True
    columns: dict[str, Any] = field(default_factory=dict)
    reason: str = ""
    steps_s: list[float] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """Time spent on the scan; more than its share of the clock, where scans overlap."""
        return round(sum(self.steps_s), 2)

    def step(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T | None:
        """Run one step unless an earlier one failed; None where it fails, and ``reason`` says why.

        Raises:
            OSError: of a full disk, which is not the scan's fault.
            MemoryError, torch.OutOfMemoryError: where ``memory_ends_run``.
        """
        if self.reason:
            return None
        start = time.monotonic()
        try:
            return function(*args, **kwargs)
        except (MemoryError, torch.OutOfMemoryError):
            if self.memory_ends_run:
                raise
            self.reason = "it needs more memory than this machine has"
        except BadInput as error:
            self.reason = "; ".join(problem.message for problem in error.problems)
        except Exception as error:  # one scan that fails must not cost the others
            if isinstance(error, OSError) and error.errno in NO_ROOM:
                raise
            logging.getLogger("traceback").exception("%s", self.scan.name)
            without_path = error.strerror if isinstance(error, OSError) else None
            description = without_path or error
            self.reason = " ".join(f"{type(error).__name__}: {description}".split())
        finally:
            self.steps_s.append(time.monotonic() - start)
        return None


class Average:
    """Weighted sum of the class probabilities of several networks, in place; float32."""

    def __init__(self) -> None:
        self.total: torch.Tensor | None = None

    def add(self, probabilities: torch.Tensor, weight: float) -> None:
        """Add the (classes, z, y, x) probabilities of one network, which are overwritten.

        Where GPU memory did not suffice for those of one network, all are added on the CPU.
        """
        if self.total is None:
            self.total = probabilities if weight == 1 else probabilities.mul_(weight)
            return
        if self.total.device != probabilities.device:
            self.total, probabilities = self.total.cpu(), probabilities.cpu()
        self.total.add_(probabilities, alpha=weight)

    def labels(self, ct: sitk.Image | None) -> np.ndarray:
        """The most probable class of each voxel of the CT, uint8 (z, y, x).

        Raises:
            ValueError: probabilities are not finite or not on the grid of the CT.
        """
        total = self.total
        assert total is not None  # else an earlier step failed
        assert ct is not None
        if tuple(total.shape[1:]) != ct.GetSize()[::-1]:
            raise ValueError(f"probabilities of shape {tuple(total.shape)} for a CT of {ct.GetSize()}")
        return on_gpu_first(lambda device: most_probable(total, device), "label maps from", total.device)


def most_probable(probabilities: torch.Tensor, device: torch.device) -> np.ndarray:
    """The most probable class of each voxel, the first of equals, uint8 (z, y, x).

    Slice by slice: of a whole scan, comparisons would take more memory than anything before them.

    Args:
        probabilities: (classes, z, y, x).
        device: on which slices are compared.

    Raises:
        ValueError: probabilities are not finite.
    """
    found = np.zeros(probabilities.shape[1:], dtype=np.uint8)
    for z, labels_of_slice in enumerate(found):
        classes = probabilities[:, z].to(device)
        if not torch.isfinite(classes.sum()):
            raise ValueError("probabilities are not finite")
        highest, *others = classes
        labels = torch.zeros(highest.shape, dtype=torch.uint8, device=device)
        for value, probability in enumerate(others, start=1):  # as argmax, in a fifth of its time on a CPU
            labels[probability > highest] = value
            highest = torch.maximum(highest, probability)
        labels_of_slice[:] = labels.cpu().numpy()
    return found


class Ensemble:
    """Trained networks: the folds of each member, averaged, and the members, averaged.

    Attributes:
        weighted: the networks, each with its share of the average.
        groups: values of the lesions of which only the largest component stays, group after group.
    """

    def __init__(self, members: Sequence[Sequence[Predictor]], groups: Sequence[Sequence[int]] = ()):
        self.weighted = [
            (predictor, 1 / len(members) / len(folds)) for folds in members for predictor in folds
        ]
        self.groups = groups

    def prepare(self, scan: ScanToPredict) -> tuple[sitk.Image, dict[str, Any]]:
        """The CT, and what each kind of network is fed."""
        ct = scan.read()
        prepared: dict[str, Any] = {}
        for predictor, _ in self.weighted:
            if predictor.preparation not in prepared:
                prepared[predictor.preparation] = predictor.prepare(ct)
        return ct, prepared

    def label_map(self, average: Average, ct: sitk.Image | None) -> np.ndarray:
        """The label map of a scan, uint8 (z, y, x), from the average of its probabilities.

        Raises:
            ValueError: as of :meth:`Average.labels`.
        """
        return only_largest(average.labels(ct), self.groups)


def load(
    folders: Sequence[Sequence[Path]],
    device: str,
    settings: InferenceByModel,
    labels: LabelSet,
    postprocessing: Postprocessing | None = None,
) -> Ensemble:
    """The ensemble of these trained-model folders, one per fold of each member.

    Args:
        folders: of trained models, one per fold of each member.
        device: on which they predict.
        settings: of inference, by model.
        labels: the label set that their networks know.
        postprocessing: what is done with label maps at the end; None for nothing.
    """
    members = [[load_one(folder, device, settings, labels) for folder in folds] for folds in folders]
    return Ensemble(members, postprocessing.groups if postprocessing else ())


def load_one(folder: Path, device: str, settings: InferenceByModel, labels: LabelSet) -> Predictor:
    """The predictor of one trained-model folder, whose network knows the ``labels``.

    Args:
        folder: of the trained model.
        device: on which it predicts.
        settings: of inference, by model.
        labels: the label set.

    Raises:
        BadInput: it is none, or the weights are not those that were recorded.
    """
    record = trained_record(folder)
    framework = find_framework(record["framework"])
    return framework.load(folder, device, inference_settings(record, settings), labels)


def predict(
    ensemble: Ensemble,
    scans: Sequence[ScanToPredict],
    device: str,
    threads: int,
    title: str,
    done: Callable[[Outcome], None],
    memory_ends_run: bool = True,
) -> None:
    """Predict the scans and tell how far it is.

    Args:
        ensemble: trained networks.
        scans: what to predict.
        device: ``cpu`` or ``cuda``.
        threads: CPU threads in all (:func:`executors`). Overlap changes nothing; another number of
            threads may round probabilities otherwise.
        title: what progress is headed by.
        done: called with what became of each scan, in order, as soon as that is known.
        memory_ends_run: whether a scan for which memory does not suffice ends the run, as in a job that
            is tried again with more of it; else it costs no other.

    Raises:
        MemoryError, torch.OutOfMemoryError: where ``memory_ends_run``.
    """
    started = time.monotonic()
    outcomes = [Outcome(scan, memory_ends_run) for scan in scans]
    with ExitStack() as stack:
        reader, writer = executors(stack, device, threads)
        behind: deque[Future[None]] = deque()
        for number, (outcome, read) in enumerate(_read_ahead(reader, ensemble, outcomes), start=1):
            ct, prepared = read or (None, {})
            average = Average()
            for predictor, weight in ensemble.weighted:
                given = prepared.get(predictor.preparation)
                inferred = outcome.step(predictor.infer, given)
                while behind:
                    behind.popleft().result()  # one output of a network waits, not more
                behind.append(writer.submit(outcome.step, _add, average, predictor, weight, given, inferred))
            left = timedelta(seconds=round((time.monotonic() - started) / number * (len(scans) - number)))
            progress = f"{title}  predicted {number}/{len(scans)}", f"  about {left} left"
            behind.append(writer.submit(_finish, outcome, ensemble, average, ct, progress, done))
        while behind:
            behind.popleft().result()


def _read_ahead(
    reader: Executor, ensemble: Ensemble, outcomes: Sequence[Outcome]
) -> Iterator[tuple[Outcome, tuple[sitk.Image, dict[str, Any]] | None]]:
    """Each scan as it is read and prepared, with the next one under way."""
    waiting: deque[tuple[Outcome, Future[Any]]] = deque()
    for outcome in outcomes:
        waiting.append((outcome, reader.submit(outcome.step, ensemble.prepare, outcome.scan)))
        if len(waiting) > 1:
            outcome, reading = waiting.popleft()
            yield outcome, reading.result()
    for outcome, reading in waiting:
        yield outcome, reading.result()


def _add(average: Average, predictor: Predictor, weight: float, prepared: Any, inferred: Any) -> None:
    with torch.inference_mode():
        average.add(predictor.restore(prepared, inferred), weight)


def _finish(
    outcome: Outcome,
    ensemble: Ensemble,
    average: Average,
    ct: sitk.Image | None,
    progress: tuple[str, str],
    done: Callable[[Outcome], None],
) -> None:
    """Write the label map of a scan and report on it."""
    outcome.columns = outcome.step(lambda: outcome.scan.write(ensemble.label_map(average, ct))) or {}
    done(outcome)
    before, after = progress
    reason = f"  {outcome.reason}" if outcome.reason else ""
    logger.info("%s  %s  %.1f s%s%s", before, outcome.scan.name, outcome.seconds, reason, after)


class AtOnce(Executor):
    """Runs what is submitted there and then, in the caller's thread."""

    def submit(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """The future of a call that is done."""
        future: Future[T] = Future()
        future.set_result(function(*args, **kwargs))
        return future


def executors(stack: ExitStack, device: str, threads: int) -> tuple[Executor, Executor]:
    """Who reads and who writes, within ``threads`` CPU threads; the rest is left to the network.

    On a GPU, a thread each. On a CPU, whose threads the network can all use, one for both if there
    are ``THREADS_TO_OVERLAP``; with fewer, the steps follow each other.
    """
    if device == "cpu" and threads < THREADS_TO_OVERLAP:
        torch.set_num_threads(threads)
        return AtOnce(), AtOnce()
    each = [1] if device == "cpu" else [max(1, threads - 2), 1]
    pools = [
        stack.enter_context(ThreadPoolExecutor(1, initializer=torch.set_num_threads, initargs=(number,)))
        for number in each
    ]
    for pool in pools:  # PyTorch's number of threads is each thread's own once it has been asked for
        pool.submit(torch.get_num_threads).result()
    torch.set_num_threads(max(1, threads - sum(each)))
    torch.get_num_threads()
    return pools[0], pools[-1]
