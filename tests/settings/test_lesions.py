"""What a configuration says of lesions: classes, groups, values of masks; what is known of them; faults."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from headct.contracts.labels import KNOWN, MOST_CLASSES, PALETTE, Extent, Role, label_set, read
from headct.contracts.problems import BadInput
from headct.settings import configuration, lesions, strata

DEMO = Path(__file__).parents[2] / "config" / "demo.yaml"


def complete(**keys: Any) -> dict[str, Any]:
    """The demo's configuration with other lesions."""
    content = yaml.safe_load(DEMO.read_text(encoding="utf-8"))
    return configuration.complete({**content, "groups": {}, **keys}, "study.yaml")


def faults(**keys: Any) -> list[tuple[str, str]]:
    """Key and value of each fault."""
    with pytest.raises(BadInput) as caught:
        complete(**keys)
    assert {problem.file for problem in caught.value.problems} == {"study.yaml"}
    return [(problem.key, problem.value) for problem in caught.value.problems]


def test_a_label_is_a_value_a_list_or_a_block_and_the_order_is_that_of_the_classes() -> None:
    labels = {
        "MASS": {"value": 9, "title": "Tumour", "colour": "#12ab9f", "role": "other"},
        "PHE": [2, 5],
        "ICH": 1,
    }
    config = complete(labels=labels, groups={"all-dark": ["PHE", "MASS"]}, ignore=[7])
    found = lesions.label_set_of(config)
    assert dict(found) == {"MASS": 1, "PHE": 2, "ICH": 3}
    assert found.regions["all-dark"] == (2, 1)
    assert config["labels"]["PHE"] == {
        "value": [2, 5],
        "title": "Perihaematomal oedema",
        "colour": "#56B4E9",
        "role": "oedema",
    }
    assert config["labels"]["MASS"]["colour"] == "#12AB9F"
    assert lesions.mask_values(config, [None]) == {
        "labels": {"MASS": [9], "PHE": [2, 5], "ICH": [1], "ignore": [7]}
    }
    again = configuration.complete(config, "config.json")
    assert again == config
    assert list(again["labels"]) == list(config["labels"])


def test_known_lesions_need_their_names_alone_and_each_has_a_colour_of_its_own() -> None:
    found = label_set(["ich", "IPH", "SAH", "SDH", "EAH", "hygroma", "IVH"])
    assert found.label("ich").role is Role.TISSUE_HAEMORRHAGE
    assert found.label("hygroma").title == "hygroma"
    assert found.label("hygroma").role is Role.OTHER
    assert sorted(label.colour for label in found.labels) == sorted(PALETTE)
    assert {known.colour for known in KNOWN.values()} <= set(PALETTE)
    assert len(PALETTE) == MOST_CLASSES
    assert found.haemorrhage_values() == (1, 2, 3, 4, 5, 7)
    chosen = label_set({"a": {}, "ICH": {}, "b": {"colour": KNOWN["ICH"].colour}})
    assert chosen.label("b").colour == KNOWN["ICH"].colour != chosen.label("ICH").colour


@pytest.mark.parametrize("extent", Extent)
def test_a_step_is_given_no_more_than_it_needs(extent: Extent) -> None:
    blocks = {"ICH": {}, "x": {"title": "Ä {b}", "colour": "#010203", "role": "oedema"}}
    whole = label_set(blocks, {"both": ["ICH", "x"]})
    plain = label_set(["ICH", "x"])
    found = read(whole.written(extent))
    assert list(found) == ["ICH", "x"]
    assert (found.label("x").title == "Ä {b}") == (extent >= Extent.PRINT)
    assert (found.label("x").role is Role.OEDEMA) == (extent >= Extent.ROLES)
    assert bool(found.pools) == (extent >= Extent.GROUPS)
    assert (found == whole) == (extent >= Extent.PRINT)
    assert (found == plain) == (extent == Extent.NAMES)


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"classes": []}', '{"classes": [{"name": "a"}, {"name": "a"}]}', '{"classes": [1]}'],
)
def test_what_is_no_set_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match=r"--labels.*no set of lesions"):
        read(text)


