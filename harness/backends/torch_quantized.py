"""PyTorch's quantized convolutions, ``torch.ops.quantized.conv{1,2,3}d[_relu]``, by engine.

torch wants quint8 activations and qint8 weights; int8 activations and uint8 weights are shifted by 128
together with their zero points, which changes no product.
"""

from __future__ import annotations

import warnings
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import torch

from harness.backends.defaults import without_defaults
from harness.backends.graph import node_id
from harness.backends.protocol import Limit
from harness.backends.torch_pattern import Affine, Convolution, convolution, padding

if TYPE_CHECKING:
    from harness.backends.protocol import Array

KEPT_MODELS = 8
LIMITS = [
    "one QLinearConv, or DequantizeLinear x, w[, b] -> Conv [-> Relu] -> QuantizeLinear",
    "1, 2 or 3 spatial dimensions; every dimension of the output at least 1",
    "the same padding at both ends of an axis",
    "one scale for activations; weight scales along axis 0",
    "an int32 bias of scale x_scale * w_scale that float32 holds to the last unit",
    "initializers are constants, also those that are inputs too",
]
SYMMETRIC = "weight zero points 0 (after the shift of uint8 weights to int8)"


def adapter(name: str) -> Torch:
    """The adapter of ``torch-ENGINE``."""
    return Torch(name[len("torch-") :])


class Torch:
    """One quantized engine of torch, on one thread; switched off, another takes its place."""

    def __init__(self, engine: str) -> None:
        if engine not in torch.backends.quantized.supported_engines:
            supported = ", ".join(torch.backends.quantized.supported_engines)
            raise RuntimeError(f"this torch has no engine {engine}; it has {supported}")
        warnings.filterwarnings(
            "ignore", "torch.quantize_per_tensor", UserWarning
        )  # deprecated
        torch.set_num_threads(1)
        torch.backends.quantized.engine = engine
        self._engine = engine
        self._found = lru_cache(KEPT_MODELS)(convolution)
        self._packed = lru_cache(KEPT_MODELS)(self._pack)

    def describe(self) -> dict[str, Any]:
        """Facts, as `harness.backends.protocol.Adapter` asks for them."""
        return {
            "name": "torch-" + self._engine,
            "version": torch.__version__,
            "profile": _profile(self._engine),
            "taps": False,
            "switches": [self._engine],
            "operators": ["QLinearConv", "Conv", "Relu", "QuantizeLinear", "DequantizeLinear"],
            "versions": {"torch": torch.__version__, "numpy": np.__version__},
            "limits": LIMITS + ([SYMMETRIC] if self._engine == "onednn" else []),
            "options": {"disable": [self._engine]},
            "replacements": [self._engine],
        }

    def run(
        self, model: bytes, inputs: dict[str, Array], options: dict[str, str]
    ) -> dict[str, Array]:
        """The convolution's output."""
        found = self._found(model)
        if len(inputs) > 1:
            inputs = without_defaults(onnx.ModelProto.FromString(model), inputs)
        x = inputs[found.input]
        engine = _other(self._engine) if "disable" in options else self._engine
        torch.backends.quantized.engine = engine
        weights = self._packed(model, x.shape, engine)
        codes = x if found.quantize is None else quantize(x, found.quantize)
        if codes.dtype != found.x.zero_point.dtype:
            raise TypeError(f"{found.input} is {x.dtype}, not {found.x.zero_point.dtype}")
        y = _convolve(found, weights, codes)
        return {
            found.output: y if found.dequantize is None else dequantize(y, found.dequantize)
        }

    def tap(
        self, model: bytes, inputs: dict[str, Array], options: dict[str, str]
    ) -> dict[str, Any]:
        """One operation of the family ``quantized::conv``; torch shows no tensor inside it."""
        found = self._found(model)
        nodes = onnx.ModelProto.FromString(model).graph.node
        middle = [each for each in nodes if each.op_type not in ("Constant",)]
        covered = middle[
            found.quantize is not None : len(middle) - (found.dequantize is not None)
        ]
        relu = "_relu" if found.is_relu else ""
        step = {
            "kind": "quantized::conv",
            "name": f"conv{found.weights.ndim - 2}d{relu}",
            "nodes": [node_id(each) for each in covered],
            "inputs": [found.input],
            "outputs": [found.output],
        }
        return {"arrays": {}, "plan": [step], "method": "prefixes", "confirmed": False}

    def _pack(self, model: bytes, shape: tuple[int, ...], engine: str) -> Any:
        found = self._found(model)
        w = _signed(found.weights, found.w)
        if engine == "onednn" and w[1].zero_point.any():
            raise Limit("oneDNN takes " + SYMMETRIC)
        given, spatial = found.attributes, len(shape) - 2
        if spatial not in (1, 2, 3):
            raise Limit(f"a convolution over {spatial} spatial dimensions is not taken")
        pads = padding(given, shape[2:], found.weights.shape[2:])
        bias = None if found.bias is None else torch.from_numpy(found.bias.copy())
        return getattr(torch.ops.quantized, f"conv{spatial}d_prepack")(
            _weights(*w),
            bias,
            given.get("strides", [1] * spatial),
            pads,
            given.get("dilations", [1] * spatial),
            given.get("group", 1),
        )


