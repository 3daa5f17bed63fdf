"""Applies the rules to a graph until none fits: what is fused, and why the rest is not."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from engine.fusion import (
    r01_conv,
    r02_redundant_activation,
    r04_clamp,
    r14_average,
    r15_max_pool,
    r16_order,
    r26_max_before_dequantize,
    r36_average_before_dequantize,
    r40_equal_pair,
    r42_double_pair,
)
from engine.fusion.match import Refusal, Replacement, Rule, View
from engine.ir import Graph, Node

RULES: tuple[Rule, ...] = (
    r42_double_pair.RULE,
    r40_equal_pair.RULE,
    r02_redundant_activation.RULE,
    r04_clamp.RULE,
    r01_conv.RULE,
    r14_average.RULE,
    r15_max_pool.RULE,
    r16_order.RULE,
    r26_max_before_dequantize.RULE,
    r36_average_before_dequantize.RULE,
)
"""In the order in which they are tried at a node."""

RULE_IDS = frozenset({*(each.id for each in RULES), "R46", "R64"})
"""Every rule that can be switched off; R46 acts within the others, R64 is the blocked layout."""

OPT_IN_IDS = frozenset(each.id for each in RULES if each.opt_in)
"""Rules that change values, and run only where a session asks for them."""

_BY_ANCHOR: Mapping[str, tuple[Rule, ...]] = MappingProxyType(
    {
        op: tuple(rule for rule in RULES if op in rule.anchors)
        for op in {op for rule in RULES for op in rule.anchors}
    }
)
_SWEEPS = 1000


@dataclass(frozen=True, slots=True)
class Refused:
    """The rule that came nearest at a node, and what stopped it."""

    rule: str
    refusal: Refusal


@dataclass(frozen=True, slots=True)
class Rewrite:
    """The graph when no rule fits any more; ``refused`` by the key of the node that anchors it."""

    graph: Graph
    view: View
    refused: Mapping[str, Refused]


def rewrite(
    graph: Graph,
    rules_off: Collection[str] = (),
    guards_off: Collection[str] = (),
    opt_in: Collection[str] = (),
) -> Rewrite:
    """Sweeps over the nodes in order, the rules of each in order, until a sweep changes nothing."""
    off = {*rules_off, *(each.id for each in RULES if each.opt_in and each.id not in opt_in)}
    view = View(graph, off, guards_off)
    for _ in range(_SWEEPS):
        refused, changed = _sweep(view)
        if not changed:
            nodes = view.ordered() if any(node.rules for node in view.nodes.values()) else ()
            after = replace(graph, nodes=nodes, constants=view.constants) if nodes else graph
            return Rewrite(after, view, refused)
    raise AssertionError(f"fusion came to no end after {_SWEEPS} sweeps")


def _sweep(view: View) -> tuple[dict[str, Refused], bool]:
    refused: dict[str, Refused] = {}
    changed = False
    for key, node in list(view.nodes.items()):
        rules = _BY_ANCHOR.get(node.op)
        if rules and view.nodes.get(key) is node and _try(view, node, rules, refused):
            changed = True
    return refused, changed


def _try(view: View, node: Node, rules: tuple[Rule, ...], refused: dict[str, Refused]) -> bool:
    for rule in rules:
        answer = rule.match(view, node)
        if answer is None:
            continue
        if isinstance(answer, Replacement):
            if rule.id not in view.rules_off:
                view.apply(rule.id, answer)
                return True
            how = "needs to be asked for" if rule.opt_in else "is switched off"
            answer = Refusal("off", f"{rule.id} {how}")
        before = refused.get(node.key)
        if before is None or answer.guard != "pattern" or before.refusal.guard == "pattern":
            refused[node.key] = Refused(rule.id, answer)
    return False
