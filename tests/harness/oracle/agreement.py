"""Real outputs of onnxruntime against the oracle's sets: one operator, tie-rich parameters.

``codes -> DequantizeLinear -> operator -> QuantizeLinear`` at two optimization levels, so that both the
float operator and whatever integer operation the engine fuses it into are judged.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

from corpus.case import Array
from harness.oracle import Allowed, Oracle, judge
from tests.harness.oracle.models import SCALES, constant, scale

LEVELS = ("DISABLE_ALL", "ENABLE_ALL")
Feeds = Mapping[str, Array]


@dataclass(frozen=True)
class Graph:
    """One operator to be asked about: tensors that are drawn as codes, and plain constants.

    ``codes`` are the shapes of quantized inputs by name; ``constants`` go to the node after them, ""
    for an absent one; ``outputs`` counts its outputs, of which the first is quantized if ``quantized``.
    """

    op: str
    codes: Mapping[str, tuple[int, ...]]
    constants: Sequence[tuple[str, Any]] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict)
    outputs: int = 1
    quantized: bool = True
    opset: int = 21
    domain: str = ""
    scales: tuple[int, int] = (-7, -3)


@dataclass
class Tally:
    """What was seen: elements judged, outside, with more than one allowed value; farthest in steps."""

    elements: int = 0
    outside: int = 0
    doubtful: int = 0
    steps: float = 0.0
    first: str = ""
    kinds: set[str] = field(default_factory=set)

    def add(self, allowed: Allowed, actual: Array, words: str) -> None:
        """One tensor; and a wrong element planted into the right answer must be found."""
        planted(allowed)
        verdict = judge(allowed, actual)
        self.elements += verdict.total
        self.kinds.add(verdict.kind)
        self.outside += verdict.wrong
        self.doubtful += round(allowed.slack * verdict.total)
        self.steps = max(self.steps, verdict.max_steps)
        if verdict.is_wrong and not self.first:
            self.first = f"{words}: {verdict}"

    @property
    def slack(self) -> float:
        return self.doubtful / max(self.elements, 1)


def run_onnxruntime(model: onnx.ModelProto, feeds: Feeds, level: str) -> list[Array]:
    """All outputs, on one thread, int8 fusions allowed."""
    ort = pytest.importorskip("onnxruntime")
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    options.graph_optimization_level = getattr(ort.GraphOptimizationLevel, f"ORT_{level}")
    options.add_session_config_entry("session.qdqisint8allowed", "1")
    session = ort.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    found: list[Array] = session.run(None, dict(feeds))
    return found


def drawn(
    graph: Graph, rng: np.random.Generator, kind: str, dtype: str
) -> tuple[onnx.ModelProto, dict[str, Array]]:
    """The Q/DQ graph with drawn codes, scales and zero points."""
    nodes, constants, feeds = [], [], {}
    middle = 128 if dtype == "uint8" else 0
    for name, shape in graph.codes.items():
        zero = middle + int(rng.integers(-40, 41))
        feeds[name] = rng.integers(middle - 64, middle + 64, shape).astype(dtype)
        constants += [
            constant(f"{name}_s", scale(rng, kind, *graph.scales)),
            constant(f"{name}_z", zero, dtype),
        ]
        nodes.append(
            helper.make_node(
                "DequantizeLinear", [name, f"{name}_s", f"{name}_z"], [f"{name}_d"]
            )
        )
    names = [f"{name}_d" for name in graph.codes]
    for name, value in graph.constants:
        names.append(name)
        if name:
            constants.append(constant(name, value))
    made = [f"o{i}" for i in range(graph.outputs)]
    nodes.append(
        helper.make_node(
            graph.op, names, made, name="n", domain=graph.domain, **graph.attributes
        )
    )
    if graph.quantized:
        plain = _model(graph, nodes, constants, feeds, made[:1])
        step = _step(run_onnxruntime(plain, feeds, "DISABLE_ALL")[0], kind, rng)
        zero = middle + int(rng.integers(-20, 21))
        constants += [constant("ys", step), constant("yz", zero, dtype)]
        nodes.append(helper.make_node("QuantizeLinear", [made[0], "ys", "yz"], ["y"]))
        made[0] = "y"
    return _model(graph, nodes, constants, feeds, made), feeds


def _step(values: Array, kind: str, rng: np.random.Generator) -> np.float32:
    """A scale that lets most values keep 7 bits, of the drawn kind."""
    most = float(np.abs(values[np.isfinite(values)]).max(initial=2.0**-20)) / 100 + 2.0**-20
    power = np.float32(2.0 ** np.rint(np.log2(most)))
    if kind == "power":
        return power
    if kind in ("above", "below"):
        return np.float32(np.nextafter(power, np.float32(np.inf if kind == "above" else 0)))
    return np.float32(most * rng.uniform(0.7, 1.4))


def _model(
    graph: Graph,
    nodes: Sequence[onnx.NodeProto],
    constants: Sequence[onnx.TensorProto],
    feeds: Feeds,
    outputs: Sequence[str],
) -> onnx.ModelProto:
    inputs = [
        helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape)
        for n, a in feeds.items()
    ]
    made = helper.make_graph(
        list(nodes),
        "g",
        inputs,
        [onnx.ValueInfoProto(name=n) for n in outputs],
        list(constants),
    )
    opsets = [helper.make_opsetid("", graph.opset), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(made, opset_imports=opsets, ir_version=10)


def tally(
    graph: Graph,
    rounds: int,
    seed: int = 0,
    dtypes: Sequence[str] = ("uint8", "int8"),
) -> Tally:
    """The operator at both levels, with every kind of scale."""
    seen = Tally()
    for index in range(rounds):
        rng = np.random.default_rng([seed, index])
        kind, dtype = SCALES[index % len(SCALES)], dtypes[index % len(dtypes)]
        model, feeds = drawn(graph, rng, kind, dtype)
        compare(seen, model, feeds, f"{graph.op} {kind} {dtype} {index}")
    return seen


def asked(
    op: str,
    feeds: Feeds,
    order: Sequence[tuple[str, Any]],
    *,
    outputs: int = 1,
    version: int = 21,
    domain: str = "com.microsoft",
    **attributes: Any,
) -> onnx.ModelProto:
    """One operator on codes: ``order`` names its inputs; a value of None means a graph input."""
    constants = [constant(name, value) for name, value in order if value is not None]
    node = helper.make_node(
        op,
        [name for name, _ in order],
        [f"o{i}" for i in range(outputs)],
        name="n",
        domain=domain,
        **attributes,
    )
    graph = Graph(op, {}, opset=version)
    return _model(graph, [node], constants, feeds, [f"o{i}" for i in range(outputs)])


def compare(seen: Tally, model: onnx.ModelProto, feeds: Feeds, words: str = "") -> None:
    """Adds what a model gives at both levels."""
    sets = Oracle(model).allowed(feeds)
    for level in LEVELS:
        found = run_onnxruntime(model, feeds, level)
        for (name, allowed), actual in zip(sets.items(), found, strict=True):
            seen.add(allowed, actual, f"{words} {level} {name}")


def planted(allowed: Allowed) -> None:
    """One code moved by one step, where there is no doubt: that one is found, and nothing else."""
    decided = np.flatnonzero(allowed.low == allowed.high)
    if allowed.dtype.kind == "f" or allowed.dtype.itemsize > 4 or not decided.size:
        return
    where = decided[decided.size // 2]
    codes = allowed.centre.flatten()
    codes[where] += 1 if codes[where] <= 0 else -1
    verdict = judge(allowed, codes.reshape(allowed.centre.shape).astype(allowed.dtype))
    assert verdict.is_wrong
    assert verdict.wrong == 1
    assert verdict.max_steps == 1.0
