"""Heads of detectors: maps of one or two levels become rows of scores and boxes."""

from dataclasses import replace

import numpy as np

from generators import wire
from generators.operators.networks.drawing import Kind, Network, Real
from generators.operators.networks.joints import joined
from generators.operators.networks.layers import conv, move
from generators.operators.patterns.drawing import Codes

FORMS = ("scores", "boxes", "scores times objects")
ORDERS = ("Sigmoid before Concat", "Sigmoid behind Concat")
SHAPES = ("a constant", "computed")
CELLS = (
    *(f"graphs head of {each}" for each in FORMS),
    *(f"graphs head with {each}" for each in ORDERS),
    *(f"graphs head of {count} levels" for count in (1, 2)),
    *(f"graphs head whose shape is {each}" for each in SHAPES),
    *(f"graphs head with boxes {each}" for each in ("in float", "quantized")),
)


def head(net: Network) -> None:
    """A convolution for each level, Transpose, Reshape, Sigmoid, Concat.

    Source:
        The heads of YuNet, SSD and YOLO as their exporters write them.
    """
    form = net.choices.spread(FORMS)
    levels = 1 if form == "scores times objects" else net.choices.pick((1, 2))
    net.cell(f"of {form}")
    net.cell(f"of {levels} levels")
    features = [net.input(net.image(net.width(4))) for _ in range(levels)]
    if form == "boxes":
        _boxes(net, _merged(net, [_rows(net, each, 4) for each in features]))
        return
    classes = net.choices.pick((1, 2, 3))
    score = _scores(net, [_rows(net, each, classes) for each in features])
    if form == "scores":
        net.leave(score)
        return
    objects = _scores(net, [_rows(net, each, 1) for each in features])
    score, objects = (_as_real(net, each) for each in (score, objects))
    product = net.node("Mul", [score.name, objects.name])
    net.leave(Real(product, score.shape, 256.0, 1 / 256))


def _as_real(net: Network, x: Codes | Real) -> Real:
    return net.real(x) if isinstance(x, Codes) else x


def _rows(net: Network, x: Codes, channels: int) -> Codes:
    """(N, C, H, W) to (N, H * W, channels); the Reshape's shape is constant or computed."""
    y = conv(net, x, channels, net.choices.pick((1, 3)), target=net.unit_parameters(3.0))
    batch, _, height, width = y.shape
    wide = (batch, height, width, channels)
    y = move(net, "Transpose", y, wide, [wire.ints("perm", (0, 2, 3, 1))])
    how = net.choices.spread(SHAPES)
    net.cell(f"whose shape is {how}")
    if how == "computed":
        target = _computed_shape(net, y.name, channels)
    else:
        first, last = net.choices.pick(((0, -1), (-1, height * width)))
        target = net.constant(np.array((first, last, channels), np.int64))
    return move(net, "Reshape", y, (batch, height * width, channels), (), [target])


def _computed_shape(net: Network, x: str, channels: int) -> str:
    """``[shape(x)[0], -1, channels]``, as exporters write it where the batch is open."""
    shape = net.node("Shape", [x])
    axis = [wire.integer("axis", 0)]
    index = net.constant(np.array([0], np.int64))
    batch = net.node("Gather", [shape, index], axis)
    rest = net.constant(np.array((-1, channels), np.int64))
    return net.node("Concat", [batch, rest], axis)


def _merged(net: Network, parts: list[Codes]) -> Codes:
    return parts[0] if len(parts) == 1 else joined(net, parts, 1)


def _scores(net: Network, parts: list[Codes]) -> Codes | Real:
    order = net.choices.spread(ORDERS)
    net.cell(f"with {order}")
    if order == "Sigmoid behind Concat":
        return _sigmoid(net, _merged(net, parts))
    reals = [_as_real(net, _sigmoid(net, each)) for each in parts]
    if len(reals) == 1:
        return reals[0]
    names = [each.name for each in reals]
    shape = (reals[0].shape[0], sum(each.shape[1] for each in reals), reals[0].shape[2])
    made = net.node("Concat", names, [wire.integer("axis", 1)])
    return Real(made, shape, 256.0, 1 / 256)


def _sigmoid(net: Network, x: Codes) -> Codes | Real:
    """Probabilities, quantized or not."""
    y = Real(net.node("Sigmoid", [net.real(x).name]), x.shape, 256.0, 1 / 256)
    return net.codes(y) if net.choices.flag() else y


def _boxes(net: Network, x: Codes) -> None:
    """``(x + anchors) * stride``, in float or with codes between."""
    how = net.choices.pick(("in float", "quantized"))
    net.cell(f"with boxes {how}")
    real, count = net.real(x), x.shape[1]
    anchors = np.arange(4 * count, dtype=np.float32).reshape(1, count, 4) / np.float32(8)
    name = net.node("Add", [real.name, net.constant(anchors)])
    reach = real.size * real.step + count / 2
    moved = replace(real, name=name, size=reach / real.step)
    if how == "quantized":
        moved = net.real(net.codes(moved))
    stride = net.constant(np.array(8, np.float32))
    made = net.node("Mul", [moved.name, stride])
    y = replace(moved, name=made, step=8 * moved.step)
    net.leave(net.codes(y) if how == "quantized" else y)


NETWORKS = {"head": Kind(head)}
