"""Simulated studies shaped like the paper's: Dice and volumes of ten models on one test set.

IVH Dice is inflated at 0 and 1 (48 of 174 scans have IVH), volumes are log-normal with the paper's quartiles,
Dice falls with the lesion's size, and models are alike in which scans are hard for them. Means and
specificities of the models are those of the paper's Table 1, as far as it prints them; how models, sites and
participants vary is not printed anywhere, and assumed. Scans of one site, or participant, share a part of how
hard they are, and each model finds them hard in its own way, which makes paired differences alike within a
cluster.

Everything that a study has by chance is drawn anew in each: its lesions' sizes, how many scans have IVH, its
sites' effects, its networks. So the spread of an estimate over many studies is what an interval has to tell.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from scipy import special

from headct.contracts.labels import label_set
from headct.settings.analysis_plan import PARTICIPANT, SITE
from headct.statistics.comparison.score_arrays import ScoreArrays
from headct.statistics.core.scores import FAMILY

LABELS = label_set(("ICH", "PHE", "IVH"), {"ICH+IVH": ("ICH", "IVH")})

MODELS = (
    "blast-ct",
    "deeplabv3plus",
    "unet",
    "nnunet-2d",
    "nnunet-3d-dicece",
    "nnunet-2d-3d",
    "nnunet-3d-tversky",
    "nnunet-3d-dicetopk",
    "nnunet-3d-focaltversky",
    "nnunet-3d-focal",
)
DICECE, FOCAL = MODELS.index("nnunet-3d-dicece"), MODELS.index("nnunet-3d-focal")

SHOWN = [FOCAL, DICECE, MODELS.index("nnunet-3d-dicetopk"), MODELS.index("blast-ct")]
"""Models whose intervals are looked at one by one."""

N_SCANS, SHARE_WITH_IVH = 174, 48 / 174

N_OF_NEW_SITE = 3000
"""Scans of a new site, whose mean is then nearly the true one."""

AGE_MEAN, AGE_SD = 69, 14
"""In years."""

DICE = {
    "ICH": (0.850, 0.857, 0.891, 0.894, 0.904, 0.892, 0.894, 0.905, 0.900, 0.904),
    "PHE": (0.567, 0.522, 0.602, 0.610, 0.627, 0.618, 0.608, 0.626, 0.608, 0.612),
    "IVH": (0.62, 0.66, 0.75, 0.65, 0.76, 0.73, 0.73, 0.75, 0.74, 0.75),
}
"""About the mean of each model over scans that have the lesion."""

SPECIFICITY = {
    "ICH": (0.5,) * len(MODELS),
    "PHE": (0.5,) * len(MODELS),
    "IVH": (41 / 126, 32 / 126, 0.68, 0.60, 0.83, 0.82, 0.63, 0.88, 0.80, 0.935),
}

MEDIAN_ML = {"ICH": 12.3, "PHE": 7.0, "IVH": 5.7}
LOG_SD = {"ICH": 1.15, "PHE": 1.06, "IVH": 1.2}
LEAST_AND_GREATEST_ML = {"ICH": (0.5, 160), "PHE": (0.05, 150), "IVH": (0.01, 80)}

ERROR_SD = {"ICH": 0.12, "PHE": 0.35, "IVH": 0.15}
ERROR_MEAN = {"ICH": 0.01, "PHE": 0.05, "IVH": 0.0}
"""Of the logarithm of predicted over reference volume."""

OF_MODELS, OF_NETWORKS = 0.1, 0.1
"""Parts of the variance of how hard a scan is that a model, and a network of it, have by themselves."""


@dataclass(frozen=True)
class Setting:
    """How scans of a study belong together, and by what the analysis takes them together.

    Attributes:
        title: in tables.
        cluster: what the analysis leaves out and flips as a whole.
        n_sites: of which the larger ones have many of the scans.
        site_sd, participant_sd: of what makes all scans of a site, or participant, harder.
        site_model_sd, participant_model_sd: the same for each model by itself.
        scans_of_a_participant: number of scans of each.
        n_seeds: networks of each model.
        seed_sd: of a network's mean Dice, specificity, and relative volume; one, or that of each model.
        is_default: whether an analysis whose plan does not name clusters would take these.
    """

    title: str
    cluster: str
    n_sites: int = 124
    site_sd: float = 0.0
    site_model_sd: float = 0.0
    scans_of_a_participant: int = 1
    participant_sd: float = 0.0
    participant_model_sd: float = 0.0
    n_seeds: int = 1
    seed_sd: float | tuple[float, ...] = 0.0
    is_default: bool = True


INDEPENDENT = Setting("independent scans", PARTICIPANT)
TWELVE_SITES = Setting("12 sites, ICC .05", SITE, n_sites=12, site_sd=0.5, site_model_sd=0.25)

SETTINGS = {
    "a": INDEPENDENT,
    "b": TWELVE_SITES,
    "b-participant": replace(
        TWELVE_SITES, title="12 sites, ICC .05, by participant", cluster=PARTICIPANT, is_default=False
    ),
    "c": Setting(
        "87 participants × 2 scans",
        PARTICIPANT,
        scans_of_a_participant=2,
        participant_sd=0.6,
        participant_model_sd=0.4,
    ),
    "d": replace(INDEPENDENT, title="3 seeds, SD .02", n_seeds=3, seed_sd=0.02),
}


@dataclass(frozen=True)
class Study:
    """Dice, reference and predicted volumes (mL) of each label, (seeds, scans, models)."""

    site: np.ndarray
    participant: np.ndarray
    arrays: Mapping[tuple[str, str], np.ndarray] = field(default_factory=dict)

    def scores(self, cluster: str) -> ScoreArrays:
        """As the package has them, with sites or participants as the clusters."""
        belongs_to = {SITE: self.site, PARTICIPANT: self.participant}[cluster]
        n_seeds, n, k = self.arrays["IVH", "dice"].shape
        return ScoreArrays(
            labels=LABELS,
            scans=np.array([f"{scan:06d}" for scan in range(n)]),
            models=MODELS,
            roles=(FAMILY,) * k,
            n_seeds=n_seeds,
            arrays=self.arrays,
            failed=np.zeros((n, k), bool),
            clusters=np.unique(belongs_to, return_inverse=True)[1],
            cluster=cluster,
        )


def study(
    rng: np.random.Generator,
    setting: Setting,
    n_scans: int = N_SCANS,
    equal: bool = False,
    better_by: Mapping[tuple[str, int], float] | None = None,
) -> Study:
    """One study.

    Args:
        rng: random numbers.
        setting: how its scans belong together.
        n_scans: in the test set.
        equal: whether all models are like 3D with Dice and cross-entropy.
        better_by: by label and number of a model, how much higher its mean Dice is than it would be.
    """
    site, participant = _clusters(rng, setting, n_scans)
    same_network = np.zeros(n_scans, dtype=int)
    return _drawn(rng, setting, site, participant, same_network, equal, better_by)


def study_and_new_site(rng: np.random.Generator, setting: Setting) -> tuple[Study, np.ndarray]:
    """One study, and many scans of a further site, a participant each; which scans (n,) are those."""
    site, participant = _clusters(rng, setting, N_SCANS)
    n = N_OF_NEW_SITE
    site = np.append(site, np.full(n, setting.n_sites))
    participant = np.append(participant, participant.max() + 1 + np.arange(n))
    same_network = np.zeros(len(site), dtype=int)
    return _drawn(rng, setting, site, participant, same_network), site == setting.n_sites


def held_out(rng: np.random.Generator, setting: Setting, n_scans: int, n_folds: int) -> Study:
    """Training scans, those of each fold predicted by networks of its own; folds keep participants whole."""
    site, participant = _clusters(rng, setting, n_scans)
    return _drawn(rng, setting, site, participant, participant % n_folds)


def population(setting: Setting, n_scans: int, seed: int, equal: bool = False) -> Study:
    """Many scans, each of another site, participant, and network: what studies are drawn from."""
    alone = np.arange(n_scans)
    return _drawn(np.random.default_rng(seed), replace(setting, n_seeds=1), alone, alone, alone, equal)


@dataclass(frozen=True)
class Cohort:
    """Scans before any is predicted: the participant of each, and the volume (mL) of each lesion by label."""

    participant: np.ndarray
    reference_ml: Mapping[str, np.ndarray]


def cohort(rng: np.random.Generator, setting: Setting, n_scans: int) -> Cohort:
    """Scans of training and test set together."""
    participant = _clusters(rng, setting, n_scans)[1]
    size, has_ivh = _size_and_ivh(rng, participant)
    return Cohort(participant, {label: _reference_ml(rng, label, size, has_ivh) for label in LABELS})


def _clusters(rng: np.random.Generator, setting: Setting, n_scans: int) -> tuple[np.ndarray, np.ndarray]:
    """Site and participant (n,) of each scan."""
    weight = 1 / np.arange(1, setting.n_sites + 1) ** 0.8
    participant = np.arange(n_scans) // setting.scans_of_a_participant
    return rng.choice(setting.n_sites, n_scans, p=weight / weight.sum()), participant


def _size_and_ivh(rng: np.random.Generator, participant: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How large the haemorrhage of each scan is, as a normal deviate (n,), and whether there is IVH."""
    has_ivh = (rng.random(participant.max() + 1) < SHARE_WITH_IVH)[participant]
    return rng.normal(size=len(participant)), has_ivh


