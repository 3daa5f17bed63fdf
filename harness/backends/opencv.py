"""OpenCV's dnn module, its new graph engine, one thread."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import onnx

from harness.backends import opencv_dump
from harness.backends.protocol import Limit
from harness.backends.versions import version

if TYPE_CHECKING:
    from harness.backends.protocol import Array

KEPT_NETS = 4
DISTRIBUTIONS = (
    "opencv-python-headless",
    "opencv-python",
    "opencv-contrib-python-headless",
    "opencv-contrib-python",
)
STANDARD_DOMAINS = ("", "ai.onnx", "com.microsoft")
LIMITS = [
    "convolutions over 1, 2 or 3 spatial dimensions",
    "the operators that its ONNX importer lists; every output needs a known shape",
]
# What OpenCV says where it does not claim the model at all.
DOCUMENTED = ("MAX_CONV_DIMS", "Can't create layer", "Unsupported operations")
OPERATORS = [
    "QLinearConv",
    "QLinearMatMul",
    "QuantizeLinear",
    "DequantizeLinear",
    "Conv",
    "MatMul",
    "Gemm",
    "Add",
    "Mul",
    "Relu",
    "Clip",
    "Sigmoid",
    "AveragePool",
    "MaxPool",
    "Concat",
    "Reshape",
    "Transpose",
]


def adapter(name: str) -> OpenCV:
    """The adapter; the catalogue knows it as ``opencv``."""
    return OpenCV()


class OpenCV:
    """Networks of ``cv2.dnn``, the last few kept."""

    def __init__(self) -> None:
        cv2.setNumThreads(1)
        self._net = lru_cache(KEPT_NETS)(_net)

    def describe(self) -> dict[str, Any]:
        """Facts, as `harness.backends.protocol.Adapter` asks for them."""
        return {
            "name": "opencv",
            "version": version(*DISTRIBUTIONS) or cv2.__version__,
            "profile": "opencv",
            "taps": True,
            "switches": [],
            "operators": OPERATORS,
            "versions": {"opencv": cv2.__version__, "numpy": np.__version__},
            "limits": LIMITS,
            "options": {},
        }

    def run(
        self, model: bytes, inputs: dict[str, Array], options: dict[str, str]
    ) -> dict[str, Array]:
        """Outputs exactly as OpenCV hands them out, whatever their shape and dtype."""
        net, names = self._net(model)
        try:
            for name, array in inputs.items():
                net.setInput(array, name)
            found = net.forward(names)
        except cv2.error as error:
            raise _as_limit(error) from error
        return {name: _copied(found[i], name) for i, name in enumerate(names)}

    def tap(
        self, model: bytes, inputs: dict[str, Array], options: dict[str, str]
    ) -> dict[str, Any]:
        """The plan alone: OpenCV hands out no tensor without changing what it fuses."""
        self.run(model, inputs, options)
        net, _ = self._net(model)
        return {
            "arrays": {},
            "plan": opencv_dump.plan(onnx.ModelProto.FromString(model), net.dump()),
            "method": "prefixes",
            "confirmed": True,
        }


def _net(model: bytes) -> tuple[Any, list[str]]:
    proto = onnx.ModelProto.FromString(model)
    names = [each.name for each in proto.graph.output]
    for node in proto.graph.node:
        if node.domain not in STANDARD_DOMAINS:
            raise Limit(f"operators of domain {node.domain} are not taken")
    if not all(each.type.tensor_type.HasField("shape") for each in proto.graph.output):
        inferred = onnx.shape_inference.infer_shapes(proto)
        if not all(each.type.tensor_type.HasField("shape") for each in inferred.graph.output):
            raise Limit("an output has no shape, and shape inference finds none")
        model = inferred.SerializeToString()
    try:
        return cv2.dnn.readNetFromONNX(
            np.frombuffer(model, np.uint8), cv2.dnn.ENGINE_NEW
        ), names
    except cv2.error as error:
        raise _as_limit(error) from error


def _as_limit(error: Exception) -> Exception:
    """The same error, as a limit where OpenCV documents it."""
    text = " ".join(str(error).split())
    return Limit(text) if any(each in text for each in DOCUMENTED) else error


def _copied(found: Any, name: str) -> Array:
    if found is None:
        raise RuntimeError(f"forward returned nothing for {name}")
    return np.array(found)
