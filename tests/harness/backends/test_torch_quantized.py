import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from harness.backends.description import Description
from harness.backends.pool import Pool
from harness.backends.protocol import Limit
from harness.backends.spec import parse
from harness.outcome import Refused, Values
from tests.harness.backends.models import (
    SCALE_BY_TWO,
    constant,
    convolution,
    dequantized_convolution,
    model,
    pixels,
)

pytest.importorskip("torch")

from harness.backends.torch_pattern import Affine
from harness.backends.torch_quantized import Torch, dequantize, quantize

ENGINES = ("fbgemm", "qnnpack", "onednn", "x86")
X = np.array([5, 7, 9, 3], np.uint8).reshape(1, 1, 2, 2)
Y = [2, 3, 4, 1]  # (x - 3) / 2 + 1: no ties


@pytest.fixture(params=ENGINES)
def torch(request: pytest.FixtureRequest) -> Iterator[Torch]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch deprecates its quantized tensors
        yield Torch(request.param)


def codes(torch: Torch, made: bytes, x: Any = X) -> list[int]:
    return [int(each) for each in torch.run(made, {"x": x}, {})["y"].ravel()]


def test_a_one_by_one_convolution_by_hand(torch: Torch) -> None:
    assert codes(torch, SCALE_BY_TWO) == Y
    assert codes(torch, dequantized_convolution([[[[2]]]])) == Y


def test_an_input_with_an_initializer_is_a_constant(torch: Torch) -> None:
    made = onnx.ModelProto.FromString(dequantized_convolution([[[[2]]]]))
    made.graph.input.append(helper.make_tensor_value_info("w", TensorProto.INT8, [1, 1, 1, 1]))
    same, other = (np.full((1, 1, 1, 1), value, np.int8) for value in (2, 3))
    found = torch.run(made.SerializeToString(), {"x": X, "w": same}, {})["y"]
    assert [int(each) for each in found.ravel()] == Y
    with pytest.raises(Limit, match="input w has an initializer"):
        torch.run(made.SerializeToString(), {"x": X, "w": other}, {})


def test_int8_activations_are_shifted_with_their_zero_points(torch: Torch) -> None:
    x = np.array([-128, 127, 3, -5], np.int8).reshape(X.shape)
    made = convolution([[[[2]]]], x="i1", ys=2.0, yz=-3)
    found = torch.run(made, {"x": x}, {})["y"]
    assert found.dtype == np.int8
    # (x - 3) * 0.5 * 2 * 0.5 / 2 - 3 = -35.75, 28, -3, -5
    assert [int(each) for each in found.ravel()] == [-36, 28, -3, -5]


def test_uint8_weights_are_shifted_with_their_zero_point(torch: Torch) -> None:
    assert codes(torch, convolution([[[[130]]]], wt="u1", wz=128)) == Y


def test_weight_zero_points_or_why_not() -> None:
    made = convolution([[[[5]]]], wz=3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for engine in ("fbgemm", "qnnpack", "x86"):
            assert codes(Torch(engine), made) == Y
        with pytest.raises(Limit, match="oneDNN takes weight zero points 0"):
            Torch("onednn").run(made, {"x": X}, {})


def test_channels_have_their_own_scales_and_zero_points(torch: Torch) -> None:
    wz = [0, 0] if torch.describe()["name"] == "torch-onednn" else [0, -2]
    w = [[[[2]]], [[[2 + wz[1]]]]]
    made = convolution(w, ws=[0.5, 1.0], wz=wz, y_shape=(1, 2, 2, 2))
    assert codes(torch, made) == [*Y, 3, 5, 7, 1]


def test_bias_relu_and_padding_by_hand(torch: Torch) -> None:
    made = dequantized_convolution(
        [[[[2]]]], b=[-8], activation="Relu", pads=[1, 0, 1, 0], y_shape=(1, 1, 4, 2)
    )
    # rows of padding hold real 0: -8 / 4 = -2, clamped to 0; inside (x - 3) / 2 - 2, clamped
    assert codes(torch, made) == [1, 1, 1, 1, 2, 1, 1, 1]


def test_groups_strides_and_three_dimensions(torch: Torch) -> None:
    w = np.full((2, 1, 2, 2, 2), 1)
    made = convolution(
        w, x_shape=(1, 2, 3, 2, 2), y_shape=(1, 2, 1, 1, 1), group=2, strides=[2, 2, 2], ys=4.0
    )
    x = np.full((1, 2, 3, 2, 2), 3, np.uint8)
    x[0, 1] = 19  # eight taps of (19 - 3) * 0.25 / 4 = 8
    assert codes(torch, made, x) == [1, 9]


def test_auto_pad_is_resolved_or_refused(torch: Torch) -> None:
    w = np.zeros((1, 1, 3, 3))
    w[0, 0, 1, 1] = 2
    assert codes(torch, convolution(w, auto_pad="SAME_UPPER")) == Y
    even = convolution(np.ones((1, 1, 2, 2)), auto_pad="SAME_LOWER")
    with pytest.raises(Limit, match=r"padding \[0, 0\] before and \[1, 1\] behind"):
        torch.run(convolution(np.ones((1, 1, 2, 2)), auto_pad="SAME_UPPER"), {"x": X}, {})
    with pytest.raises(Limit, match=r"padding \[1, 1\] before and \[0, 0\] behind"):
        torch.run(even, {"x": X}, {})


def with_edges() -> bytes:
    constants = [constant("s", 0.5, "f4"), constant("z", 3, "u1")]
    made = onnx.ModelProto.FromString(convolution([[[[2]]]])).graph
    node = helper.make_node(
        "QLinearConv", ["xq", "xs", "xz", "w", "ws", "wz", "ys", "yz"], ["yq"], name="c"
    )
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["xq"], name="first"),
        node,
        helper.make_node("DequantizeLinear", ["yq", "ys", "yz"], ["y"], name="last"),
    ]
    shape = ("f4", (1, 1, 2, 2))
    return model(nodes, [*made.initializer, *constants], shape, shape)


