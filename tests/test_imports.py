"""The import direction of the rooms, and what the judge must not share with the judged."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("engine", "corpus", "generators", "harness", "reports")
MAY_IMPORT = {
    "engine": {"engine"},
    "corpus": {"corpus"},
    "generators": {"generators", "engine", "corpus"},
    "harness": {"harness", "generators", "engine", "corpus"},
    "reports": {"reports", "corpus", "harness.events"},
    "harness/cli": {"harness", "generators", "engine", "corpus", "reports"},
    "harness/oracle": {"harness.oracle", "corpus"},
}


def sources() -> list[Path]:
    return sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def rule_for(path: Path) -> set[str]:
    place = path.relative_to(ROOT).as_posix()
    room = max((each for each in MAY_IMPORT if place.startswith(f"{each}/")), key=len)
    return MAY_IMPORT[room]


@pytest.mark.parametrize("path", sources(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_imports_point_one_way(path: Path) -> None:
    ours = [name for name in imported(path) if name.split(".")[0] in (*ROOMS, "tests")]
    allowed = rule_for(path)
    against = [
        name
        for name in ours
        if not any(name == a or name.startswith(f"{a}.") for a in allowed)
    ]
    assert not against


def test_no_file_is_too_long_to_read() -> None:
    long = {
        path.name: n for path in sources() if (n := len(path.read_text().splitlines())) > 300
    }
    assert not long


def test_no_function_is_too_long_to_hold_in_the_head() -> None:
    long = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
        for path in sources()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef)
        and (node.end_lineno or node.lineno) - _first_statement(node) + 1 > 40
    ]
    assert not long


def _first_statement(node: ast.FunctionDef) -> int:
    body = node.body[1:] if ast.get_docstring(node) and len(node.body) > 1 else node.body
    return body[0].lineno
