"""The configuration as values with types, made once it has been checked against the schema.

What a setting means, its default and its range: ``config/README.md``. Lists are tuples here. The settings of
a framework have their types in its folder (:mod:`headct.settings.models`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal, TypeVar

from headct.settings import configuration
from headct.settings.typed import typed

EFFECT = "speed"  # what the configuration says stands in the parameters of each job

Connectivity = Literal[6, 18, 26]
"""Neighbours of a voxel that belong to the same lesion: by faces, edges too, corners too."""


@dataclass(frozen=True)
class StudyName:
    """Which study the results folder belongs to."""

    name: str
    note: str


@dataclass(frozen=True)
class Lesion:
    """One lesion class: the values of masks that mean it, and how it is shown."""

    value: tuple[int, ...]
    title: str
    colour: str
    role: str


@dataclass(frozen=True)
class Ingest:
    """Conversion of DICOM and masks."""

    KEY: ClassVar[str] = "ingest"

    minimum_slices: int
    minimum_coverage_mm: float
    maximum_gap_ratio: float
    require_announced_images: bool
    patient_id_is_pseudonym: bool
    intensity: Literal["hounsfield", "windowed"]
    trust_transform: Literal["none", "sform", "qform", "pixdim"]
    trust_sheet: bool
    different_patients: tuple[str, ...]
    maximum_angle_to_axial_deg: float
    series_preference: tuple[str, ...]
    sharp_kernels: tuple[str, ...]
    empty_masks: str

    @property
    def lesions_may_be_absent(self) -> bool:
        """Whether masks without a lesion are those of scans which are free of it."""
        return self.empty_masks == "lesion_free"


@dataclass(frozen=True)
class Cohort:
    """Which losses of scans a run may bear, and what the record of the cohort shows."""

    max_excluded: float
    age_cap_years: float


@dataclass(frozen=True)
class Split:
    """Training and test set, and folds within the training set."""

    KEY: ClassVar[str] = "split"

    file: str | None
    test_fraction: float
    stratify_by: tuple[str, ...] | None
    ich_volume_groups: int
    minimum_site_size: int
    folds: int
    folds_by: str
    seed: int

    @property
    def is_evaluation_only(self) -> bool:
        """Whether all scans are tested, and none is trained on."""
        return self.test_fraction == 1


@dataclass(frozen=True)
class Crosscheck:
    """Comparison of converted scans with dcm2niix."""

    KEY: ClassVar[str] = "crosscheck"

    scans: int
    seed: int


@dataclass(frozen=True)
class Budget:
    """How long each training is, whatever its pipeline says: one of patches, steps, GPU-hours on a card."""

    patches: int | None = None
    steps: int | None = None
    gpu_hours: float | None = None
    card: str | None = None


@dataclass(frozen=True)
class EffortCurve:
    """At which shares of a training its weights are kept, to be measured on held-out scans; of which models.

    ``models`` are keys of networks; None are all that are trained in epochs.
    """

    shares: tuple[float, ...]
    models: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Runs:
    """Which runs of each model: the block ``training``. A fold is a number, or ``all``.

    Without a budget each training has its pipeline's own epochs, without an effort curve it keeps no weights
    but the last.
    """

    seeds: tuple[int, ...]
    folds: tuple[int | str, ...]
    deterministic: bool
    budget: Budget | None = None
    effort_curve: EffortCurve | None = None


ALL_PARTICIPANTS = "all"
"""The size of a learning curve that is every participant outside of the held-out fold."""


@dataclass(frozen=True)
class LearningCurve:
    """Networks trained on fewer participants. A size is a number of them, or :data:`ALL_PARTICIPANTS`.

    Attributes:
        sizes: that each model is trained on.
        models: by their keys.
        seeds: of the draw of participants and of the training.
        fold: that is held out.
    """

    sizes: tuple[int | str, ...]
    models: tuple[str, ...]
    seeds: tuple[int, ...]
    fold: int

    def network(self, model: str, size: int | str, seed: int, runs: Runs) -> str:
        """The folder of one of its networks, below the results.

        That of all participants is one that the study trains anyway, where it does: with equal seed, without
        that fold.

        Args:
            model: its key.
            size: participants that it learns from.
            seed: of the draw and of the training.
            runs: that the study trains anyway.
        """
        run = f"seed-{seed}/fold-{self.fold}"
        if size == ALL_PARTICIPANTS and seed in runs.seeds and self.fold in runs.folds:
            return f"models/{model}/{run}"
        return f"learning_curve/models/{model}/size-{size}/{run}"


@dataclass(frozen=True)
class CpuResources:
    """Threads, memory and time limit of one job."""

    threads: int
    mem_mb: int
    runtime_min: int


@dataclass(frozen=True)
class IngestResources(CpuResources):
    """Of each job that converts scans, and how many jobs those are divided among."""

    jobs: int


@dataclass(frozen=True)
class GpuResources(CpuResources):
    """Of a job that may use GPUs, and how many."""

    gpu: int


@dataclass(frozen=True)
class Resources:
    """What the jobs of the heavy rules ask for, by rule."""

    ingest: IngestResources
    prepare: CpuResources
    train: GpuResources
    predict: GpuResources
    mem_mb_cap: int


@dataclass(frozen=True)
class Model:
    """One model to compare.

    Attributes:
        title: its name in print.
        framework: what trains it, ``ensemble``, or where the label maps of a model come from that was made
            elsewhere (:mod:`headct.settings.outside`).
        replication: whether it belongs to the replicated comparison.
        members: of an ensemble, the models whose class probabilities are averaged.
        postprocessing: by what rule held-out scans decide on that of its label maps; None where it has none.
        own: keys that it sets for itself; all others it has from its framework's block.
        settings: each as the configuration says it. The framework of a trained model has types for them
            (:func:`headct.settings.models.of_model`).
    """

    title: str
    framework: str
    replication: bool
    members: tuple[str, ...]
    postprocessing: Literal["nnunet"] | None
    own: frozenset[str]
    settings: Mapping[str, object]

    @property
    def is_trained(self) -> bool:
        """Whether it is trained here: neither an ensemble nor made elsewhere."""
        return self.framework in configuration.training_frameworks()

    @property
    def is_from_outside(self) -> bool:
        """Whether it was made elsewhere."""
        return not self.is_trained and not self.members


@dataclass(frozen=True)
class Metrics:
    """How predictions are measured."""

    KEY: ClassVar[str] = "metrics"

    presence_minimum_ml: float
    surface_tolerance_mm: float | None
    surface_elements: str
    lesion_connectivity: Connectivity


@dataclass(frozen=True)
class Reviews:
    """Files in which reviews of scans are gathered, by their kind."""

    quality: str | None
    results: str | None


@dataclass(frozen=True)
class Blinded:
    """Files of ratings by raters who did not know whose maps they judged, and of the key."""

    ratings: tuple[str, ...]
    key: str | None


@dataclass(frozen=True)
class Cases:
    """The figures of best and worst cases."""

    select_by: str
    show: tuple[str, ...]
    n: int
    rank_by: str


@dataclass(frozen=True)
class Figures:
    """Which models the figures show, and how wide they are."""

    agreement_model: str
    width_mm: int
    cases: Cases


@dataclass(frozen=True)
class Report:
    """The page of results: which cases it opens, and whether faces are masked (None: unless simulated)."""

    KEY: ClassVar[str] = "report"

    cases: str
    mask_face: bool | None

    def number_of_cases(self, test_scans: int) -> int:
        """How many of so many test scans are cases.

        Raises:
            ValueError: ``cases`` says neither all, none nor worst N.
        """
        if self.cases in ("all", "none"):
            return test_scans if self.cases == "all" else 0
        if found := re.fullmatch(r"worst ([1-9]\d*)", self.cases):
            return min(int(found[1]), test_scans)
        raise ValueError(f"{self.cases!r}: say 'all', 'none' or 'worst N'")


@dataclass(frozen=True)
class SimulatedSite:
    """One centre of the simulated trial and its scanner."""

    name: str
    share: float
    manufacturer: str
    model: str
    kernel: str
    reconstruction_diameter_mm: float
    slice_thickness_mm: float
    upper_slice_thickness_mm: float | None
    tilt_deg: float
    noise_hu: float
    resolution_mm: float
    bits_stored: int


@dataclass(frozen=True)
class Rater:
    """One reader of the simulated trial."""

    name: str
    bias_mm: float
    jitter_mm: float


@dataclass(frozen=True)
class StandIn:
    """Errors of a stand-in for a model that was made elsewhere, as those of a :class:`Rater`."""

    bias_mm: float
    jitter_mm: float


@dataclass(frozen=True)
class SimulatedSet:
    """An external set of the simulated trial: its participants are at sites of its own."""

    name: str
    participants: int
    sites: tuple[SimulatedSite, ...]


@dataclass(frozen=True)
class Phantom:
    """The simulated trial that a study runs on."""

    seed: int
    participants: int
    incomplete_participants: int
    matrix: int
    subvoxels_in_plane: int
    subvoxels_through_plane: int
    volumes_ml: Mapping[str, tuple[float, ...]]
    phe_share: float
    ivh_share: float
    ich_phe_correlation: float
    second_reading_share: float
    outside_model: StandIn | None
    external_set: SimulatedSet | None
    raters: tuple[Rater, ...]
    sites: tuple[SimulatedSite, ...]


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """A whole configuration, but for the frameworks' blocks, which are in the settings of each model.

    Attributes:
        labels: the lesion classes by name, in their order.
        groups: lesions that are measured as one as well, by the name of the group.
        ignore: values of masks that mean none of the lesions.
        label_maps: for scans that the sheet says so of, values by lesion, and those to be ignored.
        reporting: what only the authors know, by key; "" where it is missing.
    """

    study: StudyName
    sheet: str
    work_dir: str
    labels: Mapping[str, Lesion]
    groups: Mapping[str, tuple[str, ...]]
    ignore: tuple[int, ...]
    label_maps: Mapping[str, Mapping[str, tuple[int, ...]]]
    ingest: Ingest
    cohort: Cohort
    split: Split
    crosscheck: Crosscheck
    training: Runs
    device: str
    resources: Resources
    models: Mapping[str, Model]
    metrics: Metrics
    analysis_plan: str
    reviews: Reviews
    blinded: Blinded
    figures: Figures
    report: Report
    reporting: Mapping[str, str]
    learning_curve: LearningCurve | None = None
    phantom: Phantom | None = None

    @property
    def note(self) -> str:
        """What headings say of the data, behind them: the study's own words, and where images hold no HU."""
        windowed = "images windowed for display, not HU" if self.ingest.intensity == "windowed" else ""
        return "; ".join(filter(None, [self.study.note, windowed]))

    @property
    def masks_faces(self) -> bool:
        """Whether what lies outside the skull is left out of the files of cases."""
        return self.phantom is None if self.report.mask_face is None else self.report.mask_face


BLOCKS = (Ingest, Split, Crosscheck, Metrics, Report)
"""Blocks that a command may be given as JSON."""

Block = TypeVar("Block", Ingest, Split, Crosscheck, Metrics, Report)


def configured(document: configuration.Document) -> Configuration:
    """A configuration that is checked and complete (``configuration.complete``), as a value."""
    models = {
        key: Model(
            title=own["title"],
            framework=own["framework"],
            replication=own.get("replication", True),
            members=tuple(own.get("members", ())),
            postprocessing=own.get("postprocessing"),
            own=frozenset(own),
            settings={**document.get(own["framework"], {}), **own},
        )
        for key, own in document["models"].items()
    }
    return typed(Configuration, {**document, "models": models})


def load(path: Path) -> Configuration:
    """Read one configuration file, checked and complete.

    Raises:
        BadInput: the file is absent or no YAML mapping, or breaks the schema.
    """
    return configured(configuration.load(path))


def given(kind: type[Block], text: str, option: str = "--settings") -> Block:
    """A block that a command is given as JSON, checked as in a file and complete.

    Raises:
        BadInput: no JSON object, or every key of it that is unknown, of the wrong type or out of range.
    """
    return typed(kind, configuration.settings_block(text, kind.KEY, option))
