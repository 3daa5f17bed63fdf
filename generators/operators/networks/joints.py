"""Where tensors meet and part: Concat, Split, a channel shuffle, a pyramid, slices of an image."""

from dataclasses import replace

import numpy as np

from generators import wire
from generators.operators.networks.drawing import (
    CONTRIB,
    RELATIONS,
    Kind,
    Network,
    Real,
    with_parameters,
)
from generators.operators.networks.layers import binary, conv, move
from generators.operators.patterns.drawing import Codes

SCALES = tuple(f"{each} scales" if "equal" in each else each for each in RELATIONS)
PARTS = ("given", "convolution", "constant", "the first again")
CELLS = (
    *(f"graphs {op} {each}" for op in ("concat", "split") for each in SCALES),
    *(f"graphs concat of {count}" for count in (2, 3, 4)),
    *(f"graphs split of {count}" for count in (2, 3)),
    *(f"graphs concat with a part: {each}" for each in PARTS),
    *(f"graphs concat {where} a convolution" for where in ("before", "without")),
    "graphs concat along another axis",
    "graphs split into parts of unequal size",
    "graphs split with a part that nobody reads",
    "graphs split that is joined again",
    *(f"graphs pyramid joined by {op}" for op in ("Concat", "Add")),
    *(f"graphs shuffle {where}" for where in ("on codes", "on reals")),
)


def concat(net: Network) -> None:
    """Two to four parts, given or computed, joined as codes, as reals or by QLinearConcat."""
    relation, count = net.choices.spread(SCALES), net.choices.pick((2, 3, 4))
    net.cell(relation)
    net.cell(f"of {count}")
    first = net.input(net.image())
    parts = [first, *(_part(net, first, relation) for _ in range(count - 1))]
    axis = 1
    if net.choices.flag(4):
        axis = net.choices.pick((2, 3) if net.is_open else (2, 3, 0))
        net.cell("along another axis")
    y = joined(net, parts, axis)
    if net.choices.flag():
        net.cell("before a convolution")
        y = conv(net, y, net.width())
    else:
        net.cell("without a convolution")
    net.leave(y)


def _part(net: Network, first: Codes, relation: str) -> Codes:
    kind = net.choices.spread(PARTS)
    if kind == "constant" and net.is_open:
        kind = "given"  # a constant cannot follow the batch
    net.cell(f"with a part: {kind}")
    if kind == "the first again":
        return first
    target = net.related(first.parameters, relation.removesuffix(" scales"))
    if kind == "convolution":
        return conv(net, first, first.shape[1], net.choices.pick((1, 3)), target=target)
    if kind == "given":
        return net.input(first.shape, target)
    return net.constant_codes(first.shape, target or net.parameters())


def joined(net: Network, parts: list[Codes], axis: int) -> Codes:
    """Parts along an axis, with the parameters of the first or such that fit all."""
    shape = list(parts[0].shape)
    shape[axis] = sum(each.shape[axis] for each in parts)
    attributes = [wire.integer("axis", axis)]
    widest = max((each.parameters for each in parts), key=lambda p: p.scale)
    wanted = net.choices.pick((parts[0].parameters, widest))
    if not net.on_codes:
        real = net.node("Concat", [net.real(each).name for each in parts], attributes)
        return net.codes(Real(real, tuple(shape), 74.0, widest.scale), wanted)
    y = net.empty(wanted, tuple(shape))
    inputs = [y.pair.scale, y.pair.zero]
    inputs += [name for each in parts for name in with_parameters(each)]
    return net.on_their_own("QLinearConcat", inputs, y, attributes, CONTRIB)


def split(net: Network) -> None:
    """A tensor in two or three parts, each with parameters that are equal or not."""
    count, relation = net.choices.pick((2, 3)), net.choices.spread(SCALES)
    net.cell(f"of {count}")
    net.cell(relation)
    sizes = (net.choices.pick((1, 2)),) * count
    if net.choices.flag():
        net.cell("into parts of unequal size")
        sizes = (*sizes[:-1], sizes[0] + 1)
    x = net.input(net.image(sum(sizes)))
    if net.choices.flag():
        x = conv(net, x, x.shape[1])
    parts = []
    for real in parted(net, net.real(x), sizes):
        target = net.related(x.parameters, relation.removesuffix(" scales"))
        parts.append(net.codes(real, target))
    if net.choices.flag(3):
        net.cell("that is joined again")
        net.leave(joined(net, parts[::-1], 1))
        return
    if net.choices.flag(3):
        net.cell("with a part that nobody reads")
        parts.pop()
    for part in parts:
        net.leave(part)


