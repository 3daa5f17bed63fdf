"""R09: ``D(A), D(B)[, D(C)] -> Gemm -> Q`` becomes QGemm (R07: without Q, R04: with an activation).

``y = alpha as*bs (acc + c)``: the kernel adds C before alpha, hence with C both alpha and beta must
be 1 (onnxruntime#28130), and C counts steps of ``fl(as*bs)``.
"""

from collections.abc import Mapping
from typing import Any

from engine.fusion.guards import per_tensor, read_affine, single_consumer, with_zero_points
from engine.fusion.match import Answer, Refusal, Replacement, Rule, View
from engine.fusion.products import Side, int32_bias, sides
from engine.fusion.r01_conv import quantize_after
from engine.ir import Array, Node


def match(view: View, gemm: Node) -> Answer:
    """A Gemm that a QuantizeLinear follows."""
    quantize = quantize_after(view, gemm.outputs[0])
    return fuse(view, gemm, (), quantize, {}) if quantize else None


def fuse(
    view: View,
    gemm: Node,
    between: tuple[Node, ...],
    quantize: Node | None,
    attributes: Mapping[str, Any],
) -> Replacement | Refusal:
    """The fused unit of a Gemm, what lies ``between`` it and its QuantizeLinear, and its D's."""
    for each in (gemm, *between) if quantize else ():
        if refusal := single_consumer(view, each.outputs[0]):
            return refusal
    turned = bool(gemm.attributes.get("transB", 0))
    found = sides(view, gemm, b_axis=-2 if turned else -1)
    if isinstance(found, Refusal):
        return found
    a, b = found
    bias = _bias(view, gemm, a, b, turned)
    if isinstance(bias, Refusal):
        return bias
    parts = [(a.node, a.affine), (b.node, b.affine)]
    if quantize:
        y = read_affine(view, quantize)
        if isinstance(y, Refusal):
            return y
        if refusal := per_tensor(quantize, y):
            return refusal
        parts.append((quantize, y))
    names, constants = with_zero_points(view, parts)
    c = bias[0].inputs[0] if bias else ""
    inputs = (a.codes, *names[0], b.codes, *names[1], c, *(names[2] if quantize else ()))
    kept = {name: each for name, each in gemm.attributes.items() if name != "beta"}
    last = quantize or gemm
    node = Node(gemm.id, "QGemm", _trimmed(inputs), last.outputs, {**kept, **attributes})
    covered = (a.node, b.node, *bias, gemm, *between, *((quantize,) if quantize else ()))
    return Replacement(covered, (node,), constants)


def _bias(
    view: View, gemm: Node, a: Side, b: Side, turned: bool
) -> tuple[Node, ...] | Refusal:
    name = gemm.input(2)
    if not name:
        return ()
    for attribute in ("alpha", "beta"):
        value = gemm.attributes.get(attribute, 1.0)
        if value != 1:
            reason = f"{attribute} of {gemm.id} is {value}, with a bias it must be 1"
            if refusal := view.refuse("G11", reason, attribute):
                return refusal
    node = int32_bias(view, name, a, b)
    if isinstance(node, Refusal):
        return node
    codes, weights = view.constants[node.inputs[0]], view.constant(b.codes)
    if weights is None or not _is_row(codes, weights.shape[-2 if turned else -1]):
        return Refusal("G10", f"bias {node.inputs[0]!r} {codes.shape} is no row of columns")
    return (node,)


def _is_row(codes: Array, columns: int) -> bool:
    return codes.shape in ((columns,), (1, columns))


def _trimmed(inputs: tuple[str, ...]) -> tuple[str, ...]:
    return inputs if inputs[-1] else inputs[:-1]


RULE = Rule("R09", "Gemm of dequantized codes", "X1", ("Gemm",), match)