def _convolve(found: Convolution, weights: Any, codes: Array) -> Array:
    x, affine = _unsigned(codes, found.x)
    operator = f"conv{codes.ndim - 2}d" + ("_relu" if found.is_relu else "")
    shift = 128 if found.y.zero_point.dtype == np.int8 else 0
    y = getattr(torch.ops.quantized, operator)(
        torch._make_per_tensor_quantized_tensor(
            torch.from_numpy(x), float(affine.scale[0]), int(affine.zero_point[0])
        ),
        weights,
        float(found.y.scale[0]),
        int(found.y.zero_point[0]) + shift,
    )
    result: Array = y.int_repr().numpy()
    return (result ^ np.uint8(128)).view(np.int8) if shift else result


def _other(engine: str) -> str:
    """The engine that takes over where one is switched off: the next that this torch has."""
    supported = [each for each in torch.backends.quantized.supported_engines if each != "none"]
    others: list[str] = [each for each in supported if each not in (engine, "x86")]
    return others[0]


def _profile(engine: str) -> str:
    """Engine ``x86`` uses oneDNN where the processor has AVX-512 VNNI, and FBGEMM elsewhere."""
    if engine != "x86":
        return engine
    has_vnni = getattr(torch.cpu, "_is_vnni_supported", lambda: False)
    return "onednn" if has_vnni() else "fbgemm"


def _weights(codes: Array, w: Affine) -> Any:
    values = torch.from_numpy(codes)
    if w.scale.size == 1 and w.zero_point.size == 1:
        scale, zero_point = float(w.scale[0]), int(w.zero_point[0])
        return torch._make_per_tensor_quantized_tensor(values, scale, zero_point)
    channels = codes.shape[:1]
    scales = torch.from_numpy(np.broadcast_to(w.scale, channels).astype(np.float64))
    zero_points = torch.from_numpy(np.broadcast_to(w.zero_point, channels).astype(np.int64))
    return torch._make_per_channel_quantized_tensor(values, scales, zero_points, 0)


def _unsigned(codes: Array, affine: Affine) -> tuple[Array, Affine]:
    if codes.dtype == np.uint8:
        return codes, affine
    shifted = affine.zero_point.astype(np.int64) + 128
    return codes.view(np.uint8) ^ np.uint8(128), affine._replace(zero_point=shifted)


def _signed(codes: Array, affine: Affine) -> tuple[Array, Affine]:
    if codes.dtype == np.int8:
        return codes.copy(), affine
    shifted = affine.zero_point.astype(np.int64) - 128
    return (codes ^ np.uint8(128)).view(np.int8), affine._replace(zero_point=shifted)


def quantize(x: Array, affine: Affine) -> Array:
    """``sat(rne(x / scale) + zero_point)``, the division in float32; NaN gives the lowest code."""
    limits = np.iinfo(affine.zero_point.dtype)
    with np.errstate(all="ignore"):
        steps = np.rint(x / affine.scale[0]).astype(np.float64) + float(affine.zero_point[0])
    steps = np.where(np.isnan(steps), limits.min, np.clip(steps, limits.min, limits.max))
    return np.asarray(steps.astype(affine.zero_point.dtype))


def dequantize(codes: Array, affine: Affine) -> Array:
    """``(q - zero_point) * scale`` in float32; the difference is exact."""
    steps = codes.astype(np.int32) - np.int32(affine.zero_point[0])
    return np.asarray(steps.astype(np.float32) * affine.scale[0])
