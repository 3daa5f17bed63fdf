import re
from collections import Counter
from dataclasses import replace

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper

from corpus.case import Array, Case
from generators.operators.conv import ConvSpec, build
from tests.generators.operators.variants import VARIANTS


def unoptimized(case: Case) -> list[Array]:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(case.model, options)
    found: list[Array] = session.run(None, dict(case.inputs))
    return found


def operators(case: Case) -> str:
    """The graph in one line, abbreviated."""
    short = {"QuantizeLinear": "Q", "DequantizeLinear": "D"}
    return " ".join(short.get(each.op_type, each.op_type) for each in case.proto().graph.node)


@pytest.mark.parametrize("spec", VARIANTS, ids=range(len(VARIANTS)))
def test_every_variant_is_valid_and_runs(spec: ConvSpec) -> None:
    case = build(spec)
    model = case.proto()
    onnx.checker.check_model(model, full_check=True)
    onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
    arrays = unoptimized(case)
    declared = [
        tuple(dim.dim_value for dim in each.type.tensor_type.shape.dim)
        for each in model.graph.output
    ]
    assert [each.shape for each in arrays] == declared
    assert declared[0] == spec.y_shape


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "D D Conv Q"),
        ({"bias": "int32"}, "D D D Conv Q"),
        ({"bias": "float"}, "D D Conv Q"),
        ({"activation": "Relu", "x_float": True, "y_float": True}, "Q D D Conv Relu Q D"),
        ({"doubled": "x"}, "D Q D D Conv Q"),
        ({"doubled": "y", "y_float": True}, "D D Conv Q D Q D"),
        ({"missing": "x"}, "D Conv Q"),
        ({"missing": "w"}, "D Conv Q"),
        ({"missing": "y"}, "D D Conv"),
        ({"shared": "conv"}, "D D Conv Q Conv"),
    ],
)
def test_the_nodes_of_a_placement(changes: dict[str, str], expected: str) -> None:
    assert operators(build(ConvSpec(form="QDQ", **changes))) == expected  # type: ignore[arg-type]


def test_the_simplest_model_is_one_small_node() -> None:
    case = build(ConvSpec())
    assert operators(case) == "QLinearConv"
    assert len(case.model) < 300


def test_what_the_graph_is_told_is_what_the_spec_says() -> None:
    spec = ConvSpec(
        out_per_group=2, x_zero_point=3, w_zero_points=(1, 2), w_scales=(0.5, 0.25)
    )
    model = build(spec).proto()
    found = {each.name: numpy_helper.to_array(each) for each in model.graph.initializer}
    assert {name: found[name].tolist() for name in ("xz", "wz", "ws")} == {
        "xz": 3,
        "wz": [1, 2],
        "ws": [0.5, 0.25],
    }


def test_zero_points_are_left_out_where_the_default_serves() -> None:
    def inputs(spec: ConvSpec) -> Counter[int]:
        return Counter(
            len(each.input)
            for each in build(spec).proto().graph.node
            if each.op_type != "Conv"
        )

    unsigned = ConvSpec(form="QDQ", zero_points_written=False)
    assert inputs(unsigned) == {2: 3}
    signed = replace(unsigned, x_dtype="int8", w_dtype="int8")
    assert inputs(signed) == {2: 1, 3: 2}
    assert inputs(replace(signed, opset=21)) == {2: 3}
    assert inputs(replace(unsigned, x_zero_point=1)) == {2: 2, 3: 1}


@pytest.mark.parametrize("bias", ["int32", "extreme"])
def test_biases_leave_room_for_the_sum_except_one_seed_in_eight(bias: str) -> None:
    fits = []
    for seed in range(64):
        spec = ConvSpec(
            in_per_group=3, out_per_group=5, bias=bias, b_seed=seed, x_kind="all-extremes"
        )
        model = build(replace(spec, w_kind="all-extremes")).proto()
        b = {each.name: each for each in model.graph.initializer}["b"]
        largest = np.abs(numpy_helper.to_array(b).astype(np.int64)).max()
        fits.append(largest + 3 * 255 * 255 < 2**31)
        if bias == "extreme":
            assert largest > 2**30
    assert sum(fits) == (56 if bias == "extreme" else 64)


def test_given_arrays_are_used_as_they_stand() -> None:
    x = np.array([[[[1, 2]]]], np.uint8)
    w = np.array([[[[3]]]], np.uint8)
    b = np.array([4], np.int32)
    case = build(ConvSpec(image=(1, 2), x=x, w=w, b=b, bias="int32"))
    assert case.inputs["x"] is x
    assert unoptimized(case)[0].tolist() == [[[[7, 10]]]]


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        (ConvSpec(form="Gemm"), "form is 'Gemm', expected QLinearConv or QDQ"),
        (ConvSpec(image=(1,) * 4), "image has 4 axes, expected 1 to 3"),
        (ConvSpec(kernel=(2,)), "do not fit an image of 2 axes"),
        (ConvSpec(groups=0), "below 1"),
        (ConvSpec(kernel=(2, 1)), "the output would be empty: 0x1"),
        (
            ConvSpec(out_per_group=3, w_scales=(1.0, 1.0)),
            "w_scales has 2 entries, expected 1 or 3",
        ),
        (ConvSpec(x_zero_point=-1), "a zero point of x is not of type uint8: (-1,)"),
        (ConvSpec(activation="Relu"), "QLinearConv has no"),
        (ConvSpec(missing="x"), "need the Q/DQ form"),
        (ConvSpec(form="QDQ", missing="x", doubled="x"), "could be doubled"),
        (
            ConvSpec(form="QDQ", opset=12, out_per_group=2, w_scales=(1.0, 2.0)),
            "opset 12 has no per-channel DequantizeLinear",
        ),
    ],
)
def test_what_no_model_can_be_is_refused_in_one_line(spec: ConvSpec, why: str) -> None:
    with pytest.raises(ValueError, match=re.escape(why)):
        build(spec)
