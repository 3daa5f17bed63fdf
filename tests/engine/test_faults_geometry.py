"""Faults of geometry, tails, lanes, transposes and Winograd: what they give, and where they never show."""

from typing import Any

import numpy as np
import onnx
import pytest

from engine import EngineError, Session, load
from engine.faults import (
    border_codes,
    early_strides,
    geometry,
    layout,
    padding,
    tails,
    transposed,
    winograd,
)
from engine.faults.fault import Fault
from engine.kernels.conv_epilogue import ResidualParameters
from engine.kernels.geometry import Window
from engine.kernels.parameters import ConvParameters
from engine.kernels.stages import multiply_exactly
from generators.graphs import draw_case
from tests.engine.geometry_pairs import DENSE, conv, weights
from tests.engine.models import Array, graph_model, qlinear_conv

FAULTS = (
    *(layout.FAULTS + border_codes.FAULTS + padding.FAULTS + geometry.FAULTS),
    *(transposed.FAULTS + winograd.FAULTS + tails.FAULTS + early_strides.FAULTS),
)


def codes(model: onnx.ModelProto) -> dict[str, Array]:
    info = model.graph.input[0].type.tensor_type
    shape = [each.dim_value for each in info.shape.dim]
    dtype = onnx.helper.tensor_dtype_to_np_dtype(info.elem_type)
    low = int(np.iinfo(dtype).min)
    r = np.random.default_rng(7)
    return {"x": r.integers(low, low + 256, shape).astype(dtype)}


def run(model: onnx.ModelProto, *faults: str, x: Array | None = None) -> Array:
    y: Array = Session(model, faults=faults).run(codes(model) if x is None else {"x": x})["y"]
    return y


def same(model: onnx.ModelProto, fault: str) -> bool:
    return bool((run(model) == run(model, fault)).all())


@pytest.mark.parametrize(("family", "count"), [("conv", 200), ("graphs", 30)])
def test_no_fault_shows_where_it_has_no_place(family: str, count: int) -> None:
    silent = dict.fromkeys((each.key for each in FAULTS), 0)
    for seed in range(count):
        case = draw_case(family, "any", seed)
        try:
            graph = load(case.model)
            expected = Session(graph).run(case.inputs)
        except EngineError:
            continue
        for fault in FAULTS:
            session = Session(graph, faults=(fault.key,))
            if not fault.places(session.plan()):
                silent[fault.key] += 1
                for name, array in session.run(case.inputs).items():
                    np.testing.assert_array_equal(array, expected[name])
    everywhere = {"F07", "F10b"}  # sizes of images and batches are not known to triggers
    assert all(silent[key] for key in silent.keys() - everywhere)


def transpose(w: Array, *, zero: int = 40, **attributes: Any) -> onnx.ModelProto:
    """D, D, ConvTranspose n1, Q with one input of 5 by 5 pixels."""
    constants: dict[str, Any] = {
        "xs": np.float32(0.02),
        "xz": np.uint8(zero),
        "w": w,
        "ws": np.float32(0.01),
        "wz": np.int8(0),
        "ys": np.float32(0.1),
        "yz": np.uint8(100),
    }
    node = onnx.helper.make_node
    nodes = [
        node("DequantizeLinear", ["x", "xs", "xz"], ["xf"], name="dx"),
        node("DequantizeLinear", ["w", "ws", "wz"], ["wf"], name="dw"),
        node("ConvTranspose", ["xf", "wf"], ["c"], name="n1", **attributes),
        node("QuantizeLinear", ["c", "ys", "yz"], ["y"], name="qy"),
    ]
    shape = [1, w.shape[0], 5, 5]
    return graph_model(nodes, {"x": (np.uint8, shape)}, {"y": np.uint8}, constants, 17)


