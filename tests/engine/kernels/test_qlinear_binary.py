from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import EngineError, Session
from engine.ir import Graph, Node
from engine.kernels.elementwise import BLOCK
from engine.kernels.operator import Kernel, Setting
from engine.kernels.operators import OPERATORS
from engine.kernels.qlinear_binary import constant_span
from engine.kernels.stages import correct_stages
from engine.profiles import find_profile
from tests.emulation.elementwise import affine, contrib
from tests.engine.models import Array, graph_model

NAMES = ["a", "as", "az", "b", "bs", "bz", "ys", "yz"]
Affine = tuple[float, int]
EXACT: dict[str, Callable[[Fraction, Fraction], Fraction]] = {
    "QLinearAdd": lambda a, b: a + b,
    "QLinearSub": lambda a, b: a - b,
    "QLinearMul": lambda a, b: a * b,
    "QLinearMax": max,
    "QLinearMin": min,
    "QLinearDiv": lambda a, b: a / b,
}
TIES = ((0.5, 3), (0.25, 7), (1.0, 20))
ULP = ((float(np.nextafter(np.float32(0.5), np.float32(1))), 3), (0.25, 7), (1.0, 20))
DECIMAL = ((0.1, 3), (0.3, 7), (0.7, 21))
TINY = ((1e-30, 3), (0.25, 7), (1e-30, 20))


def build(op: str, affines: Sequence[Affine], dtype: Any, **attributes: Any) -> Kernel:
    """The kernel of an operator; the last map is that of the output."""
    constants: dict[str, Array] = {}
    for name, (scale, zero_point) in zip(
        [*"abcdef"[: len(affines) - 1], "y"], affines, strict=True
    ):
        constants |= {
            k: np.asarray(v) for k, v in affine(name, scale, zero_point, dtype).items()
        }
    inputs = [(name, f"{name}s", f"{name}z") for name in "abcdef"[: len(affines) - 1]]
    flat = [each for tensor in inputs for each in tensor]
    pair = op not in ("QLinearSum", "QLinearMax", "QLinearMin")
    names = (*flat, "ys", "yz") if pair else ("ys", "yz", *flat)
    graph = Graph(18, (), ("y",), constants, ())
    profile = find_profile("spec")
    setting = Setting(graph, profile, correct_stages(profile), operators=OPERATORS)
    made = OPERATORS[op].build(Node("n", op, names, ("y",), attributes), setting)
    assert isinstance(made, Kernel)
    return made


def combined(op: str, affines: Sequence[Affine], *codes: Array, **attributes: Any) -> Array:
    kernel = build(op, affines, codes[0].dtype, **attributes)
    filled: list[Any] = [each for code in codes for each in (code, None, None)]
    pair = op not in ("QLinearSum", "QLinearMax", "QLinearMin")
    given = (*filled, None, None) if pair else (None, None, *filled)
    with np.errstate(all="ignore"):
        y: Array = kernel.run(*given)
    return y


def rounded(value: Fraction, affine: Affine, dtype: Any) -> int:
    """``sat(rne(value / s) + z)`` in rationals."""
    low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
    code = round(value / Fraction(float(np.float32(affine[0])))) + affine[1]
    return max(low, min(high, code))


def real(code: int, affine: Affine) -> Fraction:
    return Fraction(float(np.float32(affine[0]))) * (int(code) - affine[1])


@pytest.mark.parametrize("affines", [TIES, ULP, DECIMAL, TINY])
@pytest.mark.parametrize("op", EXACT)
def test_the_real_value_is_rounded_once(op: str, affines: Sequence[Affine]) -> None:
    every = np.arange(256, dtype=np.uint8)
    some = np.random.default_rng(len(op)).permutation(every)[:24]
    a, b = np.repeat(every, 24), np.tile(some, 256)
    y = combined(op, affines, a, b)
    for i in range(a.size):
        left, right = real(a[i], affines[0]), real(b[i], affines[1])
        if op == "QLinearDiv" and right == 0:
            expected = 0 if left <= 0 else 255  # -inf, NaN; inf
        else:
            expected = rounded(EXACT[op](left, right), affines[2], np.uint8)
        assert y[i] == expected, (a[i], b[i])


positive = st.floats(2.0**-20, 2.0**20, width=32)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_sums_of_many_with_coefficients(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 5))
    code = st.integers(-128, 127)
    affines = data.draw(
        st.lists(st.tuples(positive, code), min_size=count + 1, max_size=count + 1)
    )
    factor = st.one_of(st.sampled_from([1.0, -1.0, 0.5, 0.0]), st.floats(-8, 8, width=32))
    factors = data.draw(st.lists(factor, min_size=count, max_size=count))
    values = data.draw(st.lists(code, min_size=count, max_size=count))
    codes = [np.array([each], np.int8) for each in values]
    y = combined("QLinearSum", affines, *codes, coefficients=tuple(factors))
    total = sum(
        (Fraction(f) * real(q, a) for f, q, a in zip(factors, values, affines, strict=False)),
        Fraction(0),
    )
    assert y.item() == rounded(total, affines[-1], np.int8)


def test_ties_go_to_even_before_the_zero_point_is_added() -> None:
    a = np.array([4, 5, 6, 7], np.uint8)  # 0.5, 1, 1.5, 2 steps of the output
    y = combined("QLinearAdd", ((0.5, 3), (1.0, 0), (1.0, 21)), a, np.zeros(4, np.uint8))
    assert y.tolist() == [21, 22, 23, 23]


