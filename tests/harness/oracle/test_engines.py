"""Released engines on cases where none of them has a known defect: nothing may lie outside.

Activations have 7 bits, so that no pair of products leaves int16 on CPUs without VNNI.
"""

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx
import pytest

from corpus.case import Array
from harness.oracle import Oracle, Verdict, judge
from tests.harness.oracle.models import SCALES, Spec, draw, qdq, qlinear

CONFIGURATIONS: tuple[dict[str, Any], ...] = (
    {},
    {"inputs": 6, "outputs": 6, "groups": 6},
    {"inputs": 8, "outputs": 12, "groups": 2, "per_channel": True},
    {"image": (9,), "kernel": (3,)},
    {"image": (4, 4, 4), "kernel": (2, 3, 2)},
    {"kernel": (1, 1), "per_channel": True},
    {"strides": [2, 1], "dilations": [1, 2], "pads": [2, 1, 1, 3]},
    {"auto_pad": "SAME_LOWER", "kernel": (4, 2)},
    {"small": True},
    {"bias": False, "w_dtype": "uint8"},
)
LEVELS = ("DISABLE_ALL", "ENABLE_BASIC", "ENABLE_EXTENDED", "ENABLE_ALL")


def specs(seed: int, count: int) -> Iterator[tuple[np.random.Generator, Spec]]:
    rng = np.random.default_rng(seed)
    for index in range(count):
        chosen = dict(CONFIGURATIONS[index % len(CONFIGURATIONS)])
        kind = SCALES[int(rng.integers(len(SCALES)))]
        x_dtype = "uint8" if "w_dtype" in chosen else ("uint8", "int8")[int(rng.integers(2))]
        yield rng, draw(rng, kind, x_dtype=x_dtype, **chosen)


def models_of(rng: np.random.Generator, spec: Spec) -> Iterator[onnx.ModelProto]:
    """The same convolution in one of the forms that engines treat differently."""
    form = int(rng.integers(6))
    if form == 0:
        yield qlinear(spec)
        return
    bounds = (-30.25 * float(spec.y_scale), 20.25 * float(spec.y_scale))
    activation = ("", "", "Relu", "Clip")[int(rng.integers(4))]
    bias = (rng.normal(size=spec.M) * 20 * float(spec.y_scale)).astype(np.float32)
    yield qdq(
        spec,
        activation=activation,
        clip=bounds,
        float_bias=bias if form == 5 else None,
        float_output=form == 4,
        dequantized=form == 3,
    )


def run_onnxruntime(model: onnx.ModelProto, x: Array, level: str, *, int8: bool) -> Array:
    ort = pytest.importorskip("onnxruntime")
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    options.graph_optimization_level = getattr(ort.GraphOptimizationLevel, f"ORT_{level}")
    if int8:
        options.add_session_config_entry("session.qdqisint8allowed", "1")
    session = ort.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    found: Array = session.run(None, {"x": x})[0]
    return found


def onnxruntime_verdicts(seed: int, count: int) -> Iterator[tuple[str, Verdict, Spec]]:
    for rng, spec in specs(seed, count):
        for model in models_of(rng, spec):
            (allowed,) = Oracle(model).allowed({"x": spec.x}).values()
            for level in LEVELS:
                actual = run_onnxruntime(model, spec.x, level, int8=False)
                yield level, judge(allowed, actual), spec
            actual = run_onnxruntime(model, spec.x, "ENABLE_ALL", int8=True)
            yield "int8", judge(allowed, actual), spec


@pytest.mark.backend("ort")
def test_onnxruntime_is_right_at_every_level() -> None:
    kinds = set()
    for level, verdict, spec in onnxruntime_verdicts(20, 250):
        assert not verdict.is_wrong, (level, verdict, spec)
        kinds.add(verdict.kind)
    assert kinds == {"exact", "tie"}


@pytest.mark.slow
@pytest.mark.backend("ort")
def test_onnxruntime_is_right_in_thousands_of_cases() -> None:
    for level, verdict, spec in onnxruntime_verdicts(21, 5000):
        assert not verdict.is_wrong, (level, verdict, spec)