def test_float_edges_are_quantized_and_dequantized(torch: Torch) -> None:
    x = np.array([1.0, 2.0, 3.0, 0.0], np.float32).reshape(X.shape)
    found = torch.run(with_edges(), {"x": x}, {})["y"]
    assert found.dtype == np.float32
    assert [float(each) for each in found.ravel()] == [1.0, 2.0, 3.0, 0.0]


def test_the_standards_quantization_rounds_half_to_even_and_saturates() -> None:
    x = np.array(
        [0.5, 1.5, 2.5, -0.5, 300, -300, 3e9, -3e9, np.inf, -np.inf, np.nan], np.float32
    )
    affine = Affine(np.ones(1, np.float32), np.array([1], np.int8))
    assert [int(each) for each in quantize(x, affine)] == [
        *(1, 3, 3, 1, 127, -128, 127, -128, 127, -128, -128)
    ]


def test_dequantization_is_exact_before_the_product() -> None:
    affine = Affine(np.array([0.1], np.float32), np.array([-128], np.int8))
    found = dequantize(np.array([127], np.int8), affine)
    assert found[0] == np.float32(255) * np.float32(0.1)


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (convolution([[[[2]]]], pads=[0, 0, 1, 0], y_shape=(1, 1, 3, 2)), "is not symmetric"),
        (convolution([[[[2]]]], b=[2**30 + 1]), "float32 cannot hold the bias"),
        (dequantized_convolution([[[[2]]]], b=[8], bs=0.5), "bias scale is not"),
        (dequantized_convolution([[[[2]]]], activation="Sigmoid"), "af is made by Sigmoid a"),
        (
            convolution([[[[[[2]]]]]], x_shape=[1] * 6, y_shape=[1] * 6),
            "4 spatial dimensions",
        ),
    ],
)
def test_what_torch_cannot_express_is_a_limit(torch: Torch, made: bytes, words: str) -> None:
    x = X[:1, :1, :1, :1].reshape([1] * 6) if "spatial" in words else X
    with pytest.raises(Limit, match=words):
        torch.run(made, {"x": x}, {})


def test_a_kernel_larger_than_the_input_is_a_limit(torch: Torch) -> None:
    made = onnx.ModelProto.FromString(convolution(np.ones((1, 1, 2, 2)), y_shape=(1, 1, 1, 1)))
    shape = made.graph.input[0].type.tensor_type.shape
    shape.dim[2].dim_value = 1
    with pytest.raises(Limit, match="kernel is larger"):
        torch.run(made.SerializeToString(), {"x": X[:, :, :1]}, {})


def test_an_operator_beside_the_convolution_is_a_limit(torch: Torch) -> None:
    made = onnx.ModelProto.FromString(SCALE_BY_TWO)
    made.graph.node.append(helper.make_node("Identity", ["x"], ["unused"], name="i"))
    with pytest.raises(Limit, match="Identity i is beside the convolution"):
        torch.run(made.SerializeToString(), {"x": X}, {})


def test_the_wrong_dtype_is_no_answer(torch: Torch) -> None:
    with pytest.raises(TypeError, match="x is float32, not uint8"):
        torch.run(SCALE_BY_TWO, {"x": X.astype(np.float32)}, {})


def test_switched_off_another_engine_answers() -> None:
    said = Torch("fbgemm").describe()
    assert said["switches"] == said["replacements"] == ["fbgemm"]
    for options in ({}, {"disable": "fbgemm"}, {}):
        found = Torch("fbgemm").run(convolution([[[[2]]]]), {"x": X}, dict(options))["y"]
        assert (
            found.ravel().tolist()
            == Torch("qnnpack").run(convolution([[[[2]]]]), {"x": X}, {})["y"].ravel().tolist()
        )


def test_through_a_worker() -> None:
    spec = parse("torch-qnnpack")
    with Pool() as pool:
        said = pool.describe(spec)
        assert isinstance(said, Description)
        assert said.profile == "qnnpack"
        found, refused = pool.run([pixels(5, 7, 9, 3), two()], [spec])
    outcome = found[spec.text]
    assert isinstance(outcome, Values)
    assert [int(each) for each in outcome.arrays["y"].ravel()] == Y
    limit = refused[spec.text]
    assert isinstance(limit, Refused)
    assert limit.documented


def two() -> Any:
    made = onnx.ModelProto.FromString(SCALE_BY_TWO)
    made.graph.node.append(helper.make_node("Identity", ["x"], ["unused"], name="i"))
    return pixels(5, 7, 9, 3).with_model(made)
