"""Breaches of single operators: shapes that do not fit together, attributes out of range."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
import onnx
from onnx import helper, numpy_helper

from corpus.case import Array
from generators.breaches.places import (
    attribute,
    initializer,
    lengthened,
    main_node,
    own_initializer,
    replace_array,
)
from generators.choices import Choices

CONVOLUTIONS = ("Conv", "QLinearConv", "ConvInteger")
WEIGHTS = {"Conv": 1, "QLinearConv": 3, "ConvInteger": 1, "ConvTranspose": 1}
BIASES = {"Conv": 2, "QLinearConv": 8, "ConvTranspose": 2}
WINDOWED = (*WEIGHTS, "MaxPool", "AveragePool")
BEYOND = 99


def _weights(
    model: onnx.ModelProto, node: onnx.NodeProto, index: int
) -> onnx.TensorProto | None:
    """An operand as an initializer, behind a DequantizeLinear or not."""
    if index >= len(node.input):
        return None
    name = node.input[index]
    maker = next((each for each in model.graph.node if name in each.output), None)
    if maker is not None and maker.op_type == "DequantizeLinear":
        name = maker.input[0]
    return initializer(model, name)


def _convolution(model: onnx.ModelProto) -> onnx.NodeProto | None:
    node = main_node(model)
    return node if node is not None and node.op_type in WEIGHTS else None


def _group(model: onnx.ModelProto, _choices: Choices) -> bool:
    node = _convolution(model)
    w = None if node is None else _weights(model, node, WEIGHTS[node.op_type])
    if node is None or w is None:
        return False
    _set(node, "group", 7 * int(w.dims[0]) * int(w.dims[1]) + 1)
    return True


def _set(node: onnx.NodeProto, name: str, value: int | list[int]) -> None:
    if found := attribute(node, name):
        node.attribute.remove(found)
    node.attribute.append(helper.make_attribute(name, value))


def _weight_rank(model: onnx.ModelProto, _choices: Choices) -> bool:
    node = _convolution(model)
    w = None if node is None else _weights(model, node, WEIGHTS[node.op_type])
    if w is None:
        return False
    w.dims.append(1)
    return True


def _weight_channels(model: onnx.ModelProto, _choices: Choices) -> bool:
    node = _convolution(model)
    w = None if node is None else _weights(model, node, WEIGHTS[node.op_type])
    if node is None or w is None:
        return False
    axis = 0 if node.op_type == "ConvTranspose" else 1
    replace_array(w, lengthened(numpy_helper.to_array(w), axis))
    return node.op_type != "ConvTranspose" or attribute(node, "group") is None


def _bias_length(model: onnx.ModelProto, _choices: Choices) -> bool:
    node = _convolution(model)
    b = None if node is None else _weights(model, node, BIASES.get(node.op_type, BEYOND))
    if b is None or b.dims[0] < 2:
        return False
    replace_array(b, numpy_helper.to_array(b)[:-1])
    return True


def _kernel(model: onnx.ModelProto, _choices: Choices) -> bool:
    node = _convolution(model)
    given = None if node is None else attribute(node, "kernel_shape")
    if given is None:
        return False
    given.ints[0] += 1
    return True


def _of_window(name: str, change: Callable[[int], list[int]]) -> Callable[..., bool]:
    """An attribute of a window, made from the rank of the image."""

    def breach(model: onnx.ModelProto, _choices: Choices) -> bool:
        node = main_node(model)
        kernel = None
        if node is not None and node.op_type in WINDOWED:
            kernel = attribute(node, "kernel_shape")
        if node is None or kernel is None or attribute(node, "auto_pad") is not None:
            return False
        _set(node, name, change(len(kernel.ints)))
        return True

    return breach


def _depth(model: onnx.ModelProto, _choices: Choices) -> bool:
    node = main_node(model)
    if node is None or node.op_type not in ("MatMul", "QLinearMatMul", "MatMulInteger"):
        return False
    b = _weights(model, node, 3 if node.op_type == "QLinearMatMul" else 1)
    if b is None or len(b.dims) < 2:
        return False
    array = numpy_helper.to_array(b)
    replace_array(b, lengthened(array, array.ndim - 2))
    return _per_tensor(model)


def _per_tensor(model: onnx.ModelProto) -> bool:
    """Whether no parameter lies along an axis, which would be broken as well."""
    names = {each.input[1] for each in model.graph.node if len(each.input) > 1}
    return all(not each.dims for each in model.graph.initializer if each.name in names)


def _axis(model: onnx.ModelProto, choices: Choices) -> bool:
    node = main_node(model)
    given = None if node is None else attribute(node, "axis")
    if given is None:
        return False
    given.i = choices.pick((BEYOND, -BEYOND))
    return True


def _perm(model: onnx.ModelProto, _choices: Choices) -> bool:
    node = main_node(model)
    given = None if node is None else attribute(node, "perm")
    if given is None or len(given.ints) < 2:
        return False
    given.ints[0] = given.ints[1]
    return True


def _constant(op: str, index: int, value: Callable[[Array], Array]) -> Callable[..., bool]:
    """Another constant as an input of an operator."""

    def breach(model: onnx.ModelProto, _choices: Choices) -> bool:
        node = main_node(model)
        if node is None or node.op_type != op:
            return False
        given = own_initializer(model, node, index)
        if given is None:
            return False
        replace_array(given, value(numpy_helper.to_array(given)))
        return True

    return breach


def _block(model: onnx.ModelProto, _choices: Choices) -> bool:
    node = main_node(model)
    given = None if node is None else attribute(node, "blocksize")
    if given is None:
        return False
    given.i = BEYOND
    return True


OF_CONVOLUTIONS = (
    *("a group that does not divide the channels", "weights of another rank"),
    *("weights for other channels", "a bias that is too short"),
    "a kernel_shape other than the weights'",
    *("strides of 0", "dilations of 0", "too many strides", "too few pads"),
)
OF_MOVEMENTS = (
    *("a perm that repeats an axis", "a Reshape to another size", "parts of another sum"),
    *("an index out of bounds", "a step of 0", "too few sizes of a border"),
    *("too few repeats", "a blocksize that does not divide"),
)
_WINDOW = (
    "Conv, MaxPool: one value for each axis of the image (pads two), strides of 1 and more"
)
_CONV = "Conv: W is M x C/group x kernel, B has M elements, group divides C and M"
BREACHES: Mapping[str, tuple[str, Callable[[onnx.ModelProto, Choices], bool]]] = (
    MappingProxyType(
        {
            "a group that does not divide the channels": (_CONV, _group),
            "weights of another rank": (_CONV, _weight_rank),
            "weights for other channels": (_CONV, _weight_channels),
            "a bias that is too short": (_CONV, _bias_length),
            "a kernel_shape other than the weights'": (_CONV, _kernel),
            "strides of 0": (_WINDOW, _of_window("strides", lambda rank: [0] * rank)),
            "dilations of 0": (_WINDOW, _of_window("dilations", lambda rank: [0] * rank)),
            "too many strides": (
                _WINDOW,
                _of_window("strides", lambda rank: [1] * (rank + 1)),
            ),
            "too few pads": (_WINDOW, _of_window("pads", lambda rank: [0] * (2 * rank - 1))),
            "factors of different depth": ("MatMul: as numpy.matmul", _depth),
            "an axis beyond the rank": ("axis is in [-r, r - 1]", _axis),
            "a perm that repeats an axis": ("Transpose: perm is a permutation", _perm),
            "a Reshape to another size": (
                "Reshape: input and output have as many elements",
                _constant("Reshape", 1, lambda _: np.array([BEYOND, BEYOND], np.int64)),
            ),
            "parts of another sum": (
                "Split: the parts' sum is the axis",
                _constant("Split", 1, lambda sizes: sizes + 1),
            ),
            "an index out of bounds": (
                "Gather: indices are in [-s, s - 1]",
                _constant("Gather", 1, lambda _: np.array([BEYOND], np.int64)),
            ),
            "a step of 0": (
                "Slice: steps are not 0",
                _constant("Slice", 4, lambda _: np.zeros(1, np.int64)),
            ),
            "more than there is": (
                "TopK: k is at most the axis",
                _constant("TopK", 1, lambda _: np.array([BEYOND], np.int64)),
            ),
            "too few sizes of a border": (
                "Pad: two for each axis",
                _constant("Pad", 1, lambda pads: pads[:-1]),
            ),
            "too few repeats": (
                "Tile: one for each axis",
                _constant("Tile", 1, lambda repeats: repeats[:-1]),
            ),
            "a blocksize that does not divide": (
                "DepthToSpace, SpaceToDepth: blocksize divides",
                _block,
            ),
        }
    )
)
