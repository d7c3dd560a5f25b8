"""The analysis plan: what the comparison looks at, fixed before it is made (config/analysis_plan.yaml).

Its date and SHA-256 go into every run's ``results/statistics/plan.tsv``, which also lists what of the
plan could not be done, and what was done beyond it.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from headct.contracts import yaml_files
from headct.contracts.artefacts import sha256_of
from headct.contracts.problems import BadInput, Problem
from headct.contracts.repository import REPOSITORY, SCHEMAS
from headct.settings.configuration import load_schema, schema_problems

SCHEMA = SCHEMAS / "analysis_plan.schema.yaml"
SHIPPED = REPOSITORY / "config" / "analysis_plan.yaml"

PRIMARY, KEY_SECONDARY, PLANNED, EXPLORATORY = "primary", "key secondary", "planned", "exploratory"
"""Status of a result: the one that answers, those corrected together, others of the plan, none of it."""

DEVIATION = "deviation"
"""Kind of the rows of ``plan.tsv`` that say what of the plan could not be done."""

REPLICATION, REANALYSIS, OWN = "replication", "reanalysis", "own"
"""What a study is to the paper: the same on other participants, on the same ones, or something else."""

SITE, PARTICIPANT, SCAN = "site", "participant", "scan"
"""What is drawn and flipped as a whole."""

ALPHA = 0.05
"""Error that the primary and the key secondary endpoints share, two-sided."""

HIERARCHICAL, SPLIT = "hierarchical", "split"

OTHERS = "others"
"""All compared models of the run but the one in question, where an endpoint names none."""

WITHOUT_LESION = "without lesion"
"""Beside the choices of scans of :mod:`headct.statistics.core.agreement`."""


@dataclass(frozen=True)
class Endpoint:
    """One measure of one model, compared with that of others.

    ``against`` is empty until :meth:`Plan.of_run` has filled it in where the plan says :data:`OTHERS`;
    ``expected_sd`` is the standard deviation of the paired differences that was expected before the study.
    """

    name: str
    measure: str
    label: str
    scans: str
    model: str
    against: tuple[str, ...]
    expected_sd: float | None = None


@dataclass(frozen=True)
class Family:
    """A measure on which all pairs of the compared models are compared."""

    measure: str
    scans: str


@dataclass(frozen=True)
class Subgroup:
    """Levels of scans by a column; ``cut_points`` and ``training_quantiles`` are empty for categories."""

    name: str
    column: str
    cut_points: tuple[float, ...] = ()
    training_quantiles: tuple[float, ...] = ()


@dataclass(frozen=True)
class Multiplicity:
    """How primary and key secondary endpoints share the error, :data:`ALPHA`.

    ``hierarchical``: the primary one is tested at all of it, and the key secondary ones, at all of it again,
    only if the primary one was decided. ``split``: both are tested, each at its own share.
    """

    rule: str
    primary_alpha: float = ALPHA

    @property
    def key_secondary_alpha(self) -> float:
        """Error of all key secondary endpoints together."""
        return ALPHA if self.rule == HIERARCHICAL else ALPHA - self.primary_alpha


@dataclass(frozen=True)
class RaterMargin:
    """By how much a model's mean Dice may lie below a second rater's, per lesion.

    ``choice`` says in words how the scans were chosen that a second rater read; empty if the plan does not.
    """

    dice_margin: Mapping[str, float]
    choice: str = ""


@dataclass(frozen=True)
class Plan:
    """The plan as read; ``sha256`` is that of the file's bytes.

    ``cluster`` is None where the plan leaves it to the number of sites; ``least_dice`` is what it asks of a
    new site, by lesion.
    """

    file: str
    sha256: str
    date: str
    comparison: str
    cluster: str | None
    seed: int
    permutations: int
    primary: Endpoint
    key_secondary: tuple[Endpoint, ...]
    multiplicity: Multiplicity
    families: tuple[Family, ...]
    dice_margin: Mapping[str, float]
    volume_margin_ml: Mapping[str, float]
    detection_thresholds_ml: tuple[float, ...]
    detection_minimum: int
    subgroup_minimum: int
    subgroups: tuple[Subgroup, ...]
    not_worse_than_a_rater: RaterMargin | None = None
    least_dice: Mapping[str, float] = field(default_factory=dict)
    size_mix: Mapping[str, Sequence[float]] = field(default_factory=dict)

    def of_run(self, models: Sequence[str]) -> Plan:
        """The plan of a run that compares these models: they are what its endpoints call the others."""

        def filled(endpoint: Endpoint) -> Endpoint:
            others = tuple(model for model in models if model != endpoint.model)
            return replace(endpoint, against=endpoint.against or others)

        return replace(
            self,
            primary=filled(self.primary),
            key_secondary=tuple(map(filled, self.key_secondary)),
        )

    def endpoints(self) -> Iterator[tuple[str, Endpoint]]:
        """Each endpoint with its status."""
        yield PRIMARY, self.primary
        for endpoint in self.key_secondary:
            yield KEY_SECONDARY, endpoint


def path_of(named: str, study: Path = Path(), workflow: Path = REPOSITORY) -> Path:
    """Where the plan that a configuration names lies: in the study's folder, or else in the workflow's."""
    return study / named if (study / named).is_file() else workflow / named


def load(path: Path) -> Plan:
    """Read and check a plan.

    Raises:
        BadInput: the file is absent, no YAML mapping, breaks the schema, or contradicts itself.
    """
    if not path.is_file():
        message = (
            "there is no such analysis plan, in the folder of the study (--directory) or in the workflow's:"
            " mend analysis_plan in the configuration"
        )
        raise BadInput([Problem(str(path), message, key="analysis_plan")])
    content = yaml_files.read(path)
    if not isinstance(content, dict):
        raise BadInput([Problem(str(path), "an analysis plan is a mapping of keys to values")])
    if isinstance(content.get("date"), datetime.date):  # YAML reads a date without quotes as one
        content["date"] = content["date"].isoformat()
    problems = schema_problems(content, load_schema(SCHEMA), str(path)) or list(
        _contradictions(content, str(path))
    )
    if problems:
        raise BadInput(problems)
    equivalence, detection, subgroups = (content[key] for key in ("equivalence", "detection", "subgroups"))
    return Plan(
        file=path.name,
        sha256=sha256_of(path),
        **{key: content[key] for key in ("date", "comparison", "seed", "permutations")},
        cluster=content.get("cluster"),
        multiplicity=Multiplicity(**content["multiplicity"]),
        primary=_endpoint(content["primary"]),
        key_secondary=tuple(map(_endpoint, content["key_secondary"])),
        families=tuple(Family(**family) for family in content["families"]),
        **{key: equivalence[key] for key in ("dice_margin", "volume_margin_ml")},
        detection_thresholds_ml=tuple(detection["thresholds_ml"]),
        detection_minimum=detection["minimum_scans"],
        subgroup_minimum=subgroups["minimum_scans"],
        subgroups=tuple(map(_subgroup, subgroups["of"])),
        not_worse_than_a_rater=(
            RaterMargin(**content["not_worse_than_a_rater"]) if "not_worse_than_a_rater" in content else None
        ),
        least_dice=content.get("new_site", {}).get("least_dice", {}),
        size_mix=content.get("size_mix", {}),
    )


def _endpoint(content: Mapping[str, Any]) -> Endpoint:
    against = () if content["against"] == OTHERS else tuple(content["against"])
    return Endpoint(**{**content, "against": against})


def _subgroup(content: Mapping[str, Any]) -> Subgroup:
    cuts = (tuple(content.get(key, ())) for key in ("cut_points", "training_quantiles"))
    return Subgroup(content["name"], content["column"], *cuts)


def _contradictions(content: Mapping[str, Any], file: str) -> Iterator[Problem]:
    """What the schema cannot say."""
    try:
        datetime.date.fromisoformat(content["date"])
    except ValueError:
        yield Problem(file, "there is no such day", key="date", value=content["date"])
    against = content["primary"]["against"]
    if against == OTHERS or len(against) > 1:
        value = against if against == OTHERS else ", ".join(against)
        yield Problem(file, "the primary endpoint is against one model", key="primary.against", value=value)
    multiplicity = content["multiplicity"]
    if (multiplicity["rule"] == SPLIT) != ("primary_alpha" in multiplicity):
        message = "primary_alpha goes with the rule 'split', and 'split' needs it"
        yield Problem(file, message, key="multiplicity.primary_alpha")
    endpoints = {"primary": content["primary"]}
    endpoints |= {f"key_secondary.{i}": endpoint for i, endpoint in enumerate(content["key_secondary"])}
    yield from _contradictions_of_endpoints(endpoints, file)
    for key, entries in (
        ("endpoint", [endpoint["name"] for endpoint in endpoints.values()]),
        ("subgroups.of", [one["name"] for one in content["subgroups"]["of"]]),
        ("families", [f"{family['measure']}, {family['scans']}" for family in content["families"]]),
    ):
        for repeated in sorted({entry for entry in entries if entries.count(entry) > 1}):
            yield Problem(file, "stands twice", key=key, value=repeated)
    for family in content["families"]:
        if family["scans"] == WITHOUT_LESION:
            yield Problem(file, "families are over scans that may have the lesion", key="families")
    yield from _contradictions_of_subgroups(content["subgroups"]["of"], file)
    yield from _contradictions_of_mixes(content, file)


def _contradictions_of_endpoints(endpoints: Mapping[str, Any], file: str) -> Iterator[Problem]:
    for key, endpoint in endpoints.items():
        if endpoint["against"] != OTHERS and endpoint["model"] in endpoint["against"]:
            message = "a model cannot be compared with itself"
            yield Problem(file, message, key=f"{key}.against", value=endpoint["model"])
        if (endpoint["measure"] == "false_positive") != (endpoint["scans"] == WITHOUT_LESION):
            message = "false_positive goes with 'without lesion', and no other measure does"
            yield Problem(file, message, key=f"{key}.scans", value=endpoint["scans"])
        if endpoint["measure"] == "absolute_volume_error_ml" and endpoint["scans"] == "all":
            message = (
                "absolute_volume_error_ml goes with 'with lesion': where the lesion is absent a missing"
                " prediction would be without error"
            )
            yield Problem(file, message, key=f"{key}.scans", value=endpoint["scans"])


def _contradictions_of_subgroups(subgroups: Sequence[Mapping[str, Any]], file: str) -> Iterator[Problem]:
    for one in subgroups:
        key = f"subgroups.of {one['name']}"
        if "cut_points" in one and "training_quantiles" in one:
            yield Problem(file, "has both cut_points and training_quantiles", key=key)
        if "training_quantiles" in one and one["column"] != "reference_ml":
            yield Problem(file, "training_quantiles are for reference_ml", key=key, value=one["column"])


def _contradictions_of_mixes(content: Mapping[str, Any], file: str) -> Iterator[Problem]:
    """Mixes that are no shares of a whole, or not of as many groups as the plan has."""
    sizes: Mapping[str, Any] = next(
        (one for one in content["subgroups"]["of"] if one["column"] == "reference_ml"), {}
    )
    cuts = sizes.get("training_quantiles") or sizes.get("cut_points") or []
    for lesion, shares in content.get("size_mix", {}).items():
        key, value = f"size_mix.{lesion}", ", ".join(f"{share:g}" for share in shares)
        if not cuts:
            message = (
                "needs a subgroup of reference_ml with cut_points or training_quantiles, to divide sizes by"
            )
            yield Problem(file, message, key=key, value=value)
        elif len(shares) != len(cuts) + 2:
            message = (
                f"must have {len(cuts) + 2} shares: of scans without the lesion, and of {len(cuts) + 1} sizes"
                " as the subgroup of reference_ml divides them"
            )
            yield Problem(file, message, key=key, value=value)
        elif not math.isclose(sum(shares), 1, abs_tol=1e-6):
            yield Problem(file, "the shares must sum to 1", key=key, value=value)
