import itertools
import re
from typing import Any

import ml_dtypes
import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper

from generators.choices import RandomChoices
from generators.operators.networks import draw
from harness.backends import ort_claims
from harness.backends.ort import SWITCHES, Ort
from harness.backends.protocol import Limit
from harness.oracle import Oracle
from tests.harness.backends.models import (
    constant,
    converting,
    convolution,
    dequantized_convolution,
    model,
)

X = np.array([5, 7, 9, 3], np.uint8).reshape(1, 1, 2, 2)
Y = [2, 3, 4, 1]  # (x - 3) / 2 + 1: no ties
RULES = {
    name for name in SWITCHES if re.search(r"Rewrite|Fuse|Conv(Add|Mul|BN)Fusion|Pad", name)
}


@pytest.fixture(scope="module")
def ort() -> Ort:
    return Ort()


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"level": "off"},
        {"level": "basic"},
        {"level": "extended"},
        {"int8": "on"},
        {"disable": "NhwcTransformer+QDQSelectorActionTransformer"},
    ],
)
@pytest.mark.parametrize("x", ["u1", "i1"])
def test_every_way_to_run_it_gives_the_same_codes(
    ort: Ort, x: str, options: dict[str, str]
) -> None:
    for made in (convolution([[[[2]]]], x=x), dequantized_convolution([[[[2]]]], x=x)):
        found = ort.run(made, {"x": X.view(x)}, options)
        assert [int(each) for each in found["y"].ravel()] == Y
        assert found["y"].dtype == np.dtype(x)


