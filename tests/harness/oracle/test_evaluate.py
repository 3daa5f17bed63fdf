"""What the oracle reads, computes and refuses: literals of the standard, one operator after another."""

from dataclasses import replace
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from corpus.case import Array
from generators.operators.conv import ConvSpec, build
from harness.oracle import Allowed, Oracle, Silent, judge
from tests.harness.oracle.models import constant, draw, model, qdq, qlinear


def one(
    op: str, inputs: dict[str, Array], *, opset: int = 21, name: str = "n", **attributes: Any
) -> onnx.ModelProto:
    """A model of one node whose inputs are all graph inputs."""
    shapes = {key: (value.dtype.name, value.shape) for key, value in inputs.items()}
    graph = helper.make_graph(
        [helper.make_node(op, list(inputs), ["y"], name=name, **attributes)],
        "g",
        [
            helper.make_tensor_value_info(key, helper.np_dtype_to_tensor_dtype(np.dtype(t)), s)
            for key, (t, s) in shapes.items()
        ],
        [helper.make_tensor_value_info("y", TensorProto.UNDEFINED, None)],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])


def ask(op: str, *, inputs: dict[str, Any], opset: int = 21, **attributes: Any) -> Allowed:
    arrays = {key: np.asarray(value) for key, value in inputs.items()}
    return Oracle(one(op, arrays, opset=opset, **attributes)).allowed(arrays)["y"]


F32 = np.float32


def f32(*values: float) -> Array:
    return np.array(values, np.float32)


class TestLiteralsOfTheStandard:
    """The examples of ONNX's operator documentation."""

    def test_quantize_linear_per_tensor(self) -> None:
        x, zero = f32(0, 2, 3, 1000, -254, -1000), np.uint8(128)
        got = ask("QuantizeLinear", inputs={"x": x, "s": np.float32(2), "z": np.asarray(zero)})
        assert got.centre.tolist() == [128, 129, 130, 255, 1, 0]
        assert got.low is got.high
        assert got.dtype == np.uint8
        # 3 / 2 is a tie: half to even gives 2 + 128, half down would give 1 + 128.
        assert got.other.tolist() == [128, 129, 129, 255, 1, 0]

    def test_quantize_linear_per_axis(self) -> None:
        x = f32(
            *[-162, 10, -100, 232, -20, -50],
            *[-76, 0, 0, 252, 32, -44],
            *[245, -485, -960, -270, -375, -470],
        ).reshape(1, 3, 3, 2)
        scale, zero = f32(2, 4, 5), np.array([84, 24, 196], np.uint8)
        got = ask("QuantizeLinear", inputs={"x": x, "s": scale, "z": zero}, axis=1)
        want = [3, 89, 34, 200, 74, 59, 5, 24, 24, 87, 32, 13, 245, 99, 4, 142, 121, 102]
        assert got.centre.ravel().tolist() == want

    def test_dequantize_linear_per_tensor(self) -> None:
        q = np.array([0, 3, 128, 255], np.uint8)
        zero = np.array(128, np.uint8)
        got = ask("DequantizeLinear", inputs={"q": q, "s": np.float32(2), "z": zero})
        assert got.centre.tolist() == [-256, -250, 0, 254]
        assert got.low is got.high
        assert got.dtype == np.float32
        assert got.step == 2.0

    def test_dequantize_linear_per_axis(self) -> None:
        q = np.array([[[3, 89], [34, 200]], [[5, 24], [24, 87]]], np.uint8)[None]
        inputs = {"q": q, "s": f32(2, 4), "z": np.array([84, 24], np.uint8)}
        got = ask("DequantizeLinear", inputs=inputs)
        assert got.centre.ravel().tolist() == [-162, 10, -100, 232, -76, 0, 0, 252]

    def test_qlinear_conv(self) -> None:
        x = np.array(
            [
                [255, 174, 162, 25, 203, 168, 58],
                [15, 59, 237, 95, 129, 0, 64],
                [56, 242, 153, 221, 168, 12, 166],
                [232, 178, 186, 195, 237, 162, 237],
                [188, 39, 124, 77, 80, 102, 43],
                [127, 230, 21, 83, 41, 40, 134],
                [255, 154, 92, 141, 42, 148, 247],
            ],
            np.uint8,
        ).reshape(1, 1, 7, 7)
        inputs = {
            "x": x,
            "xs": np.float32(0.00369204697),
            "xz": np.array(132, np.uint8),
            "w": np.zeros((1, 1, 1, 1), np.uint8),
            "ws": f32(0.00172794575),
            "wz": np.array([255], np.uint8),
            "ys": np.float32(0.00162681262),
            "yz": np.array(123, np.uint8),
        }
        got = ask("QLinearConv", inputs=inputs, opset=10)
        # The documented weights invert the image: y = 255 - x in this example.
        assert got.centre.ravel().tolist() == (255 - x.astype(int)).ravel().tolist()


