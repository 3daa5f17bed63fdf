"""Our engine against onnxruntime and the ONNX reference on layers of well-known networks, one thread."""

import tracemalloc
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import onnxruntime
from onnx.reference import ReferenceEvaluator

from corpus.case import Case
from engine import Session
from generators.operators.conv import ConvSpec, build
from tests.benchmarks.clock import best_of
from tests.benchmarks.load import CHANNELS, NODES, chain

ROUNDS = 5
REFERENCE_GOAL = 50
GROWTH = (8, 16, 32, 64, 128)
SIDES = (7, 14, 28, 56, 112)
_BASE = ConvSpec(
    x_dtype="uint8",
    w_dtype="int8",
    x_zero_point=128,
    x_scale=0.02,
    w_scales=(0.005,),
    y_scale=0.1,
    y_zero_point=128,
    x_kind="random",
    w_kind="random",
    bias="int32",
)


def _conv(
    channels: int, filters: int, size: int, kernel: int = 1, stride: int = 1, groups: int = 1
) -> ConvSpec:
    """A convolution that keeps the size, or divides it by the stride."""
    return replace(
        _BASE,
        groups=groups,
        in_per_group=channels // groups,
        out_per_group=filters // groups,
        image=(size, size),
        kernel=(kernel, kernel),
        strides=(stride, stride),
        pads=(kernel // 2,) * 4,
    )


LAYERS = {
    "ResNet-50 stem 7x7/2, 3 -> 64, 224": _conv(3, 64, 224, 7, 2),
    "ResNet-50 3x3, 64 -> 64, 56": _conv(64, 64, 56, 3),
    "ResNet-50 3x3/2, 128 -> 128, 56": _conv(128, 128, 56, 3, 2),
    "ResNet-50 1x1, 256 -> 64, 56": _conv(256, 64, 56),
    "ResNet-50 1x1, 512 -> 2048, 7": _conv(512, 2048, 7),
    "MobileNetV2 1x1, 144 -> 24, 56": _conv(144, 24, 56),
    "MobileNetV2 1x1, 96 -> 576, 14": _conv(96, 576, 14),
    "MobileNetV2 depthwise 3x3, 144, 56": _conv(144, 144, 56, 3, groups=144),
    "MobileNetV2 depthwise 3x3, 576, 14": _conv(576, 576, 14, 3, groups=576),
    "YuNet 1x1, 16 -> 64, 80": _conv(16, 64, 80),
    "YuNet depthwise 3x3, 64, 80": _conv(64, 64, 80, 3, groups=64),
    "YuNet head 1x1, 64 -> 1, 40": _conv(64, 1, 40),
    "ResNeXt-50 3x3, 32 groups of 4, 56": _conv(128, 128, 56, 3, groups=32),
}
LARGE = {
    "3x3, 64 -> 64, 224": _conv(64, 64, 224, 3),
    "1x1, 64 -> 64, 224": _conv(64, 64, 224),
    "depthwise 3x3, 64, 224": _conv(64, 64, 224, 3, groups=64),
}
REFERENCE = {
    "3x3, 32 -> 32, 28": _conv(32, 32, 28, 3),
    "1x1, 64 -> 64, 28": _conv(64, 64, 28),
    "depthwise 3x3, 32, 28": _conv(32, 32, 28, 3, groups=32),
}


def report() -> Iterator[str]:
    yield "engine against onnxruntime on real layers (QLinearConv u8 x s8), processor time"
    ratios = {}
    for name, spec in LAYERS.items():
        case = build(spec)
        ours, theirs = _engine(case), _onnxruntime(case)
        ratios[name] = ours / theirs
        yield f"  {name:<36}{ours * 1e3:7.2f} ms against {theirs * 1e3:6.2f} ms   {ours / theirs:4.1f}x"
    depthwise = max(each for name, each in ratios.items() if "depthwise" in name)
    mean = float(np.exp(np.mean(np.log(list(ratios.values())))))
    yield (
        f"  geometric mean {mean:.1f}x (goal: <= 6x), depthwise at most {depthwise:.1f}x (goal: <= 10x)"
    )
    yield from _against_reference()
    yield from _memory()
    yield from _growth()


def _against_reference() -> Iterator[str]:
    yield f"times faster than onnx.reference (goal: >= {REFERENCE_GOAL}x), and onnxruntime beside it"
    for name, spec in REFERENCE.items():
        case = build(spec)
        evaluator = ReferenceEvaluator(case.proto())
        theirs = best_of(lambda e=evaluator, c=case: e.run(None, dict(c.inputs)), 1)  # type: ignore[misc]
        ours, native = _engine(case), _onnxruntime(case)
        yield (
            f"  {name:<36}{ours * 1e3:7.2f} ms against {theirs * 1e3:6.0f} ms   "
            f"{theirs / ours:4.0f}x, onnxruntime {theirs / native:4.0f}x"
        )


def _memory() -> Iterator[str]:
    yield "what a run allocates at most, in sizes of its input, weights and output together (goal: <= 3x)"
    for name, spec in (*LAYERS.items(), *LARGE.items()):
        yield f"  {name:<36}{_peak(build(spec)):5.1f}x"


def _peak(case: Case) -> float:
    session = Session(case.model)
    outputs = session.run(case.inputs)
    weights = sum(len(each.raw_data) for each in case.proto().graph.initializer)
    live = weights + sum(each.nbytes for each in (*case.inputs.values(), *outputs.values()))
    tracemalloc.start()
    session.run(case.inputs)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak / live


def _growth() -> Iterator[str]:
    """How the time of 3x3 convolutions grows; a bar is as long as the logarithm of it."""
    yield "  channels in and out, 28x28 pixels"
    for channels in GROWTH:
        yield _bar(channels, _engine(build(_conv(channels, channels, 28, 3))))
    yield "  side of the image, 16 channels"
    for side in SIDES:
        yield _bar(side, _engine(build(_conv(16, 16, side, 3))))
    yield "  3x3 convolutions of 16x8x8 one after the other"
    x = np.zeros((1, CHANNELS, 8, 8), np.uint8)
    for count in NODES:
        session = Session(chain(count, False))
        yield _bar(count, best_of(lambda s=session: s.run({"y0": x}), ROUNDS))  # type: ignore[misc]


def _bar(size: int, seconds: float) -> str:
    microseconds = seconds * 1e6
    return f"  {size:>7}{microseconds:10.0f} us  {'#' * round(4 * np.log2(microseconds / 16))}"


def _engine(case: Case) -> float:
    session = Session(case.model)
    return best_of(lambda: session.run(case.inputs), ROUNDS)


def _onnxruntime(case: Case) -> float:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        case.model, options, providers=["CPUExecutionProvider"]
    )
    return best_of(lambda: session.run(None, dict(case.inputs)), ROUNDS)
