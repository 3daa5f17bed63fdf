"""Scales and zero points of a part: where they are, and others near them.

What is equal stays equal: a new scale is a function of the old one. A bias in steps of xs * ws stays
so. A sum of fewer terms is smaller, and so is the scale it is quantized with.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import frexp, ldexp, prod, sqrt

import numpy as np
import onnx

from corpus.case import Array
from generators import qparams
from generators.arrays import noise
from generators.choices import Choices
from generators.like.sizes import Part

_QDQ = {"QuantizeLinear": ((1, 2),), "DequantizeLinear": ((1, 2),)}
_PAIRS: Mapping[str, tuple[tuple[int, int], ...]] = {
    **_QDQ,
    "QLinearConv": ((1, 2), (4, 5), (6, 7)),
    "QLinearMatMul": ((1, 2), (4, 5), (6, 7)),
    "QLinearAdd": ((1, 2), (4, 5), (6, 7)),
    "QLinearMul": ((1, 2), (4, 5), (6, 7)),
    **dict.fromkeys(
        ("QLinearSigmoid", "QLinearLeakyRelu", "QLinearSoftmax", "QLinearGlobalAveragePool"),
        ((1, 2), (3, 4)),
    ),
    "QLinearAveragePool": ((1, 2), (3, 4)),
}
"""Where an operator has a scale and its zero point."""

_OUTPUT = {"QuantizeLinear": 1, "QLinearConv": 6, "QLinearMatMul": 6}
_WEIGHTS = {"Conv": 1, "Gemm": 1, "MatMul": 1, "QLinearConv": 3, "QLinearMatMul": 3}
NEAR = 0.25  # how much larger or smaller a scale becomes that is near another
SATURATED = 8.0


@dataclass(frozen=True, slots=True)
class Slots:
    """Names: of scales, of zero points, of those of weights, of (data, its scale), of (bias's scale, xs, ws)."""

    scales: frozenset[str]
    zeros: frozenset[str]
    weight_zeros: frozenset[str]
    weights: tuple[tuple[str, str], ...]
    biases: tuple[tuple[str, str, str], ...]


@lru_cache(maxsize=512)
def slots(part: Part) -> Slots:
    """Where a part has its parameters."""
    model, constants = part.model, part.constants
    scales, zeros, weight_zeros = set[str](), set[str](), set[str]()
    weights = []
    for node in model.graph.node:
        for scale, zero in _PAIRS.get(node.op_type, ()):
            data = node.input[scale - 1] if scale < len(node.input) else ""
            scales.update(node.input[scale : scale + 1])
            zeros.update(node.input[zero : zero + 1])
            if data in constants:
                weight_zeros.update(node.input[zero : zero + 1])
                weights.append((data, node.input[scale]))
    return Slots(
        frozenset(scales - {""}),
        frozenset(zeros - {""}),
        frozenset(weight_zeros - {""}),
        tuple(weights),
        tuple(_biases(model)),
    )


def _biases(model: onnx.ModelProto) -> list[tuple[str, str, str]]:
    scale_of = {
        node.output[0]: node.input[1]
        for node in model.graph.node
        if node.op_type == "DequantizeLinear"
    }
    return [
        (scale_of[node.input[2]], scale_of[node.input[0]], scale_of[node.input[1]])
        for node in model.graph.node
        if node.op_type in ("Conv", "Gemm", "ConvTranspose")
        and len(node.input) > 2
        and all(name in scale_of for name in node.input[:3])
    ]


def shrunk_by(
    model: onnx.ModelProto, old: Mapping[str, Array], new: Mapping[str, Array]
) -> dict[str, float]:
    """How much smaller sums became, by the name of the scale that they are quantized with."""
    data = {node.output[0]: node.input[0] for node in model.graph.node if node.op_type in _QDQ}
    factors: dict[str, float] = {}
    found: dict[str, float] = {}
    for node in model.graph.node:
        index = _WEIGHTS.get(node.op_type, -1)
        w = data.get(node.input[index], node.input[index]) if index > 0 else ""
        factor = min((factors.get(name, 1.0) for name in node.input), default=1.0)
        if w in old and w in new:
            factor = sqrt(_terms(node, new[w]) / _terms(node, old[w]))
        if node.op_type in _OUTPUT:
            found[node.input[_OUTPUT[node.op_type]]] = factor
            factor = 1.0
        factors |= dict.fromkeys(node.output, factor)
    return found


def _terms(node: onnx.NodeProto, w: Array) -> int:
    """How many products a sum has."""
    if "Conv" in node.op_type:
        return prod(w.shape[1:]) or 1
    transposed = any(each.name == "transB" and each.i for each in node.attribute)
    return int(w.shape[-1] if transposed else w.shape[max(0, w.ndim - 2)]) or 1


def varied(
    constants: Mapping[str, Array],
    where: Slots,
    factors: Mapping[str, float],
    choices: Choices,
    policy: str,
) -> dict[str, Array]:
    """Scales near those that are there, in a style of the policy; under ``any`` half keep their own."""
    style = qparams.style(choices, policy)
    if policy == "any" and choices.flag():
        style = "own"
    return rescaled(constants, where, factors, style, _style(style, choices))


def rescaled(
    constants: Mapping[str, Array],
    where: Slots,
    factors: Mapping[str, float],
    style: str = "own",
    change: Callable[[Array], Array] = lambda scales: scales,
) -> dict[str, Array]:
    """Scales of outputs by their ``factors``, then all of them changed; equal ones stay equal."""
    saturated = SATURATED if style == "saturating" else 1.0
    by_value = {
        float(constants[name].item()): factor / saturated
        for name, factor in factors.items()
        if name in constants and constants[name].size == 1
    }
    found = {}
    for name in sorted(where.scales & constants.keys()):
        array = constants[name]
        if array.dtype == np.float32 and array.all() and np.isfinite(array).all():
            factor = by_value.get(float(array.item()), 1.0) if array.size == 1 else 1.0
            found[name] = _normal(change(array.astype(np.float64) * factor), array)
    return {**found, **_bias_scales(constants, found, where)}


def _style(style: str, choices: Choices) -> Callable[[Array], Array]:
    """What becomes of scales, each by its value alone."""
    if style == "exact":
        return _power
    if style == "beside":
        end = np.float32(choices.pick((np.inf, 0.0)))
        return lambda scales: np.nextafter(_power(np.abs(scales)).astype(np.float32), end)
    if style == "decimal":
        return np.vectorize(lambda each: float(f"{each:.0e}"), otypes=[np.float64])
    if style == "tie-free":
        seed = choices.integer(0, 999)
        return np.vectorize(lambda each: _near(each, seed), otypes=[np.float64])
    return lambda scales: scales


def _power(scales: Array) -> Array:
    """The nearest power of two, with the sign."""
    return np.asarray(2.0 ** np.rint(np.log2(np.abs(scales))) * np.sign(scales))


def _near(scale: float, seed: int) -> float:
    """A scale at most a quarter larger or smaller, the last bit of its mantissa set."""
    bits = int(np.float32(scale).view(np.uint32))
    random = int.from_bytes(noise(seed << 32 | bits, 4), "big") / 2**32
    mantissa, exponent = frexp(scale * (1 - NEAR + 2 * NEAR * random))
    return ldexp((int(mantissa * 2**24) | 1) / 2**24, exponent)


def _normal(scales: Array, like: Array) -> Array:
    """Float32; what is too small to be normal stays what it was."""
    small = np.abs(scales) < np.finfo(np.float32).tiny
    return np.where(small, like, scales).astype(np.float32).reshape(like.shape)


def _bias_scales(
    constants: Mapping[str, Array], found: Mapping[str, Array], where: Slots
) -> dict[str, Array]:
    """The scale of a bias that was xs * ws as float32 has it is so again."""
    again = {}
    for bias, x, w in where.biases:
        if not all(name in found for name in (bias, x, w)):
            continue
        product = (constants[x] * constants[w]).astype(np.float32)
        if product.size == constants[bias].size and _ratio_is_one(constants[bias], product):
            again[bias] = (found[x] * found[w]).astype(np.float32).reshape(found[bias].shape)
    return again


def _ratio_is_one(scale: Array, product: Array) -> bool:
    """Whether two scales are the same but for the rounding of the tool that multiplied them."""
    off = np.abs(scale.reshape(-1).astype(np.float64) / product.reshape(-1) - 1)
    return bool((off < 2.0**-20).all())
