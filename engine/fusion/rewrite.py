"""Applies the rules to a graph until none fits: what is fused, and why the rest is not."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from engine.fusion import (
    r01_conv,
    r02_redundant_activation,
    r03_conv_table,
    r04_clamp,
    r05_conv_transpose,
    r06_matmul,
    r07_matmul_to_float,
    r08_matmul_bias,
    r08b_rounded_bias,
    r09_gemm,
    r10_binary,
    r11_binary_clamp,
    r12_table,
    r13_softmax,
    r14_average,
    r15_max_pool,
    r16_order,
    r17_concat,
    r18_split,
    r19_movement,
    r20_resize,
    r21_choice,
    r21_pad,
    r22_conv_add,
    r23_conv_silu,
    r24_folded_affine,
    r25_requantize,
    r26_max_before_dequantize,
    r30_dequantize_forward,
    r31_quantize_backward,
    r32_dequantize_through_joints,
    r33_quantize_through_concat,
    r34_quantize_through_split,
    r35_equal_quantizers,
    r36_average_before_dequantize,
    r40_equal_pair,
    r41_stripped_pair,
    r42_double_pair,
    r43_sign_shift,
    r44_relu_before_quantize,
    r45_clip_before_quantize,
    r48_unsigned_codes,
    r50_constant_quantize,
    r51_float_bias,
    r52_float_weight,
    r54_folded_pad,
    r55_covered_activation,
    r56_shared_parameters,
    r60_blocked_weights,
    r61_dynamic_matmul,
    r62_reshaped_weights,
    r63_inverse_transposes,
)
from engine.fusion.match import Refusal, Replacement, Rule, View
from engine.ir import Graph, Node
from engine.profiles import PROFILES, Profile

RULES: tuple[Rule, ...] = (
    r55_covered_activation.RULE,
    r48_unsigned_codes.RULE,
    r52_float_weight.RULE,
    r51_float_bias.RULE,
    r56_shared_parameters.RULE,
    r44_relu_before_quantize.RULE,
    r45_clip_before_quantize.RULE,
    r50_constant_quantize.RULE,
    r35_equal_quantizers.RULE,
    r42_double_pair.RULE,
    r40_equal_pair.RULE,
    r43_sign_shift.RULE,
    r25_requantize.RULE,
    r12_table.RULE,
    r41_stripped_pair.RULE,
    r62_reshaped_weights.RULE,
    r24_folded_affine.RULE,
    r54_folded_pad.RULE,
    r22_conv_add.RULE,
    r23_conv_silu.RULE,
    r02_redundant_activation.RULE,
    r04_clamp.RULE,
    r01_conv.RULE,
    r05_conv_transpose.RULE,
    r60_blocked_weights.RULE,
    r61_dynamic_matmul.RULE,
    r08b_rounded_bias.RULE,
    r08_matmul_bias.RULE,
    r06_matmul.RULE,
    r07_matmul_to_float.RULE,
    r09_gemm.RULE,
    r03_conv_table.RULE,
    r10_binary.RULE,
    r11_binary_clamp.RULE,
    r13_softmax.RULE,
    r17_concat.RULE,
    r21_choice.RULE,
    r14_average.RULE,
    r15_max_pool.RULE,
    r16_order.RULE,
    r18_split.RULE,
    r19_movement.RULE,
    r20_resize.RULE,
    r21_pad.RULE,
    r63_inverse_transposes.RULE,
    r26_max_before_dequantize.RULE,
    r36_average_before_dequantize.RULE,
    r30_dequantize_forward.RULE,
    r32_dequantize_through_joints.RULE,
    r31_quantize_backward.RULE,
    r33_quantize_through_concat.RULE,
    r34_quantize_through_split.RULE,
)
"""In the order in which they are tried at a node."""

RULE_IDS = frozenset({*(each.id for each in RULES), "R46", "R53", "R64"})
"""Every rule that can be switched off; R46 acts within the others, R53 and R64 choose a kernel."""

OPT_IN_IDS = frozenset(each.id for each in RULES if each.opt_in)
"""Rules that change values, and run only where a session asks for them."""


def _by_anchor(last: bool) -> Mapping[str, tuple[Rule, ...]]:
    rules = [rule for rule in RULES if rule.last == last]
    anchors = {op for rule in rules for op in rule.anchors}
    return {op: tuple(rule for rule in rules if op in rule.anchors) for op in anchors}


_FIRST, _LAST = (
    MappingProxyType(_by_anchor(last=False)),
    MappingProxyType(_by_anchor(last=True)),
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
    profile: Profile = PROFILES["spec"],
    replaced: Mapping[str, Callable[..., Any]] = MappingProxyType({}),
) -> Rewrite:
    """Sweeps over the nodes in order, the rules of each in order, until a sweep changes nothing.

    ``profile`` and ``replaced``, the stages of faults, are for what is computed here.
    """
    off = {*rules_off, *OPT_IN_IDS.difference(opt_in)}
    view = View(graph, off, guards_off, profile, replaced)
    for _ in range(_SWEEPS):
        refused, changed = _sweep(view, _FIRST)
        if not changed:
            refused_last, changed = _sweep(view, _LAST)
        if not changed:
            after = graph
            if view.changed:
                after = replace(graph, nodes=view.ordered(), constants=view.constants)
            asked = {k: r for k, r in refused_last.items() if r.refusal.guard != "off"}
            return Rewrite(after, view, {**asked, **refused})
    raise AssertionError(f"fusion came to no end after {_SWEEPS} sweeps")


def _sweep(
    view: View, by_anchor: Mapping[str, tuple[Rule, ...]]
) -> tuple[dict[str, Refused], bool]:
    refused: dict[str, Refused] = {}
    changed = False
    for key, node in list(view.nodes.items()):
        rules = by_anchor.get(node.op)
        if rules and view.nodes.get(key) is node and _try(view, node, rules, refused):
            changed = True
    return refused, changed


def _try(view: View, node: Node, rules: tuple[Rule, ...], refused: dict[str, Refused]) -> bool:
    for rule in rules:
        view.begin(rule.id)
        off = rule.id in view.rules_off
        if off and rule.opt_in and view.refuse("opt-in", "it is not asked for"):
            continue
        answer = rule.match(view, node)
        if answer is None:
            continue
        if isinstance(answer, Replacement):
            if not off or rule.opt_in:
                view.apply(rule.id, answer)
                return True
            answer = Refusal("off", f"{rule.id} is switched off")
        before = refused.get(node.key)
        if before is None or answer.guard != "pattern" or before.refusal.guard == "pattern":
            refused[node.key] = Refused(rule.id, answer)
    return False