class TestQuantizeLinear:
    def test_half_goes_to_even_before_the_zero_point_is_added(self) -> None:
        inputs = {"x": f32(0.5, 1.5, 2.5, -0.5), "s": np.float32(1), "z": np.array(1, np.int8)}
        got = ask("QuantizeLinear", inputs=inputs)
        assert got.centre.tolist() == [1, 3, 3, 1]
        assert got.other.tolist() == [2, 2, 4, 0]

    def test_a_tie_that_float32_may_miss_allows_both_codes(self) -> None:
        scale = np.float32(0.1)
        inputs = {"x": np.float32(2.5) * f32(0.1), "s": scale, "z": np.array(0, np.int8)}
        got = ask("QuantizeLinear", inputs=inputs)
        assert (got.low.tolist(), got.high.tolist()) == ([2], [3])
        assert got.slack == 1.0

    def test_every_code_of_every_scale_comes_back(self) -> None:
        codes = np.arange(256, dtype=np.uint8)
        for scale in (0.1, 0.25, 0.0078431377, 3.7):
            real = (np.float32(scale) * (codes.astype(np.float32) - 128)).astype(np.float32)
            inputs = {"x": real, "s": np.float32(scale), "z": np.array(128, np.uint8)}
            got = ask("QuantizeLinear", inputs=inputs)
            assert got.centre.tolist() == codes.tolist()
            assert got.low is got.high

    def test_nan_may_become_anything_and_infinity_saturates(self) -> None:
        x = f32(np.nan, np.inf, -np.inf, 3e38, -3e38)
        got = ask(
            "QuantizeLinear", inputs={"x": x, "s": np.float32(1e-3), "z": np.array(0, np.int8)}
        )
        assert got.low.tolist() == [-128, 127, -128, 127, -128]
        assert got.high.tolist() == [127, 127, -128, 127, -128]

    def test_without_zero_point_the_output_is_uint8_or_the_named_type(self) -> None:
        inputs = {"x": f32(-3, 300), "s": np.float32(1)}
        assert ask("QuantizeLinear", inputs=inputs, opset=10).centre.tolist() == [0, 255]
        named = ask("QuantizeLinear", inputs=inputs, output_dtype=TensorProto.INT8)
        assert named.dtype == np.int8
        assert named.centre.tolist() == [-3, 127]


class TestNegativeScales:
    def test_they_turn_the_order_around_and_keep_ties_even(self) -> None:
        inputs = {"x": f32(0.5, 1.5, -2.5, 4), "s": F32(-1), "z": np.array(3, np.int8)}
        got = ask("QuantizeLinear", inputs=inputs)
        assert got.centre.tolist() == [3, 1, 5, -1]
        assert got.other.tolist() == [2, 2, 6, -1]
        assert got.low is got.high

    def test_each_channel_has_its_own_sign(self) -> None:
        q = np.array([[1, 2], [3, 4]], np.int8)
        got = ask("DequantizeLinear", inputs={"q": q, "s": f32(-0.5, 2)}, axis=1)
        assert got.centre.tolist() == [[-0.5, 4], [-1.5, 8]]
        assert np.asarray(got.step).tolist() == [[0.5, 2]]


