"""Each fault changes values under its trigger, nothing outside, and imitates what it names."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import pytest

from engine import PROFILES, EngineError, Session
from engine.arithmetic import RANGES
from engine.errors import Unanswered
from engine.faults import CATALOGUE, Fault, find
from engine.kernels.parameters import ConvParameters
from tests.engine.arithmetic_pairs import ARITHMETIC
from tests.engine.cases import Array, draw
from tests.engine.geometry_pairs import GEOMETRY
from tests.engine.models import qdq_conv, qlinear_conv

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


@dataclass(frozen=True)
class Pair:
    """A case on which the fault shows, and a decoy on which it must not."""

    shows: onnx.ModelProto
    decoy: onnx.ModelProto


def codes(*shape: int, dtype: Any = np.int8) -> Array:
    info = np.iinfo(dtype)
    r = np.random.default_rng(sum(shape))
    return r.integers(info.min, info.max + 1, shape).astype(dtype)


DENSE, DEPTHWISE = codes(8, 8, 3, 3), codes(8, 1, 3, 3)
DEEP = codes(8, 2, 3, 2, 2)
NEAR_2_31 = np.full(8, 2**31 - 130)
FEW = (codes(8, 1, 1, 1) // 16).astype(np.int8)
SMALL = (codes(8, 8, 3, 3) // 2).astype(np.int8)
WIDE: dict[str, Any] = {"y": (0.2, 100)}
PADS: dict[str, Any] = {"pads": [1, 1, 1, 1]}
UNSIGNED = codes(8, 8, 3, 3, dtype=np.uint8)
ZERO_POINTS = np.arange(8) + 124
PER_CHANNEL = np.linspace(0.01, 0.1, 8)

PAIRS = {
    "F01": Pair(
        qlinear_conv(codes(24, 2, 1, 1), groups=2, y=(0.03, 100)),
        qlinear_conv(codes(32, 2, 1, 1), groups=2, y=(0.03, 100)),
    ),
    "F02": Pair(
        qlinear_conv(codes(24, 2, 1, 1), groups=2, y=(0.03, 100)),
        qlinear_conv(codes(8, 2, 1, 1), groups=2, y=(0.03, 100)),
    ),
    "F11": Pair(
        qlinear_conv(DENSE, **WIDE, **PADS), qlinear_conv(DENSE, x=(0.02, 0), **WIDE, **PADS)
    ),
    "F11.tail": Pair(
        qlinear_conv(DEPTHWISE, groups=8, image=(5, 5), **PADS, y=(0.07, 100)),
        qlinear_conv(DEPTHWISE, groups=8, image=(4, 6), **PADS, y=(0.07, 100)),
    ),
    "F12": Pair(qlinear_conv(DENSE, **WIDE, **PADS), qlinear_conv(DENSE, **WIDE)),
    "F158": Pair(
        qlinear_conv(DEEP, groups=4, image=(3, 4, 4), **WIDE, pads=[1] * 6),
        qlinear_conv(DEEP, groups=4, image=(3, 4, 4), x=(0.02, 0), **WIDE, pads=[1] * 6),
    ),
    "F14": Pair(
        qlinear_conv(DENSE, **WIDE, pads=[1, 0, 0, 1]), qlinear_conv(DENSE, **WIDE, **PADS)
    ),
    "F16": Pair(
        qlinear_conv(DENSE, **WIDE, auto_pad="SAME_UPPER", strides=[2, 1]),
        qlinear_conv(DENSE, **WIDE, auto_pad="SAME_UPPER"),
    ),
    "F16.side": Pair(
        qlinear_conv(DENSE, **WIDE, auto_pad="SAME_LOWER", strides=[2, 1]),
        qlinear_conv(DENSE, **WIDE, pads=[1, 0, 0, 1]),
    ),
    "F25": Pair(
        qlinear_conv(DENSE, x=(0.02, 77), **WIDE), qlinear_conv(DENSE, x=(0.02, 0), **WIDE)
    ),
    "F26": Pair(qlinear_conv(DENSE, w_zero=30, **WIDE), qlinear_conv(DENSE, **WIDE)),
    "F19": Pair(qlinear_conv(DENSE, **WIDE), qlinear_conv(codes(8, 8, 1, 1), **WIDE)),
    "F28": Pair(
        qlinear_conv(UNSIGNED, w_zero=ZERO_POINTS, **WIDE),
        qlinear_conv(UNSIGNED, w_zero=np.full(8, 128), **WIDE),
    ),
    "F29": Pair(
        qlinear_conv(UNSIGNED, w_zero=ZERO_POINTS, **WIDE),
        qlinear_conv(UNSIGNED, w_zero=np.full(8, 128), **WIDE),
    ),
    "F33": Pair(qlinear_conv(DENSE, **WIDE), qlinear_conv(np.abs(SMALL), **WIDE)),
    "F140": Pair(
        qlinear_conv(DENSE, x=(0.02, 0), x_dtype=np.int8, **WIDE),
        qlinear_conv(DENSE, x=(0.02, 0), **WIDE),
    ),
    "F146": Pair(qlinear_conv(UNSIGNED, w_zero=128, **WIDE), qlinear_conv(UNSIGNED, **WIDE)),
    "F141": Pair(
        qlinear_conv(DENSE, w_scale=PER_CHANNEL, y=(1.0, 100)),
        qlinear_conv(codes(8, 2, 3, 3), groups=2, w_scale=PER_CHANNEL, y=(0.5, 100)),
    ),
    "F34": Pair(
        qlinear_conv(UNSIGNED, w_zero=128, **WIDE),
        qlinear_conv(UNSIGNED // 2, w_zero=128, **WIDE),
    ),
    "F50": Pair(
        qlinear_conv(DENSE, w_scale=PER_CHANNEL, y=(1.0, 100)),
        qlinear_conv(DENSE, w_scale=np.full(8, 0.1), y=(1.0, 100)),
    ),
    "F51": Pair(
        qlinear_conv(codes(8, 2, 3, 3), groups=2, w_scale=PER_CHANNEL, y=(0.5, 100)),
        qlinear_conv(DENSE, w_scale=PER_CHANNEL, y=(1.0, 100)),
    ),
    "F52": Pair(
        qlinear_conv(DENSE, w_scale=PER_CHANNEL, y=(1.0, 100)),
        qlinear_conv(DENSE, w_scale=np.full(8, 0.1), y=(1.0, 100)),
    ),
    "F52.block": Pair(
        qlinear_conv(codes(16, 8, 3, 3), w_scale=np.linspace(0.01, 0.1, 16), y=(1.0, 100)),
        qlinear_conv(codes(16, 8, 3, 3), w_scale=np.repeat([0.01, 0.1], 8), y=(1.0, 100)),
    ),
    "F122.weights": Pair(qlinear_conv(SMALL, **WIDE), qlinear_conv(UNSIGNED, **WIDE)),
    "F60": Pair(
        qdq_conv(DENSE, bias=np.full(8, 9999), bias_scale=0.01, y=(1.0, 9)),
        qdq_conv(DENSE, bias=np.full(8, 9999), y=(1.0, 9)),
    ),
    "F75": Pair(
        qlinear_conv(FEW, groups=8, x=(0.5, 3), w_scale=0.5, y=(2.0, 101)),
        qlinear_conv(FEW, groups=8, x=(0.5, 3), w_scale=0.5, y=(2.0, 100)),
    ),
    "F76": Pair(
        qlinear_conv(DENSE, x=(1e5, 3), w_scale=1e5, y=(1.0, 100)),
        qlinear_conv(DENSE, x=(1.0, 3), w_scale=1.0, y=(1.0, 100)),
    ),
    "F76.zero": Pair(
        qlinear_conv(0 * DENSE, bias=NEAR_2_31, x=(1.0, 3), w_scale=1.0, y=(1.0, 100)),
        qlinear_conv(0 * DENSE, bias=NEAR_2_31, x=(1.0, 3), w_scale=1.0, y=(1.0, 60)),
    ),
    "F79a": Pair(qlinear_conv(DENSE, **WIDE), qlinear_conv(SMALL, **WIDE)),
    "F79a.depthwise": Pair(
        qlinear_conv(DEPTHWISE, groups=8, y=(0.07, 100)), qlinear_conv(DENSE, **WIDE)
    ),
} | {key: Pair(*models) for key, models in {**GEOMETRY, **ARITHMETIC}.items()}


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
    required = [
        "F01",
        "F02",
        "F03",
        "F04",
        "F05",
        "F06",
        "F07",
        "F08",
        "F09",
        "F10a",
        "F10b",
        "F11",
        "F12",
        "F13",
        "F14",
        "F15",
        "F16",
        "F17",
        "F18",
        "F19",
        "F20",
        "F21",
        "F22",
        "F23",
        "F25",
        "F26",
        "F28",
        "F29",
        "F32b",
        "F33",
        "F34",
        "F35",
        "F37",
        "F38",
        "F39",
        "F40",
        "F43",
        "F50",
        "F51",
        "F52",
        "F57",
        "F59",
        "F60",
        "F70",
        "F71",
        "F72",
        "F73a",
        "F74",
        "F75",
        "F76",
        "F77",
        "F79a",
        "F79e",
        "F79f",
        "F80",
        "F80b",
        "F81",
        "F104",
        "F106",
        "F107",
        "F108",
        "F109",
        "F110",
        "F112",
        "F113",
        "F114",
        "F115",
        "F68",
        "F86e",
        "F117",
        "F120",
        "F119",
        "F122",
        "F32",
        "F55",
        "F56",
        "F60f",
        "F78",
        "F85",
        "F86g",
        "F82",
        "F83",
        "F84",
        "F86",
        "F86b",
        "F86c",
        "F86d",
        "F86h",
        "F87",
        "F87b",
        "F88",
        "F89",
        "F90",
        "F90b",
        "F90c",
        "F90d",
        "F91",
        "F91b",
        "F92",
        "F93",
        "F94",
        "F94b",
        "F94c",
        "F95",
        "F96",
        "F97",
        "F98",
        "F99",
        "F99b",
        "F100",
        "F100c",
        "F101",
        "F101b",
        "F102",
        "F103",
        "F103b",
        "F103c",
        "F103d",
        "F103e",
        "F105",
        "F121",
        "F116",
        "F123",
        "F124",
        "F125",
        "F126",
        "F127",
        "F128",
        "F129",
        "F27",
        "F30",
        "F31",
        "F36",
        "F130",
        "F131",
        "F147",
        "F148",
        "F149",
        "F150",
        "F151",
        "F152",
        "F157",
        "F158",
        "F159",
        "F160",
        "F161",
        "F162",
        "F168",
        "F140",
        "F141",
        "F142",
        "F143",
        "F144",
        "F145",
        "F146",
        "F54",
        "F58",
        "F60a",
        "F60e",
        "F61",
        "F62",
        "F64",
        "F53",
        "F60b",
        "F65",
        "F66",
        "F67",
        "F79b",
        "F86f",
        "F63",
        *("F155", "F156", "F163", "F164", "F165", "F166", "F167", "F169", "F170", "F171"),
        *("F172", "F174", "F175", "F176", "F177", "F178"),
    ]
    assert {each.id for each in CATALOGUE} == set(required)
    assert set(required) <= set(keys)
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
