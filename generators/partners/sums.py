"""Partners that sum the same terms in another order, or more terms of zero: claim ``sums``.

y = sum over c of (x[c] - zx) (w[c] - zw) keeps its value where channels are renumbered in x and w
alike, where channels with x = zx are added, and where x and zx grow by the same number.
"""

import numpy as np
import onnx

from corpus.case import Array
from generators.arrays import noise
from generators.choices import Choices
from generators.partners.partner import Partner, Places
from generators.partners.places import permutation
from generators.partners.surgery import Place, Surgery, attribute, input_name, set_attribute
from generators.partners.weighted import Weighted, take, weighted

MOST_ADDED = 9
MOST_SHIFT = 5
_ZEROS = {"QLinearConv": 2, "ConvInteger": 2, "QLinearMatMul": 2, "MatMulInteger": 2}
_BY_AXIS = ("kernel_shape", "strides", "dilations")


def channels_permuted(surgery: Surgery, choices: Choices) -> Places | None:
    """The channels of each group in another order, in x and in w."""
    one = _fed(surgery, choices)
    if one is None or one.depth < 2 or one.source is None:
        return None
    order = permutation(choices, one.depth)
    x = surgery.inputs[one.source]
    taken = [g * one.depth + n for g in range(one.groups) for n in order]
    surgery.inputs[one.source] = np.take(x, taken, one.x_in)
    take(surgery, one.w, one.w_in, order)
    return {}


def channels_added(surgery: Surgery, choices: Choices) -> Places | None:
    """More channels whose x is the zero point, with any weights."""
    one = _fed(surgery, choices)
    if one is None or one.groups > 1 or one.source is None:
        return None
    zero = _zero_of(surgery, one)
    if zero is None:
        return None
    more = choices.integer(1, MOST_ADDED)
    x = surgery.inputs[one.source]
    surgery.inputs[one.source] = np.concatenate(
        [x, np.full(_sized(x, one.x_in, more), zero, x.dtype)], one.x_in
    )
    w = one.w.array
    fresh = _like(w, _sized(w, one.w_in, more), choices)
    surgery.replace(one.w.node, one.w.index, np.concatenate([w, fresh], one.w_in))
    return {}


def one_group(surgery: Surgery, choices: Choices) -> Places | None:
    """One group of a convolution as a convolution of its own."""
    found = [
        each for each in weighted(surgery) if each.groups > 1 and each.source and each.sinks
    ]
    one = choices.pick(found) if found else None
    if one is None or one.source is None:
        return None
    group, each = choices.integer(0, one.groups - 1), one.filters // one.groups
    channels = range(group * one.depth, (group + 1) * one.depth)
    filters = range(group * each, (group + 1) * each)
    surgery.inputs[one.source] = np.take(surgery.inputs[one.source], channels, one.x_in)
    for held in (one.w, *one.by_filter):
        take(surgery, held, 0, filters)
    set_attribute(one.node, "group", 1)
    return {name: Place(one.y_out, tuple(filters)) for name in one.sinks or ()}


def image_transposed(surgery: Surgery, choices: Choices) -> Places | None:
    """Rows and columns of x, w and y exchanged, with all that is said of them."""
    found = [
        each
        for each in weighted(surgery)
        if each.is_conv and each.source and each.sinks and each.w.array.ndim == 4
    ]
    if len(found) != 1 or found[0].source is None:
        return None
    one, turned = found[0], (0, 1, 3, 2)
    source = found[0].source
    surgery.inputs[source] = np.transpose(surgery.inputs[source], turned)
    surgery.replace(one.w.node, one.w.index, np.transpose(one.w.array, turned))
    for name in _BY_AXIS:
        said = attribute(one.node, name, None)
        if isinstance(said, tuple):
            set_attribute(one.node, name, said[::-1])
    pads = attribute(one.node, "pads", None)
    if isinstance(pads, tuple):
        set_attribute(one.node, "pads", [pads[n] for n in (1, 0, 3, 2)])
    return {name: Place(axes=turned) for name in one.sinks or ()}


