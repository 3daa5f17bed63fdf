"""Each fault changes values under its trigger, nothing outside, and imitates what it names."""

from typing import Any

import numpy as np
import onnx
import pytest

from engine import PROFILES, EngineError, Session
from engine.arithmetic import RANGES
from engine.errors import Unanswered
from engine.faults import CATALOGUE, Fault, find
from engine.kernels.parameters import ConvParameters
from tests.engine.cases import Array, draw
from tests.engine.conv_pairs import DENSE, PADS, PAIRS, WIDE, Pair, codes
from tests.engine.models import qlinear_conv

OF_CONVOLUTIONS = [
    each
    for each in CATALOGUE
    if each.record in (ConvParameters, object) and (each.id == "F60" or not each.acts_on_rules)
    if each.stages
]
SEES_SIZES = ("F07", "F08", "F10b", "F11.tail")
"""Those that show at some sizes of images and batches, of which a trigger knows nothing."""

SHOWS_IN_ANY = (
    "F07",
    "F10b",
    "F35",
    "F54",
    "F60a",
    "F60a.halved",
    "F72",
    "F73a",
    "F74",
    "F77",
    "F122.weights",
)
"""Those that may show in every convolution that is drawn here."""
OF_TORCH = ("torch", "fbgemm", "qnnpack", "onednn")
ROUNDINGS = ("F70", "F71", "F72", "F73a", "F75", "F77")
"""Those that a profile may have made itself, or rounds before they come."""
REQUIRED = """
    F01 F02 F03 F04 F05 F06 F07 F08 F09 F10a F10b F11 F12 F13 F14 F15 F16 F17 F18 F19
    F20 F21 F22 F23 F25 F26 F27 F28 F29 F30 F31 F32 F32b F33 F34 F35 F36 F37 F38 F39 F40
    F43 F50 F51 F52 F53 F54 F55 F56 F57 F58 F59 F60 F60a F60b F60e F60f F61 F62 F63 F64
    F65 F66 F67 F68 F70 F71 F72 F73a F74 F75 F76 F77 F78 F79a F79b F79e F79f F80 F80b
    F81 F82 F83 F84 F85 F86 F86b F86c F86d F86e F86f F86g F86h F87 F87b F88 F89 F90 F90b
    F90c F90d F91 F91b F92 F93 F94 F94b F94c F95 F96 F97 F98 F99 F99b F100 F100c F101
    F101b F102 F103 F103b F103c F103d F103e F104 F105 F106 F107 F108 F109 F110 F112 F113
    F114 F115 F116 F117 F119 F120 F121 F122 F123 F124 F125 F126 F127 F128 F129 F130 F131
    F140 F141 F142 F143 F144 F145 F146 F147 F148 F149 F150 F151 F152 F155 F156 F157 F158
    F159 F160 F161 F162 F163 F164 F165 F166 F167 F168 F169 F170 F171 F172 F174 F175 F176
    F177 F178
"""
"""Those that the list of known faults names."""


def pair_of(fault: Fault) -> Pair:
    return PAIRS.get(fault.key) or PAIRS[fault.id]


def places(fault: Fault, model: onnx.ModelProto) -> tuple[str, ...]:
    return fault.places(Session(model, faults=[fault.key]).plan())


def inputs(model: onnx.ModelProto) -> dict[str, Array]:
    info = model.graph.input[0].type.tensor_type
    shape = [each.dim_value for each in info.shape.dim]
    dtype = onnx.helper.tensor_dtype_to_np_dtype(info.elem_type)
    return {"x": codes(*shape, dtype=dtype)}


def same(model: onnx.ModelProto, fault: str, profile: str = "spec") -> bool:
    x = inputs(model)
    correct = Session(model, profile=profile).run(x)["y"]
    try:
        faulty = Session(model, profile=profile, faults=[fault]).run(x)["y"]
    except Unanswered:
        return False
    return bool((correct == faulty).all())


@pytest.mark.parametrize("fault", OF_CONVOLUTIONS, ids=lambda each: each.key)
def test_it_shows_under_its_trigger_and_not_outside(fault: Fault) -> None:
    pair = pair_of(fault)
    if fault.key in SEES_SIZES:
        assert places(fault, pair.decoy)
    else:
        assert not places(fault, pair.decoy)
    assert places(fault, pair.shows)
    assert not same(pair.shows, fault.key)
    assert same(pair.decoy, fault.key)


@pytest.mark.parametrize("fault", OF_CONVOLUTIONS, ids=lambda each: each.key)
def test_it_never_shows_where_its_trigger_is_off(fault: Fault) -> None:
    r = np.random.default_rng(11)
    decoys = 0
    for _ in range(60):
        case = draw(r, x_bits=8)
        if not places(fault, case.model):
            decoys += 1
            expected = Session(case.model).run({"x": case.x})["y"]
            actual = Session(case.model, faults=[fault.key]).run({"x": case.x})["y"]
            assert (expected == actual).all()
    assert decoys > 0 or fault.key in SHOWS_IN_ANY


