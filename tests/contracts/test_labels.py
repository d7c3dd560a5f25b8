"""The label set: declared once, asked for by role, and any other set will do where it is an argument."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk
import torch
import yaml
from matplotlib.figure import Figure

from headct.cohort import split
from headct.contracts.labels import BACKGROUND, Label, LabelSet, Pool, Role, label_set
from headct.contracts.problems import BadInput
from headct.contracts.repository import PACKAGE, REPOSITORY
from headct.engine import losses
from headct.engine.pseudo_dice import lesion_counts, pseudo_dice
from headct.frameworks.blastct.training import package_configuration
from headct.frameworks.monai import networks
from headct.frameworks.monai.settings import Architecture
from headct.frameworks.nnunet.data import dataset_json
from headct.imaging import label_names, masks, plausibility
from headct.metrics import measure as metrics
from headct.metrics import predictions, tolerance
from headct.publish.figures import cases as case_figure
from headct.publish.figures import training_curves
from headct.settings import configuration, lesions, strata
from headct.settings.blocks import Split
from support import blastct_cases
from support import metric_cases as cases
from support.figure_inputs import texts, training_record
from support.label_sets import LABELS, TOY

NAMED_ELSEWHERE = {
    "contracts/labels.py": "what is known of lesions",
    "cohort/layouts/bhsd.py": "the lesions of a published data set",
    "cohort/layouts/ct_ich.py": "the lesion of a published data set",
    "cohort/layouts/phe_sich.py": "the lesion of a published data set",
    "settings/lesions.py": "the set that results of older releases have",
    "statistics/replication/claim_kinds.py": "sentences of the paper, which are about its own three lesions",
    "simulate/lesion_placement.py": "the simulated trial: what it knows how to bleed",
    "simulate/participant.py": "the simulated trial",
    "simulate/settings.py": "the simulated trial: the lesions that it can draw",
    "simulate/rater_readings.py": "the simulated trial: how hard each of its lesions is to draw",
    "simulate/volumes.py": "the simulated trial: the paper's volumes and their correlation",
    "provenance/trace.py": "an example in a message, of a number of the paper's Table 1",
}
"""Modules that may name a lesion of the study, and why."""


def names_in(path: Path) -> set[str]:
    """The study's labels in the texts of a module, docstrings left out."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    described = {node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    told = [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in described
    ]
    return {label for label in LABELS for text in told if re.search(rf"(?<![A-Z]){label}(?![A-Z])", text)}


def test_a_lesion_is_named_in_the_declaration_and_where_there_is_a_reason() -> None:
    named = {str(path.relative_to(PACKAGE)): names_in(path) for path in PACKAGE.rglob("*.py")}
    assert {module for module, labels in named.items() if labels} == set(NAMED_ELSEWHERE)
    assert named["contracts/labels.py"] == set(LABELS)


def test_the_set_of_the_study() -> None:
    assert dict(LABELS) == {"ICH": 1, "PHE": 2, "IVH": 3}
    assert LABELS.n_classes == 4
    assert LABELS.regions == {"ICH": (1,), "PHE": (2,), "IVH": (3,), "ICH+IVH": (1, 3)}
    assert [label.name for label in LABELS.bottom_up] == ["PHE", "IVH", "ICH"]
    assert [label.name for label in LABELS.with_role(Role.OEDEMA)] == ["PHE"]
    assert LABELS.haemorrhage_values() == (1, 3)
    assert BACKGROUND not in LABELS.values()


