"""One operator in the words that laws use."""

from math import prod

from generators.arrays import LOWEST
from generators.builder import SPELLED
from generators.operators.node.axes import attribute
from generators.operators.node.defaults import written
from generators.operators.node.elementwise import BOUNDED
from generators.operators.node.families import Value, family_of
from generators.operators.node.spec import Attribute, NodeSpec, Operand

BITS = {"int4": 4, "uint4": 4, "int16": 16, "uint16": 16, "int32": 32, "float32": 32}
NOTHING = Operand("", (), "none", constant=True)
MATRICES = ("MatMul", "Gemm", "Conv", "ConvTranspose")
OWN_SCALE = frozenset(
    (*MATRICES, "Mul", "Div", "ReduceSum", "Exp", *BOUNDED)
)  # their results have other ranges than their operands, so that equal scales mean nothing


def parameters(spec: NodeSpec) -> dict[str, Value]:
    """A spec in the words of laws: sizes, attributes, surroundings, tensors, what is alike, zero points.

    Operands are called as in the standard's formula of the operator (x, or a and b, or x and w; y
    the first result). ``zero point`` is the largest in absolute value where there are several.
    """
    family = family_of(spec)
    tensors = _tensors(spec)
    return {
        **family.sizes(spec),
        **{
            _name(name): _word(attribute(spec, name, default))
            for name, default in family.attributes.items()
        },
        **_surroundings(spec),
        **({"bias": _bias(spec)} if family.has_bias else {}),
        **{
            word: value
            for name, each in tensors.items()
            for word, value in _tensor(name, each)
        },
        **_alike(spec, tensors),
        **{word: value for name, each in tensors.items() for word, value in _zero(name, each)},
    }


def _name(attribute: str) -> str:
    """QLinearSoftmax has an attribute of the name that the model's opset has."""
    return f"attribute {attribute}" if attribute == "opset" else attribute


def _word(value: Attribute) -> Value:
    if isinstance(value, tuple):
        return "x".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else value


def _tensors(spec: NodeSpec) -> dict[str, Operand]:
    """The operands that have a letter, and y; a missing one is nothing."""
    letters = family_of(spec).letters
    found = {
        letter: spec.operands[i] if i < len(spec.operands) else NOTHING
        for i, letter in enumerate(letters)
        if letter != "c"
    }
    return {**found, "y": spec.results[0]}


def _surroundings(spec: NodeSpec) -> dict[str, Value]:
    tails = [each.op for each in spec.tails if not _is_bias(spec, each.op)]
    return {
        "op": spec.op or "none",
        "rank": len(spec.operands[0].shape) if spec.operands else 0,
        "form": spec.form,
        "opset": spec.opset,
        "tail": "+".join(tails) or "none",
        "input": "reals" if spec.x_float else "codes",
        "output": "reals" if spec.y_float else "codes",
        "zero points written": spec.zero_points_written or spec.form != "QDQ",
        "defaults written": bool(written(spec)),
        "Q and DQ say defaults": spec.form == "QDQ"
        and any(SPELLED[each] <= spec.opset for each in spec.spelled),
    }


def _is_bias(spec: NodeSpec, op: str) -> bool:
    return op == "Add" and spec.op in MATRICES


def _bias(spec: NodeSpec) -> str:
    """As a convolution's: ``int32`` where its steps are those of the product."""
    bias = spec.operands[2] if len(spec.operands) > 2 and spec.operands[2].name else NOTHING
    if bias is NOTHING:
        return "tail" if any(_is_bias(spec, each.op) for each in spec.tails) else "none"
    if not bias.is_quantized:
        return "float" if bias.dtype == "float32" else "int32"
    factor = bias.scales[0] / (spec.operands[0].scales or (1.0,))[0]
    ratio = factor / (spec.operands[1].scales or (1.0,))[0]
    return "int32" if 0.999 < ratio < 1.001 else "own-scale"


def _tensor(name: str, tensor: Operand) -> list[tuple[str, Value]]:
    words: list[tuple[str, Value]] = [
        (f"{name} quantized", tensor.is_quantized),
        (f"{name} bits", BITS.get(tensor.dtype, 8)),
        (f"{name} dtype", tensor.dtype),
        (f"{name} per-channel", len(tensor.scales) > 1 and not tensor.block_size),
        (f"{name} axis", -1 if tensor.axis is None else tensor.axis % len(tensor.shape)),
        (f"{name} block size", tensor.block_size),
        (f"{name} partial block", _has_partial_block(tensor)),
        (f"{name} blocks", prod(tensor.parameters_shape) if tensor.block_size else 0),
    ]
    if name == "y":
        return words
    return [*words, (f"{name} constant", tensor.constant)]


def _has_partial_block(tensor: Operand) -> bool:
    if tensor.axis is None or not tensor.block_size:
        return False
    return tensor.shape[tensor.axis] % tensor.block_size != 0


def _zero(name: str, tensor: Operand) -> list[tuple[str, Value]]:
    zeros = tensor.zero_points if tensor.is_quantized else (0,)
    lowest = LOWEST.get(tensor.dtype)
    is_above = tensor.is_quantized and lowest is not None and zeros[0] > lowest
    return [
        (f"{name} zero points differ", len(set(zeros)) > 1),
        (f"{name} zero point above lowest", is_above),
        (f"{name} scale negative", min(tensor.scales, default=1.0) < 0),
        (f"{name} zero point", max(zeros, key=abs)),
    ]


def _alike(spec: NodeSpec, tensors: dict[str, Operand]) -> dict[str, Value]:
    """What two tensors have in common, and whether all operands do with each other and y."""
    letters = [name for name in tensors if name != "w"]
    pairs = [(a, b) for i, a in enumerate(letters) for b in letters[i + 1 :]]
    words: dict[str, Value] = {}
    for a, b in pairs:
        words |= _common(spec, a, b, tensors[a], tensors[b])
    quantized = [each for each in spec.operands if each.is_quantized]
    results = [each for each in spec.results if each.is_quantized]
    words["all scales equal"] = len({each.scales for each in quantized}) <= 1
    words["all operands alike"] = len(set(map(_parameters, quantized))) <= 1
    everything = set(map(_parameters, (*quantized, *results)))
    words["all tensors alike"] = spec.op not in OWN_SCALE and len(everything) <= 1
    return words


def _common(
    spec: NodeSpec, a: str, b: str, first: Operand, second: Operand
) -> dict[str, Value]:
    """What two tensors share, of parameters that both have and that mean something together."""
    both = first.is_quantized and second.is_quantized
    of_scale = both and not (b == "y" and spec.op in OWN_SCALE)
    return {
        f"{a} like {b}": of_scale and _parameters(first) == _parameters(second),
        f"{a} scale == {b} scale": of_scale and first.scales == second.scales,
        f"{a} zero point == {b} zero point": both and first.zero_points == second.zero_points,
        f"{a} dtype == {b} dtype": first.dtype == second.dtype,
    }


def _parameters(tensor: Operand) -> tuple[object, ...]:
    return tensor.dtype, tensor.scales, tensor.zero_points