@pytest.mark.parametrize("op", EXACT)
def test_big_tensors_take_a_table_of_pairs(op: str) -> None:
    r = np.random.default_rng(0)
    a, b = r.integers(-128, 128, (2, 3, BLOCK)).astype(np.int8)
    whole = combined(op, DECIMAL, a, b)
    parts = [combined(op, DECIMAL, x, y) for x, y in zip(a.T[:2000], b.T[:2000], strict=True)]
    assert (np.stack(parts) == whole[:, :2000].T).all()
    assert whole.flags.c_contiguous


@pytest.mark.parametrize(
    ("left", "right", "shape"),
    [
        ((2, 3, 4), (3, 1), (2, 3, 4)),
        ((4,), (2, 1, 1), (2, 1, 4)),
        ((), (3,), (3,)),
        ((), (), ()),
        ((0, 3), (1, 3), (0, 3)),
        ((3, 700, 100), (700, 1), (3, 700, 100)),
    ],
)
def test_broadcasting(
    left: tuple[int, ...], right: tuple[int, ...], shape: tuple[int, ...]
) -> None:
    r = np.random.default_rng(1)
    a, b = (r.integers(0, 256, each).astype(np.uint8) for each in (left, right))
    y = combined("QLinearSub", TIES, a, b)
    assert y.shape == shape
    both = [np.ascontiguousarray(np.broadcast_to(each, shape)) for each in (a, b)]
    assert (y == combined("QLinearSub", TIES, *both)).all()


@pytest.mark.parametrize(
    ("left", "right", "inner"),
    [
        ((2, 3), (2, 3), -1),
        ((2, 3), (1, 3), -1),
        ((2, 3), (2, 1), 1),
        ((1, 1), (2, 3), 0),
        ((2, 3, 1), (2, 1, 1), 1),
        ((1,), (1,), -1),
    ],
)
def test_what_is_constant_in_the_innermost_span(
    left: tuple[int, ...], right: tuple[int, ...], inner: int
) -> None:
    assert constant_span([left, right]) == inner


def model(dtype: Any = np.uint8, **changes: Any) -> onnx.ModelProto:
    constants: dict[str, Any] = {}
    for name, (scale, zero_point) in zip("aby", TIES, strict=True):
        constants |= affine(name, scale, zero_point, dtype)
    feeds = {"a": np.zeros((2, 3), dtype), "b": np.zeros(3, dtype)}
    return contrib("QLinearAdd", NAMES, feeds, constants | changes)


def test_zero_points_may_be_absent() -> None:
    made = model()
    made.graph.node[0].input[:] = ["a", "as", "", "b", "bs", "", "ys"]
    a, b = np.array([[1, 2, 3]] * 2, np.uint8), np.array([2, 2, 2], np.uint8)
    assert Session(made).run({"a": a, "b": b})["y"].tolist() == [[1, 2, 2]] * 2
    signed = model(np.int8)
    signed.graph.node[0].input[:] = ["a", "as", "", "b", "bs", "", "ys", ""]
    assert Session(signed).run({"a": -a.view(np.int8), "b": b.view(np.int8)})["y"].min() == -1


def test_scales_may_be_computed() -> None:
    made = model()
    for each in list(made.graph.initializer):
        if each.name == "bs":
            made.graph.initializer.remove(each)
    extra = graph_model([], {"bs": (np.float32, [])}, {}, {}).graph.input
    made.graph.input.extend(extra)
    a, b = np.full((2, 3), 9, np.uint8), np.full(3, 9, np.uint8)
    session = Session(made)
    for scale, expected in ((0.25, 24), (2.0, 27), (0.5, 24)):  # 3 + 0.5, 3 + 4, 3 + 1 steps
        y = session.run({"a": a, "b": b, "bs": np.array(scale, np.float32)})["y"]
        assert (y == expected).all()
    with pytest.raises(
        EngineError, match=r"the input 1 scale is 0\.0; a scale must be positive"
    ):
        session.run({"a": a, "b": b, "bs": np.array(0, np.float32)})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"as": np.float32(np.nan)}, "the input 0 scale is nan; a scale must be positive"),
        ({"ys": np.float32(-1)}, "the output scale is -1.0; a scale must be positive"),
        ({"as": np.float64(1)}, "the input 0 scale is float64"),
        ({"bs": np.ones(3, np.float32)}, r"the input 1 scale is float32 \(3,\)"),
        ({"bz": np.int8(3)}, "the input 1 zero point is int8"),
        ({"yz": np.uint16(3)}, "uint16 codes; only int8 and uint8"),
    ],
)
def test_parameters_that_do_not_fit(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(EngineError, match=words):
        Session(model(**changes))


def test_codes_that_do_not_fit() -> None:
    made = model()
    made.graph.input[1].type.tensor_type.elem_type = onnx.TensorProto.INT8
    a = np.zeros((2, 3), np.uint8)
    with pytest.raises(EngineError, match="int8 codes with uint8 zero points"):
        Session(made).run({"a": a, "b": a[0].view(np.int8)})
    made.graph.input[1].CopyFrom(made.graph.input[0])
    made.graph.input[1].name = "b"
    made.graph.input[1].type.tensor_type.shape.dim[1].dim_value = 2
    with pytest.raises(EngineError, match="QLinearAdd 'y' cannot take"):
        Session(made).run({"a": a, "b": np.zeros((2, 2), np.uint8)})


def test_inputs_that_are_missing() -> None:
    for place in (1, 3, 6):
        made = model()
        made.graph.node[0].input[place] = ""
        with pytest.raises(EngineError, match=f"has no input {place}; it is required"):
            Session(made)


def test_coefficients_that_do_not_fit() -> None:
    with pytest.raises(EngineError, match="coefficients"):
        build("QLinearSum", TIES, np.uint8, coefficients=(1.0, np.inf))
