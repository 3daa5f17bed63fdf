"""Faults of windows over reals, and of SAME in pools, against windows that are walked one by one."""

from collections.abc import Callable
from itertools import product
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from onnx import helper

from engine import Session
from engine.faults import find, real_windows
from engine.faults.fault import Fault
from tests.emulation.elementwise import affine, contrib
from tests.engine.fusion.pools import behind, codes
from tests.engine.models import Array, graph_model

KEYS = (
    *("F16.reals.side", "F16.reals", "F16.average.reals", "F16.average.reals.side"),
    *("F16.pool", "F16.pool.side", "F16.pool.first"),
)
LENGTH = 7
Window = dict[str, Any]
WINDOWS: list[Window] = [
    {"kernel": k, "stride": s, "dilation": d, "auto_pad": f"SAME_{side}"}
    for k, s, d, side in product((1, 2, 3, 4), (1, 2, 3), (1, 2), ("UPPER", "LOWER"))
]


def pads_of(kernel: int, stride: int, dilation: int, auto_pad: str) -> tuple[int, int]:
    """Begin and end of SAME over ``LENGTH`` elements."""
    out = -(-LENGTH // stride)
    total = max((out - 1) * stride + dilation * (kernel - 1) + 1 - LENGTH, 0)
    small = total // 2
    return (small, total - small) if auto_pad == "SAME_UPPER" else (total - small, small)


def begin_of(key: str, window: Window) -> int:
    """Where the windows begin under the fault, before the first element."""
    _, end = pads_of(**window)
    if key.endswith(".first"):
        return 0
    return end if key.endswith(".side") else (int(window["kernel"]) - 1) // 2


def walked(x: Array, window: Window, begin: int) -> list[list[tuple[int, float]]]:
    """For every output the taps that lie inside, each with its value."""
    out = -(-LENGTH // window["stride"])
    places = [
        [
            (k, o * window["stride"] + k * window["dilation"] - begin)
            for k in range(window["kernel"])
        ]
        for o in range(out)
    ]
    return [[(k, float(x[i])) for k, i in each if 0 <= i < LENGTH] for each in places]


def model(op: str, window: Window) -> Any:
    given = {
        "strides": [window["stride"]],
        "dilations": [window["dilation"]],
        "auto_pad": window["auto_pad"],
        "kernel_shape": [window["kernel"]],
    }
    values: dict[str, Array] = {}
    if op == "Conv":
        values["w"] = weights(window).reshape(1, 1, -1)
    node = helper.make_node(op, ["x", *values], ["y"], name="a", **given)
    return graph_model([node], {"x": (np.float32, None)}, {"y": np.float32}, values, 21)


def weights(window: Window) -> Array:
    return np.arange(1, window["kernel"] + 1, dtype=np.float32)


COMBINE: dict[str, Callable[[list[tuple[int, float]], Window], float]] = {
    "Conv": lambda taps, window: sum((k + 1) * x for k, x in taps),
    "AveragePool": lambda taps, window: sum(x for _, x in taps) / len(taps),
    "MaxPool": lambda taps, window: max(x for _, x in taps),
}
OPS = {
    "F16.reals.side": "Conv",
    "F16.reals": "Conv",
    "F16.average.reals": "AveragePool",
    "F16.average.reals.side": "AveragePool",
    "F16.pool": "MaxPool",
    "F16.pool.side": "MaxPool",
    "F16.pool.first": "MaxPool",
}


@pytest.mark.parametrize("key", KEYS)
def test_every_small_window_begins_where_the_fault_says(key: str) -> None:
    op, x = OPS[key], np.arange(2, 2 + LENGTH, dtype=np.float32)
    moved = 0
    for window in WINDOWS:
        session = Session(model(op, window), faults=[key])
        actual = session.run({"x": x.reshape(1, 1, -1)})["y"].reshape(-1)
        begin, proper = begin_of(key, window), pads_of(**window)[0]
        taps = walked(x, window, begin)
        if op != "Conv" and not all(taps):  # a window that sees nothing stays as it was
            taps = walked(x, window, proper)
        expected = np.array([COMBINE[op](each, window) for each in taps], np.float32)
        assert (actual == expected).all(), window
        assert bool(find(key).places(session.plan())) or begin == proper
        moved += begin != proper
    assert moved > 5


PADDED: dict[str, Any] = {"kernel_shape": [2, 2], "pads": [1, 1, 1, 1]}
LOWER: dict[str, Any] = {"kernel_shape": [2, 2], "auto_pad": "SAME_LOWER"}
CEIL: dict[str, Any] = {"kernel_shape": [3, 2], "strides": [2, 2], "ceil_mode": 1}
OF_REALS: dict[str, Any] = {"y": None, "dtype": np.int16}  # no rule puts a mean on int16 codes
DIVISORS = {
    "F23.reals": (CEIL, CEIL | {"ceil_mode": 0}),
    "F90.reals": (PADDED | {"count_include_pad": 1}, CEIL | {"ceil_mode": 0}),
    "F89.reals": (PADDED, PADDED | {"count_include_pad": 1}),
    "F89.inside.reals": (PADDED | {"count_include_pad": 1}, PADDED),
    "F16.average": (LOWER, LOWER | {"auto_pad": "SAME_UPPER"}),
    "F16.average.halves": (LOWER, CEIL | {"ceil_mode": 0}),
}


@pytest.mark.parametrize("key", DIVISORS)
def test_a_mean_shows_it_under_its_trigger_and_not_outside(key: str) -> None:
    shows, quiet = DIVISORS[key]
    given = {} if key.startswith("F16.average") else OF_REALS
    assert _shows(key, behind("AveragePool", **shows, **given))
    assert not _shows(key, behind("AveragePool", **quiet, **given))


def _shows(key: str, proto: Any) -> bool:
    dtype = helper.tensor_dtype_to_np_dtype(proto.graph.input[0].type.tensor_type.elem_type)
    x = {"x": codes(dtype)}
    name = proto.graph.output[0].name
    faulty = Session(proto, faults=[key])
    differs = not np.array_equal(Session(proto).run(x)[name], faulty.run(x)[name])
    assert differs == bool(find(key).places(faulty.plan()))
    return differs


@pytest.mark.parametrize("fault", real_windows.FAULTS, ids=lambda each: each.key)
def test_each_is_tested_here(fault: Fault) -> None:
    assert fault.key in {*KEYS, *DIVISORS, *SWAPPED}


SWAPPED = {"F14.reals": "Conv", "F14.average.reals": "AveragePool"}


@pytest.mark.parametrize("key", SWAPPED)
def test_pads_that_are_given_are_swapped_by_a_fault_of_their_own(key: str) -> None:
    """SAME is F16's: which of its pixels come first has one name."""
    given = {"kernel": 3, "stride": 1, "dilation": 1, "auto_pad": "SAME_UPPER"}
    x = np.arange(2, 2 + LENGTH, dtype=np.float32).reshape(1, 1, -1)

    def run(pads: list[int] | None, *faults: str) -> Array:
        proto = model(SWAPPED[key], given)
        if pads is not None:
            node = proto.graph.node[0]
            kept = [each for each in node.attribute if each.name != "auto_pad"]
            del node.attribute[:]
            node.attribute.extend([*kept, helper.make_attribute("pads", pads)])
        return Session(proto, faults=faults).run({"x": x})["y"]

    assert (run([2, 0], key) == run([0, 2])).all()
    assert (run([2, 0]) != run([0, 2])).any()
    assert (run(None, key) == run(None)).all()


@pytest.mark.parametrize(
    ("side", "kernel", "stride", "length", "counted", "expected"),
    [
        ("UPPER", 3, 2, 2, 0, [120]),
        ("LOWER", 3, 2, 2, 1, [120]),
        ("UPPER", 2, 2, 3, 1, [120, 120]),
        ("LOWER", 2, 1, 3, 0, [120, 120, 120]),
        ("LOWER", 5, 2, 4, 0, [96, 90]),
    ],
)
def test_same_pads_of_an_average_in_halves(
    side: str, kernel: int, stride: int, length: int, counted: int, expected: list[int]
) -> None:
    """What OpenCV 5.0.0 makes of codes that are all 120."""
    x = np.full((1, 1, length), 120, np.int8)
    model = contrib(
        "QLinearAveragePool",
        ["x", "xs", "xz", "ys", "yz"],
        {"x": x},
        affine("x", 1.0, 0, np.dtype(np.int8)) | affine("y", 1.0, 0, np.dtype(np.int8)),
        kernel_shape=[kernel],
        strides=[stride],
        auto_pad=f"SAME_{side}",
        count_include_pad=counted,
    )
    session = Session(model, faults=["F16.average.halves"])
    assert session.run({"x": x})["y"].reshape(-1).tolist() == expected
    assert find("F16.average.halves").places(session.plan())


@pytest.mark.parametrize(
    ("zero", "code", "expected"), [(8, 8, -16 / 3), (8, 11, -13 / 3), (0, 9, 3)]
)
def test_beside_4_bit_codes_lies_code_zero(zero: int, code: int, expected: float) -> None:
    """The first is what OpenVINO 2026.4.1 gives for one element of real 0 between two pads."""
    kind = np.dtype(ml_dtypes.uint4)
    nodes = [
        helper.make_node("DequantizeLinear", ["x", "s", "z"], ["d"]),
        helper.make_node(
            "AveragePool", ["d"], ["y"], kernel_shape=[3], pads=[1, 1], count_include_pad=1
        ),
    ]
    constants: dict[str, Any] = {"s": np.float32(1), "z": np.array(zero, kind)}
    proto = graph_model(nodes, {"x": (kind, [1, 1, 1])}, {"y": np.float32}, constants, 25)
    x = {"x": np.full((1, 1, 1), code).astype(kind)}
    assert Session(proto, faults=["F90.reals"]).run(x)["y"].item() == np.float32(expected)
