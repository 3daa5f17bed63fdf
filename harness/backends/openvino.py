"""OpenVINO on the CPU, one thread, reals in float32."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import openvino

from harness.backends import openvino_plan, openvino_tensors
from harness.backends.defaults import without_defaults
from harness.backends.openvino_limits import LIMITS, OPERATORS, as_limit
from harness.backends.protocol import Limit
from harness.backends.versions import version

if TYPE_CHECKING:
    from harness.backends.protocol import Array

KEPT_MODELS = 8
# What each switch sets; these are properties of the CPU plug-in that it reads but does not list.
LOW_PRECISION = "low-precision"
SWITCHES = {
    # Without it, everything but Q and DQ computes reals.
    LOW_PRECISION: {"LP_TRANSFORMS_MODE": "NO"},
    # Code generated for chains of elementwise operators.
    "snippets": {"SNIPPETS_MODE": "DISABLE"},
}
PRECISIONS = ("f32", "bf16", "f16")
FIXED = {
    "INFERENCE_NUM_THREADS": 1,
    "NUM_STREAMS": 1,
    "ENABLE_CPU_PINNING": False,
}


def adapter(name: str) -> OpenVINO:
    """The adapter; the catalogue knows it as ``openvino``."""
    return OpenVINO()


class OpenVINO:
    """Compiled models of one ``openvino.Core``, the last few kept; nothing is cached in files."""

    def __init__(self) -> None:
        self._core = openvino.Core()
        self._compiled = lru_cache(KEPT_MODELS)(self._compile)

    def describe(self) -> dict[str, Any]:
        """Facts, as `harness.backends.protocol.Adapter` asks for them."""
        found = version("openvino") or openvino.get_version()
        return {
            "name": "openvino",
            "version": found,
            "profile": "spec",  # onednn rounds as it does, which would leave its ties without a fault
            "taps": True,
            "switches": list(SWITCHES),
            "operators": OPERATORS,
            "versions": {"openvino": openvino.get_version(), "numpy": np.__version__},
            "limits": LIMITS,
            "options": {
                "disable": list(SWITCHES),
                "precision": list(PRECISIONS),
                "dynamic": ["on"],
            },
            "many": ["disable"],
            "replacements": [LOW_PRECISION],
        }

    def run(
        self, model: bytes, inputs: dict[str, Array], options: dict[str, str]
    ) -> dict[str, Array]:
        """Outputs exactly as OpenVINO hands them out, whatever their shape and dtype."""
        compiled, names = self._compiled(model, tuple(sorted(options.items())))
        request = compiled.create_infer_request()
        source = onnx.ModelProto.FromString(model)
        given = without_defaults(source, inputs)
        try:
            request.infer({name: openvino_tensors.tensor(given[name]) for name in given})
        except Exception as error:
            raise as_limit(error, source) from error
        return {
            name: openvino_tensors.array(request.get_output_tensor(i))
            for i, name in enumerate(names)
        }

    def tap(
        self, model: bytes, inputs: dict[str, Array], options: dict[str, str]
    ) -> dict[str, Any]:
        """The plan alone: a tensor handed out is one that is not fused away."""
        compiled, _ = self._compiled(model, tuple(sorted(options.items())))
        source = onnx.ModelProto.FromString(model)
        plan = openvino_plan.plan(source, compiled.get_runtime_model())
        return {"arrays": {}, "plan": plan, "method": "prefixes", "confirmed": True}

    def _compile(
        self, model: bytes, options: tuple[tuple[str, str], ...]
    ) -> tuple[Any, list[str]]:
        source = onnx.ModelProto.FromString(model)
        names = [each.name for each in source.graph.output]
        settings = _settings(dict(options))
        try:
            compiled = self._core.compile_model(self._core.read_model(model), "CPU", settings)
        except Exception as error:
            raise as_limit(error, source) from error
        check_precision(compiled, settings["INFERENCE_PRECISION_HINT"])
        return compiled, names


def _settings(options: dict[str, str]) -> dict[str, Any]:
    settings = dict(FIXED, INFERENCE_PRECISION_HINT=options.get("precision", "f32"))
    if "dynamic" not in options:  # else it quantizes the reals that meet compressed weights
        settings["DYNAMIC_QUANTIZATION_GROUP_SIZE"] = 0
    for name in options["disable"].split("+") if "disable" in options else ():
        settings.update(SWITCHES[name])
    return settings


def check_precision(compiled: Any, wanted: str) -> None:
    """Refuse what OpenVINO is silent about: it computes in float32 where the CPU lacks ``wanted``.

    Raises:
        Limit: another precision than the one wanted is used.
    """
    used = compiled.get_property("INFERENCE_PRECISION_HINT").to_string()
    if used != wanted:
        raise Limit(f"precision={wanted}: this CPU has none, OpenVINO takes {used}")