def zero_point_shifted(surgery: Surgery, choices: Choices) -> Places | None:
    """X and its zero point some codes higher or lower, where no code saturates."""
    for node in surgery.graph.node:
        index = 2 if node.op_type == "DequantizeLinear" else _ZEROS.get(node.op_type, -1)
        name = input_name(node, 0)
        zero = surgery.constant(node, index) if index > 0 else None
        if zero is None or zero.size != 1 or not _is_free(surgery, name, zero):
            continue
        x = surgery.inputs[name]
        shift = _shift(x, int(zero.reshape(-1)[0]), choices)
        if shift:
            surgery.inputs[name] = (x.astype(np.int64) + shift).astype(x.dtype)
            surgery.replace(node, index, (zero.astype(np.int64) + shift).astype(zero.dtype))
            return {}
    return None


def _is_free(surgery: Surgery, name: str, zero: Array) -> bool:
    """Whether one node alone reads a graph input of 8-bit codes."""
    x = surgery.inputs.get(name)
    return (
        x is not None
        and surgery.is_private(name)
        and x.dtype == zero.dtype
        and x.dtype in (np.uint8, np.int8)
    )


def _shift(x: Array, zero: int, choices: Choices) -> int:
    limits = np.iinfo(x.dtype)
    lowest, highest = min(int(x.min()), zero), max(int(x.max()), zero)
    low = max(limits.min - lowest, -MOST_SHIFT)
    high = min(limits.max - highest, MOST_SHIFT)
    options = [each for each in range(low, high + 1) if each]
    return choices.pick(options) if options else 0


def _fed(surgery: Surgery, choices: Choices) -> Weighted | None:
    """An operator that a graph input feeds element by element."""
    found = [each for each in weighted(surgery) if each.source]
    return choices.pick(found) if found else None


def _zero_of(surgery: Surgery, one: Weighted) -> int | float | None:
    """What the graph input holds where x is zero; None where that is not to be said."""
    name, node = one.source, one.node
    first = next(each for each in surgery.graph.node if name in each.input)
    if surgery.inputs[str(name)].dtype == np.float32:
        return 0.0 if _keeps_zero(surgery, first, node) else None
    if first is node:
        return _scalar(surgery, node, _ZEROS.get(node.op_type, -1))
    if first.op_type == "DequantizeLinear" and first.output[0] == node.input[0]:
        return _scalar(surgery, first, 2)
    return None


def _keeps_zero(surgery: Surgery, first: onnx.NodeProto, node: onnx.NodeProto) -> bool:
    """Whether a real 0 comes to the operator as its zero: quantized and dequantized alike."""
    if first.op_type != "QuantizeLinear":
        return False
    quantized = _scalar(surgery, first, 2)
    reader = next(each for each in surgery.graph.node if first.output[0] in each.input)
    index = 2 if reader.op_type == "DequantizeLinear" else _ZEROS.get(reader.op_type, -1)
    if reader is not node and node.input[0] != reader.output[0]:
        return False
    return quantized == _scalar(surgery, reader, index)


def _scalar(surgery: Surgery, node: onnx.NodeProto, index: int) -> int | None:
    """The one zero point of a node; 0 where it is left out."""
    if index < 0:
        return None
    if not input_name(node, index):
        return 0
    zero = surgery.constant(node, index)
    return None if zero is None or zero.size != 1 else int(zero.reshape(-1)[0])


def _sized(array: Array, axis: int, size: int) -> tuple[int, ...]:
    sizes = list(array.shape)
    sizes[axis] = size
    return tuple(sizes)


def _like(w: Array, shape: tuple[int, ...], choices: Choices) -> Array:
    """Random weights; reals are multiples of a power of two below those that are there."""
    seed = choices.integer(0, 999)
    codes = np.frombuffer(noise(seed, int(np.prod(shape))), np.int8).reshape(shape)
    return codes.astype(w.dtype) if w.dtype.kind in "iu" else (codes / 128).astype(w.dtype)


SUMS = (
    Partner("channels permuted", "sums", channels_permuted),
    Partner("channels of zeros added", "sums", channels_added),
    Partner("one group alone", "sums", one_group),
    Partner("image transposed", "sums", image_transposed),
    Partner("zero point shifted with the data", "sums", zero_point_shifted),
)