def _drawn(
    rng: np.random.Generator,
    setting: Setting,
    site: np.ndarray,
    participant: np.ndarray,
    network: np.ndarray,
    equal: bool = False,
    better_by: Mapping[tuple[str, int], float] | None = None,
) -> Study:
    """One study, of scans whose site, participant and network (n,) are given."""
    n, k = len(site), len(MODELS)
    size, has_ivh = _size_and_ivh(rng, participant)
    better_by = better_by or {}
    arrays = {}

    def of_networks() -> np.ndarray:
        """How far the networks of each scan (seeds, n, k) lie off their models."""
        off = rng.normal(size=(setting.n_seeds, int(network.max()) + 1, k))
        return np.asarray(setting.seed_sd) * off[:, network]

    for label in LABELS:
        reference = _reference_ml(rng, label, size, has_ivh)
        present = (reference > 0)[:, None]
        large = np.log(np.maximum(reference, 1e-3) / MEDIAN_ML[label]) / LOG_SD[label]
        hard = _hard(rng, setting, site, participant)
        better = np.array([better_by.get((label, model), 0.0) for model in range(k)])
        better = better + of_networks()
        dice = _dice(rng, label, hard, large[:, None], _of(DICE[label], equal))
        dice = np.where(dice > 0, np.clip(dice + better, 0.001, 1), 0)
        spread = np.sqrt(1 + _variance_of_clusters(setting))
        is_clean = special.ndtr(hard / spread) < np.array(_of(SPECIFICITY[label], equal)) + better
        error = ERROR_SD[label] * (
            0.6 * rng.normal(size=(n, 1)) + 0.8 * rng.normal(size=(setting.n_seeds, n, k))
        )
        error += ERROR_MEAN[label] + of_networks()
        found = np.where(dice > 0, reference[:, None] * np.exp(error), 0)
        invented = np.where(is_clean, 0, rng.gamma(0.6, 0.8, (setting.n_seeds, n, k)) + 0.003)
        arrays[label, "dice"] = np.where(present, dice, is_clean)
        arrays[label, "predicted_ml"] = np.where(present, found, invented)
        arrays[label, "reference_ml"] = np.broadcast_to(reference[:, None], dice.shape)
        arrays[label, "volume_error_ml"] = arrays[label, "predicted_ml"] - reference[:, None]
        arrays[label, "intersection_ml"] = (
            arrays[label, "dice"] * (arrays[label, "predicted_ml"] + reference[:, None]) / 2
        )
        arrays[label, "failed"] = np.zeros(dice.shape)
    return Study(site, participant, arrays)


