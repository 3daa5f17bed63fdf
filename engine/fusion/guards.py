"""Guards that several rules share; each gives a ``Refusal`` that names the values, or None.

Ids are those of the rule catalogue: G1 constant parameters, G2 per-tensor activations, G3 single
consumers, G5 equal pairs, G6 usable scales, G7 8-bit codes, G8 constant weights, G9 the axis of
per-channel weights, G10 the scale of the bias, G12 a DequantizeLinear of its own.
"""

from collections.abc import Iterable

import numpy as np

from engine.arithmetic import RANGES
from engine.fusion.match import Refusal, View
from engine.ir import Array, Node
from engine.kernels.qlinear_conv import Affine, scale_problem

_NORMAL = np.finfo(np.float32)


def read_affine(view: View, node: Node) -> Affine | Refusal:
    """G1, G6, G7: the constant scale and zero point of a Q or D on 8-bit codes, flat."""
    constants = view.constants
    scale = constants.get(node.input(1))
    if scale is None:
        return Refusal(
            "G1", f"the scale {node.input(1)!r} of {node.id} is computed, not constant"
        )
    zero_name = node.input(2)
    zero_point = constants.get(zero_name) if zero_name else None
    if zero_name and zero_point is None:
        return Refusal(
            "G1", f"the zero point {zero_name!r} of {node.id} is computed, not constant"
        )
    if zero_point is None:
        codes = node.inputs[0] if node.op == "DequantizeLinear" else node.outputs[0]
        zero_point = np.zeros(scale.shape, view.code_dtype(codes))
    if zero_point.dtype not in RANGES:
        reason = f"{node.id} has {zero_point.dtype} codes, the kernels int8 and uint8"
        wide = "16 bits" if zero_point.dtype in (np.int16, np.uint16) else ""
        if refusal := view.refuse("G7", reason, wide):
            return refusal
    if scale.dtype != np.float32:
        return Refusal("G7", f"{node.id} has a {scale.dtype} scale, the kernels float32")
    if scale.size == 0 or scale.ndim > 1 or zero_point.size not in (1, scale.size):
        return Refusal(
            "G9", f"{node.id} has scales {scale.shape}, zero points {zero_point.shape}"
        )
    if problem := scale_problem(scale):
        return Refusal("G6", f"the scale of {node.id} {problem}")
    return Affine(scale.reshape(-1), zero_point.reshape(-1))


def with_zero_points(
    view: View, nodes: Iterable[tuple[Node, Affine]]
) -> tuple[list[tuple[str, str]], dict[str, Array]]:
    """The names of scale and zero point of each Q or D; constants for zero points left out."""
    names, constants = [], {}
    for node, affine in nodes:
        zero_name = node.input(2)
        if not zero_name:
            zero_name = view.new_name(f"{node.key}_zero_point")
            constants[zero_name] = affine.zero_point
        names.append((node.inputs[1], zero_name))
    return names, constants


def per_tensor(node: Node, affine: Affine) -> Refusal | None:
    """G2: one scale and zero point for the whole activation."""
    if affine.scale.size == 1 and affine.zero_point.size == 1:
        return None
    return Refusal("G2", f"{node.id} has {affine.scale.size} scales, the kernel takes 1")


def single_consumer(view: View, name: str) -> Refusal | None:
    """G3: a float tensor that disappears must be needed by nobody else."""
    shared = view.why_shared(name)
    if not shared:
        return None
    reader = _kind_of_reader(view, name) if view.guards_off else ""
    return view.refuse("G3", f"{shared}, so it must exist in float", reader)


def _kind_of_reader(view: View, name: str) -> str:
    """What a graph rewriter may overlook: an output, a branch, a reader that a rule has made."""
    if view.is_output(name):
        return "output"
    if any(each.op == "If" for each in view.users(name)):
        return "branch"
    before = sum(node.inputs.count(name) for node in view.graph.nodes)
    return "late" if before == 1 else "reader"


def axis_of(view: View, node: Node) -> int:
    """The axis of the scales of a Q or D; 1 where it is left out."""
    axis = node.attributes.get("axis")
    if isinstance(axis, int):
        return axis
    return int(view.by_stage("rewrite.default_axis", default_axis))


def default_axis() -> int:
    """ONNX QuantizeLinear-13: 1."""
    return 1


def weight_axis(
    view: View, node: Node, w: Array, affine: Affine, wanted: int = 0
) -> Refusal | None:
    """G8 and G9: 8-bit codes of the scale's type; several scales lie on the axis of the outputs."""
    if w.dtype != affine.dtype:
        return Refusal(
            "G8", f"the weight codes are {w.dtype}, the zero point of {node.id} {affine.dtype}"
        )
    if w.ndim < 3:
        return Refusal(
            "G8", f"the weight {node.inputs[0]!r} has rank {w.ndim}, a Conv needs 3 or more"
        )
    if affine.scale.size == 1:
        return None
    axis, kind = axis_of(view, node), "ConvTranspose" if wanted else "Conv"
    fits = affine.scale.size == w.shape[wanted]
    if axis not in (wanted, wanted - w.ndim):
        return view.refuse(
            "G9",
            f"the weight scales of {node.id} are on axis {axis}, a {kind} needs {wanted}",
            "axis" if fits else "",
        )
    if not fits:
        return Refusal(
            "G9",
            f"{node.id} has {affine.scale.size} scales for {w.shape[wanted]} output channels",
        )
    return None


def product_scales(x: Affine, w: Affine) -> Array | Refusal:
    """G6: ``fl(xs*ws)``, which must be a normal float32 for every channel."""
    product: Array = x.scale * w.scale
    if product.size == 1 and _NORMAL.tiny <= product.item() <= _NORMAL.max:
        return product
    if product.min() < _NORMAL.tiny or product.max() > _NORMAL.max:
        return Refusal(
            "G6", f"x_scale {x.scale[0]} times w_scale {w.scale.min()} leaves float32"
        )
    return product


def bias_steps(view: View, node: Node, given: Array, wanted: Array) -> Refusal | None:
    """G10: the bias counts steps of ``fl(xs*ws)``, bit for bit, in every channel."""
    if given.size != wanted.size and 1 not in (given.size, wanted.size):
        return Refusal("G10", f"{node.id} has {given.size} scales, the weights {wanted.size}")
    differs = given != wanted
    if not differs.any():
        return None
    scales = np.broadcast_arrays(given, wanted)
    k = int(differs.argmax())
    return view.refuse(
        "G10",
        f"the scale of bias {node.id} is {scales[0][k]} in channel {k}, x_scale * w_scale is "
        f"{scales[1][k]}",
        "scale",
    )
