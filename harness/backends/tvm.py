"""Apache TVM: its Relax front end for ONNX, compiled by LLVM for the CPU; Q/DQ graphs only."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import tvm
from tvm import relax
from tvm.relax.frontend.onnx import from_onnx

from harness.backends.defaults import without_defaults
from harness.backends.protocol import Limit
from harness.backends.versions import version

if TYPE_CHECKING:
    from harness.backends.protocol import Array

KEPT_PROGRAMS = 4
SWITCHES = ("FoldConstant", "FuseOps")
OPERATORS = [
    "QuantizeLinear",
    "DequantizeLinear",
    "DynamicQuantizeLinear",
    "MatMulInteger",
    "MatMulInteger16",
]
LIMITS = [
    "the operators that its ONNX front end converts, no QLinear* among them",
    "float32 real values around codes; no blocks; shapes that are known",
]
# Parts of messages by which its front end says that it does not convert something.
DOCUMENTED = (
    "are not supported for frontend ONNX",
    "not supported yet",
    "is not supported",
    "are not supported",
    "not implemented",
    "not yet supported",
    "datatype should be one of",
    "Unsupported output datatype",
)


def adapter(name: str) -> TVM:
    """The adapter; the catalogue knows it as ``tvm``."""
    return TVM()


class TVM:
    """Compiled programs, the last few kept."""

    def __init__(self) -> None:
        self._program = lru_cache(KEPT_PROGRAMS)(_program)

    def describe(self) -> dict[str, Any]:
        """Facts, as `harness.backends.protocol.Adapter` asks for them."""
        return {
            "name": "tvm",
            "version": version("apache-tvm") or tvm.__version__,
            "profile": "spec",
            "taps": False,
            "switches": list(SWITCHES),
            "operators": OPERATORS,
            "versions": {"tvm": tvm.__version__, "numpy": np.__version__},
            "limits": LIMITS,
            "options": {"disable": list(SWITCHES)},
            "many": ["disable"],
        }

    def run(
        self, model: bytes, inputs: dict[str, Array], options: dict[str, str]
    ) -> dict[str, Array]:
        """Outputs of the compiled program's ``main``."""
        without_defaults(onnx.ModelProto.FromString(model), inputs)
        program, takes, gives = self._program(model, options.get("disable", ""))
        found = program["main"](*(tvm.runtime.tensor(inputs[name]) for name in takes))
        several = [found] if hasattr(found, "numpy") else list(found)
        return {name: several[i].numpy() for i, name in enumerate(gives)}


def _program(model: bytes, disabled: str) -> tuple[Any, list[str], list[str]]:
    """The program, and the names of what it takes and gives, in order."""
    proto = onnx.ModelProto.FromString(model)
    constants = {each.name for each in proto.graph.initializer}
    takes = [each.name for each in proto.graph.input if each.name not in constants]
    gives = [each.name for each in proto.graph.output]
    module = _converted(proto)
    off = disabled.split("+") if disabled else []
    with tvm.transform.PassContext(opt_level=3, disabled_pass=off):
        fused = relax.get_pipeline("zero")(module)
        compiled = tvm.compile(fused, target="llvm")
    return relax.VirtualMachine(compiled, tvm.cpu()), takes, gives


def _converted(proto: onnx.ModelProto) -> Any:
    try:
        return from_onnx(proto)
    except Exception as error:
        text = " ".join(str(error).split())
        if any(each in text for each in DOCUMENTED):
            raise Limit(text) from error
        raise
