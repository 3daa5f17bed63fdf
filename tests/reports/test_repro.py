"""The script: it runs with the engine alone, says what is wrong, and no name can become code."""

import ast
import runpy
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from corpus.case import Array
from reports.repro import OutputFiles, Recipe, TorchConv, literal, render
from tests.reports import samples

OUTPUTS = {"y": OutputFiles("uint8", "allowed_low_y.npy", "allowed_high_y.npy")}
REALS = {"y": OutputFiles("float32", "allowed_low_y.npy", "allowed_high_y.npy")}
INPUTS = {"x": "input_x.npy"}
X_SCALE, W_SCALE, Y_SCALE = 0.5, 0.25, 2.0
X_ZERO, Y_ZERO = 3, 8

CONSTANTS: dict[str, Array] = {
    "xs": np.array(X_SCALE, np.float32),
    "xz": np.array(X_ZERO, np.uint8),
    "w": (np.arange(24, dtype=np.int8) - 9).reshape(24, 1, 1, 1),
    "ws": np.array(W_SCALE, np.float32),
    "wz": np.array(0, np.int8),
    "ys": np.array(Y_SCALE, np.float32),
    "yz": np.array(Y_ZERO, np.uint8),
    "b": np.arange(24, dtype=np.int32) * 3,
    "w_unsigned": (np.arange(24, dtype=np.uint8) + 119).reshape(24, 1, 1, 1),
}
X = (np.arange(8, dtype=np.uint8) * 9).reshape(1, 2, 2, 2)


def model() -> bytes:
    """Two groups of twelve 1x1 filters with a bias: what opencv 5 gets wrong."""
    node = helper.make_node(
        "QLinearConv",
        ["x", "xs", "xz", "w", "ws", "wz", "ys", "yz", "b"],
        ["y"],
        "c1",
        group=2,
    )
    x = helper.make_tensor_value_info("x", TensorProto.UINT8, X.shape)
    y = helper.make_tensor_value_info("y", TensorProto.UINT8, (1, 24, 2, 2))
    tensors = [numpy_helper.from_array(array, name) for name, array in CONSTANTS.items()]
    graph = helper.make_graph([node], "g", [x], [y], tensors)
    opsets = [helper.make_opsetid("", 13)]
    proto = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    return bytes(proto.SerializeToString())


def right() -> Array:
    """The exact answer: all scales are powers of two."""
    channels = np.repeat(X.astype(np.int64) - X_ZERO, 12, axis=1)
    acc = channels * CONSTANTS["w"].reshape(1, 24, 1, 1) + CONSTANTS["b"].reshape(1, 24, 1, 1)
    codes = np.rint(acc * (X_SCALE * W_SCALE / Y_SCALE)) + Y_ZERO
    answer: Array = np.clip(codes, 0, 255).astype(np.int64)
    return answer


def write(folder: Path, recipe: Recipe, answer: Array, kind: str = "divergent") -> Path:
    (folder / "model.onnx").write_bytes(model())
    np.save(folder / "input_x.npy", X)
    np.save(folder / "allowed_low_y.npy", answer)
    np.save(folder / "allowed_high_y.npy", answer)
    script = folder / "repro.py"
    script.write_text(render(replace(samples.finding(), kind=kind), recipe), encoding="ascii")
    return script


def run(script: Path, cwd: Path = Path("/")) -> tuple[int, str]:
    """The exit status and what is printed; run from elsewhere, as people do."""
    command = [sys.executable, "-W", "error", str(script)]
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=cwd, check=False, timeout=120
    )
    return done.returncode, done.stdout + done.stderr