@pytest.mark.parametrize("profile", list(PROFILES))
@pytest.mark.parametrize("fault", OF_CONVOLUTIONS, ids=lambda each: each.key)
def test_it_shows_in_every_profile(fault: Fault, profile: str) -> None:
    assert places(fault, pair_of(fault).shows)
    if fault.key == "F76" and not PROFILES[profile].saturate_first:
        assert same(pair_of(fault).shows, "F76", profile)  # such a profile already does that
    elif fault.key == "F76.zero" and profile in ("opencv", "onednn", "tflite"):
        assert same(
            pair_of(fault).shows, "F76.zero", profile
        )  # two do that already, the fixed point of the third ends at 2**30
    elif fault.key == "F130" and profile in OF_TORCH:
        assert same(
            pair_of(fault).shows, "F130", profile
        )  # their tables have another tail: R03 G16
    elif fault.key not in ROUNDINGS:
        assert not same(pair_of(fault).shows, fault.key, profile)


def test_keys_titles_and_sources() -> None:
    keys = [each.key for each in CATALOGUE]
    assert len(keys) == len(set(keys))
    required = set(REQUIRED.split())
    assert {each.id for each in CATALOGUE} == required
    assert required <= set(keys)
    assert len({each.title for each in CATALOGUE}) == len(keys)
    assert all(each.source and "\n" not in each.title for each in CATALOGUE)


@pytest.mark.parametrize(("fault", "expected"), [("F70", [4, 5, 6]), ("F75", [4, 4, 6])])
def test_faults_of_rounding_act_on_quantize_linear_too(
    fault: str, expected: list[int]
) -> None:
    node = onnx.helper.make_node("QuantizeLinear", ["x", "s", "z"], ["y"])
    value = onnx.helper.make_tensor_value_info
    constants = [
        onnx.numpy_helper.from_array(np.float32(1), "s"),
        onnx.numpy_helper.from_array(np.uint8(3), "z"),
    ]
    graph = onnx.helper.make_graph(
        [node], "g", [value("x", 1, [3])], [value("y", 2, [3])], constants
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)])
    x = {"x": np.array([0.5, 1.5, 2.5], np.float32)}
    assert Session(model).run(x)["y"].tolist() == [3, 5, 5]
    assert Session(model, faults=[fault]).run(x)["y"].tolist() == expected


def test_find_lists_the_keys_it_knows() -> None:
    assert find("F79a.dense").id == "F79a"
    with pytest.raises(EngineError, match=r"fault 'F999' is unknown; known: F01, F01\.signed"):
        find("F999")


def test_faults_add_up() -> None:
    """Later faults win a stage; guards and other stages accumulate."""
    model = qlinear_conv(DENSE, x=(0.02, 77), w_zero=30, **WIDE, **PADS)
    x = inputs(model)
    runs = [
        Session(model, faults=keys).run(x)["y"] for keys in (["F25"], ["F26"], ["F25", "F26"])
    ]
    assert (runs[0] != runs[2]).any()
    assert (runs[1] != runs[2]).any()


@pytest.mark.parametrize(
    ("groups", "per_group", "right"),
    [(2, 12, 8), (2, 9, 8), (4, 4, 0), (16, 1, 0), (4, 8, 32), (1, 12, 12)],
)
def test_f01_is_the_formula_of_the_catalogue(groups: int, per_group: int, right: int) -> None:
    """For each task: 8 lanes from channel ``base`` on, into block ``base // 8``; no guard."""
    m = groups * per_group
    bias = np.linspace(-900, 900, m).astype(np.int32)
    w = codes(m, 2, 3, 3)
    model = qlinear_conv(w, groups=groups, bias=bias, y=(0.1, 100), x=(0.02, 77))
    x = inputs(model)
    y = Session(model).run(x)["y"]
    folded = bias.astype(np.int64) - 77 * w.reshape(m, -1).astype(np.int64).sum(axis=1)
    lonely = np.clip(
        np.rint(
            folded
            * np.float64(np.float32(0.02))
            * np.float64(np.float32(0.01))
            / np.float64(np.float32(0.1))
        )
        + 100,
        0,
        255,
    )
    out = np.zeros((-(-m // 8) * 8, *y.shape[2:]), np.uint8)
    for base in (g * per_group + k for g in range(groups) for k in range(0, per_group, 8)):
        left = per_group - (base % per_group)
        for lane in range(8):
            c = base + lane
            alone = lonely[c] if c < m else 100
            out[base // 8 * 8 + lane] = y[0, c] if lane < left else alone
    faulty = Session(model, faults=["F01"]).run(x)["y"][0]
    assert (faulty == out[:m]).all()
    assert sum(bool((faulty[c] == y[0, c]).all()) for c in range(m)) == right


def test_the_lowest_code_is_the_lowest_of_the_type() -> None:
    """F11 in int8 reads -128, F12 reads 0; in uint8 they are one."""
    kind: dict[str, Any] = {"x_dtype": np.int8, "y_dtype": np.int8, "y": (0.2, 0)} | PADS
    signed = qlinear_conv(DENSE, x=(0.02, 9), **kind)
    assert not same(signed, "F11")
    lowest = qlinear_conv(DENSE, x=(0.02, RANGES[np.dtype(np.int8)][0]), **kind)
    assert same(lowest, "F11")
    assert not same(lowest, "F12")
