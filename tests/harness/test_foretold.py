"""A fault is the same bug in wrong values, in a result of another shape and in the words of a refusal."""

import numpy as np
import onnx
import pytest

from corpus.case import Case
from engine.faults import find
from harness.emulate import Emulator
from harness.foretold import foretold, unsettled
from harness.investigate import shrink
from harness.outcome import Crashed, Refused, Values
from harness.suspect import suspects
from tests.harness.benches import bench_of

CONV, POOL = "onnx-reference | divergent | F176", "onnx-reference | divergent | F177"


def convolution(*image: int, batch: int = 1, channels: int = 3) -> Case:
    """Codes 1 times codes 1, 2, 3 .. in steps of 1, 2, 4 .., each channel for itself."""
    ones = ", ".join("1" for _ in image)
    codes = ", ".join(str(each + 1) for each in range(channels))
    steps = ", ".join(str(2**each) for each in range(channels))
    shape = ", ".join(map(str, image))
    model = onnx.parser.parse_model(f"""<ir_version: 8, opset_import: ["" : 13]>
g (uint8[{batch}, {channels}, {shape}] x) => (uint8[{batch}, {channels}, {shape}] y)
<float s = {{1}}, uint8 z = {{0}}, uint8[{channels}, 1, {ones}] w = {{{codes}}}, float[{channels}] v = {{{steps}}}> {{
  [n] y = QLinearConv <group = {channels}> (x, s, z, w, v, z, s, z)
}}""")
    return Case(model.SerializeToString(), {"x": np.ones((batch, channels, *image), np.uint8)})


def pool(*image: int) -> Case:
    """A MaxPool over two elements along each axis."""
    shape, kernel = ", ".join(map(str, image)), ", ".join("2" for _ in image)
    model = onnx.parser.parse_model(f"""<ir_version: 8, opset_import: ["" : 13]>
g (float[1, 1, {shape}] x) => (float[1, 1, {shape}] y)
{{ [n] y = MaxPool <kernel_shape = [{kernel}], auto_pad = "SAME_UPPER"> (x) }}""")
    return Case(model.SerializeToString(), {"x": np.ones((1, 1, *image), np.float32)})


@pytest.mark.parametrize(
    ("case", "kind", "name"),
    [
        (convolution(3, 1, 1), "divergent", CONV),
        (convolution(5), "wrong-type-or-shape", CONV),
        (convolution(1, 2, 2), "wrong-type-or-shape", CONV),
        (convolution(5, batch=2), "refused", CONV),
        (convolution(2, 2, 2), "refused", CONV),
        (pool(4), "refused", POOL),
        (pool(4, 4, 4), "refused", POOL),
    ],
)
def test_one_bug_has_one_name_whatever_shows_it(case: Case, kind: str, name: str) -> None:
    with bench_of("onnx-reference") as bench:
        spec = bench.specs[0]
        (found,) = suspects(bench, spec, case, bench.run(case, spec))
        assert (found.signature.kind, found.signature.text) == (kind, name)
        assert shrink(bench, found).signature.text == name


@pytest.mark.parametrize("case", [convolution(3, 3), pool(4, 4)])
def test_images_of_two_axes_are_right(case: Case) -> None:
    with bench_of("onnx-reference") as bench:
        spec = bench.specs[0]
        assert not suspects(bench, spec, case, bench.run(case, spec))


def test_values_go_by_the_scale_of_their_plane() -> None:
    """Plane d of channel m: (m + 1) * 2**d."""
    told = Emulator(convolution(3, 1, 1), "spec").outputs(find("F176"))["y"]
    assert told[0, :, :, 0, 0].tolist() == [[1, 2, 4], [2, 4, 8], [3, 6, 12]]


def test_a_shape_and_words_are_those_of_the_reference_evaluator() -> None:
    """onnx 1.23.2 with numpy 2."""
    shape = Emulator(convolution(5), "spec").unanswered(find("F176"))
    words = Emulator(convolution(5, batch=2), "spec").unanswered(find("F176"))
    assert shape is not None
    assert shape.shape == (1, 3, 3, 5)
    assert words is not None
    assert words.shape is None
    assert str(words).startswith("ValueError: operands could not be broadcast together")


def test_another_failure_is_not_foretold() -> None:
    case = convolution(5, batch=2)
    words = Emulator(case, "spec").unanswered(find("F176"))
    assert [each.fault for each in foretold(case, Refused(str(words), False), "spec")] == [
        "F176"
    ]
    for other in (
        Refused("ValueError: out of luck", False),
        Crashed("signal SIGSEGV", str(words)),
        Values({"y": np.zeros((2, 3, 5), np.uint8)}),
    ):
        assert not foretold(case, other, "spec")


def test_what_no_fault_breaks_is_not_foretold() -> None:
    case = convolution(3, 3)
    assert not foretold(case, Refused("IndexError: tuple index out of range", False), "spec")


def graph(body: str, x: str, **constants: tuple[str, list[float]]) -> Case:
    """One input x of ones; constants by name: their type with shape, their values."""
    given = ", ".join(
        f"{kind} {name} = {{{', '.join(map(str, values))}}}"
        for name, (kind, values) in constants.items()
    )
    model = onnx.parser.parse_model(
        f'<ir_version: 10, opset_import: ["" : 21]> g ({x} x) => (float[N] y) <{given}> {{ {body} }}'
    )
    del model.graph.output[0].type.tensor_type.shape.dim[:]
    (given_x,) = model.graph.input
    shape = [each.dim_value for each in given_x.type.tensor_type.shape.dim]
    dtype = onnx.helper.tensor_dtype_to_np_dtype(given_x.type.tensor_type.elem_type)
    return Case(model.SerializeToString(), {"x": np.ones(shape, dtype)})


def pixels(weights: int, per_group: int, attributes: str) -> Case:
    w = (f"float[{weights}, {per_group}, 1, 1]", [1.0] * weights * per_group)
    return graph(f"y = Conv <{attributes}> (x, w)", "float[1, 4, 2, 2]", w=w)


BLOCKS = "q = QuantizeLinear <axis = 0, block_size = 2> (x, s) y = DequantizeLinear (q, t)"


@pytest.mark.parametrize(
    ("case", "fault"),
    [
        (pixels(8, 1, "group = 4, pads = [0, 1, 0, 0]"), "F162"),
        (pixels(3, 4, "pads = [1, 1, 1, 1]"), "F162"),
        (pixels(3, 4, "pads = [0, 0, 0, 0]"), ""),
        (pixels(3, 4, "pads = [1, 1, 1, 1], strides = [1, 2]"), ""),
        (pixels(4, 1, "group = 4, pads = [1, 1, 1, 1]"), ""),
        (
            graph(BLOCKS, "float[2, 2]", s=("float[1, 2]", [1.0, 2.0]), t=("float", [1.0])),
            "F149",
        ),
    ],
)
def test_of_two_answers_it_is_known_what_reads_beside_its_tensors(
    case: Case, fault: str
) -> None:
    assert [each.fault for each in unsettled(case, "spec")] == ([fault] if fault else [])


def test_several_answers_are_the_bug_that_reads_beside_its_tensors() -> None:
    case = pixels(3, 4, "pads = [1, 1, 1, 1]")
    with bench_of("tests.fakes:random") as bench:
        spec = bench.specs[0]
        (found,) = suspects(bench, spec, case, bench.run(case, spec))
    assert found.signature.kind == "nondeterministic"
    assert found.signature.text == "tests.fakes:random | divergent | F162"