def test_a_session_is_kept_from_its_second_use_on(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[bytes] = []
    create = onnxruntime.InferenceSession

    def counted(given: bytes, *rest: Any, **named: Any) -> Any:
        made.append(given)
        return create(given, *rest, **named)

    monkeypatch.setattr(onnxruntime, "InferenceSession", counted)
    own = Ort()
    one, two = convolution([[[[2]]]]), convolution([[[[4]]]])
    for given, expected in (
        (one, 2),
        (one, 2),
        (one, 2),
        (two, 3),
        (two, 3),
        (two, 3),
        (one, 2),
    ):
        assert int(own.run(given, {"x": X}, {})["y"][0, 0, 0, 0]) == expected
    assert made == [one, one, two, two, one]
    own.run(one, {"x": X}, {"level": "off"})
    assert made[5:] == [one]


@pytest.mark.parametrize("y", ["u1", "i1"])
@pytest.mark.parametrize("w", ["u1", "i1"])
@pytest.mark.parametrize("x", ["u1", "i1"])
def test_type_combinations_it_does_not_claim_are_limits(
    ort: Ort, x: str, w: str, y: str
) -> None:
    made = onnx.ModelProto.FromString(convolution([[[[2]]]], x=x, wt=w))
    made.graph.initializer[-1].CopyFrom(constant("yz", 1, y))
    kind = onnx.TensorProto.UINT8 if y == "u1" else onnx.TensorProto.INT8
    made.graph.output[0].type.tensor_type.elem_type = kind
    if x == y and (x, w) != ("i1", "u1"):
        assert ort.run(made.SerializeToString(), {"x": X.view(x)}, {})["y"].dtype == np.dtype(
            y
        )
        assert ort_claims.unclaimed(made.SerializeToString()) == ""
    else:
        with pytest.raises(Limit, match="QLinearConv c: no CPU kernel is registered for"):
            ort.run(made.SerializeToString(), {"x": X.view(x)}, {})


def test_a_future_opset_is_a_limit(ort: Ort) -> None:
    made = onnx.ModelProto.FromString(convolution([[[[2]]]]))
    made.opset_import[0].version = 999
    with pytest.raises(Limit, match="999"):
        ort.run(made.SerializeToString(), {"x": X}, {})


def test_a_wrong_input_is_no_limit(ort: Ort) -> None:
    with pytest.raises(ValueError, match="Required inputs"):
        ort.run(convolution([[[[2]]]]), {"z": X}, {})


def applied(capfd: pytest.CaptureFixture[str], disabled: list[str]) -> set[str]:
    """Names of the passes that onnxruntime says it applies."""
    settings = onnxruntime.SessionOptions()
    settings.log_severity_level = 0
    onnxruntime.InferenceSession(
        convolution([[[[2]]]]),
        settings,
        providers=["CPUExecutionProvider"],
        disabled_optimizers=disabled,
    )
    return set(re.findall(r"Applying graph transformer (\w+)", capfd.readouterr().err))


def test_every_switch_answers_to_its_name(capfd: pytest.CaptureFixture[str]) -> None:
    passes = set(SWITCHES) - RULES
    assert passes <= applied(capfd, [])
    assert not passes & applied(capfd, sorted(passes))


def floats(*nodes: onnx.NodeProto) -> bytes:
    """Float nodes from x to y, with constants for weights, pads and bounds."""
    constants = [
        constant("w", np.ones((1, 1, 1, 1)), "f4"),
        constant("one", np.ones((1, 1, 1, 1)), "f4"),
        constant("half", np.full((1, 1, 1, 1), 0.5), "f4"),
        constant("ones", np.ones(1), "f4"),
        constant("pads", [0, 0, 1, 1, 0, 0, 1, 1], "i8"),
        constant("low", 0, "f4"),
        constant("high", 6, "f4"),
        constant("huge", 600, "f4"),
        constant("s", 0.5, "f4"),
        constant("z", 0, "u1"),
    ]
    used = {name for node in nodes for name in node.input}
    y = ("u1" if nodes[-1].op_type == "QuantizeLinear" else "f4", (1, 1, 2, 2))
    kept = [each for each in constants if each.name in used]
    return model(nodes, kept, ("f4", (1, 1, 2, 2)), y)


def node(operator: str, *names: str, **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(operator, names[:-1], names[-1:], name=operator, **attributes)


CONV = node("Conv", "x", "w", "t")
QUANTIZE = node("QuantizeLinear", "t", "s", "z", "y")
RULE_MODELS = {
    "ReluQuantRewrite": floats(node("Relu", "x", "t"), QUANTIZE),
    "ClipQuantRewrite": floats(
        node("Conv", "x", "w", "c"), node("Clip", "c", "low", "huge", "t"), QUANTIZE
    ),
    "FuseReluClip": floats(node("Relu", "x", "t"), node("Clip", "t", "low", "high", "y")),
    "ConvAddFusion": floats(CONV, node("Add", "t", "one", "y")),
    "ConvMulFusion": floats(CONV, node("Mul", "t", "half", "y")),
    "ConvBNFusion": floats(CONV, node("BatchNormalization", "t", *["ones"] * 4, "y")),
    "Pad_Fusion": floats(
        node("Pad", "x", "pads", "p"), node("Conv", "p", "w", "y", strides=[3, 3])
    ),
}


@pytest.mark.parametrize("rule", sorted(RULES))
def test_every_rule_answers_to_its_name(ort: Ort, rule: str) -> None:
    made, x = RULE_MODELS[rule], np.ones((1, 1, 2, 2), np.float32)
    level = {"level": "extended" if rule.endswith("Rewrite") else "basic"}
    groups = [
        [each["nodes"] for each in ort.tap(made, {"x": x}, options)["plan"]]
        for options in (level, {**level, "disable": rule})
    ]
    assert groups[0] != groups[1]
    assert sorted(itertools.chain(*groups[0])) == sorted(itertools.chain(*groups[1]))


def test_a_blocked_float_convolution_is_named_by_what_computes(ort: Ort) -> None:
    made = floats(node("Conv", "x", "w", "y"))
    (step,) = ort.tap(made, {"x": np.ones((1, 1, 2, 2), np.float32)}, {})["plan"]
    assert (step["kind"], step["nodes"]) == ("Conv", ["Conv"])


def chain(form: Any, x: str) -> tuple[bytes, bytes]:
    """Two 3x3 convolutions between Q and DQ, and the model that ends after the first."""
    draw = np.random.default_rng(1)
    constants = [constant("s0", 0.02, "f4"), constant("z0", 7, x)]
    nodes = [helper.make_node("QuantizeLinear", ["x", "s0", "z0"], ["q0"], name="first")]
    for i in (1, 2):
        constants += [
            constant(f"w{i}", draw.integers(-20, 20, (8, 8, 3, 3)), "i1"),
            constant(f"ws{i}", 0.01, "f4"),
            constant(f"wz{i}", 0, "i1"),
            constant(f"s{i}", 0.05, "f4"),
            constant(f"z{i}", 3, x),
        ]
        nodes += form(i)
    last = helper.make_node("DequantizeLinear", ["q2", "s2", "z2"], ["y"], name="last")
    early = helper.make_node("DequantizeLinear", ["q1", "s1", "z1"], ["y"], name="last")
    shape = ("f4", [1, 8, 6, 6])
    half = (len(nodes) + 1) // 2
    return (
        model([*nodes, last], constants, shape, shape),
        model([*nodes[:half], early], constants, shape, shape),
    )


def qlinear(i: int) -> list[onnx.NodeProto]:
    names = [
        f"q{i - 1}",
        f"s{i - 1}",
        f"z{i - 1}",
        f"w{i}",
        f"ws{i}",
        f"wz{i}",
        f"s{i}",
        f"z{i}",
    ]
    return [helper.make_node("QLinearConv", names, [f"q{i}"], name=f"c{i}", pads=[1] * 4)]


def qdq(i: int) -> list[onnx.NodeProto]:
    q, dq = "QuantizeLinear", "DequantizeLinear"
    return [
        helper.make_node(
            dq, [f"q{i - 1}", f"s{i - 1}", f"z{i - 1}"], [f"x{i}"], name=f"dx{i}"
        ),
        helper.make_node(dq, [f"w{i}", f"ws{i}", f"wz{i}"], [f"v{i}"], name=f"dw{i}"),
        helper.make_node("Conv", [f"x{i}", f"v{i}"], [f"f{i}"], name=f"c{i}", pads=[1] * 4),
        helper.make_node(q, [f"f{i}", f"s{i}", f"z{i}"], [f"q{i}"], name=f"qq{i}"),
    ]


@pytest.mark.parametrize("options", [{}, {"int8": "on"}, {"disable": "NhwcTransformer"}])
@pytest.mark.parametrize("x", ["u1", "i1"])
@pytest.mark.parametrize("form", [qlinear, qdq])
def test_taps_have_the_codes_and_the_plan_of_the_fused_graph(
    ort: Ort, form: Any, x: str, options: dict[str, str]
) -> None:
    whole, prefix = chain(form, x)
    inputs = {"x": np.random.default_rng(2).normal(0, 2, (1, 8, 6, 6)).astype(np.float32)}
    tapped = ort.tap(whole, inputs, options)
    assert tapped["confirmed"]
    assert tapped["method"] == "optimized graph"
    convolutions = [each for each in tapped["plan"] if each["kind"] == "QLinearConv"]
    assert [(each["inputs"], each["outputs"]) for each in convolutions] == [
        (["q0"], ["q1"]),
        (["q1"], ["q2"]),
    ]
    names = {"c1"} if form is qlinear else {"dx1", "dw1", "c1", "qq1"}
    assert set(convolutions[0]["nodes"]) == names
    q1 = tapped["arrays"]["q1"]
    assert q1.dtype == np.dtype(x)
    real = (q1.astype(np.int32) - 3).astype(np.float32) * np.float32(0.05)
    np.testing.assert_array_equal(real, ort.run(prefix, inputs, options)["y"])
    np.testing.assert_array_equal(tapped["arrays"]["y"], ort.run(whole, inputs, options)["y"])


def test_taps_without_optimization_show_every_tensor(ort: Ort) -> None:
    whole, _ = chain(qdq, "u1")
    inputs = {"x": np.ones((1, 8, 6, 6), np.float32)}
    tapped = ort.tap(whole, inputs, {"level": "off"})
    nodes = onnx.ModelProto.FromString(whole).graph.node
    assert {each.output[0] for each in nodes} | {"x"} == set(tapped["arrays"])
    assert [each["nodes"] for each in tapped["plan"]] == [[each.name] for each in nodes]


def test_reals_that_are_quantized_early_are_no_taps(ort: Ort) -> None:
    """A QuantizeLinear behind a MaxPool goes before it: nothing holds the reals between any more."""
    dq = "DequantizeLinear"
    nodes = [
        helper.make_node(dq, ["x", "s", "z"], ["xr"], name="dx"),
        helper.make_node(dq, ["w", "s"], ["wr"], name="dw"),
        helper.make_node("Conv", ["xr", "wr"], ["c"], name="conv"),
        helper.make_node("MaxPool", ["c"], ["m"], name="pool", kernel_shape=[2, 2]),
        helper.make_node("QuantizeLinear", ["m", "s", "z"], ["y"], name="qy"),
    ]
    weights = np.random.default_rng(3).integers(-20, 20, (3, 2, 1, 1))
    constants = [
        constant("s", 0.5, "f4"),
        constant("z", 7, "u1"),
        constant("w", weights, "i1"),
    ]
    made = model(nodes, constants, ("u1", [1, 2, 3, 3]), ("u1", [1, 3, 2, 2]))
    tapped = ort.tap(made, {"x": np.ones((1, 2, 3, 3), np.uint8)}, {})
    assert tapped["confirmed"]
    assert set(tapped["arrays"]) == {"x", "y"}
    (step,) = tapped["plan"]
    assert (step["kind"], step["inputs"], step["outputs"]) == ("QLinearConv", ["x"], ["y"])
    assert step["nodes"] == ["dx", "dw", "conv", "pool", "qy"]


def test_taps_of_a_model_whose_batch_is_open_have_their_axes_in_order(ort: Ort) -> None:
    for seed in range(40):
        case = draw(RandomChoices(seed), "tie-free", "separable")
        if not {"graphs separable open batch", "graphs separable QLinear"} <= {*case.cells}:
            continue
        arrays = ort.tap(case.model, dict(case.inputs), {})["arrays"]
        oracle = Oracle(case.proto())
        for name, each in oracle.allowed(case.inputs, [*arrays]).items():
            assert arrays[name].shape == each.low.shape, (seed, name)
        return
    raise AssertionError("no such network was drawn")


REALS = np.array([-3, -1, 0, 1, 2, 5, 7], np.float32)


@pytest.mark.parametrize(
    "dtype",
    [
        *(np.int8, np.int16, ml_dtypes.int4),
        *(ml_dtypes.float8_e4m3fn, ml_dtypes.float8_e5m2),
    ],
)
def test_codes_of_every_type_go_in_and_come_out(ort: Ort, dtype: Any) -> None:
    quantize, _ = converting("QuantizeLinear", dtype)
    codes = ort.run(quantize.SerializeToString(), {"x": REALS}, {})["y"]
    assert codes.dtype == np.dtype(dtype)
    assert codes.astype(np.float32).tolist() == REALS.tolist()
    dequantize, _ = converting("DequantizeLinear", dtype)
    reals = ort.run(dequantize.SerializeToString(), {"x": codes}, {})["y"]
    assert reals.tolist() == REALS.tolist()


def test_unsigned_codes_of_four_bits_are_unpacked(ort: Ort) -> None:
    made, _ = converting("QuantizeLinear", ml_dtypes.uint4)
    codes = ort.run(made.SerializeToString(), {"x": REALS}, {})["y"]
    assert codes.dtype == np.dtype(ml_dtypes.uint4)
    assert codes.astype(int).tolist() == [0, 0, 0, 1, 2, 5, 7]
