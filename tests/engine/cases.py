"""Random convolutions for comparisons with installed engines, many of them with exact ties."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

from tests.engine.models import qlinear_conv

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Drawn:
    model: onnx.ModelProto
    x: Array


def draw(
    r: np.random.Generator,
    *,
    x_dtype: Any = np.uint8,
    x_bits: int = 7,
    sizes: tuple[int, ...] = (1, 1, 2, 3, 4, 8),
    groups: tuple[int, ...] = (1, 1, 2, 3, 8, 16),
    ranks: tuple[int, ...] = (1, 2, 3),
    padded: bool = True,
) -> Drawn:
    """A QLinearConv with symmetric pads; ``x_bits`` 7 keeps int16 pairs from saturating."""
    rank, kernel = int(r.choice(ranks)), int(r.integers(1, 4))
    g, inner, outer = int(r.choice(groups)), int(r.choice(sizes)), int(r.choice(sizes))
    image = tuple(int(each) for each in r.integers(kernel, 7, rank))
    channels = g * outer
    w = r.integers(-128, 128, (channels, inner, *(kernel,) * rank)).astype(np.int8)
    low = 0 if x_bits == 7 else int(np.iinfo(x_dtype).min)
    x = r.integers(low, low + 2**x_bits, (int(r.integers(1, 3)), g * inner, *image)).astype(
        x_dtype
    )
    typical = 75 * 75 * math.sqrt(w[0].size)
    x_scale, w_scales, y_scale = draw_scales(r, channels, typical)
    y_info = np.iinfo(x_dtype)
    model = qlinear_conv(
        w,
        x_dtype=x_dtype,
        y_dtype=x_dtype,
        x=(x_scale, int(r.integers(low, low + 2**x_bits)) if r.random() < 0.8 else 0),
        w_scale=w_scales if r.random() < 0.5 else w_scales[0],
        w_zero=0,
        y=(y_scale, int(r.integers(y_info.min, y_info.max + 1))),
        bias=r.integers(-int(typical), int(typical), channels) if r.random() < 0.6 else None,
        image=image,
        groups=g,
        batch=len(x),
        pads=[kernel // 2 if padded else 0] * 2 * rank,
        strides=[int(r.integers(1, 3))] * rank,
    )
    return Drawn(model, x)


def draw_scales(
    r: np.random.Generator, channels: int, typical: float
) -> tuple[float, Array, float]:
    """Powers of two, one ulp beside them, decimals, or random; outputs use the code range."""
    kind = int(r.integers(0, 4))
    exponent = 2.0 ** int(math.log2(typical / 60))
    if kind <= 1:
        x_scale = np.float32(2.0 ** -int(r.integers(2, 7)))
        w = np.float32(2.0) ** -r.integers(3, 9, channels).astype(np.float32)
        y_scale = np.float32(x_scale * w.max() * exponent)
        if kind == 1:
            x_scale = np.nextafter(x_scale, np.float32(r.choice([0, 1])))
        return float(x_scale), w, float(y_scale)
    if kind == 2:
        x_scale = np.float32(r.choice([0.1, 0.05, 0.02, 0.3, 0.7]))
        w = r.choice([0.1, 0.01, 0.02, 0.003], channels).astype(np.float32)
        return float(x_scale), w, float(x_scale * w[0] * np.float32(2 * int(typical / 60)))
    x_scale = np.float32(np.exp(r.uniform(-5, -1)))
    w = np.exp(r.uniform(-5, -4, channels)).astype(np.float32)
    return float(x_scale), w, float(x_scale * w[0] * np.float32(typical / 60))
