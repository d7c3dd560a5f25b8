"""What the pages say of the code holds: signatures, names, paths, options, links, model entries."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from headct.frameworks.registry import frameworks
from headct.settings import configuration
from headct.steps import STEPS
from support import documented
from support.step_options import options_of

REPOSITORY = Path(__file__).parents[2]
PAGES = {str(page.relative_to(REPOSITORY)): page.read_text(encoding="utf-8") for page in documented.pages()}
OF_THE_REPOSITORY = r"(?:tests|workflow|config|docs|resources|benchmarks|slurm|headct)/"
MADE_BY_A_USER = {"config/scans.tsv", "config/study.yaml"}


def without_blocks(text: str) -> str:
    return documented.FENCE.sub("", text)


def code_spans() -> Iterator[tuple[str, str]]:
    """Each page with each piece of code in its running text, spans of two lines among them."""
    for page, text in PAGES.items():
        for span in re.findall(r"`([^`]+)`", without_blocks(text)):
            yield page, " ".join(span.split())


def documented_functions() -> Iterator[tuple[str, ast.FunctionDef]]:
    """The functions of a framework that a page shows, each with the module that it is to be defined in."""
    for block in documented.blocks():
        if block.language == "python":
            before = PAGES[block.page].split(block.text.splitlines()[0])[0]
            section = before.rsplit("\n## ", 1)[-1]
            modules = re.findall(r"`headct/frameworks/<framework>/(\w+)\.py`", section)
            for node in ast.parse(block.text).body:
                if modules and isinstance(node, ast.FunctionDef):
                    yield modules[-1], node


@pytest.mark.parametrize("framework", frameworks())
def test_the_functions_of_a_framework_have_the_signatures_that_are_documented(framework: str) -> None:
    found = 0
    for module, shown in documented_functions():
        function = getattr(importlib.import_module(f"headct.frameworks.{framework}.{module}"), shown.name)
        assert [argument.arg for argument in shown.args.args] == list(inspect.signature(function).parameters)
        found += 1
    assert found == 3


def test_every_file_that_a_page_names_is_there() -> None:
    missing = []
    for page, span in code_spans():
        if not re.fullmatch(rf"{OF_THE_REPOSITORY}[\w./-]+", span) or span in MADE_BY_A_USER:
            continue
        path = f"workflow/scripts/{span}" if span.startswith("headct/") else span
        if not (REPOSITORY / path).exists():
            missing.append(f"{page}: {span}")
    assert missing == []


def test_every_name_in_the_code_that_a_page_gives_is_there() -> None:
    missing = []
    for page, span in code_spans():
        if match := re.match(r"(headct(?:\.\w+)+)(?:\(|$)", span):
            module, names = match[1], []
            while not is_module(module):
                module, _, name = module.rpartition(".")
                names.append(name)
            value: Any = importlib.import_module(module)
            for name in reversed(names):
                value = getattr(value, name, None)
            if value is None:
                missing.append(f"{page}: {span}")
    assert missing == []


def is_module(name: str) -> bool:
    path = REPOSITORY / "workflow/scripts" / name.replace(".", "/")
    return path.with_suffix(".py").is_file() or path.is_dir()


def test_every_option_that_a_page_gives_is_one_of_its_step() -> None:
    shown = [(page, span) for page, span in code_spans()]
    shown += [(str(block), block.text) for block in documented.blocks() if block.is_command]
    wrong = []
    for where, text in shown:
        for command in re.findall(r"-m headct [a-z](?:[^#\n`]|\\\n)*", text):
            step = command.split()[2]
            if step not in STEPS:
                wrong.append(f"{where}: {step}")
                continue
            options = options_of(step)
            own = command.split(" -- ")[0]
            for option in re.findall(r"(?<!\S)(--[a-z][a-z-]+)", own):
                if option not in {*options, "--log", "--help"}:
                    wrong.append(f"{where}: {step} has no {option}")
    assert wrong == []


def test_every_link_leads_somewhere() -> None:
    broken = []
    for page, text in PAGES.items():
        for target in re.findall(r"\]\(([^)\s]+)\)", without_blocks(text)):
            if target.startswith(("http://", "https://")):
                continue
            name, _, anchor = target.partition("#")
            path = (REPOSITORY / page).parent / name if name else REPOSITORY / page
            if not path.exists() or (anchor and anchor not in anchors(path.read_text(encoding="utf-8"))):
                broken.append(f"{page}: {target}")
    assert broken == []


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ +(.+)$", without_blocks(text), re.MULTILINE)
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {heading.replace(" ", "-") for heading in plain}


def test_model_entries_that_a_page_shows_are_accepted() -> None:
    shipped = yaml.safe_load((REPOSITORY / "config/config.yaml").read_text(encoding="utf-8"))
    texts = [block.text for block in documented.blocks() if block.language == "yaml"]
    for block in documented.blocks():
        if block.language == "diff":
            added = [line[1:] for line in block.text.splitlines() if re.match(r"\+(?!\+)", line)]
            texts.append("models:\n" + "\n".join(added))
    contents = [yaml.safe_load(text) for text in texts]
    entries = [content for content in contents if "models" in content]  # the others: analysis plans
    assert len(entries) == 13
    for content in entries:
        models, training = content["models"], shipped["training"] | content.get("training", {})
        changes = {"models": shipped["models"] | models, "training": training}
        complete = configuration.complete(shipped | changes, "config.yaml")
        assert models.keys() <= complete["models"].keys()