def run_here(script: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """The same in this process, where torch need not be imported again."""
    status = runpy.run_path(str(script))["main"]()
    return status, capsys.readouterr().out


def test_ort_is_right_and_the_script_says_so(tmp_path: Path) -> None:
    script = write(
        tmp_path, Recipe("ort", INPUTS, OUTPUTS, {"level": "basic", "disable": "A+B"}), right()
    )
    assert run(script) == (0, "'y': 0 of 96 elements wrong, off by up to 0\n")


def test_a_wrong_answer_is_counted_and_shown(tmp_path: Path) -> None:
    answer = right()
    answer[0, 3, 1, 1] += 5
    status, text = run(write(tmp_path, Recipe("ort", INPUTS, OUTPUTS), answer))
    assert status == 1
    assert "'y': 1 of 96 elements wrong, off by up to 5\n" in text
    assert f"  [0, 3, 1, 1]: got {right()[0, 3, 1, 1]}, allowed" in text


def test_opencv_is_run_as_it_is(tmp_path: Path) -> None:
    """Whether it is wrong depends on the release; the script agrees with a run in this process."""
    cv2 = pytest.importorskip("cv2", reason="opencv is not installed")
    script = write(tmp_path, Recipe("opencv", INPUTS, OUTPUTS), right())
    net = cv2.dnn.readNetFromONNX(str(tmp_path / "model.onnx"), cv2.dnn.ENGINE_NEW)
    net.setInput(X, "x")
    wrong = int((net.forward() != right()).sum())
    status, text = run(script)
    assert f"'y': {wrong} of 96 elements wrong" in text
    assert status == int(wrong > 0)


def torch_conv(**changes: object) -> TorchConv:
    plain = TorchConv(
        engine="qnnpack",
        input="x",
        output="y",
        weight="w",
        x_scale=X_SCALE,
        x_zero_point=X_ZERO,
        w_scales=(W_SCALE,),
        w_zero_points=(0,),
        y_scale=Y_SCALE,
        y_zero_point=Y_ZERO,
        strides=(1, 1),
        pads=(0, 0),
        dilations=(1, 1),
        groups=2,
        bias="b",
        bias_scales=(X_SCALE * W_SCALE,),
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def test_torch_needs_nothing_but_itself(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="torch is not installed")
    answer = right()
    answer[0, 0, 0, 0] += 1
    script = write(
        tmp_path, Recipe("torch-qnnpack", INPUTS, OUTPUTS, torch=torch_conv()), answer
    )
    status, text = run(script)
    assert status == 1
    assert text.startswith("'y': 1 of 96 elements wrong, off by up to 1\n")


@pytest.mark.parametrize(
    "changes",
    [{}, {"engine": "fbgemm", "w_scales": (W_SCALE,) * 24, "w_zero_points": (0,) * 24}],
    ids=["per-tensor", "per-channel"],
)
def test_torch_gets_the_convolution_written_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], changes: Mapping[str, object]
) -> None:
    pytest.importorskip("torch", reason="torch is not installed")
    conv = torch_conv(**changes)
    recipe = Recipe(f"torch-{conv.engine}", INPUTS, OUTPUTS, torch=conv)
    assert run_here(write(tmp_path, recipe, right()), capsys) == (
        0,
        "'y': 0 of 96 elements wrong, off by up to 0\n",
    )


@pytest.mark.parametrize(
    ("changes", "x_scale", "y_scale", "y_zero"),
    [
        ({}, X_SCALE, Y_SCALE, Y_ZERO),
        ({"quantize": (1.0, X_ZERO), "dequantize": (4.0, 6)}, 1.0, 4.0, 6),
    ],
    ids=["same", "own"],
)
def test_torch_with_float_ends_quantizes_and_dequantizes(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    changes: Mapping[str, object],
    x_scale: float,
    y_scale: float,
    y_zero: int,
) -> None:
    pytest.importorskip("torch", reason="torch is not installed")
    conv = torch_conv(quantize_dtype="uint8", dequantized=True, relu=True, **changes)
    outputs = {"y": replace(OUTPUTS["y"], dtype="float32")}
    answer = (np.maximum(right(), Y_ZERO) - y_zero) * y_scale
    script = write(tmp_path, Recipe("torch-qnnpack", INPUTS, outputs, torch=conv), answer)
    np.save(
        tmp_path / "input_x.npy",
        ((X.astype(np.float32) - X_ZERO) * x_scale).astype(np.float32),
    )
    assert run_here(script, capsys) == (0, "'y': 0 of 96 elements wrong, off by up to 0\n")


def test_torch_gets_codes_of_the_other_sign_shifted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("torch", reason="torch is not installed")
    conv = torch_conv(x_shift=128, y_shift=128, w_shift=-128, weight="w_unsigned")
    outputs = {"y": replace(OUTPUTS["y"], dtype="int8")}
    script = write(
        tmp_path, Recipe("torch-qnnpack", INPUTS, outputs, torch=conv), right() - 128
    )
    np.save(tmp_path / "input_x.npy", (X.astype(np.int16) - 128).astype(np.int8))
    assert run_here(script, capsys) == (0, "'y': 0 of 96 elements wrong, off by up to 0\n")


def test_what_torch_does_not_take_cannot_be_run(tmp_path: Path) -> None:
    """A worker may die of such a model by what an earlier one did to its memory."""
    pytest.importorskip("torch", reason="torch is not installed")
    script = write(tmp_path, Recipe("torch-fbgemm", INPUTS, OUTPUTS), right())
    assert run(script) == (
        2,
        "NotImplementedError: torch takes one quantized convolution, which this model is not\n",
    )