def test_all_faults_are_told_at_once_with_key_and_value() -> None:
    labels = {
        "ICH": 0,
        "P HE": 2,
        "site": 2,
        "SDH": {"value": [2, 5], "colour": "red"},
        "a": {"value": 9, "colour": "#000000", "x": 1},
        "b": {"value": 10, "colour": "#000000"},
        "A": 11,
        "IVH": [],
    }
    groups = {"ICH": ["ICH", "IVH"], "a+b": ["a", "c"], "b+a": ["a", "b"], "c": ["b", "a"], "d": ["a"]}
    maps = {"one": {"ICH": 1, "new": 3}, "2": {"ICH": 4, "ignore": [4]}}
    found = faults(labels=labels, groups=groups, ignore=[9], label_maps=maps, split={"stratify_by": ["phe"]})
    assert {
        ("labels.ICH", "0"),
        ("labels.P HE", ""),
        ("labels.site", ""),
        ("labels.SDH", "2"),
        ("labels.SDH.colour", "red"),
        ("labels.a.x", ""),
        ("labels.b.colour", "#000000"),
        ("labels.A", ""),
        ("labels.IVH", "[]"),
        ("labels", ", ".join(labels)),
        ("groups.ICH", ""),
        ("groups.a+b", "c"),
        ("groups.c", ""),
        ("groups.d", '["a"]'),
        ("ignore", "9"),
        ("label_maps.one.new", ""),
        ("label_maps.one.IVH", ""),
        ("label_maps.2", ""),
        ("label_maps.2.ignore", "4"),
        ("split.stratify_by", "phe"),
    } <= set(found)


@pytest.mark.parametrize(
    ("keys", "key"),
    [
        ({"labels": {}}, "labels"),
        ({"labels": {"con-tusion": 1, "mean": 2}}, "labels.mean"),
        ({"labels": {"a" * 21: 1}}, f"labels.{'a' * 21}"),
        ({"labels": {"ICH": 1}, "groups": {"ich": ["ICH", "PHE"]}}, "groups.ich"),
        ({"labels": {"ICH": True}}, "labels.ICH"),
        ({"labels": {"ICH": {"title": "x"}}}, "labels.ICH.value"),
        ({"labels": {"ICH": {"value": 1, "role": "bleed"}}}, "labels.ICH.role"),
        ({"labels": {"ICH": [1, 1]}}, "labels.ICH"),
    ],
)
def test_each_fault_alone_is_found(keys: dict[str, Any], key: str) -> None:
    assert key in dict(faults(**keys))


def test_a_source_has_values_of_its_own_and_a_job_is_given_those_that_it_needs() -> None:
    maps = {"b": {"ICH": [1, 3], "PHE": 2, "IVH": []}, "c": {"ICH": 5, "PHE": 6, "IVH": 7, "ignore": [1]}}
    config = complete(label_maps=maps)
    given = lesions.mask_values(config, ["b", None, "b"])
    assert given == {
        "b": {"ICH": [1, 3], "PHE": [2], "IVH": [], "ignore": []},
        "labels": {"ICH": [1], "PHE": [2], "IVH": [3], "ignore": []},
    }
    assert lesions.mask_values(config, ["c"])["c"]["ignore"] == [1]


def test_results_tell_their_lesions_and_those_of_older_releases_are_known() -> None:
    config = json.loads(json.dumps(complete(labels={"b": 1, "a": 2}), sort_keys=True))
    assert list(lesions.label_set_of_results({"classes": ["b", "a"]}, config)) == ["b", "a"]
    older = lesions.label_set_of_results({"name": "x"}, {"labels": {"ICH": 1}})
    assert (list(older), [pool.name for pool in older.pools]) == (["ICH", "PHE", "IVH"], ["ICH+IVH"])
    wrong = [({"classes": ["b"]}, config), ({"classes": 1}, config), ([], {}), ({"classes": []}, {})]
    for study, document in wrong:
        with pytest.raises(ValueError, match="config"):
            lesions.label_set_of_results(study, document)


@pytest.mark.parametrize(
    ("names", "stratify_by", "expected"),
    [
        (["ICH", "PHE", "IVH"], None, [("presence", "IVH"), ("volume", "ICH")]),
        (["ICH", "PHE", "IVH"], ["ivh", "ich_volume"], [("presence", "IVH"), ("volume", "ICH")]),
        (["PHE"], None, [("volume", "PHE")]),
        (["SDH", "ICH", "IPH"], None, [("volume", "SDH")]),
        (
            ["PHE", "Mass"],
            ["mass", "site", "PHE_volume"],
            [("presence", "Mass"), ("site", ""), ("volume", "PHE")],
        ),
        (["PHE"], [], []),
    ],
)
def test_what_the_sets_are_balanced_by(
    names: list[str], stratify_by: list[str] | None, expected: list[tuple[str, str]]
) -> None:
    found = strata.chosen(stratify_by, label_set(names))
    assert [(one.by, one.label) for one in found] == expected