class TestConv:
    def test_auto_pad_gives_the_odd_pixel_to_the_side_it_names(self) -> None:
        x, w = f32(1, 2, 4).reshape(1, 1, 3), f32(1, 10).reshape(1, 1, 2)
        for auto, want in (
            ("SAME_UPPER", [21, 42, 4]),
            ("SAME_LOWER", [10, 21, 42]),
            ("VALID", [21, 42]),
        ):
            got = ask("Conv", inputs={"x": x, "w": w}, auto_pad=auto)
            assert got.centre.ravel().tolist() == want

    def test_pads_strides_dilations_and_groups(self) -> None:
        x = np.arange(1, 11, dtype=np.float32).reshape(1, 2, 5)
        w = f32(1, 10, 1, 100).reshape(2, 1, 2)
        attributes: dict[str, Any] = {
            "pads": [2, 0],
            "strides": [2],
            "dilations": [2],
            "group": 2,
        }
        got = ask("Conv", inputs={"x": x, "w": w}, **attributes)
        assert got.centre.ravel().tolist() == [10, 31, 53, 600, 806, 1008]

    def test_an_accumulator_outside_int32_may_become_any_code(self) -> None:
        spec = draw(np.random.default_rng(0), "random", bits=8)
        assert spec.bias is not None
        spec.bias[:] = [2**31 - 1, -(2**31), 5, 5]
        for form in (qlinear, qdq):
            got = Oracle(form(spec)).allowed({"x": spec.x})["y"]
            is_open = (got.low == 0) & (got.high == 255)
            assert is_open[:, :2].any()
            assert not is_open[:, 2:].any()

    def test_a_float_bias_that_no_int32_holds_is_no_excuse(self) -> None:
        spec = draw(np.random.default_rng(0), "power", bias=False)
        step = float(spec.x_scale) * float(spec.w_scale)
        bias = (np.array([2.0**31, -(2.0**40), 2.0**31 - 2**10, 5]) * step).astype(np.float32)
        wide = replace(spec, y_scale=np.float32(2.0**25 * step), y_zero=128)
        got = Oracle(qdq(wide, float_bias=bias)).allowed({"x": spec.x})["y"]
        assert (got.low[:, 0] == got.high[:, 0]).all()
        assert got.low[0, :2, 0, 0].tolist() == [128 + 64, 0]
        assert ((got.low == 0) & (got.high == 255))[:, 2].any()

    def test_a_float_bias_may_be_rounded_to_the_accumulator(self) -> None:
        spec = draw(np.random.default_rng(0), "power", bias=False)
        step = float(spec.x_scale) * float(spec.w_scale)
        on_grid = np.full(4, 3 * step, np.float32)
        off_grid = np.full(4, 3.25 * step, np.float32)
        widths = []
        for bias in (on_grid, off_grid):
            graph = qdq(spec, float_bias=bias, float_output=True)
            got = Oracle(graph).allowed({"x": spec.x})["c"]
            assert np.asarray(got.step).item() == step
            widths.append((got.high - got.low) / step)
        assert widths[0].max() == 0.0
        assert 0.5 <= widths[1].min() <= widths[1].max() < 1.0

    def test_relu_and_clip_bound_both_ends(self) -> None:
        spec = draw(np.random.default_rng(1), "random")
        bounds = (-2.5 * float(spec.y_scale), 7.5 * float(spec.y_scale))
        for name, low, high in (("Relu", 0, 300), ("Clip", -3, 8)):
            graph = qdq(spec, activation=name, clip=bounds)
            got = Oracle(graph).allowed({"x": spec.x})["y"]
            assert got.low.min() - spec.y_zero >= low
            assert got.high.max() - spec.y_zero <= high
            assert (got.low < got.centre).any() or name == "Relu"