def test_our_own_engine(tmp_path: Path) -> None:
    options = {"fault": "F01", "profile": "spec", "fusion": "on"}
    (tmp_path / "engine.py").write_text(FAKE_ENGINE)
    status, text = run(write(tmp_path, Recipe("engine", INPUTS, OUTPUTS, options), right()))
    assert status == 2
    assert text == "RuntimeError: model.onnx spec on ('F01',) ['x']\n"


FAKE_ENGINE = """
import os

class Session:
    def __init__(self, model, *, profile, fusion, faults):
        self.said = os.path.basename(model), profile, fusion, faults

    def run(self, inputs):
        raise RuntimeError(" ".join(map(str, self.said)) + f" {list(inputs)}")
"""


def test_the_reference_evaluator(tmp_path: Path) -> None:
    script = write(tmp_path, Recipe("onnx-reference", INPUTS, OUTPUTS), right())
    status, text = run(script)
    assert (status, text) == (0, "'y': 0 of 96 elements wrong, off by up to 0\n")


def test_the_reference_evaluator_is_given_what_it_lacks_in_a_newer_form(
    tmp_path: Path,
) -> None:
    node = helper.make_node("DequantizeLinear", ["x", "xs", "xz"], ["y"])
    given = helper.make_tensor_value_info("x", TensorProto.UINT8, X.shape)
    made = helper.make_tensor_value_info("y", TensorProto.FLOAT, X.shape)
    tensors = [numpy_helper.from_array(CONSTANTS[each], each) for each in ("xs", "xz")]
    graph = helper.make_graph([node], "g", [given], [made], tensors)
    script = write(
        tmp_path, Recipe("onnx-reference", INPUTS, REALS), (X - 3.0) * np.float64(X_SCALE)
    )
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    (tmp_path / "model.onnx").write_bytes(proto.SerializeToString())
    assert run(script) == (0, "'y': 0 of 8 elements wrong, off by up to 0\n")


MINE = "import numpy as np\ndef run(model, inputs{}):\n    {}\n"


@pytest.mark.parametrize(
    ("kind", "body", "status", "said"),
    [
        ("divergent", "return {'y': np.zeros((1, 24, 2, 2), np.uint8)}", 1, "elements wrong"),
        ("divergent", "raise ValueError('no')", 2, "ValueError: no"),
        ("refused", "raise ValueError('no')", 1, "ValueError: no"),
        ("crashed", "import os; os.abort()", 1, "the process ended with status -6"),
        ("crashed", "import os; os._exit(0)", 1, "the process ended with status 0"),
        ("crashed", "return {'y': np.load('right.npy')}", 0, "0 of 96"),
        ("nondeterministic", "return {'y': np.frombuffer(np.random.bytes(8))}", 1, "['y']"),
        ("nondeterministic", "return {'y': np.zeros(3)}", 0, "[]"),
        (
            "nondeterministic",
            "import os; return {'y': np.full(3, os.getpid())}",
            1,
            "another process gives other values",
        ),
        (
            "nondeterministic",
            "import os; return {'y': np.full(3, 'perturb=85' in os.environ.get('GLIBC_TUNABLES', ''))}",
            1,
            "another process gives other values",
        ),
        ("nonfinite", "return {'y': np.full((1, 24, 2, 2), np.nan)}", 1, "got float64"),
        ("wrong-type-or-shape", "return {}", 1, "got nothing, expected uint8[1, 24, 2, 2]"),
        ("divergent", "return {'y': np.load('right.npy')}", 0, "0 of 96"),
    ],
)
def test_each_kind_of_finding_is_told_from_its_absence(
    tmp_path: Path, kind: str, body: str, status: int, said: str
) -> None:
    (tmp_path / "mine.py").write_text(MINE.format("", body))
    np.save(tmp_path / "right.npy", right().astype(np.uint8))
    script = write(tmp_path, Recipe("mine:run", INPUTS, OUTPUTS), right(), kind)
    got, text = run(script, cwd=tmp_path)
    assert said in text
    assert got == status