def run_torch(spec: Spec, engine: str) -> Array:
    torch = pytest.importorskip("torch")
    rank = spec.x.ndim - 2
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.backends.quantized.engine = engine
        x = torch._make_per_tensor_quantized_tensor(
            torch.from_numpy(spec.x), float(spec.x_scale), spec.x_zero
        )
        w = _torch_weights(torch, spec)
        scales = np.broadcast_to(spec.w_scale, (spec.M,))
        product = (spec.x_scale * scales).astype(np.float32).astype(np.float64)
        b = (
            None
            if spec.bias is None
            else torch.from_numpy((spec.bias * product).astype(np.float32))
        )
        ops = torch.ops.quantized
        ones, zeros = [1] * rank, [0] * rank
        packed = getattr(ops, f"conv{rank}d_prepack")(
            w, b, ones, zeros, ones, spec.attributes["group"]
        )
        y = getattr(ops, f"conv{rank}d")(x, packed, float(spec.y_scale), spec.y_zero)
        found: Array = y.int_repr().numpy()
    return found


def _torch_weights(torch: Any, spec: Spec) -> Any:
    codes = torch.from_numpy(spec.w)
    if spec.w_scale.ndim == 0:
        return torch._make_per_tensor_quantized_tensor(codes, float(spec.w_scale), 0)
    scales = torch.from_numpy(spec.w_scale.astype(np.float64))
    zeros = torch.zeros(spec.M, dtype=torch.int64)
    return torch._make_per_channel_quantized_tensor(codes, scales, zeros, 0)


@pytest.fixture
def torch_engine() -> Iterator[list[str]]:
    torch = pytest.importorskip("torch")
    before = torch.backends.quantized.engine
    yield torch.backends.quantized.supported_engines
    torch.backends.quantized.engine = before


@pytest.mark.backend("torch")
@pytest.mark.parametrize("engine", ["fbgemm", "qnnpack"])
def test_torch_is_right(torch_engine: list[str], engine: str) -> None:
    if engine not in torch_engine:
        pytest.skip(f"torch without {engine}")
    kinds = set()
    for index in range(120):
        rng = np.random.default_rng([22, index])
        chosen = CONFIGURATIONS[(0, 1, 2, 5, 8)[index // 5 % 5]]
        spec = draw(rng, SCALES[index % len(SCALES)], **chosen)
        codes = run_torch(spec, engine)
        for model in (qlinear(spec), qdq(spec)):
            verdict = judge(Oracle(model).allowed({"x": spec.x})["y"], codes)
            assert not verdict.is_wrong, (verdict, spec)
            kinds.add(verdict.kind)
    assert kinds == {"exact", "tie"}


def run_opencv(model: onnx.ModelProto, x: Array) -> Array:
    cv2 = pytest.importorskip("cv2")
    if not hasattr(cv2.dnn, "ENGINE_NEW"):
        pytest.skip("OpenCV 4 has no engine for quantized ONNX graphs")
    data = np.frombuffer(model.SerializeToString(), np.uint8)
    net = cv2.dnn.readNetFromONNX(data, cv2.dnn.ENGINE_NEW)
    net.setInput(x, "x")
    found: Array = net.forward()
    return found


@pytest.mark.backend("opencv")
def test_opencv_without_groups_and_pads_is_right_but_for_ties() -> None:
    """It adds an odd zero point before it rounds, which is the one thing that may be found."""
    for index in range(60):
        rng = np.random.default_rng([23, index])
        kind = SCALES[index % len(SCALES)]
        spec = draw(
            rng, kind, image=(18, 18), per_channel=bool(index % 2), small=index % 3 == 0
        )
        model = qlinear(spec)
        allowed = Oracle(model).allowed({"x": spec.x})["y"]
        model.graph.output[0].CopyFrom(
            onnx.helper.make_tensor_value_info(
                "y", onnx.TensorProto.UINT8, allowed.centre.shape
            )
        )
        verdict = judge(allowed, run_opencv(model, spec.x))
        assert verdict.kind in ("exact", "tie", "rounding-mode"), (verdict, spec)
        if verdict.kind == "rounding-mode":
            assert spec.y_zero % 2 == 1
