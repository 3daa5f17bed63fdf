from typing import Any

import numpy as np
import onnx
import pytest

from engine import EngineError, Session
from engine.kernels.table import TableParameters, by_bytes, every_code
from tests.emulation.elementwise import affine, contrib
from tests.engine.models import Array, graph_model

NAMES = ["x", "xs", "xz", "ys", "yz"]


def model(
    op: str, x: Array, y: tuple[float, int] = (1 / 256, 0), **attributes: Any
) -> onnx.ModelProto:
    constants = affine("x", 0.05, 3, x.dtype) | affine("y", *y, x.dtype)
    return contrib(op, NAMES, {"x": x}, constants, **attributes)


@pytest.mark.parametrize("dtype", [np.dtype(np.uint8), np.dtype(np.int8)])
def test_a_table_lies_in_the_order_of_bytes(dtype: Any) -> None:
    codes = every_code(dtype)
    assert (np.diff(codes.astype(int)) == 1).all()
    assert (by_bytes(codes, dtype=codes.dtype)[codes.view(np.uint8)] == codes).all()


@pytest.mark.parametrize("dtype", [np.dtype(np.uint8), np.dtype(np.int8)])
def test_sigmoid_of_every_code(dtype: Any) -> None:
    x = every_code(dtype).reshape(2, 4, 32)
    y = Session(model("QLinearSigmoid", x)).run({"x": x})["y"]
    reals = (x.astype(np.float32) - 3) * np.float32(0.05)
    truth = (1 / (1 + np.exp(-reals.astype(float)))).astype(np.float32)
    top = np.iinfo(dtype).max
    assert (y == np.rint(truth * 256).clip(0, top)).all()


@pytest.mark.parametrize(("attributes", "alpha"), [({}, 0.01), ({"alpha": -0.5}, -0.5)])
def test_the_slope_of_leaky_relu(attributes: dict[str, Any], alpha: float) -> None:
    x = every_code(np.dtype(np.int8))
    y = Session(model("QLinearLeakyRelu", x, (0.05, 3), **attributes)).run({"x": x})["y"]
    reals = (x.astype(np.float32) - 3) * np.float32(0.05)
    bent = np.where(reals >= 0, reals, np.float32(alpha) * reals)
    assert (y == (np.rint(bent / np.float32(0.05)) + 3).clip(-128, 127)).all()


def test_the_record_tells_what_was_read() -> None:
    x = every_code(np.dtype(np.int8))
    (step,) = Session(model("QLinearSigmoid", x)).plan().steps
    p = step.parameters
    assert isinstance(p, TableParameters)
    assert p.x_dtype == np.int8
    assert (p.x_scale, p.x_zero_point) == (np.float32(0.05), 3)
    assert [each.op for each in p.chain.nodes] == ["Sigmoid"]


def test_scales_may_be_computed_and_zero_points_absent() -> None:
    x = every_code(np.dtype(np.uint8))
    made = model("QLinearLeakyRelu", x, (0.05, 0))
    made.graph.node[0].input[:] = ["x", "xs", "", "ys"]
    for each in list(made.graph.initializer):
        if each.name == "ys":
            made.graph.initializer.remove(each)
    made.graph.input.extend(graph_model([], {"ys": (np.float32, [])}, {}, {}).graph.input)
    session = Session(made)
    for scale in (0.05, 0.1, 0.05):
        y = session.run({"x": x, "ys": np.array(scale, np.float32)})["y"]
        reals = x.astype(np.float32) * np.float32(0.05)
        assert (y == np.rint(reals / np.float32(scale)).clip(0, 255)).all()
    with pytest.raises(EngineError, match="the output scale is inf"):
        session.run({"x": x, "ys": np.array(np.inf, np.float32)})


def test_codes_of_another_type() -> None:
    x = every_code(np.dtype(np.uint8))
    made = model("QLinearSigmoid", x)
    made.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.INT8
    with pytest.raises(EngineError, match="int8 codes with uint8 zero points"):
        Session(made).run({"x": x.view(np.int8)})
