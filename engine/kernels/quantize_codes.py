"""Codes to codes: Requantize between two scales, FlipSign between signed and unsigned codes."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from engine.errors import Unsupported
from engine.ir import Array, Node
from engine.kernels.number_types import Dtype, saturate_codes
from engine.kernels.operator import INTERNAL, Kernel, Run, Setting, operator
from engine.kernels.quantize_linear import rule_of_profile
from engine.profiles.quantization import RequantizeRule, Rule, requantize_in_float


@dataclass(frozen=True, slots=True)
class RequantizeParameters:
    """A DequantizeLinear and the QuantizeLinear behind it, each with one scale."""

    x_dtype: Dtype
    x_scale: np.float32
    x_zero_point: int
    y_dtype: Dtype
    y_scale: np.float32
    y_zero_point: int


def requantize_table(p: RequantizeParameters, requantize: RequantizeRule, rule: Rule) -> Array:
    """``qy = sat(rne((qx - xz) * xs/ys) + yz)`` for every code, by its bit pattern.

    Shapes:
        -> (256,), element i for the code whose bits are i.
    """
    codes = np.arange(256, dtype=np.uint8).view(p.x_dtype).astype(np.int64)
    steps = requantize(codes - p.x_zero_point, p.x_scale, p.y_scale, p.y_zero_point, rule)
    return saturate_codes(steps, p.y_dtype)


def look_up(codes: Array, table: Array) -> Array:
    """``table[bits of the code]`` for 8-bit codes and results; a byte translation is the fastest."""
    if not codes.size:
        return np.zeros(codes.shape, table.dtype)
    flat = bytearray(np.ascontiguousarray(codes).reshape(-1).data)
    found: Array = np.frombuffer(flat.translate(table.tobytes()), table.dtype)
    return found.reshape(codes.shape)


def requantize_operator(node: Node, setting: Setting) -> Kernel:
    """Requantize as a function of ``(x, x_scale, x_zero_point, y_scale, y_zero_point)``.

    A fault of QuantizeLinear's rule shows here, too: on the reals that the pair stands for.
    """
    x_scale, x_zero, y_scale, y_zero = (_constant(setting, each) for each in node.inputs[1:])
    p = RequantizeParameters(
        x_zero.dtype,
        x_scale.reshape(-1)[0],
        int(x_zero.reshape(-1)[0]),
        y_zero.dtype,
        y_scale.reshape(-1)[0],
        int(y_zero.reshape(-1)[0]),
    )
    own = setting.profile.quantize
    rule = setting.stage("quantize.rule", rule_of_profile)(own, p)
    requantize = setting.profile.requantize if rule is own else requantize_in_float
    make = setting.stage("requantize.table", requantize_table)
    table = make(p, requantize, rule)
    return Kernel(lambda x, *_: look_up(x, table), parameters=p)


def _constant(setting: Setting, name: str) -> Array:
    found = setting.constant(name)
    assert found is not None, f"a rule left {name!r} to be computed"
    return found


OTHER_SIGN: Mapping[Dtype, Dtype] = MappingProxyType(
    {
        np.dtype(kind): np.dtype(other)
        for kind, other in (("i1", "u1"), ("u1", "i1"), ("i2", "u2"), ("u2", "i2"))
    }
)
"""What FlipSign takes, and what it gives."""


def flip_sign(codes: Array) -> Array:
    """``q xor 2**(bits - 1)`` as the other type: adds 128 to int8, takes it from uint8."""
    bits = 8 * codes.dtype.itemsize
    unsigned = np.dtype(f"u{codes.dtype.itemsize}")
    flipped: Array = codes.view(unsigned) ^ unsigned.type(1 << (bits - 1))
    return flipped.view(OTHER_SIGN[codes.dtype])


def flip_sign_operator(node: Node, setting: Setting) -> Run:
    """FlipSign as a function of 8-bit codes."""
    flip = setting.stage("flip_sign.flip", flip_sign)

    def run(x: Array) -> Array:
        if x.dtype not in OTHER_SIGN:
            raise Unsupported(
                f"FlipSign {node.id!r}: codes of type {x.dtype}; 8 or 16 bits fit"
            )
        return flip(x)

    return run


OPERATORS = (
    operator("Requantize", requantize_operator, inputs=5, domains=INTERNAL),
    operator("FlipSign", flip_sign_operator, inputs=1, domains=INTERNAL),
)
