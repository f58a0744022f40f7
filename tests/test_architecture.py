"""What no linter knows: the house rules of docs/architecture.md, held against the sources themselves."""

import ast
import importlib
import pkgutil
import re
from collections import Counter
from http import HTTPStatus
from pathlib import Path

import pytest

import calserver
import ischedule
from calserver.conditions import ConditionFailed
from calserver.dav.extension import Extension
from calserver.names import split

ROOT = Path(__file__).parent.parent
PACKAGES = ("calserver", "ischedule")
MODULES = sorted(path.relative_to(ROOT) for name in PACKAGES for path in (ROOT / name).rglob("*.py"))
PROGRAMS = sorted(path.relative_to(ROOT) for name in ("benchmarks", "twisted") for path in (ROOT / name).rglob("*.py"))
TESTS = sorted(path.relative_to(ROOT) for path in (ROOT / "tests").rglob("*.py"))
DOCUMENTS = sorted(path.relative_to(ROOT) for path in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])

VAGUE = {
    "base",
    "common",
    "helper",
    "helpers",
    "lib",
    "misc",
    "mixin",
    "mixins",
    "shared",
    "stuff",
    "tools",
    "util",
    "utils",
}
LONGEST_MODULE = 500
LONGER_MODULES = {
    "calserver/store/interface.py": "the contract of persistence: signatures and docstrings, no code",
}
"""Modules that may be longer, and why."""


def parsed(path: Path) -> ast.Module:
    return ast.parse((ROOT / path).read_text(encoding="utf-8"), str(path))


def room_of(module: str) -> str:
    """`calserver.dav.href` lies in the room `calserver.dav`; `calserver.names` is a room of its own."""
    return ".".join(module.split(".")[:2])


def module_name(path: Path) -> str:
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__")


@pytest.mark.parametrize("path", [*MODULES, *PROGRAMS], ids=str)
def test_every_module_says_what_it_is(path: Path) -> None:
    assert ast.get_docstring(parsed(path)), f"{path} has no docstring"


def test_no_module_has_a_vague_name() -> None:
    vague = [str(path) for path in (*MODULES, *PROGRAMS) if VAGUE & {*path.with_suffix("").parts}]
    assert not vague


def test_no_module_grows_beyond_one_thing() -> None:
    lengths = {str(path): (ROOT / path).read_text(encoding="utf-8").count("\n") for path in MODULES}
    too_long = {path: n for path, n in lengths.items() if n > LONGEST_MODULE and path not in LONGER_MODULES}
    assert not too_long, "divide them, or say in LONGER_MODULES why not"
    assert LONGER_MODULES.keys() <= lengths.keys(), "no longer there"


def test_test_files_have_names_of_their_own() -> None:
    """Folders of tests are no packages, so that two files of one name would be one module to pytest."""
    counted = Counter(path.name for path in TESTS if path.name != "conftest.py")
    assert [name for name, n in counted.items() if n > 1] == []


def test_every_package_of_ours_is_a_real_one_except_the_plugin_folder() -> None:
    """`twisted/plugins` is shared by all projects with plugins: an `__init__.py` there would replace Twisted's own."""
    folders = {path.parent for path in MODULES}
    assert [str(folder) for folder in folders if not (ROOT / folder / "__init__.py").exists()] == []
    assert list((ROOT / "twisted").rglob("__init__.py")) == []


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_imports_stand_at_the_top(path: Path) -> None:
    inside = [
        f"{path}:{statement.lineno}"
        for function in ast.walk(parsed(path))
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for statement in ast.walk(function)
        if isinstance(statement, ast.Import | ast.ImportFrom)
    ]
    assert not inside


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_other_rooms_are_entered_by_their_door(path: Path) -> None:
    """A room's public names - modules among them - are those of its `__init__`; the rest is its own business."""
    home = room_of(module_name(path))
    behind = [
        f"{path}:{statement.lineno} {statement.module}"
        for statement in ast.walk(parsed(path))
        if isinstance(statement, ast.ImportFrom)
        and statement.module
        and statement.module.split(".")[0] in PACKAGES
        and statement.module.count(".") > 1
        and room_of(statement.module) != home
        and statement.module.split(".")[2] not in importlib.import_module(room_of(statement.module)).__all__
    ]
    assert not behind


def everything() -> list[object]:
    """All values that our modules define or import, every module loaded."""
    for package in (calserver, ischedule):
        for found in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
            importlib.import_module(found.name)
    return [value for path in MODULES for value in vars(importlib.import_module(module_name(path))).values()]


def conditions() -> list[type[ConditionFailed]]:
    everything()
    found, waiting = [], [ConditionFailed]
    while waiting:
        below = [each for each in waiting.pop().__subclasses__() if each.__module__.split(".")[0] in PACKAGES]
        found += below
        waiting += below
    return found


def extensions() -> list[Extension]:
    return list({id(value): value for value in everything() if isinstance(value, Extension)}.values())


def test_each_condition_is_declared_once() -> None:
    names = Counter(each.name for each in conditions())
    assert [name for name, n in names.items() if n > 1] == []


def test_each_condition_is_called_like_its_element() -> None:
    """`UniqueSchedulingObjectResource` is `unique-scheduling-object-resource` (RFC 4918 section 16)."""
    wrong = []
    for each in conditions():
        namespace, local = split(each.name)
        spoken = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", each.__name__).lower()
        if not namespace or local.lower() != spoken:
            wrong.append(f"{each.__name__}: {each.name}")
    assert not wrong


def test_each_condition_has_a_status_that_refuses() -> None:
    wrong = [
        each.__name__
        for each in conditions()
        if not 400 <= each.status < 500 and each.status != HTTPStatus.INSUFFICIENT_STORAGE
    ]
    assert not wrong


def test_each_condition_says_its_section() -> None:
    assert [each.__name__ for each in conditions() if "section" not in (each.__doc__ or "")] == []


def test_each_condition_is_listed_in_exactly_one_extension() -> None:
    listed = Counter(condition for extension in extensions() for condition in extension.conditions)
    assert {each.__name__: listed[each] for each in conditions() if listed[each] != 1} == {}


def test_each_extension_has_a_title_of_its_own() -> None:
    titles = Counter(each.title for each in extensions())
    assert [title for title, n in titles.items() if n > 1] == []


def anchors(text: str) -> set[str]:
    """The anchors that headings of a Markdown document make."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_links_in_the_documents_lead_somewhere(document: Path) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        place = (ROOT / document).parent / path if path else ROOT / document
        if not place.exists() or (anchor and anchor not in anchors(place.read_text(encoding="utf-8"))):
            broken.append(target)
    assert not broken


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_files_that_the_documents_name_exist(document: Path) -> None:
    """What stands in backquotes and begins with one of our folders is a path."""
    text = (ROOT / document).read_text(encoding="utf-8")
    named = re.findall(r"`((?:calserver|ischedule|tests|docs|conf|scripts|benchmarks)/[\w./-]+)`", text)
    assert [path for path in named if not (ROOT / path).exists()] == []
