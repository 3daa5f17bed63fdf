"""R51: a float bias beside dequantized x and w becomes int32: ``qb = rne(b / (xs*ws))``.

``D(x), D(w), b -> Conv | ConvTranspose | Gemm [-> Relu | Clip] -> Q`` gets ``D(qb)``, which R01 and
its kin then take along. X2, opt-in: the bias moves by up to ``xs*ws/2``.
"""

import numpy as np

from engine.fusion.guards import per_tensor, product_scales, read_affine, single_consumer
from engine.fusion.match import Answer, Refusal, Rule, View
from engine.fusion.rounded_bias import rounded_bias
from engine.ir import Array, Node
from engine.kernels.qlinear_conv import Affine

_BETWEEN = ("Relu", "Clip")


def match(view: View, node: Node) -> Answer:
    """A weighted operator with a constant float bias."""
    bias: Array | None = view.by_stage("rewrite.real_bias", initializer, view, node.input(2))
    if bias is None or bias.dtype != np.float32:
        return None
    data, weight = (view.producer(name, "DequantizeLinear") for name in node.inputs[:2])
    if data is None or weight is None:
        return None
    if refusal := before_quantize(view, node) or _plain(node):
        return refusal
    x, w = read_affine(view, data), read_affine(view, weight)
    if isinstance(x, Refusal):
        return x
    if isinstance(w, Refusal):
        return w
    if refusal := per_tensor(data, x) or _channels(view, node, weight, w, bias):
        return refusal
    steps = product_scales(x, w)
    if isinstance(steps, Refusal):
        return steps
    return rounded_bias(view, node, node.inputs[2], bias, steps)


def initializer(view: View, name: str) -> Array | None:
    """What the rule rounds: a bias that is a constant as it stands."""
    return view.constant(name)


def before_quantize(view: View, node: Node) -> Refusal | None:
    """G3: from the operator one way leads to a QuantizeLinear, with a Relu or Clip at most."""
    name = node.outputs[0]
    while True:
        if refusal := single_consumer(view, name):
            return refusal
        users = view.users(name)
        if users and users[0].op == "QuantizeLinear":
            return None
        if not users or users[0].op not in _BETWEEN:
            return Refusal("pattern", f"no QuantizeLinear follows {node.id}")
        name = users[0].outputs[0]


def _plain(node: Node) -> Refusal | None:
    """G11: the steps of the bias are those of the product only if both count once."""
    for name in ("alpha", "beta"):
        factor = node.attributes.get(name, 1.0)
        if factor != 1.0:
            return Refusal("G11", f"{name} of {node.id} is {factor}, must be 1")
    return None


def _channels(view: View, node: Node, weight: Node, w: Affine, bias: Array) -> Refusal | None:
    """G9, G10: one scale, or one for each element of the bias on the axis of output channels."""
    if bias.ndim != 1:
        return Refusal("G10", f"bias {node.inputs[2]!r} has shape {bias.shape}, must be a row")
    if weight.attributes.get("block_size", 0):
        return Refusal("G9", f"the scales of {weight.id} are for blocks")
    if w.scale.size == 1:
        return None
    axis, wanted = weight.attributes.get("axis", 1), output_axis(node)
    codes = view.constant(weight.inputs[0])
    same = codes is not None and wanted is not None and axis in (wanted, wanted - codes.ndim)
    if not same or w.scale.size != bias.size:
        where = "no" if wanted is None else f"{bias.size} on axis {wanted}"
        return Refusal(
            "G9",
            f"{weight.id} has {w.scale.size} scales on axis {axis}, {node.id} takes {where}",
        )
    return None


def output_axis(node: Node) -> int | None:
    """The axis of the output channels in the weights; None where groups share it."""
    if node.op == "Conv":
        return 0
    if node.op == "Gemm":
        return 0 if node.attributes.get("transB", 0) else 1
    return 1 if node.attributes.get("group", 1) == 1 else None


RULE = Rule(
    "R51",
    "float bias rounded to steps of the product",
    "X2",
    ("Conv", "ConvTranspose", "Gemm"),
    match,
    opt_in=True,
)