SQUARE = weights(3, 4, 3, 3)
PADDED = transpose(SQUARE, strides=[2, 2], pads=[1, 0, 0, 1])
TRANSPOSED = {
    "F12.transpose": (PADDED, transpose(SQUARE, strides=[2, 2], zero=0)),
    "F14.transpose": (PADDED, transpose(SQUARE, strides=[2, 2], pads=[1, 1, 1, 1])),
    "F15.transpose": (transpose(SQUARE, strides=[2, 2], output_padding=[1, 0]), PADDED),
}


@pytest.mark.parametrize("fault", transposed.FAULTS, ids=lambda each: each.key)
def test_faults_of_transposes_show_under_their_trigger(fault: Fault) -> None:
    shows, decoy = TRANSPOSED[fault.key]
    assert fault.places(Session(shows).plan()) == ("dx", "dw", "n1", "qy")
    assert not same(shows, fault.key)
    assert not fault.places(Session(decoy).plan())
    assert same(decoy, fault.key)


def test_f14_of_a_transpose_is_a_model_with_its_pads_swapped() -> None:
    swapped = transpose(SQUARE, strides=[2, 2], pads=[0, 1, 1, 0])
    assert (run(PADDED, "F14.transpose") == run(swapped)).all()


@pytest.mark.parametrize(
    ("fault", "given", "meant"),
    [
        ("F17", {"strides": [1, 2]}, {"strides": [2, 1]}),
        ("F18", {"dilations": [1, 2]}, {"dilations": [2, 1]}),
        ("F79f", {"dilations": [2, 2]}, {}),
        ("F79f.stride", {"strides": [2, 2]}, {}),
        ("F20", {"pads": [1, 0, 1, 0]}, {"pads": [0, 1, 0, 1]}),
        ("F20.pairs", {"pads": [1, 1, 0, 2]}, {"pads": [1, 0, 1, 2]}),
        ("F14", {"pads": [1, 0, 0, 1]}, {"pads": [0, 1, 1, 0]}),
        ("F15", {"pads": [1, 0, 2, 1]}, {"pads": [1, 0, 1, 0]}),
    ],
)
def test_it_is_another_geometry_as_far_as_the_sizes_go(
    fault: str, given: dict[str, Any], meant: dict[str, Any]
) -> None:
    wrong, other = run(conv(DENSE, **given), fault), run(conv(DENSE, **meant))
    assert wrong.shape == run(conv(DENSE, **given)).shape
    rows, columns = (min(a, b) for a, b in zip(wrong.shape[2:], other.shape[2:], strict=True))
    assert min(rows, columns) > 2
    assert (wrong[:, :, :rows, :columns] == other[:, :, :rows, :columns]).all()


def test_f15_leaves_the_rest_at_the_zero_point() -> None:
    wrong = run(conv(DENSE, pads=[0, 0, 1, 2]), "F15")
    assert (wrong[:, :, 6:] == 100).all()
    assert (wrong[:, :, :, 6:] == 100).all()
    assert (wrong[:, :, :6, :6] == run(conv(DENSE))).all()


ONES = np.ones((1, 1, 1, 3), np.int8)
UNIT: dict[str, Any] = {"w_scale": 1.0, "y": (1.0, 0)}


def test_f21_reads_the_row_before_and_the_row_behind() -> None:
    """The sum of three neighbours in memory, but at the two ends of the tensor."""
    model = qlinear_conv(ONES, x=(1.0, 3), image=(3, 2), pads=[0, 1, 0, 1], **UNIT)
    x = np.array([[[[10, 11], [20, 21], [30, 31]]]], np.uint8)
    assert run(model, x=x).ravel().tolist() == [15, 15, 35, 35, 55, 55]
    expected = [7 + 8, 7 + 8 + 17, 8 + 17 + 18, 17 + 18 + 27, 18 + 27 + 28, 27 + 28]
    assert run(model, "F21", x=x).ravel().tolist() == expected


def test_f13_reads_a_negative_zero_point_as_its_byte() -> None:
    """-5 is 251: each tap in the border adds 256 steps."""
    model = qlinear_conv(
        ONES,
        x_dtype=np.int8,
        x=(1.0, -5),
        image=(1, 2),
        pads=[0, 1, 0, 1],
        w_scale=1.0,
        y=(4.0, 0),
    )
    x = np.array([[[[-5, 3]]]], np.int8)
    assert run(model, x=x).ravel().tolist() == [2, 2]
    assert run(model, "F13", x=x).ravel().tolist() == [66, 66]


