"""Linear layers of torch's engines: codes from codes, and reals quantized when they run."""

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from tests.emulation.check import Check, Pairs
from tests.emulation.matmul import F32, Drawn, draw, dynamic, ours, qgemm
from tests.engine.models import Array


def torch_linear(engine: str) -> Pairs:
    """quantized.linear, its float bias made from int32 codes."""

    def pairs(r: np.random.Generator) -> Iterator[tuple[Array, Array]]:
        while True:
            d = draw(r, a_dtype=np.uint8, b_dtype=np.int8)
            c = r.integers(-3000, 3000, d.columns).astype(np.int32)
            has_bias = r.random() < 0.6
            made = qgemm(d, c if has_bias else None, False, transB=1)
            real = c * (np.float64(d.a_scale) * d.b_scale.astype(np.float64))
            bias = real.astype(F32) if has_bias else None
            yield ours(made, engine, d.a), _torch_linear(engine, d, bias)

    return pairs


def _torch_weights(b: Array, scale: Array) -> Any:
    import torch

    w = torch.from_numpy(b.T.copy())
    if not scale.ndim:
        return torch._make_per_tensor_quantized_tensor(w, float(scale), 0)
    rows, zeros = torch.from_numpy(scale.astype(np.float64)), torch.zeros(len(scale)).long()
    return torch._make_per_channel_quantized_tensor(w, rows, zeros, 0)


def _torch_linear(engine: str, d: Drawn, bias: Array | None) -> Array:
    import torch

    torch.backends.quantized.engine = engine
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # quantized tensors are deprecated
        x = torch._make_per_tensor_quantized_tensor(
            torch.from_numpy(d.a), float(d.a_scale), int(d.a_zero)
        )
        given = None if bias is None else torch.from_numpy(bias)
        packed = torch.ops.quantized.linear_prepack(_torch_weights(d.b, d.b_scale), given)
        y = torch.ops.quantized.linear(x, packed, float(d.y_scale), int(d.y_zero))
        found: Array = y.int_repr().numpy()
    return found


def torch_dynamic(engine: str) -> Pairs:
    """quantized.linear_dynamic."""

    def pairs(r: np.random.Generator) -> Iterator[tuple[Array, Array]]:
        import torch

        while True:
            made, x, given = dynamic(r)
            torch.backends.quantized.engine = engine
            with warnings.catch_warnings():
                warnings.simplefilter(
                    "ignore", UserWarning
                )  # quantized tensors are deprecated
                weights = _torch_weights(given["b"], given["bs"])
                bias = torch.from_numpy(given["bias"])
                packed = torch.ops.quantized.linear_prepack(weights, bias)
                y = torch.ops.quantized.linear_dynamic(torch.from_numpy(x), packed, False)
            yield ours(made, engine, x), y.numpy()

    return pairs


CHECKS: tuple[Check, ...] = tuple(
    Check(engine, name, pairs(engine), "torch")
    for engine in ("fbgemm", "qnnpack", "onednn")
    for name, pairs in (("linear", torch_linear), ("linear_dynamic", torch_dynamic))
)
