"""The table of rules in the engine's README is what the rules say; `--update-golden` rewrites it."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

import engine
from engine.fusion.match import Rule
from engine.fusion.rewrite import RULES

README = Path(engine.__file__).parent / "README.md"
START, END = "<!-- rules -->\n", "<!-- end of rules -->\n"
IDS = [
    f"R{n:02}"
    for n in (*range(1, 27), *range(30, 37), *range(40, 49), *range(50, 58), *range(60, 66))
]

ELSEWHERE: Mapping[str, tuple[str, str, str]] = {
    "R46": (
        "a DequantizeLinear of its own for each reader",
        "X0",
        "`r46_shared_dequantize.py`, `View.apply`",
    ),
    "R47": ("what nobody reads goes", "X0", "`View.apply`, after every rule"),
    "R53": (
        "zero point folded into the bias",
        "X0",
        "`kernels/blocked.py`, whose border is there as codes; off: the plain kernel",
    ),
    "R57": (
        "convolution that requantizes for the next",
        "X1",
        "R01 and R25: ONNX has the Q between them",
    ),
    "R64": ("blocks of 8 channels", "X0", "`kernels/qlinear_conv.py`: which kernel runs"),
    "R65": ("kernel by shape", "X0", "`kernels/`: all kernels give the same codes"),
}
"""Title, class and place of what is no Rule of its own."""


def row(number: str, title: str, exactness: str, where: str) -> str:
    return f"| {number} | {title} | {exactness} | {where} |\n"


def rule_row(rule: Rule) -> str:
    exactness = f"{rule.exactness}, opt-in" if rule.opt_in else rule.exactness
    place = rule.match.__module__.removeprefix("engine.fusion.")
    return row(rule.id, rule.title, exactness, f"`{place}.py`")


def rows() -> Iterator[str]:
    yield "| rule | what it fuses or moves | class | where |\n|---|---|---|---|\n"
    others = {each.id for each in RULES} - set(IDS)
    for number in sorted([*IDS, *others]):
        own = [each for each in RULES if each.id == number]
        yield from map(rule_row, own)
        if not own:
            yield row(number, *ELSEWHERE[number])


def test_the_readme_lists_every_rule(request: pytest.FixtureRequest) -> None:
    text = README.read_text(encoding="utf-8")
    before, rest = text.split(START)
    after = rest.split(END)[1]
    wanted = before + START + "".join(rows()) + END + after
    if request.config.getoption("--update-golden"):
        README.write_text(wanted, encoding="utf-8")
        text = wanted
    assert text == wanted, "rewrite it: pytest tests/engine/test_rule_table.py --update-golden"


def test_opt_in_is_what_changes_values_or_types_of_codes() -> None:
    assert {each.id for each in RULES if each.exactness in ("X2", "X3")} <= {
        each.id for each in RULES if each.opt_in
    }