def test_an_input_of_a_type_that_numpy_lacks_comes_with_its_type(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(MINE.format("", "raise ValueError(inputs['x'].dtype)"))
    recipe = Recipe("mine:run", INPUTS, OUTPUTS, foreign={"x": "float8_e5m2"})
    script = write(tmp_path, recipe, right())
    assert run(script, cwd=tmp_path) == (2, "ValueError: float8_e5m2\n")


@pytest.mark.parametrize(
    ("backend", "name"),
    [
        ("ort", "float8_e5m2"),
        ("ort", "int4"),
        ("ort", "uint4"),
        ("ort", "bfloat16"),
        ("openvino", "float8_e5m2"),
        ("openvino", "bfloat16"),
    ],
)
def test_such_types_come_and_go_as_their_bytes(
    tmp_path: Path, backend: str, name: str
) -> None:
    pytest.importorskip("onnxruntime" if backend == "ort" else backend)
    x = np.array([1, 2, 3, 4, 5]).astype(np.dtype(getattr(ml_dtypes, name)))
    kind = helper.np_dtype_to_tensor_dtype(x.dtype)
    there, back = (
        ("Cast", "Cast") if name == "bfloat16" else ("DequantizeLinear", "QuantizeLinear")
    )
    parameters = [] if name == "bfloat16" else ["s", "z"]
    nodes = [
        helper.make_node(there, ["x", *parameters], ["y"]),
        helper.make_node("Abs", ["y"], ["abs"]),  # or onnxruntime drops both
        helper.make_node(back, ["abs", *parameters], ["codes"]),
    ]
    if name == "bfloat16":
        nodes[0].attribute.append(helper.make_attribute("to", TensorProto.FLOAT))
        nodes[2].attribute.append(helper.make_attribute("to", kind))
    ends = (("x", kind), ("y", TensorProto.FLOAT), ("codes", kind))
    given, *made = (helper.make_tensor_value_info(end, t, x.shape) for end, t in ends)
    constants = {"s": np.array(1, np.float32), "z": np.array(0).astype(x.dtype)}
    tensors = [numpy_helper.from_array(constants[each], each) for each in parameters]
    graph = helper.make_graph(nodes, "g", [given], made, tensors)
    codes = OutputFiles(name, "allowed_low_y.npy", "allowed_high_y.npy", is_foreign=True)
    recipe = Recipe(backend, INPUTS, REALS | {"codes": codes}, foreign={"x": name})
    script = write(tmp_path, recipe, x.astype(np.float32))
    proto = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10
    )
    (tmp_path / "model.onnx").write_bytes(proto.SerializeToString())
    np.save(tmp_path / "input_x.npy", x.view(f"u{x.itemsize}"))
    status, text = run(script)
    assert text.count("0 of 5 elements wrong") == 2, text
    assert status == 0


def test_options_of_a_function_are_its_arguments(tmp_path: Path) -> None:
    body = "return {'y': np.load('right.npy') + int(step)}"
    (tmp_path / "mine.py").write_text(MINE.format(", step", body))
    np.save(tmp_path / "right.npy", right().astype(np.uint8))
    script = write(tmp_path, Recipe("mine:run", INPUTS, OUTPUTS, {"step": "1"}), right())
    assert "off by up to 1\n" in run(script, cwd=tmp_path)[1]


def test_an_absent_engine_is_not_a_reproduction(tmp_path: Path) -> None:
    script = write(tmp_path, Recipe("ort", INPUTS, OUTPUTS), right())
    script.write_text(
        script.read_text().replace("import onnxruntime", "import no_such_engine")
    )
    assert run(script) == (2, "No module named 'no_such_engine'\n")


@pytest.mark.parametrize("name", samples.HOSTILE)
@pytest.mark.parametrize(
    "backend", ["ort", "opencv", "engine", "onnx-reference", "torch-x86", "m:f"]
)
def test_no_name_becomes_code(backend: str, name: str) -> None:
    hostile, plain = (script(backend, each) for each in (name, "plain"))
    assert hostile.isascii()
    assert shape(hostile) == shape(plain)


def script(backend: str, name: str) -> str:
    """A script with the name in every place."""
    conv = torch_conv(input=name, output=name, weight=name, bias=name, engine=name)
    outputs = {name: OutputFiles(name, name, name)}
    options = {"profile": name, "fusion": name, "fault": name, "disable": name, "level": name}
    recipe = Recipe(backend, {name: name}, outputs, options, name, conv, name)
    return render(samples.hostile(name).finding, recipe)


def shape(source: str) -> str:
    """The syntax tree with every string taken out; tuples of strings keep one."""
    tree = ast.parse(source, feature_version=(3, 8))
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            node.value = ""
        if isinstance(node, ast.Tuple) and all(isinstance(e, ast.Constant) for e in node.elts):
            node.elts = node.elts[:1]
    return ast.dump(tree)


@pytest.mark.parametrize(
    "value", [object(), np.float64(0.5), {"a": float("nan")}, float("inf")]
)
def test_what_has_no_literal_is_refused(value: object) -> None:
    with pytest.raises(TypeError, match="not a Python literal"):
        literal(value)
