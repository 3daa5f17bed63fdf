"""The reference evaluator of the onnx package."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import version_converter
from onnx.reference import ReferenceEvaluator

from harness.backends.protocol import Limit

if TYPE_CHECKING:
    from harness.backends.protocol import Array

CONVERTED_TO = 19  # the oldest QuantizeLinear and DequantizeLinear that it implements
KEPT_MODELS = 8
MISSING = "No implementation for operator"


def adapter(name: str) -> OnnxReference:
    """The adapter; the catalogue knows it as ``onnx-reference``."""
    return OnnxReference()


class OnnxReference:
    """Evaluators, the last few kept."""

    def __init__(self) -> None:
        self._evaluator = lru_cache(KEPT_MODELS)(_evaluator)

    def describe(self) -> dict[str, Any]:
        """Facts, as `harness.backends.protocol.Adapter` asks for them."""
        return {
            "name": "onnx-reference",
            "version": onnx.__version__,
            "profile": "spec",
            "taps": False,
            "switches": [],
            "operators": sorted({each.name for each in onnx.defs.get_all_schemas()}),
            "versions": {"onnx": onnx.__version__, "numpy": np.__version__},
            "limits": [f"opsets before {CONVERTED_TO} are converted to {CONVERTED_TO} first"],
            "options": {},
        }

    def run(
        self, model: bytes, inputs: dict[str, Array], options: dict[str, str]
    ) -> dict[str, Array]:
        """Outputs of the evaluator."""
        evaluator = self._evaluator(model)
        found = evaluator.run(None, inputs)
        return {name: np.asarray(found[i]) for i, name in enumerate(evaluator.output_names)}


def _evaluator(model: bytes) -> Any:
    proto = onnx.ModelProto.FromString(model)
    try:
        return ReferenceEvaluator(proto)
    except NotImplementedError as error:
        raise Limit(str(error)) from error
    except RuntimeError as error:
        if MISSING not in str(error):
            raise
        return _converted(proto, error)


def _converted(proto: onnx.ModelProto, error: RuntimeError) -> Any:
    version = next(each.version for each in proto.opset_import if each.domain == "")
    if version >= CONVERTED_TO:
        raise Limit(str(error)) from error
    try:
        return ReferenceEvaluator(version_converter.convert_version(proto, CONVERTED_TO))
    except RuntimeError as again:
        raise Limit(f"{error}; converted to opset {CONVERTED_TO}: {again}") from again
