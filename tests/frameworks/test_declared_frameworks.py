"""Each framework is declared by one object, and what is declared holds."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version

import pytest

from headct.contracts.code import code_digests
from headct.contracts.repository import PACKAGE
from headct.engine.training_job import ModelFacts
from headct.frameworks.base import FACTS, Notation
from headct.frameworks.registry import frameworks
from headct.settings import models
from support.families import MINIATURES

every_framework = pytest.mark.parametrize("name", frameworks())


def test_each_folder_is_in_the_schema_and_each_entry_has_a_folder() -> None:
    folders = {path.parent.name for path in PACKAGE.glob("frameworks/*/framework.py")}
    assert folders == set(frameworks()) == set(MINIATURES)
    assert all(name == framework.name for name, framework in frameworks().items())


def test_starting_snakemake_imports_none_of_them() -> None:
    heavy = ("torch", "numpy", "pandas", "SimpleITK", "nnunetv2", "monai", "blast_ct")
    code = (
        "import sys; from headct.run import preflight; from headct.frameworks.registry import frameworks;"
        "from headct.settings import blocks;"
        "from headct.contracts.repository import REPOSITORY;"
        "config = blocks.load(REPOSITORY / 'config/demo.yaml');"
        "list(preflight._model_problems(config));"
        f"sys.exit(', '.join(set({heavy}) & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@every_framework
def test_settings_that_are_declared_are_in_the_schema(name: str) -> None:
    framework, effects = frameworks()[name], models.effects(name)
    assert {effects[key] for key in framework.named_by} <= {"preparation"}
    assert not framework.variant or framework.variant in effects
    assert version(framework.package)


@every_framework
def test_no_weight_depends_on_the_declaration(name: str) -> None:
    """So a title or a check can be worded better without training anew; a network's code can't."""
    framework = frameworks()[name]
    ours = code_digests([framework.module("training")])
    assert framework.module("framework") not in ours
    assert "headct.frameworks.base" not in ours
    has_data = (PACKAGE / "frameworks" / name / "data.py").exists()
    assert (framework.module("data") in ours) == has_data


FULL = ModelFacts(
    network="net",
    loss="dice",
    parameters=5,
    spacing_mm_xyz=[1.0, 1.0, 2.5],
    patch_size_xyz=[96, 64, 32],
    hu_window=[-15, 100],
    batch_size=2,
    epochs=3,
    iterations=30,
    optimiser="Adam",
    learning_rate=0.01,
    further={"precision": "float32"},
)


@every_framework
def test_facts_are_read_as_they_were_written(name: str) -> None:
    notation = frameworks()[name].notation
    assert notation.read(notation.written(FULL)) == FULL
    assert notation.read({}) == ModelFacts()
    assert set(notation.names) | set(notation.slices_first) <= set(FACTS)


def test_names_and_axes_on_disk_are_the_notations() -> None:
    notation = Notation(names={"patch_size_xyz": "patch"}, slices_first=("patch_size_xyz",))
    assert notation.written(ModelFacts(patch_size_xyz=[96, 64, 32])) == {"patch": [32, 64, 96]}
    assert Notation().written(FULL)["patch_size_xyz"] == [96, 64, 32]
    slices = frameworks()["nnunet"].notation.read({"patch_size": [48, 64], "spacing_mm": [0.5, 0.4]})
    assert (slices.patch_size_xyz, slices.spacing_mm_xyz) == ([64, 48], [0.4, 0.5])


def test_no_two_frameworks_put_one_key_in_different_words() -> None:
    words: dict[str, str] = {}
    for framework in frameworks().values():
        for key, text in {framework.name: framework.title, **framework.words}.items():
            assert words.setdefault(key, text) == text