class TestElementwise:
    def test_add_and_multiply_broadcast(self) -> None:
        a, b = f32(1, 2, 3).reshape(3, 1), f32(10, 20)
        assert ask("Add", inputs={"a": a, "b": b}).centre.tolist() == [
            [11, 21],
            [12, 22],
            [13, 23],
        ]
        assert ask("Mul", inputs={"a": a, "b": b}).centre.tolist() == [
            [10, 20],
            [20, 40],
            [30, 60],
        ]

    def test_float32_results_are_inside(self) -> None:
        rng = np.random.default_rng(2)
        a, b = rng.normal(0, 3, (2, 500)).astype(np.float32)
        inputs = {"a": a, "b": b}
        sigmoid = (1 / (1 + np.exp(-a))).astype(np.float32)
        for op, want in (("Add", a + b), ("Mul", a * b)):
            got = ask(op, inputs=inputs)
            assert np.all((want >= got.low) & (want <= got.high))
        got = ask("Sigmoid", inputs={"a": a})
        assert np.all((sigmoid >= got.low) & (sigmoid <= got.high))
        assert np.all(got.high - got.low < 2.0**-19)

    def test_clip_by_attributes_and_by_inputs(self) -> None:
        x = f32(-9, 0.25, 9)
        assert ask("Clip", inputs={"x": x}, opset=6, min=-1.0, max=2.0).centre.tolist() == [
            -1,
            0.25,
            2,
        ]
        inputs = {"x": x, "lo": np.float32(0)}
        assert ask("Clip", inputs=inputs).centre.tolist() == [0, 0.25, 9]

    def test_what_becomes_of_nan_nobody_says(self) -> None:
        for op in ("Relu", "Clip"):
            inputs: dict[str, Any] = {"x": f32(np.nan, 0.5, -1)}
            if op == "Clip":
                inputs |= {"a": np.float32(0), "b": np.float32(1)}
            got = ask(op, inputs=inputs)
            assert judge(got, f32(np.nan, 0.5, 0)).is_wrong is False
            assert judge(got, f32(0, 0.5, np.nan)).kind == "nonfinite"

    def test_moving_operators_keep_every_value(self) -> None:
        x = np.arange(24, dtype=np.int8).reshape(1, 2, 3, 4)
        shape = np.array([0, -1, 4], np.int64)
        assert np.array_equal(
            ask("Reshape", inputs={"x": x, "s": shape}).centre, x.reshape(1, 6, 4)
        )
        assert np.array_equal(ask("Flatten", inputs={"x": x}, axis=2).centre, x.reshape(2, 12))
        turned = ask("Transpose", inputs={"x": x}, perm=[0, 2, 3, 1])
        assert np.array_equal(turned.centre, x.transpose(0, 2, 3, 1))
        joined = ask("Concat", inputs={"a": x, "b": x}, axis=-1)
        assert np.array_equal(joined.centre, np.concatenate([x, x], -1))
        assert ask("Identity", inputs={"x": x}).dtype == np.int8

    def test_moved_per_channel_scales_stay_with_their_channels(self) -> None:
        q = np.arange(6, dtype=np.int8).reshape(1, 2, 3)
        nodes = [
            helper.make_node("DequantizeLinear", ["q", "s"], ["x"], axis=1),
            helper.make_node("Transpose", ["x"], ["t"], perm=[0, 2, 1]),
            helper.make_node("Concat", ["t", "t"], ["y"], axis=1),
        ]
        graph = model(
            nodes, [constant("s", f32(1, 0.5))], {"q": ("int8", (1, 2, 3))}, {"y": "float32"}
        )
        got = Oracle(graph).allowed({"q": q})["y"]
        assert got.centre[0, 0].tolist() == [0, 1.5]
        assert np.asarray(got.step)[0, 0].tolist() == [1, 0.5]


class TestLaziness:
    def test_evaluation_stops_at_known_tensors(self) -> None:
        spec = draw(np.random.default_rng(3), "random")
        oracle = Oracle(qdq(spec, dequantized=True))
        conv = np.full((2, 4, 4, 3), spec.y_scale * np.float32(7), np.float32)
        got = oracle.allowed({"c": conv}, ["y"])["y"]
        want = np.clip(7 + spec.y_zero, 0, 255)
        assert np.all(got.centre == want)

    def test_a_wanted_tensor_is_computed_even_if_it_is_known(self) -> None:
        spec = draw(np.random.default_rng(3), "random")
        oracle = Oracle(qdq(spec))
        everything = {"x": spec.x, "y": np.zeros((2, 4, 4, 3), np.uint8)}
        assert oracle.allowed(everything)["y"].centre.any()

    def test_tensors_come_in_topological_order(self) -> None:
        spec = draw(np.random.default_rng(3), "random")
        oracle = Oracle(qdq(spec, activation="Relu"))
        assert oracle.tensors() == ("x", "xd", "wd", "bd", "c", "r", "y")
        every = oracle.allowed({"x": spec.x}, oracle.tensors())
        assert tuple(every) == oracle.tensors()
        assert every["x"].centre is every["x"].low

    def test_an_undecided_code_widens_what_follows(self) -> None:
        scale = np.float32(0.1)
        nodes = [
            helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]),
            helper.make_node(
                "QLinearConv", ["q", "s", "z", "w", "one", "wz", "one", "z"], ["y"]
            ),
        ]
        constants = [
            *[constant("s", scale), constant("z", 0, np.int8), constant("one", np.float32(1))],
            *[constant("w", np.full((1, 1, 1), 20, np.int8)), constant("wz", 0, np.int8)],
        ]
        graph = model(nodes, constants, {"x": ("float32", (1, 1, 2))}, {"y": "int8"})
        x = (f32(2.5, 3) * scale).reshape(1, 1, 2)
        got = Oracle(graph).allowed({"x": x})["y"]
        assert (got.low.ravel().tolist(), got.high.ravel().tolist()) == ([4, 6], [6, 6])


