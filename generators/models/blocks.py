"""The blocks: a ResNet bottleneck, a MobileNet inverted residual, a YuNet head, a ViT layer."""

from collections.abc import Callable, Iterator, Mapping
from math import prod
from types import MappingProxyType

import numpy as np
import onnx

from corpus.case import Array, Case
from generators import qparams
from generators.arrays import noise
from generators.choices import Choices, RandomChoices
from generators.models.layers import Codes, Layers

OPSET = 17
_CHANNELS = (8, 16, 12)


def resnet(layers: Layers, choices: Choices) -> None:
    """Stem, max pool, a bottleneck with a projected shortcut, global average, classifier.

    Source:
        He et al., Deep residual learning for image recognition, 2016.
    """
    width = choices.pick(_CHANNELS)
    x = layers.input("x", (1, 3, 20, 20))
    x = layers.conv(x, width, 7, stride=2, activation="Relu")
    x = layers.move(
        "MaxPool",
        x,
        (1, width, 5, 5),
        kernel_shape=[3, 3],
        strides=[2, 2],
        pads=[1, 1, 1, 1],
    )
    y = layers.conv(x, width, activation="Relu")
    y = layers.conv(y, width, 3, activation="Relu")
    y = layers.conv(y, 2 * width)
    y = layers.add(y, layers.conv(x, 2 * width), "Relu")
    y = layers.unary("GlobalAveragePool", y, (1, 2 * width, 1, 1), 0.5)
    y = layers.move("Flatten", y, (1, 2 * width))
    layers.output(layers.gemm(y, 10))


def mobilenet(layers: Layers, choices: Choices) -> None:
    """Two inverted residuals: expand, depthwise, project, add; then one with stride.

    Source:
        Sandler et al., MobileNetV2: inverted residuals and linear bottlenecks, 2018.
    """
    width = choices.pick(_CHANNELS)
    x = layers.input("x", (1, width, 12, 12))
    y = _inverted(layers, x, width, stride=1, activation="Relu6")
    y = layers.add(x, y)
    y = _inverted(
        layers, y, 2 * width, stride=2, activation=choices.pick(("Relu6", "HardSwish"))
    )
    layers.output(y)


def _inverted(
    layers: Layers, x: Codes, filters: int, *, stride: int, activation: str
) -> Codes:
    wide = 3 * x.shape[1]
    y = layers.conv(x, wide, activation=activation)
    y = layers.conv(y, wide, 3, stride=stride, groups=wide, activation=activation)
    return layers.conv(y, filters)


def yunet(layers: Layers, choices: Choices) -> None:
    """Two levels of depthwise-separable features, merged, and heads for class and box.

    Source:
        Wu et al., YuNet: a tiny millisecond-level face detector, 2023; opencv_zoo.
    """
    width = choices.pick((16, 8))
    x = layers.input("x", (1, 3, 24, 24))
    x = layers.conv(x, width, 3, stride=2, activation="Relu")
    fine = _separable(layers, x, width)
    coarse = layers.move(
        "MaxPool", fine, (1, width, 6, 6), kernel_shape=[2, 2], strides=[2, 2]
    )
    coarse = _separable(layers, coarse, width)
    up = layers.move(
        "Resize",
        coarse,
        (1, width, 12, 12),
        np.array([1, 1, 2, 2], np.float32),
        mode="nearest",
        coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
    )
    fine = layers.add(fine, up)
    for channels in (1, 4):
        rows = [_head(layers, each, channels) for each in (fine, coarse)]
        y = layers.concat(rows, axis=1)
        if channels == 1:
            y = layers.unary("Sigmoid", y, y.shape, 0.25)
        layers.output(y)


def _separable(layers: Layers, x: Codes, filters: int) -> Codes:
    y = layers.conv(x, filters)
    return layers.conv(y, filters, 3, groups=filters, activation="Relu")


def _head(layers: Layers, x: Codes, channels: int) -> Codes:
    """(1, C, H, W) to (1, H * W, channels)."""
    y = layers.conv(layers.conv(x, channels), channels, 3, groups=channels)
    height, width = x.shape[2:]
    y = layers.move("Transpose", y, (1, height, width, channels), perm=[0, 2, 3, 1])
    shape = (1, height * width, channels)
    return layers.move("Reshape", y, shape, np.array(shape, np.int64))


def vit(layers: Layers, choices: Choices) -> None:
    """One head of attention and a perceptron with SiLU, both with residual sums.

    Source:
        Dosovitskiy et al., An image is worth 16x16 words, 2021.
    """
    tokens, width = choices.pick((7, 16)), choices.pick((16, 24))
    x = layers.input("x", (1, tokens, width))
    query, key, value = (layers.linear(x, width) for _ in range(3))
    key = layers.move("Transpose", key, (1, width, tokens), perm=[0, 2, 1])
    scores = layers.matmul(query, key)
    weights = layers.unary("Softmax", scores, scores.shape, 2 / tokens, axis=-1)
    y = layers.add(x, layers.linear(layers.matmul(weights, value), width))
    y = layers.add(y, layers.linear(layers.linear(y, 2 * width, "SiLU"), width))
    layers.output(y)


BLOCKS: Mapping[str, Callable[[Layers, Choices], None]] = MappingProxyType(
    {"resnet": resnet, "mobilenet": mobilenet, "yunet": yunet, "vit": vit}
)


def block_case(block: str, scales: str, seed: int) -> Case:
    """A block with drawn sizes, scales and weights, and one input; the same for the same seed.

    Raises:
        KeyError: the block is unknown.
        ValueError: the scale policy is unknown.
    """
    choices = RandomChoices(seed)
    dtype = choices.pick(("uint8", "int8"))
    layers = Layers(choices, qparams.style(choices, scales), dtype, OPSET)
    BLOCKS[block](layers, choices)
    model = layers.model(block)
    case = Case(model.SerializeToString(), {}, origin=f"{block} {scales} {seed}")
    return Case(case.model, next(inputs_of(case, seed)), origin=case.origin)


def inputs_of(case: Case, seed: int) -> Iterator[dict[str, Array]]:
    """Random inputs for a case whose inputs are all codes, without end."""
    inputs = case.proto().graph.input
    while True:
        seed += 1
        yield {each.name: _codes(each.type.tensor_type, seed) for each in inputs}


def _codes(tensor_type: onnx.TypeProto.Tensor, seed: int) -> Array:
    shape = [each.dim_value for each in tensor_type.shape.dim]
    signed = tensor_type.elem_type == onnx.TensorProto.INT8
    flat = np.frombuffer(noise(seed, prod(shape)), np.int8 if signed else np.uint8)
    return flat.reshape(shape)
