"""How far real float32 functions are from float64 ones: at most half of what the oracle grants."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from corpus.case import Array
from harness.oracle import Oracle
from harness.oracle.bounds import UNIT
from harness.oracle.elementwise import SIGMOID_ERROR
from harness.oracle.functions import GRANTED
from tests.harness.oracle.agreement import run_onnxruntime

F = np.float32
erf = np.vectorize(math.erf, otypes=[np.float64])


def softplus(x: Array) -> Array:
    return np.logaddexp(0, x)


def elu(x: Array) -> Array:
    return np.where(x < 0, np.expm1(np.minimum(x, 0)), x)


def gelu(x: Array) -> Array:
    y: Array = x * (1 + erf(x / math.sqrt(2))) / 2
    return y


def gelu_by_tanh(x: Array) -> Array:
    inner = math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)
    y: Array = x * (1 + np.tanh(inner)) / 2
    return y


FUNCTIONS: Mapping[str, Callable[[Array], Array]] = {
    "Celu": elu,
    "Elu": elu,
    "Erf": erf,
    "Gelu": gelu,
    "Gelu tanh": gelu_by_tanh,
    "HardSigmoid": lambda x: np.clip(0.2 * x + 0.5, 0, 1),
    "HardSwish": lambda x: x * np.clip(x / 6 + 0.5, 0, 1),
    "Mish": lambda x: x * np.tanh(softplus(x)),
    "Selu": lambda x: 1.0507010221481323 * np.where(x < 0, 1.6732631921768188 * elu(x), x),
    "Softplus": softplus,
    "Softsign": lambda x: x / (1 + np.abs(x)),
    "Swish": lambda x: x / (1 + np.exp(-x)),
    "Tanh": np.tanh,
}
TORCH = {
    "Celu": "celu",
    "Elu": "elu",
    "Gelu": "gelu",
    "HardSwish": "hardswish",
    "Mish": "mish",
    "Selu": "selu",
    "Softplus": "softplus",
    "Softsign": "softsign",
    "Swish": "silu",
    "Tanh": "tanh",
}


def arguments() -> Array:
    rng = np.random.default_rng(60)
    parts = [rng.uniform(-30, 30, 200_000), rng.uniform(-3, 3, 100_000)]
    parts += [rng.normal(size=50_000) * 1e-3, np.linspace(-8, 8, 50_001)]
    return np.concatenate(parts).astype(F)


def onnxruntime_of(name: str, x: Array) -> Array:
    op, _, approximate = name.partition(" ")
    attributes = {"approximate": approximate} if approximate else {}
    return run_onnxruntime(one(op, **attributes), {"x": x}, "DISABLE_ALL")[0]


def one(op: str, **attributes: Any) -> Any:
    graph = helper.make_graph(
        [helper.make_node(op, ["x"], ["y"], **attributes)],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, None)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 24)], ir_version=10)


def units(found: Array, exact: Array, x: Array) -> float:
    """The largest error in ``u (1 + |x| + |f(x)|)``."""
    wide = x.astype(np.float64)
    error = np.abs(found.astype(np.float64) - exact)
    return float((error / (UNIT * (1 + np.abs(wide) + np.abs(exact)))).max())


@pytest.mark.backend("ort")
@pytest.mark.parametrize("name", FUNCTIONS)
def test_onnxruntime_keeps_to_half_of_what_is_granted(name: str) -> None:
    x = arguments()
    exact = FUNCTIONS[name](x.astype(np.float64))
    assert units(onnxruntime_of(name, x), exact, x) < GRANTED / 2


@pytest.mark.backend("torch")
@pytest.mark.parametrize("name", TORCH)
def test_torch_keeps_to_half_of_what_is_granted(name: str) -> None:
    torch = pytest.importorskip("torch")
    x = arguments()
    exact = FUNCTIONS[name](x.astype(np.float64))
    function = getattr(torch.nn.functional, TORCH[name], None) or getattr(torch, TORCH[name])
    function(
        torch.ones(1)
    )  # MKL's first call, if by two threads, may be coarse: pytorch 188792
    assert units(function(torch.from_numpy(x)).numpy(), exact, x) < GRANTED / 2


@pytest.mark.backend("ort")
def test_exp_and_sigmoid_keep_to_half_of_what_is_granted() -> None:
    x = arguments()
    wide = x.astype(np.float64)
    exact = np.exp(wide)
    error = np.abs(onnxruntime_of("Exp", x) - exact) / (UNIT * exact * (1 + np.abs(wide)))
    assert error.max() < GRANTED / 2
    sigmoid = 1 / (1 + np.exp(-wide))
    assert np.abs(onnxruntime_of("Sigmoid", x) - sigmoid).max() < SIGMOID_ERROR / 2


@pytest.mark.parametrize("name", [*FUNCTIONS, "Exp"])
def test_a_set_holds_the_function_of_each_of_its_points(name: str) -> None:
    """Intervals of codes in doubt: every float between the ends, and the lowest point inside."""
    op, _, approximate = name.partition(" ")
    attributes = {"approximate": approximate} if approximate else {}
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["d"]),
        helper.make_node(op, ["d"], ["y"], **attributes),
    ]
    model = one(op)
    graph = model.graph
    del graph.node[:]
    graph.node.extend(nodes)
    step = F(0.7)
    graph.initializer.append(helper.make_tensor("s", TensorProto.FLOAT, (), [step]))
    graph.initializer.append(helper.make_tensor("z", TensorProto.INT8, (), [0]))
    x = ((np.arange(-12, 12) + 0.5) * float(step)).astype(F)
    found = Oracle(model).allowed({"x": x}, ["d", "y"])
    d, y = found["d"], found["y"]
    f = np.exp if name == "Exp" else FUNCTIONS[name]
    assert (d.high > d.low).any()
    for share in np.linspace(0, 1, 101):
        values = f(d.low + (d.high - d.low) * share)
        assert np.all((y.low <= values) & (values <= y.high))
    # and little more than that
    ends = np.stack([f(d.low + (d.high - d.low) * share) for share in np.linspace(0, 1, 101)])
    granted = 4 * GRANTED * UNIT * (1 + np.abs(x)) * (1 + np.abs(ends).max(0)) + 1e-4
    assert np.all(y.low >= ends.min(0) - granted)
    assert np.all(y.high <= ends.max(0) + granted)