@pytest.mark.parametrize(
    ("labels", "pools", "said"),
    [
        ([("A", 1), ("A", 2)], (), "two labels of one name"),
        ([("A", 1), ("B", 3)], (), "1, 2, 3"),
        ([("A", 0)], (), "1, 2, 3"),
        ([("A", 1)], (Pool("A+B", ("A", "B")),), "A\\+B pools unknown labels: B"),
    ],
)
def test_a_set_that_contradicts_itself(labels: list, pools: tuple, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        LabelSet(tuple(Label(name, value, name, "#000000") for name, value in labels), pools)


def test_a_role_that_no_label_has() -> None:
    assert not TOY.with_role(Role.OEDEMA)
    with pytest.raises(KeyError):
        TOY["ICH"]


def two_lesions() -> tuple[np.ndarray, np.ndarray]:
    """Reference and prediction, (z, y, x), of the toy set: of 64 SDH voxels 32 are found."""
    reference, predicted = (np.zeros((6, 20, 20), np.uint8) for _ in range(2))
    reference[1:5, 2:6, 2:6], reference[1:5, 10:14, 10:14] = TOY["SDH"], TOY["MASS"]
    predicted[1:3, 2:6, 2:6], predicted[1:5, 10:14, 10:14] = TOY["SDH"], TOY["MASS"]
    return reference, predicted


def test_the_measures_of_another_set() -> None:
    reference, predicted = two_lesions()
    place = cases.grid_of(reference.shape, (1.0, 1.0), 5.0)
    found = metrics.measure(reference, predicted, place, cases.AREA, TOY)
    assert list(found) == ["SDH", "MASS", "SDH+MASS"]
    assert found["SDH"]["dice"] == pytest.approx(2 * 32 / (64 + 32))
    assert found["MASS"]["dice"] == 1
    assert found["SDH+MASS"]["reference_ml"] == pytest.approx(128 * 5 / 1000)
    assert all(np.isnan(own["swapped_ml"]) for own in found.values())  # there is no second haemorrhage
    readings = pd.DataFrame(columns=["model", "label", "hd95_mm"])
    assert list(tolerance.tolerance_table(readings, 1.0, TOY)["label"]) == list(found)


def test_a_label_map_with_a_value_of_no_label(tmp_path: Path) -> None:
    image = sitk.GetImageFromArray(np.full((2, 2, 2), 3, np.uint8))
    (problem,) = predictions.label_map_problems(image, tmp_path / "x.nii.gz", TOY)
    assert problem.message == "holds a label that is none of these: SDH 1, MASS 2"
    assert not predictions.label_map_problems(image, tmp_path / "x.nii.gz", LABELS)


def test_networks_and_their_descriptions_have_a_class_for_each_label() -> None:
    volume = torch.zeros(1, 1, 32, 32, 32)
    network = networks.build(Architecture(network="basicunet", features=(4,) * 6), TOY.n_classes)
    assert network(volume).shape == (1, 3, 32, 32, 32)
    assert dataset_json(1, TOY)["labels"] == {"background": 0, "SDH": 1, "MASS": 2}


def test_blast_ct_is_asked_for_a_class_for_each_label() -> None:

    asked = package_configuration(blastct_cases.SMALL, TOY)
    assert asked["data"]["num_classes"] == 3
    chances = asked["training"]["sampler"]["ConditionalPatchSampler"]["class_probabilities"]
    assert len(chances) == 3
    assert sum(chances) == pytest.approx(1)


@pytest.mark.parametrize(
    "loss",
    [losses.TverskyLoss(), losses.FocalTverskyLoss(), losses.FocalLoss(), losses.DiceTopKLoss(True)],
    ids=lambda loss: type(loss).__name__,
)
def test_losses_take_the_classes_that_come(loss: torch.nn.Module) -> None:
    reference, predicted = (torch.from_numpy(labels)[None].long() for labels in two_lesions())

    def logits_of(labels: torch.Tensor) -> torch.Tensor:
        return 9.0 * torch.nn.functional.one_hot(labels, TOY.n_classes).movedim(-1, 1)

    perfect, half = (loss(logits_of(labels), reference[:, None]) for labels in (reference, predicted))
    assert perfect < half


def test_the_dice_that_is_shown_while_training() -> None:
    reference, predicted = (torch.from_numpy(labels)[None].long() for labels in two_lesions())
    logits = torch.nn.functional.one_hot(predicted, TOY.n_classes).movedim(-1, 1).float()
    counts = lesion_counts(logits, reference, TOY)
    assert counts.tolist() == [[32, 64, 32], [64, 64, 64]]
    assert pseudo_dice(counts.tolist(), TOY) == {"SDH": pytest.approx(2 / 3), "MASS": 1}


def test_values_of_a_mask_are_mapped_and_its_names_understood() -> None:
    stored, rules = np.array([[[0, 7, 9]]]), masks.MaskRules({"SDH": (9,), "MASS": (7,)})
    assert masks.map_values(stored, rules, "m.nii.gz", "mask", TOY).tolist() == [[[0, 2, 1]]]
    assert label_names.classes_in("SDHvolume left", TOY) == {"SDH"}
    assert label_names.classes_in("haematoma", TOY) == {"SDH"}
    assert label_names.classes_in("IVH", TOY) == set()
    said = label_names.contradictions([(7, "subdural")], rules.label_of, [7], TOY)
    assert said == ["the file calls 7 'subdural', the labels setting calls it MASS"]
    with pytest.raises(BadInput, match="unknown label values"):
        masks.map_values(stored, masks.MaskRules({"SDH": (9,)}), "m.nii.gz", "mask", TOY)


def test_only_a_bleed_must_be_dense() -> None:
    image = np.full((4, 40, 40), 30, np.int16)
    image[1, :10, :10], image[2, :10, :10] = 5, 5
    drawn = np.zeros(image.shape, np.uint8)
    drawn[1, :10, :10] = TOY["MASS"]
    assert plausibility.bleed_is_dense(drawn, image, TOY)
    drawn[2, :10, :10] = TOY["SDH"]
    assert not plausibility.bleed_is_dense(drawn, image, TOY)


def test_strata_are_named_after_the_label() -> None:
    scans = pd.DataFrame({"scan_id": list("abcd"), "participant_id": list("abcd"), "site": "x"})
    scans["SDH_ml"] = [1.0, 2.0, 3.0, 4.0]
    settings = Split(
        file=None,
        test_fraction=0.5,
        stratify_by=("SDH_volume",),
        ich_volume_groups=2,
        minimum_site_size=1,
        folds=2,
        folds_by="participant",
        seed=0,
    )
    strata = split.stratum_of_participants(scans, settings, TOY)
    assert list(strata) == [f"SDH volume group {group}/2" for group in (1, 1, 2, 2)]
    assert "2 groups of SDH volume" in split.settings_in_words(settings, TOY)


BOTH = label_set(["IVH", "ICH", "IPH"], {"inside": ["ICH", "IPH"]})
"""Two haemorrhages inside the tissue, beside a ventricular one."""


def test_two_haemorrhages_of_one_role_are_told_apart() -> None:
    document = yaml.safe_load((REPOSITORY / "config/demo.yaml").read_text(encoding="utf-8"))
    lesions_of = {"labels": {"IVH": 3, "ICH": 1, "IPH": 2}, "groups": {"inside": ["ICH", "IPH"]}}
    assert lesions.label_set_of(configuration.complete({**document, **lesions_of}, "study.yaml")) == BOTH
    assert len({label.colour for label in BOTH.labels}) == 3
    assert [label.name for label in BOTH.bottom_up] == ["IVH", "ICH", "IPH"]
    assert [(one.by, one.label) for one in strata.chosen(None, BOTH)] == [
        ("presence", "IVH"),
        ("volume", "IVH"),
    ], "of two, neither is the one in the tissue: the first label"


def test_names_in_masks_tell_two_haemorrhages_of_one_role_apart() -> None:
    """A set with one of the two takes either name for it; of both, each has its own."""
    assert label_names.classes_in("IPH", LABELS) == {"ICH"}
    assert [label_names.classes_in(name, BOTH) for name in ("ICH", "iph volume", "IVH")] == [
        {"ICH"},
        {"IPH"},
        {"IVH"},
    ]
    named = [(1, "IPH"), (2, "ICH")]
    assert label_names.meant_by_names(named, [1, 2], BOTH) == {1: "IPH", 2: "ICH"}
    said = label_names.contradictions(named, {1: "ICH", 2: "ICH"}, [1, 2], BOTH)
    assert said == ["the file calls 1 'IPH', the labels setting calls it ICH"]
    for doubtful in ("haematoma", "intraparenchymal"):
        assert label_names.classes_in(doubtful, BOTH) == {"ICH", "IPH"}
        assert label_names.meant_by_names([(1, doubtful)], [1], BOTH) is None, "either may be meant"


def test_two_haemorrhages_of_one_role_are_judged_measured_and_drawn() -> None:
    image = np.full((6, 40, 40), 30, np.int16)
    drawn, other = np.zeros(image.shape, np.uint8), np.zeros(image.shape, np.uint8)
    drawn[1:3, 4:9, 4:9], drawn[1:3, 20:25, 4:9] = BOTH["ICH"], BOTH["IPH"]
    other[1:3, 4:9, 4:9], other[1:3, 20:25, 4:9] = BOTH["IPH"], BOTH["IPH"]
    assert not plausibility.bleed_is_dense(drawn, image, BOTH)
    image[drawn > 0] = 65
    assert plausibility.bleed_is_dense(drawn, image, BOTH)
    place = cases.grid_of(drawn.shape, (1.0, 1.0), 5.0)
    found = metrics.measure(drawn, other, place, cases.AREA, BOTH)
    assert found["ICH"]["swapped_ml"] == pytest.approx(50 * 5 / 1000), "read as the other haemorrhage"
    assert (found["IPH"]["swapped_ml"], found["inside"]["dice"]) == (0, 1)
    axes = Figure().subplots()
    case_figure.draw_outlines(axes, drawn[1], (1.0, 1.0), 0.5, BOTH)
    assert len({patch.get_edgecolor() for patch in axes.patches}) == 2
    assert len(case_figure.lesion_legend(0.5, BOTH)) == 3


@pytest.mark.parametrize("width_mm", [85.0, 170.0])
def test_a_figure_of_another_set(width_mm: float) -> None:
    record = training_record(3)
    for entry in record["history"]:
        entry["pseudo_dice"] = {"SDH": 0.5, "MASS": 0.25}
    figure, table = training_curves.draw_training_curves([record], "M", TOY, "Study", width_mm)
    panels = {axes.get_title(loc="left"): axes for axes in figure.axes}
    assert {"SDH", "MASS"} <= set(panels)
    assert set(table.loc[table["quantity"] == "pseudo_dice_MASS", "value"]) == {0.25}
    assert not set(LABELS) & set(texts(figure).split())


def test_outlines_and_legend_of_another_set() -> None:
    axes = Figure().subplots()
    case_figure.draw_outlines(axes, two_lesions()[0][2], (1.0, 1.0), 0.5, TOY)
    drawn = [
        "#{:02x}{:02x}{:02x}".format(*(round(255 * c) for c in p.get_edgecolor()[:3])) for p in axes.patches
    ]
    assert drawn == ["#abcdef", "#123456"]  # the lower layer first
    legend = [patch.get_label() for patch in case_figure.lesion_legend(0.5, TOY)]
    assert legend == ["SDH subdural haemorrhage", "MASS tumour"]
