"""OpenCV's dnn module, one thread: the graph engine of OpenCV 5 unless that is switched off."""

from __future__ import annotations

import tempfile
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import onnx

from harness.backends import opencv_dump
from harness.backends.defaults import without_defaults
from harness.backends.protocol import Limit
from harness.backends.versions import version

if TYPE_CHECKING:
    from harness.backends.protocol import Array

KEPT_NETS = 4
NEW_ENGINE, WINOGRAD = "graph-engine", "winograd"
HAS_ENGINES = hasattr(cv2.dnn, "ENGINE_NEW")  # OpenCV 4 has the classic one alone
# Without the first, the classic engine of OpenCV 4 runs the model.
SWITCHES = (NEW_ENGINE, WINOGRAD) if HAS_ENGINES else (WINOGRAD,)
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
    "initializers are constants, also those that are inputs too",
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
            "switches": list(SWITCHES),
            "operators": OPERATORS,
            "versions": {"opencv": cv2.__version__, "numpy": np.__version__},
            "limits": LIMITS,
            "options": {"disable": list(SWITCHES)},
            "many": ["disable"],
            "replacements": [NEW_ENGINE] if HAS_ENGINES else [],
        }

    def run(
        self, model: bytes, inputs: dict[str, Array], options: dict[str, str]
    ) -> dict[str, Array]:
        """Outputs exactly as OpenCV hands them out, whatever their shape and dtype."""
        net, names = self._net(model, options.get("disable", ""))
        if len(inputs) > 1:
            inputs = without_defaults(onnx.ModelProto.FromString(model), inputs)
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
        net, _ = self._net(model, options.get("disable", ""))
        dump = net.dump()
        is_classic = dump.startswith(
            "digraph"
        )  # which draws its layers, but does not say more
        source = onnx.ModelProto.FromString(model)
        return {
            "arrays": {},
            "plan": [] if is_classic else opencv_dump.plan(source, dump),
            "method": "prefixes",
            "confirmed": True,
        }


def _net(model: bytes, disabled: str) -> tuple[Any, list[str]]:
    off = disabled.split("+")
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
    read = _read_classic if NEW_ENGINE in off else _read_default
    try:
        net = read(model)
        net.enableWinograd(WINOGRAD not in off)
    except cv2.error as error:
        raise _as_limit(error) from error
    return net, names


def _read_default(model: bytes) -> Any:
    engine = (cv2.dnn.ENGINE_NEW,) if HAS_ENGINES else ()
    return cv2.dnn.readNetFromONNX(np.frombuffer(model, np.uint8), *engine)


def _read_classic(model: bytes) -> Any:
    """From a file: OpenCV 5.0.0 takes its new engine for a buffer, whatever it is asked for."""
    with tempfile.NamedTemporaryFile(suffix=".onnx") as file:
        file.write(model)
        file.flush()
        return cv2.dnn.readNetFromONNX(file.name, cv2.dnn.ENGINE_CLASSIC)


def _as_limit(error: Exception) -> Exception:
    """The same error, as a limit where OpenCV documents it."""
    text = " ".join(str(error).split())
    return Limit(text) if any(each in text for each in DOCUMENTED) else error


def _copied(found: Any, name: str) -> Array:
    if found is None:
        raise RuntimeError(f"forward returned nothing for {name}")
    return np.array(found)