def test_f10b_repeats_the_first_image() -> None:
    model = conv(DENSE, batch=3)
    right, wrong = run(model), run(model, "F10b")
    assert (wrong == right[:1]).all()


def test_f79f_of_groups_is_a_model_whose_groups_see_the_first() -> None:
    model, x = (
        conv(weights(16, 4, 3, 3), groups=2),
        codes(conv(weights(16, 4, 3, 3), groups=2)),
    )
    repeated = np.concatenate([x["x"][:, :4]] * 2, axis=1)
    assert (run(model, "F79f.groups") == run(model, x=repeated)).all()


def test_f03_is_f01_with_the_last_group_first() -> None:
    """Two groups of 12: the block of channels 8..15 is written by the second, then by the first."""
    model = conv(weights(24, 2, 1, 1), groups=2, x=(0.02, 77))
    right = run(model)
    for fault, count in (("F01", 8), ("F03", 12)):
        wrong = run(model, fault)
        alike = [c for c in range(24) if (wrong[0, c] == right[0, c]).all()]
        assert alike == list(range(count))


def test_f04_reads_the_parameters_of_a_later_lane() -> None:
    """Three channels of a 1x1 kernel of 1: bias and scale of channels 0, 2 and (none) 4."""
    model = qlinear_conv(
        np.ones((3, 1, 1, 1), np.int8),
        x=(1.0, 0),
        w_scale=[1.0, 2.0, 4.0],
        y=(1.0, 7),
        bias=np.array([5, 6, 8]),
        groups=3,
        image=(1, 1),
    )
    x = np.full((1, 3, 1, 1), 10, np.uint8)
    assert run(model, x=x).ravel().tolist() == [22, 39, 79]
    assert run(model, "F04", x=x).ravel().tolist() == [22, 79, 7]


@pytest.mark.parametrize(
    ("size", "whole"), [((3, 3), 8), ((2, 4), 8), ((5, 5), 24), ((1, 7), 7)]
)
def test_f07_computes_whole_vectors_of_pixels(size: tuple[int, int], whole: int) -> None:
    model = conv(weights(4, 3, 1, 1), image=size)
    right, wrong = (run(model, *each).reshape(4, -1) for each in ((), ("F07",)))
    assert (wrong[:, :whole] == right[:, :whole]).all()
    assert not wrong[:, whole:].any()


@pytest.mark.parametrize(("channels", "whole"), [(24, 16), (16, 16), (40, 32), (12, 12)])
def test_f07_computes_whole_vectors_of_channels(channels: int, whole: int) -> None:
    model = conv(weights(channels, 3, 1, 1))
    right, wrong = run(model), run(model, "F07.channels")
    assert (wrong[:, :whole] == right[:, :whole]).all()
    assert not wrong[:, whole:].any()


def test_f08_reads_the_vector_order_by_the_plain_index() -> None:
    """The two formulas of the catalogue, element by element."""
    w = np.arange(64, dtype=np.int8).reshape(8, 8)  # w[k, c]
    stored = np.zeros(64, np.int8)
    for k in range(8):
        for c in range(4):
            stored[4 * k + c] = w[k, c]
            stored[32 + 4 * k + c] = w[k, c + 4]
    read = np.array([[stored[8 * c + k] for c in range(8)] for k in range(8)])
    p = Session(conv(w[:, :, None, None])).plan().steps[0].parameters
    found = tails.in_permuted_order(p, w[:, :, None, None])
    assert (found[:, :, 0, 0] == read).all()
    assert int((read == w).sum()) == 4


