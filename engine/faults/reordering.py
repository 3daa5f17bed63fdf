"""Faults of rewrites that put a Q, a D or an activation where it does not belong, or take one away."""

from collections.abc import Mapping

import numpy as np

from engine.faults.fault import Fault
from engine.faults.rewriting import ARITHMETIC, rewrite_fault
from engine.fusion.activation import activation_after
from engine.fusion.match import Replacement, View
from engine.fusion.moving import follow
from engine.fusion.r33_quantize_through_concat import each_its_own
from engine.fusion.r40_equal_pair import Coding, read_coding
from engine.ir import Node
from engine.kernels.known_shape import known_shape, known_shapes

_FAR = 4


def stay(view: View, mover: Node, axis: int, perm: tuple[int, ...], up: bool) -> int:
    """The number that the axis had, where as many scales fit there."""
    shape = known_shape(view.graph, mover.inputs[0])
    right = follow(view, mover, axis, perm, up)
    if shape is None or len(shape) != len(perm) or shape[axis] != shape[perm[axis]]:
        return right
    return axis


def pair_of_uint8(view: View, before: Node, dequantize: Node) -> tuple[Node, ...]:
    """D -> Q -> D with its scale and, as no zero point tells the type, codes of uint8."""
    if before.input(2) or view.code_dtype(before.inputs[0]) != np.int8:
        return (dequantize,)
    (name,), scale = dequantize.outputs, dequantize.inputs[1]
    reals, codes = (view.new_name(f"{name}_{each}") for each in ("inner", "unsigned"))
    attributes = dequantize.attributes
    return (
        Node(dequantize.id, dequantize.op, dequantize.inputs, (reals,), attributes),
        Node(dequantize.id, "QuantizeLinear", (reals, scale), (codes,), attributes),
        Node(dequantize.id, dequantize.op, (codes, scale), (name,), attributes),
    )


def pair_from_above(view: View, pool: Node) -> Replacement | None:
    """A pair in front of the pool, like the first DequantizeLinear further up."""
    node, between = view.producer(pool.inputs[0]), set()
    for _ in range(_FAR):
        if node is None or node.op == "DequantizeLinear" or not node.inputs:
            break
        between.add(node.op)
        node = view.producer(node.inputs[0])
    if node is None or node.op != "DequantizeLinear" or not between & ARITHMETIC:
        return None
    coding = read_coding(view, node)
    if not node.input(2) or not isinstance(coding, Coding) or coding.scale.size > 1:
        return None
    codes, reals = (view.new_name(f"{pool.inputs[0]}_{each}") for each in ("pair", "reals"))
    parameters = node.inputs[1:]
    added = (
        Node(pool.id, "QuantizeLinear", (pool.inputs[0], *parameters), (codes,), {}),
        Node(pool.id, "DequantizeLinear", (codes, *parameters), (reals,), {}),
        Node(pool.id, pool.op, (reals, *pool.inputs[1:]), pool.outputs, pool.attributes),
    )
    return Replacement((pool,), added)


def loosely(low: float, high: float) -> bool:
    """Up to one step inside of the ends counts as nothing."""
    return low <= 1 and high <= 1


def in_front_of_the_sum(view: View, add: Node) -> Replacement | None:
    """The activation behind a sum acts on the summand that is no dequantized codes."""
    found = activation_after(view, add)
    reals = [name for name in add.inputs if view.producer(name, "DequantizeLinear") is None]
    if found is None or not reals or view.why_shared(add.outputs[0]):
        return None
    activation, _ = found
    early = view.new_name(add.outputs[0])
    first = (reals[0], *activation.inputs[1:])
    place = add.inputs.index(reals[0])
    inputs = (*add.inputs[:place], early, *add.inputs[place + 1 :])
    added = (
        Node(activation.id, activation.op, first, (early,), activation.attributes),
        Node(add.id, add.op, inputs, activation.outputs, {}),
    )
    return Replacement((add, activation), added)


def in_front_of_the_relu(view: View, relu: Node, quantize: Node) -> Replacement | None:
    """QuantizeLinear -> Relu on codes, which cuts off what is below code 0."""
    coding = read_coding(view, quantize)
    if not isinstance(coding, Coding) or coding.dtype != "int8" or not coding.zero_point.any():
        return None
    codes = view.new_name(quantize.key)
    inputs = (relu.inputs[0], *quantize.inputs[1:])
    added = (
        Node(quantize.id, quantize.op, inputs, (codes,), quantize.attributes),
        Node(relu.id, "Relu", (codes,), quantize.outputs, {}),
    )
    return Replacement((relu, quantize), added)


def one_name(view: View, concat: Node, quantize: Node) -> Mapping[str, str]:
    """The same name for the codes of all inputs of one shape, which the last one then writes."""
    names = each_its_own(view, concat, quantize)
    shapes = known_shapes(view.graph, concat.inputs)
    if shapes is None or len(set(shapes)) > 1:
        return names
    return dict.fromkeys(names, names[concat.inputs[0]])


FAULTS = (
    rewrite_fault(
        "F32",
        "a pair inserted behind a DequantizeLinear without zero point has uint8 codes",
        "microsoft/onnxruntime#27845, #28491, #25001",
        behind=pair_of_uint8,
    ),
    rewrite_fault(
        "F106",
        "scales along an axis move through a Transpose and keep the number of the axis",
        "a DequantizeLinear or QuantizeLinear moved without its attributes",
        axis=stay,
    ),
    rewrite_fault(
        "F113",
        "a maximum pool of reals gets the scale of a DequantizeLinear above other operations",
        "opencv/opencv 5.x searches parameters upwards",
        pool=pair_from_above,
    ),
    Fault(
        "F81",
        "a Relu before a QuantizeLinear is removed although real 0 is not the lowest code",
        "microsoft/onnxruntime relu_quantizelinear, for other types than 8 bits",
        guards_off=("R44.G11", "R02.G11/Relu"),
    ),
    rewrite_fault(
        "F85",
        "a Clip that cuts the outermost codes off is dropped",
        "microsoft/onnxruntime#22580",
        covers=loosely,
    ),
    rewrite_fault(
        "F120",
        "QuantizeLinears put in front of a Concat write to one name, so that the last one wins",
        "copies of a node that keep its name",
        names=one_name,
    ),
    rewrite_fault(
        "F105",
        "a QuantizeLinear moves in front of a Relu, which then acts on codes",
        "microsoft/onnxruntime#28448",
        relu=in_front_of_the_relu,
    ),
    rewrite_fault(
        "F86e",
        "an activation behind a sum is applied before the residual is added",
        "fused residual sums whose activation belongs to the convolution",
        residual=in_front_of_the_sum,
    ),
)
