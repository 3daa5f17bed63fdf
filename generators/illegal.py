"""Models that the standard does not allow, each broken in one way: to be refused, never to crash.

A valid model is drawn and broken by one of ``BREACHES``, which names the clause that forbids it. No
answer to such a model is right or wrong; an engine that crashes or hangs on one has a bug.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import onnx

from corpus.case import Case
from generators.breaches import graphs, nodes, quantization
from generators.choices import Choices, RandomChoices
from generators.graphs import draw_case

Break = Callable[[onnx.ModelProto, Choices], bool]
CELL = "illegal: "
BREACHES: Mapping[str, tuple[str, Break]] = MappingProxyType(
    {**graphs.BREACHES, **quantization.BREACHES, **nodes.BREACHES}
)
"""By name: the clause that is broken, and what breaks a model; false where it has no place to."""
FALLBACK = "a node that reads its own output"  # for which every model has a place
TRIES = 30
_FAMILIES = MappingProxyType(
    {
        **dict.fromkeys(nodes.OF_CONVOLUTIONS, "conv"),
        **dict.fromkeys(nodes.OF_MOVEMENTS, "movement"),
        "factors of different depth": "matmul",
        "more than there is": "pool",
        **dict.fromkeys(("blocks that do not fit", "blocks of negative size"), "blockwise"),
    }
)
"""Where a breach finds its place soon."""
ALL_CELLS = tuple(f"{CELL}{name}" for name in BREACHES)


@dataclass(frozen=True, slots=True)
class Illegal:
    """A case whose model is broken in the way ``name`` says, against ``clause``."""

    name: str
    clause: str
    case: Case


def breach_of(case: Case) -> str:
    """How a drawn case was broken; empty for a valid one."""
    if not case.cells or not case.cells[0].startswith(CELL):
        return ""
    return case.cells[0].removeprefix(CELL)


def as_broken(name: str, case: Case) -> Case:
    """The case, said to be broken in that way."""
    return replace(case, cells=(f"{CELL}{name}",))


def broken(name: str, case: Case, choices: Choices) -> Illegal | None:
    """The case broken in one way; None where the model has no place for it.

    Raises:
        KeyError: no breach has this name.
    """
    clause, breach = BREACHES[name]
    model = case.proto()
    if not breach(model, choices):
        return None
    return Illegal(name, clause, as_broken(name, case.with_model(model)))


def draw_illegal(scales: str, seed: int) -> Case:
    """The illegal case number ``seed`` of a scale policy; the same bytes every time."""
    choices = RandomChoices(seed)
    name = choices.pick(tuple(BREACHES))
    found = next(_tries(name, scales, seed, choices), None)
    if found is None:
        found = next(_tries(FALLBACK, scales, seed, choices))
    return replace(found.case, origin=f"illegal {scales} {seed}")


def _tries(name: str, scales: str, seed: int, choices: Choices) -> Iterator[Illegal]:
    """Drawn cases that have a place for the breach, of a few."""
    family = _FAMILIES.get(name, "all")
    for attempt in range(TRIES):
        case = draw_case(family, scales, seed * TRIES + attempt)
        if found := broken(name, case, choices):
            yield found


def illegal_cases(case: Case, seed: int) -> Iterator[Illegal]:
    """The case broken in every way that its model has a place for."""
    for name in BREACHES:
        if found := broken(name, case, RandomChoices(seed)):
            yield found
