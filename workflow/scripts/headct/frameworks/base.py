"""What the workflow knows of a framework: one object, ``FRAMEWORK``, in ``framework.py`` of its folder.

The object is read when Snakemake starts, so it imports nothing of the framework itself. What does the work is
in modules beside it, which are imported when they are needed: ``training`` (``prepare`` and ``train``) and
``inference`` (``load``). Its settings, and what each has an effect on, are in the schema.
"""

from __future__ import annotations

import hashlib
import importlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from headct.contracts.imports import imported
from headct.contracts.labels import LabelSet
from headct.contracts.problems import Problem
from headct.engine.training_job import ModelFacts, TrainedModel, TrainingJob, TrainingScan
from headct.settings.blocks import Model
from headct.settings.models import Inference, Preparation, Training, defaults, having, of_model
from headct.settings.typed import plain

if TYPE_CHECKING:
    from headct.frameworks.predictor import Predictor

EFFECT = "print"  # it says which module does the work, and how facts of a model are written


@dataclass(frozen=True)
class Notation:
    """How a framework's records of training write the facts of a model, where not as :class:`ModelFacts`.

    Attributes:
        names: facts that stand under another name in ``train.json``.
        slices_first: facts along the axes that are listed z, y, x.
    """

    names: Mapping[str, str] = field(default_factory=dict)
    slices_first: tuple[str, ...] = ()

    def name(self, fact: str) -> str:
        """The name of a fact in ``train.json``."""
        return self.names.get(fact, fact)

    def listed(self, facts: ModelFacts, fact: str) -> Any:
        """The value of a fact, its axes in the framework's order; None where there is none."""
        value = getattr(facts, fact)
        return value[::-1] if value is not None and fact in self.slices_first else value

    def written(self, facts: ModelFacts) -> dict[str, Any]:
        """The facts as they stand in ``train.json``; those that are None are left out."""
        listed = {self.name(fact): self.listed(facts, fact) for fact in FACTS}
        return {name: value for name, value in listed.items() if value is not None} | dict(facts.further)

    def read(self, record: Mapping[str, Any]) -> ModelFacts:
        """The facts that stand in ``train.json``; what is absent is None."""
        further = dict(record)
        found = {fact: further.pop(self.name(fact), None) for fact in FACTS}
        for fact in self.slices_first:
            found[fact] = found[fact] and found[fact][::-1]
        return ModelFacts(**found, further=further)


FACTS = tuple(one.name for one in fields(ModelFacts) if one.name != "further")


@dataclass(frozen=True, kw_only=True)
class Framework:
    """A framework, declared.

    Attributes:
        name: in the configuration and of its folder.
        title: in print.
        package: the Python package whose version decides what comes out; it is recorded with each model.
        prepares_by: type of the settings of effect ``preparation``, a field for each key of the schema.
        trains_by: of those of effect ``preparation``, ``weights`` and ``speed``.
        predicts_by: of those of effect ``inference``.
        optimiser_copies: values that the optimiser keeps beside each weight, for the plan of the disk.
        named_by: settings whose value stands in the name of the preprocessed scans.
        variant: setting that names networks of another size, which have rows of their own in
            ``resources/sizes.tsv``; empty if all are alike.
        notation: how its records of training write the facts of a model.
        words: what stands in print for values of its settings, by value.
        preparation: a sentence on its preprocessing that its settings do not tell.
        prepared_at: pattern, below ``work/<name>/``, of what is made of training scans, each of which says
            whose it is (:func:`headct.engine.training_job.prepared_from`).
        problems: of the settings of a training, what is wrong with them as far as is known before any job.
            It is called when Snakemake starts; the ``key`` of a problem is a setting.
    """

    name: str
    title: str
    package: str
    prepares_by: type[Preparation]
    trains_by: type[Training]
    predicts_by: type[Inference]
    optimiser_copies: int
    named_by: tuple[str, ...] = ()
    variant: str = ""
    notation: Notation = Notation()
    words: Mapping[str, str] = field(default_factory=dict)
    preparation: str = ""
    prepared_at: str = "*"
    problems: Callable[[Any], Iterable[Problem]] = lambda _settings: ()

    def module(self, name: str) -> str:
        """Full name of a module in its folder."""
        return f"headct.frameworks.{self.name}.{name}"

    def code(self, name: str) -> tuple[str, str]:
        """The modules that decide what one of its modules does: that one, and the declaration."""
        return self.module("framework"), self.module(name)

    def representation(self, settings: Preparation) -> str:
        """Name of the representation that a model with these settings learns from."""
        decided_by = json.dumps(having(settings, "preparation"), sort_keys=True)
        digest = hashlib.sha256(decided_by.encode()).hexdigest()[:8]
        return "-".join([self.name, *(getattr(settings, key) for key in self.named_by), digest])

    def sized_as(self, settings: Training) -> str:
        """What a network with these settings is called in ``resources/sizes.tsv``."""
        return f"{self.name} {getattr(settings, self.variant)}" if self.variant else self.name

    def rated_as(self, settings: Training) -> str:
        """What a training with these settings is called in ``resources/rates.tsv``.

        That is the network, and each setting that its speed depends on and that is not the default:
        ``monai basicunet patch_size_xyz=[64,64,32]``.
        """
        values, usual = plain(settings), defaults(self.name)
        changed = [key for key in settings.RATED_BY if values.get(key) != usual.get(key)]
        words = [f"{key}={json.dumps(values[key], separators=(',', ':'))}" for key in changed]
        return " ".join([self.sized_as(settings), *words]).replace('"', "")

    def settings_of(self, model: Model) -> Training:
        """The settings by which a model of a configuration is trained."""
        return of_model(self.trains_by, model)

    def facts_of(self, trained: Mapping[str, Any]) -> ModelFacts:
        """What the model of a ``train.json`` is."""
        return self.notation.read(trained["record"])

    def prepare(
        self,
        scans: Sequence[TrainingScan],
        settings: Preparation,
        shared_folder: Path,
        threads: int,
        labels: LabelSet,
    ) -> dict[str, Any]:
        """Preprocess the scans that are not there yet, without a GPU; facts for the record of it.

        Args:
            scans: of the training set.
            settings: of the model, those of its preparation.
            shared_folder: of what several trainings share.
            threads: that may be used.
            labels: the label set.
        """
        adapter = self._load("training")
        facts: dict[str, Any] = adapter.prepare(scans, settings, shared_folder, threads, labels)
        return facts

    def train(self, job: TrainingJob[Any], folder: Path) -> TrainedModel:
        """Train one model to its end, from the last checkpoint in ``folder`` where there is one."""
        model: TrainedModel = self._load("training").train(job, folder)
        return model

    def load(self, folder: Path, device: str, settings: Inference, labels: LabelSet) -> Predictor:
        """The trained model in ``folder``, all settings that it predicts by, and its lesions.

        Args:
            folder: of a trained model.
            device: on which it predicts.
            settings: all by which it predicts.
            labels: the label set that its network knows.
        """
        predictor: Predictor = self._load("inference").load(folder, device, settings, labels)
        return predictor

    def _load(self, name: str) -> ModuleType:
        return imported(self.module(name))


def find_framework(name: str) -> Framework:
    """The framework of this name.

    Raises:
        ModuleNotFoundError: there is no such folder.
    """
    found: Framework = importlib.import_module(f"headct.frameworks.{name}.framework").FRAMEWORK
    return found


def training_settings(model: Model) -> Training:
    """The settings by which a model of a configuration is trained, whatever its framework."""
    return find_framework(model.framework).settings_of(model)