def test_f08_acts_on_the_tail_only() -> None:
    w = weights(8, 8, 1, 1)
    p = Session(conv(w)).plan().steps[0].parameters
    permuted = tails.in_permuted_order(p, w)
    right, wrong, tail = (
        run(conv(each, image=(3, 5)), *faults).reshape(8, 15)
        for each, faults in ((w, ()), (w, ("F08",)), (permuted, ()))
    )
    assert (wrong[:, :8] == right[:, :8]).all()
    assert (wrong[:, 8:] == tail[:, 8:]).all()


@pytest.mark.parametrize(
    ("pixels", "twice"), [(8, []), (13, [5, 6, 7]), (17, [9, 10, 11, 12, 13, 14, 15]), (5, [])]
)
def test_f09_adds_the_overlap_of_the_last_vector_twice(pixels: int, twice: list[int]) -> None:
    facts = Session(conv(DENSE)).plan().steps[0].parameters.facts()
    p = ResidualParameters(
        **facts, r_scale=np.float32(1), r_zero_point=3, r_dtype=np.dtype("u1")
    )
    found = tails.add_overlap_twice(np.full((1, 2, pixels), 10, np.uint8), p)
    expected = [14 if i in twice else 7 for i in range(pixels)]
    assert found.tolist() == [[expected, expected]]


def test_f09_shows_in_a_graph_and_has_the_sum_for_a_place() -> None:
    (fault,) = (each for each in tails.FAULTS if each.key == "F09")
    found = 0
    for seed in range(300):
        case = draw_case("graphs", "any", seed)
        session = Session(case.model, faults=("F09",))
        wrong, right = session.run(case.inputs), Session(case.model).run(case.inputs)
        if any((wrong[name] != array).any() for name, array in right.items()):
            assert fault.places(session.plan())
            found += 1
    assert found > 0


def test_f10a_is_a_model_without_the_last_inputs() -> None:
    w = weights(8, 6, 3, 3)
    shorter = w.copy()
    shorter[:, 4:] = 0
    assert (run(conv(w), "F10a") == run(conv(shorter))).all()


def kernel_of(w: Array, image: tuple[int, int]) -> ConvParameters:
    p: ConvParameters = Session(conv(w, image=image)).plan().steps[0].parameters
    assert p.window == Window((3, 3), (1, 1), (1, 1), (0, 0, 0, 0), "NOTSET")
    return p


@pytest.mark.parametrize("image", [(3, 3), (8, 8), (6, 9)])
@pytest.mark.parametrize("matrices", [winograd.INPUTS_IN_INT8, winograd.WEIGHTS_IN_INT16])
def test_winograd_is_exact_in_enough_bits(
    matrices: winograd.Transform, image: tuple[int, int]
) -> None:
    """Lavin and Gray's matrices give the sums of the convolution."""
    p = kernel_of(weights(5, 4, 3, 3), image)
    exact = winograd.Transform(
        matrices.of_inputs, matrices.of_weights, matrices.of_outputs, matrices.scale
    )
    x = codes(conv(weights(5, 4, 3, 3), image=image))["x"].astype(np.int16)
    w = p.w.astype(np.int16)
    out = (image[0] - 2, image[1] - 2)
    stages = (winograd.sum_by_transform(exact, p, w), multiply_exactly(p, w))
    first, second = (each(x, 3, (0, 0, 0, 0), out) for each in stages)
    assert (first == second).all()


def test_f79e_wraps_what_the_transform_of_inputs_needs_more_bits_for() -> None:
    """One tile whose pixel (0, 0) is d: B^T d B has d at (0, 0) only, and w of 1 at (0, 0)."""
    w = np.zeros((1, 1, 3, 3), np.int8)
    w[0, 0, 0, 0] = 1
    model = qlinear_conv(w, x=(1.0, 0), image=(4, 4), **UNIT)
    x = np.zeros((1, 1, 4, 4), np.uint8)
    for d, wrong in ((100, 100), (127, 127), (200, 0)):  # 200 wraps to -56, which saturates
        x[0, 0, 0, 0] = d
        assert run(model, x=x)[0, 0, 0, 0] == d
        assert run(model, "F79e", x=x)[0, 0, 0, 0] == wrong