class TestSilence:
    def test_an_operator_that_is_not_judged_is_named(self) -> None:
        with pytest.raises(Silent, match=r"^LSTM 'n': the operator is not judged"):
            ask("LSTM", inputs={"x": f32(1)})

    def test_blocks_that_do_not_fit(self) -> None:
        inputs = {"q": np.zeros((4, 4), np.int8), "s": np.ones((2, 4), np.float32)}
        with pytest.raises(Silent, match="parameters \\(2, 4\\) where \\(4, 4\\) are needed"):
            ask("DequantizeLinear", inputs=inputs, axis=0, block_size=1)

    @pytest.mark.parametrize("scale", [0.0, np.inf, np.nan, 1e-42])
    def test_a_scale_without_meaning(self, scale: float) -> None:
        with pytest.raises(Silent, match="scale"):
            ask("QuantizeLinear", inputs={"x": f32(1), "s": np.float32(scale)})

    @pytest.mark.parametrize(
        ("op", "attributes"),
        [("ArgMax", {"axis": 7}), ("Softmax", {"axis": 3}), ("Concat", {}), ("MaxPool", {})],
    )
    def test_attributes_that_do_not_fit(self, op: str, attributes: dict[str, int]) -> None:
        with pytest.raises(Silent, match=f"^{op} 'n': "):
            ask(op, inputs={"x": np.zeros((1, 2, 3), np.float32)}, **attributes)

    def test_a_missing_value(self) -> None:
        with pytest.raises(Silent, match="tensor 'x': no value"):
            Oracle(one("Relu", {"x": f32(1)})).allowed({})

    def test_shapes_that_do_not_fit(self) -> None:
        x, w = np.zeros((1, 3, 4), np.float32), np.zeros((2, 2, 3), np.float32)
        with pytest.raises(Silent, match="do not fit"):
            ask("Conv", inputs={"x": x, "w": w})
        with pytest.raises(Silent, match="do not fit together"):
            ask("Add", inputs={"a": f32(1, 2), "b": f32(1, 2, 3)})

    def test_a_type_that_is_not_judged(self) -> None:
        with pytest.raises(Silent, match="float16"):
            ask("Relu", inputs={"x": np.zeros(1, np.float16)})

    def test_per_axis_before_opset_13(self) -> None:
        inputs = {"q": np.zeros((1, 2), np.int8), "s": f32(1, 2)}
        with pytest.raises(Silent, match="opset 13"):
            ask("DequantizeLinear", inputs=inputs, opset=10)

    def test_a_foreign_domain(self) -> None:
        with pytest.raises(Silent, match=r"^com\.microsoft::Relu"):
            ask("Relu", inputs={"x": f32(1)}, domain="com.microsoft")


def test_an_auto_pad_that_is_not_of_the_standard_is_nobodys_to_judge() -> None:
    case = build(ConvSpec(auto_pad="VALID"))
    model = case.proto()
    for attribute in model.graph.node[0].attribute:
        if attribute.name == "auto_pad":
            attribute.s = b"BANANA"
    with pytest.raises(Silent, match="BANANA"):
        Oracle(model).allowed(case.inputs)
