"""The public Hypothesis strategies; each shrinks towards one element, one channel, scales of 1."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from hypothesis import strategies as st

from corpus.case import Array, Case
from generators import arrays, qparams
from generators.choices import Choices, HypothesisChoices
from generators.graphs import FAMILIES, cases, draw_case
from generators.operators import conv, node
from generators.operators.conv import ConvSpec
from generators.operators.node import NodeSpec

SCALES = qparams.POLICIES
Spec = TypeVar("Spec")

__all__ = [
    "FAMILIES",
    "SCALES",
    "ConvSpec",
    "NodeSpec",
    "build_case",
    "cases",
    "codes",
    "conv_specs",
    "draw_case",
    "node_specs",
]


def conv_specs(*, scales: str = "any") -> st.SearchStrategy[ConvSpec]:
    """The parameters of one quantized convolution; ``build_case`` makes its case.

    Raises:
        ValueError: the scale policy is unknown.
    """
    _require("scale policy", scales, SCALES)
    return _drawn(lambda choices: conv.conv_specs(choices, scales))


def node_specs(family: str = "matmul", *, scales: str = "any") -> st.SearchStrategy[NodeSpec]:
    """The parameters of one quantized operator of a family; ``build_case`` makes its case.

    Raises:
        ValueError: the scale policy is unknown, or the family is none of single operators.
    """
    _require("scale policy", scales, SCALES)
    _require("family of single operators", family, tuple(node.FAMILIES))
    return _drawn(lambda choices: node.FAMILIES[family](choices, scales)[0])


def codes(
    shape: Sequence[int], dtype: str = "uint8", *, zero_point: int = 0
) -> st.SearchStrategy[Array]:
    """Integer codes of ``shape``, ``uint8`` or ``int8``: random, extreme, coarse, or about the zero point.

    Raises:
        ValueError: the type is neither, or it does not hold the zero point.
    """
    _require("type of codes", dtype, tuple(arrays.LOWEST))
    low = arrays.LOWEST[dtype]
    if not low <= zero_point <= low + 255:
        raise ValueError(f"zero point {zero_point} is no {dtype}")

    def draw(choices: Choices) -> Array:
        kind, seed = choices.pick(arrays.KINDS), choices.integer(0, 999)
        return arrays.codes(kind, seed, shape, dtype, zero_point).copy()

    return _drawn(draw)


def build_case(spec: ConvSpec | NodeSpec) -> Case:
    """The model and the inputs of a spec; the same bytes every time."""
    return conv.build(spec) if isinstance(spec, ConvSpec) else node.build(spec)


def _drawn(draw: Callable[[Choices], Spec]) -> st.SearchStrategy[Spec]:
    @st.composite
    def drawn(choose: st.DrawFn) -> Spec:
        return draw(HypothesisChoices(choose))

    return drawn()


def _require(what: str, given: str, known: Sequence[str]) -> None:
    if given not in known:
        raise ValueError(f"unknown {what} {given!r}, expected one of {', '.join(known)}")