def _of(values: tuple[float, ...], equal: bool) -> np.ndarray:
    """Of each model."""
    return np.full(len(values), values[DICECE]) if equal else np.array(values)


def _variance_of_clusters(setting: Setting) -> float:
    parts = (
        setting.site_sd,
        setting.site_model_sd,
        setting.participant_sd,
        setting.participant_model_sd,
    )
    return sum(sd**2 for sd in parts)


def _reference_ml(rng: np.random.Generator, label: str, size: np.ndarray, has_ivh: np.ndarray) -> np.ndarray:
    """Volumes (n,); those of oedema go with those of the haemorrhage, of which ``size`` tells."""
    n = len(size)
    deviation = {
        "ICH": LOG_SD["ICH"] * size,
        "PHE": 0.8 * size + 0.7 * rng.normal(size=n),
        "IVH": LOG_SD["IVH"] * rng.normal(size=n),
    }[label]
    volume = (MEDIAN_ML[label] * np.exp(deviation)).clip(*LEAST_AND_GREATEST_ML[label])
    is_there = {"ICH": np.ones(n, bool), "PHE": rng.random(n) >= 0.01, "IVH": has_ivh}[label]
    return np.where(is_there, volume, 0.0)


def _hard(
    rng: np.random.Generator, setting: Setting, site: np.ndarray, participant: np.ndarray
) -> np.ndarray:
    """How hard each scan is for each network (seeds, n, k): normal, of variance 1 and that of clusters."""
    n, k = len(site), len(MODELS)
    shared = np.sqrt(1 - OF_MODELS - OF_NETWORKS) * rng.normal(size=(n, 1))
    of_model = np.sqrt(OF_MODELS) * rng.normal(size=(n, k))
    of_network = np.sqrt(OF_NETWORKS) * rng.normal(size=(setting.n_seeds, n, k))
    for cluster, sd, model_sd in (
        (site, setting.site_sd, setting.site_model_sd),
        (participant, setting.participant_sd, setting.participant_model_sd),
    ):
        if sd or model_sd:
            n_clusters = cluster.max() + 1
            shared = shared + (sd * rng.normal(size=(n_clusters, 1)))[cluster]
            of_model = of_model + (model_sd * rng.normal(size=(n_clusters, k)))[cluster]
    return shared + of_model + of_network


def _dice(
    rng: np.random.Generator, label: str, hard: np.ndarray, large: np.ndarray, of_models: np.ndarray
) -> np.ndarray:
    """Dice (seeds, n, k) of scans that have the lesion; 0 where it is missed."""
    if label == "ICH":
        typical = (1 - of_models) * 0.82
        dice = (1 - typical * np.exp(0.42 * (hard - 0.35 * large))).clip(0, 1)
        return np.where(hard > 2.35, dice * rng.random(hard.shape), dice)  # the model lost its way
    if label == "PHE":
        return special.expit(special.logit(of_models + 0.02) - 0.42 * (hard - 0.5 * large))
    harder = hard - 0.9 * large
    dice = special.expit(special.logit(of_models) + 0.25 - 0.75 * harder)
    return np.where(harder > 2.2, 0, dice)
