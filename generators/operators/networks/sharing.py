"""Several readers, graph outputs inside of what is fused, and Q and D more often than needed."""

from dataclasses import replace

from generators.operators.networks.drawing import Kind, Network, Real
from generators.operators.networks.joints import SCALES
from generators.operators.networks.layers import binary, conv, conv_real
from generators.operators.patterns.drawing import Codes

READERS = ("convolution", "sum", "activation", "pair", "output", "product with itself")
INSIDE = ("product", "activated", "codes", "dequantized")
DANGLING = ("QuantizeLinear", "DequantizeLinear", "pair", "convolution", "Relu")
PAIRS = (1, 2)
CELLS = (
    *(f"graphs readers {reader}" for reader in READERS),
    *(f"graphs readers of {what}" for what in ("one D", "a D each")),
    *(f"graphs output inside: {each}" for each in INSIDE),
    *(f"graphs doubled {each}" for each in SCALES),
    *(f"graphs doubled by {count} pairs" for count in PAIRS),
    *(f"graphs dangling {each}" for each in DANGLING),
)


def readers(net: Network) -> None:
    """A convolution whose codes two or three others read, by one D or by one each."""
    y = conv(net, net.input(net.image()), net.width(4), relu=net.choices.flag())
    if not net.on_codes:
        net.cell("of one D" if net.shares_reals else "of a D each")
    for _ in range(net.choices.pick((2, 3))):
        reader = net.choices.spread(READERS)
        net.cell(reader)
        _read(net, y, reader)


def _read(net: Network, y: Codes, reader: str) -> None:
    if reader == "convolution":
        net.leave(conv(net, y, net.width(4), net.choices.pick((1, 3))))
    elif reader == "sum":
        net.leave(binary(net, "Add", y, net.input(y.shape)))
    elif reader == "product with itself":
        net.leave(binary(net, "Mul", y, y))
    elif reader == "activation":
        real = net.real(y)
        net.leave(net.codes(replace(real, name=net.node("Relu", [real.name]))))
    elif reader == "pair":
        net.leave(net.codes(net.real(y), net.choices.pick((y.parameters, net.parameters()))))
    else:
        net.leave_as_it_is(y)


def outputs(net: Network) -> None:
    """Two layers; one or several tensors between are outputs of the graph."""
    x = net.input(net.image())
    real = conv_real(net, net.real(x), net.width(4), net.choices.pick((1, 3)))
    inside: dict[str, Codes | Real] = {"product": real}
    if net.choices.flag():
        real = replace(real, name=net.node("Relu", [real.name]))
        inside["activated"] = real
    codes = net.codes(real)
    net.shares_reals = True
    inside |= {"codes": codes, "dequantized": net.real(codes)}
    chosen = {net.choices.spread(tuple(inside)), net.choices.spread(tuple(inside))}
    for where, each in inside.items():
        if where in chosen:
            net.cell(f"inside: {where}")
            net.leave_as_it_is(each)
    net.leave(conv(net, codes, net.width(4)))


def doubled(net: Network) -> None:
    """Between two convolutions, one or two pairs of D and Q more than needed."""
    count, relation = net.choices.spread(PAIRS), net.choices.spread(SCALES)
    net.cell(f"by {count} pairs")
    net.cell(relation)
    y = conv(net, net.input(net.image()), net.width(4), relu=net.choices.flag())
    for _ in range(count):
        target = net.related(y.parameters, relation.removesuffix(" scales"))
        pair = y.pair if target == y.parameters and net.choices.flag() else None
        y = net.codes(net.real(y, own=True), target, pair)
    net.leave(conv(net, y, net.width(4)))


def dangling(net: Network) -> None:
    """A live layer, and nodes beside it whose results nobody reads."""
    x = net.input(net.image())
    real = conv_real(net, net.real(x), net.width(4))
    kind = net.choices.spread(DANGLING)
    net.cell(kind)
    codes = net.codes(real)
    if kind == "QuantizeLinear":
        net.codes(real, net.choices.pick((codes.parameters, net.parameters())))
    elif kind == "DequantizeLinear":
        net.real(codes, own=True)
    elif kind == "pair":
        net.codes(net.real(codes, own=True), codes.parameters)
    elif kind == "convolution":
        conv(net, net.choices.pick((x, codes)), net.width(4))
    else:
        net.node("Relu", [real.name])
    net.leave(codes)
    if net.choices.flag():
        net.leave(conv(net, codes, net.width(4)))


NETWORKS = {
    "readers": Kind(readers),
    "output": Kind(outputs, on_codes=False),
    "doubled": Kind(doubled, on_codes=False),
    "dangling": Kind(dangling, on_codes=False),
}
