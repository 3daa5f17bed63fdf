"""A fault of merged pairs: what was counted in steps of the pairs is still counted in theirs."""

from dataclasses import replace

import numpy as np

from engine.faults.fault import Fault
from engine.faults.rewriting import ranges_intersected
from engine.fusion.match import Replacement, View
from engine.ir import Array, Node


def with_the_bias_behind(view: View, pairs: tuple[Node, ...]) -> Replacement | None:
    """`ranges_intersected`; the codes of a Conv's bias become steps of ``fl(the new scale * ws)``.

    They were steps of ``fl(xs * ws)``, as the kernel wants them, which multiplies by xs * ws.
    """
    merged = ranges_intersected(view, pairs)
    _, _, quantize, *after = pairs
    conv = view.only_user(after[0].outputs[0], "Conv") if after else None
    if merged is None or conv is None or len(conv.inputs) < 3:
        return merged
    weights, bias = (view.producer(name, "DequantizeLinear") for name in conv.inputs[1:3])
    if weights is None or bias is None or view.only_user(bias.outputs[0]) is not conv:
        return merged
    x_scale = view.constant(quantize.inputs[1])
    w_scale, steps = (view.constant(each.inputs[1]) for each in (weights, bias))
    if x_scale is None or w_scale is None or steps is None:
        return merged
    if not np.array_equal(_product(x_scale, w_scale), steps.reshape(-1)):
        return merged
    new = merged.added[0].inputs[1]
    own = _product(merged.constants[new], w_scale).reshape(steps.shape)
    return _with_scale(view, merged, bias, own)


def _product(x_scale: Array, w_scale: Array) -> Array:
    product: Array = (x_scale * w_scale).reshape(-1)
    return product


def _with_scale(view: View, merged: Replacement, bias: Node, scale: Array) -> Replacement:
    """The same replacement, with another scale for the DequantizeLinear of the bias."""
    name = view.new_name(f"{bias.key}_scale")
    inputs = (bias.inputs[0], name, *bias.inputs[2:])
    counted = Node(bias.id, bias.op, inputs, bias.outputs, bias.attributes)
    return replace(
        merged,
        covered=(*merged.covered, bias),
        added=(*merged.added, counted),
        constants={**merged.constants, name: scale},
    )


FAULTS = (
    Fault(
        "F112.bias",
        "two different pairs in a row become one with the range that both have in common, and the bias behind counts its steps",
        "microsoft/onnxruntime#25259; its Conv takes a bias whose scale is nearly x_scale * w_scale, measured",
        stages={"rewrite.double_pair": with_the_bias_behind},
    ),
)
