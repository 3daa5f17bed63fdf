"""What OpenVINO says where it does not take a model: in short, and whether it documents that."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from harness.backends.graph import Graph, node_id
from harness.backends.protocol import Limit

if TYPE_CHECKING:
    import onnx

# The quantized operators that src/frontends/onnx/docs/supported_ops.md lists as supported.
OPERATORS = [
    "QuantizeLinear",
    "DequantizeLinear",
    "DynamicQuantizeLinear",
    "QLinearConv",
    "QLinearMatMul",
    "ConvInteger",
    "MatMulInteger",
    "com.microsoft.DequantizeLinear",
    "com.microsoft.DynamicQuantizeMatMul",
    "com.microsoft.MatMulIntegerToFloat",
    "com.microsoft.MatMulNBits",
    "com.microsoft.QLinearAdd",
    "com.microsoft.QLinearAveragePool",
    "com.microsoft.QLinearConcat",
    "com.microsoft.QLinearLeakyRelu",
    "com.microsoft.QLinearMul",
    "com.microsoft.QLinearReduceMean",
    "com.microsoft.QLinearSigmoid",
    "com.microsoft.QLinearSoftmax",
    "com.microsoft.QLinearWhere",
    "com.microsoft.QuantizeLinear",
]
LIMITS = [
    "the operators that its ONNX front end has a conversion rule for",
    "blocks that divide their axis",
    "initializers are constants, also those that are inputs too",
    "precision=bf16 and f16 where the CPU has them",
]
# Parts of messages by which it says itself that it does not support the model.
DOCUMENTED = (
    "No conversion rule found for operations",
    "Unsupported data type",
    "must be one of the supported types",
    "cannot be divided by",
    "be divisible by",
)
NO_RULE = re.compile(r"No conversion rule found for operations: .*\S")
NODE = re.compile(r"'<Node\(\w*\): (.*?)>'")
CALLBACK = re.compile(r"^\[(\w+)\] END: node: .* CALLBACK HAS THROWN: ")
PLACE = re.compile(
    r"^-- |(Exception from|FrontEnd API failed|Model wasn't|To facilitate) .*$|^Summary:$"
    r"|While validating (ONNX )?node '.*?'( with friendly_name '.*')?:\s*"
    r"|Check '.*' failed at \S+:\d+:$"
)
FAILED = re.compile(r"^-- (\S+) with a message:\n(.*?)(?=^-- |^Summary:)", re.M | re.S)


def as_limit(error: Exception, model: onnx.ModelProto) -> Exception:
    """The error in one line, as a limit where OpenVINO documents it."""
    text = essence(str(error), model)
    return (Limit if any(each in text for each in DOCUMENTED) else RuntimeError)(text)


def essence(message: str, model: onnx.ModelProto) -> str:
    """What went wrong first, without the places in OpenVINO's own files.

    Where several nodes could not be converted, later ones fail because of the first, and all the
    others because of one that has no conversion rule.
    """
    unknown = NO_RULE.search(message)
    if unknown:
        return unknown.group()
    order = {node_id(node): place for place, node in enumerate(Graph(model.graph).nodes)}

    def place(failed: re.Match[str]) -> int:
        node = NODE.search(failed.group(2))
        return order.get(node.group(1), len(order)) if node else len(order)

    failures = sorted(FAILED.finditer(message), key=place)
    if not failures:
        return _said(message)
    operator = failures[0].group(1).rpartition("-")[0] or failures[0].group(1)
    return f"{operator}: {_said(failures[0].group(2))}"


def _said(message: str) -> str:
    """All that is no place; a transformation that failed keeps its name."""
    lines = [CALLBACK.sub(r"\1: ", line.strip()) for line in message.splitlines()]
    told = [PLACE.sub("", line).strip() for line in lines]
    return " ".join(each for each in told if each) or " ".join(message.split())