def parted(net: Network, x: Real, sizes: tuple[int, ...]) -> list[Real]:
    """A Split along the channels; its sizes are an attribute before opset 13."""
    inputs, attributes = [x.name], [wire.integer("axis", 1)]
    if net.opset < 13:
        attributes.append(wire.ints("split", sizes))
    elif net.opset >= 18 and len(set(sizes)) == 1 and net.choices.flag():
        attributes.append(wire.integer("num_outputs", len(sizes)))
    elif len(set(sizes)) > 1 or net.opset >= 18 or net.choices.flag():
        inputs.append(net.constant(np.array(sizes, np.int64)))
    names = net.nodes("Split", inputs, len(sizes), attributes)
    return [
        replace(x, name=name, shape=(x.shape[0], size, *x.shape[2:]))
        for name, size in zip(names, sizes, strict=True)
    ]


def shuffle(net: Network) -> None:
    """Channels of two groups, mixed: Reshape, Transpose, Reshape.

    Source:
        Zhang et al., ShuffleNet: an extremely efficient convolutional neural network, 2018.
    """
    half = net.width(4)
    x = net.input(net.image(2 * half))
    y = conv(net, x, 2 * half, groups=2, relu=net.choices.flag())
    wide, (height, width) = (y.shape[0], 2, half, *y.shape[2:]), y.shape[2:]
    net.on_codes = net.on_codes or net.choices.flag(3)
    net.cell("on codes" if net.on_codes else "on reals")
    y = reshaped(net, y, wide)
    y = move(net, "Transpose", y, (wide[0], half, 2, height, width), [_perm(0, 2, 1, 3, 4)])
    y = reshaped(net, y, (wide[0], 2 * half, height, width))
    net.on_codes = False
    net.leave(conv(net, y, 2 * half, 3, groups=2 * half))


def reshaped(net: Network, x: Codes, shape: tuple[int, ...]) -> Codes:
    """A Reshape that keeps the batch open: as 0, or as -1 with all other sizes written."""
    batch = net.choices.pick((0, -1))
    target = net.constant(np.array((batch, *shape[1:]), np.int64))
    return move(net, "Reshape", x, shape, (), [target])


def _perm(*axes: int) -> bytes:
    return wire.ints("perm", axes)


def pyramid(net: Network) -> None:
    """A coarse image made large again, and joined with the fine one.

    Source:
        Lin et al., Feature pyramid networks for object detection, 2017.
    """
    shape = net.image()
    fine = conv(net, net.input(shape), shape[1], relu=True)
    coarse = conv(net, fine, shape[1], 3, stride=2)
    settings = {
        "mode": "nearest",
        "coordinate_transformation_mode": "asymmetric",
        "nearest_mode": "floor",
    }
    attributes = [wire.text(name, value) for name, value in settings.items()]
    scales = net.constant(np.array([1, 1, 2, 2], np.float32))
    up = move(net, "Resize", coarse, fine.shape, attributes, ["", scales])
    op = net.choices.spread(("Concat", "Add"))
    net.cell(f"joined by {op}")
    net.leave(joined(net, [fine, up], 1) if op == "Concat" else binary(net, "Add", fine, up))


def focus(net: Network) -> None:
    """Every other pixel four times, as channels, then a convolution.

    Source:
        Ultralytics, YOLOv5: the Focus layer.
    """
    x = net.input(net.image(net.choices.pick((1, 3))))
    height, width = x.shape[2] // 2, x.shape[3] // 2
    parts = []
    for row, column in ((0, 0), (1, 0), (0, 1), (1, 1)):
        ranges = [(row, column), (2**31, 2**31), (2, 3), (2, 2)]
        others = [net.constant(np.array(each, np.int64)) for each in ranges]
        shape = (*x.shape[:2], height, width)
        parts.append(move(net, "Slice", x, shape, (), others))
    net.leave(conv(net, joined(net, parts, 1), net.width(), 3, relu=True))


NETWORKS = {
    "concat": Kind(concat),
    "split": Kind(split, on_codes=False),
    "shuffle": Kind(shuffle),
    "pyramid": Kind(pyramid, 13),
    "focus": Kind(focus),
}
