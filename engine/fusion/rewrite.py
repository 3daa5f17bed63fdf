"""Applies the rules to a graph: what is fused, and why the rest is not."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from engine.fusion import (
    r01_conv,
    r02_redundant_activation,
    r04_clamp,
    r40_equal_pair,
    r42_double_pair,
)
from engine.fusion.match import Fused, Refusal, View
from engine.ir import Graph, Node

RULES = (
    r42_double_pair.RULE,
    r40_equal_pair.RULE,
    r02_redundant_activation.RULE,
    r04_clamp.RULE,
    r01_conv.RULE,
)
"""In the order in which they are tried."""

RULE_IDS = frozenset({*(each.id for each in RULES), "R46", "R64"})
"""Every rule that can be switched off; R46 acts as a guard, R64 is the blocked layout."""


@dataclass(frozen=True, slots=True)
class Rewrite:
    """The fused units by the output of their last node, and the last refusal at each Q."""

    view: View
    fused: Mapping[str, Fused]
    refusals: Mapping[str, tuple[str, Refusal]]
    covered: Collection[str]


def rewrite(graph: Graph, rules_off: Collection[str], guards_off: Collection[str]) -> Rewrite:
    """Tries every rule that is on at every QuantizeLinear; the first that fits wins."""
    view = View.of(graph, rules_off, guards_off)
    fused: dict[str, Fused] = {}
    refusals: dict[str, tuple[str, Refusal]] = {}
    covered: set[str] = set()
    for node in graph.nodes:
        if node.op == "QuantizeLinear":
            answer = _first(view, node, refusals)
            if answer is not None:
                fused[node.outputs[0]] = answer
                covered.update(each.outputs[0] for each in answer.nodes)
    return Rewrite(view, fused, refusals, covered)


def _first(view: View, node: Node, refusals: dict[str, tuple[str, Refusal]]) -> Fused | None:
    for rule in RULES:
        answer = _off(view, rule.id, rule.match(view, node))
        if isinstance(answer, Fused):
            return answer
        if answer is not None:
            refusals[node.outputs[0]] = (rule.id, answer)
    return None


def _off(view: View, rule: str, answer: Fused | Refusal | None) -> Fused | Refusal | None:
    if isinstance(answer, Fused) and rule in view.rules_off:
        return Refusal("off", f"{rule} is switched off")
    return answer
