"""The backends we ship, as data: where each adapter is, and what a campaign runs of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import metadata

import onnx

GROUP = "quantdiff.backends"


def always(model: onnx.ModelProto) -> bool:
    """A variant that is worth running on every model."""
    return True


def has_int8_activations(model: onnx.ModelProto) -> bool:
    """A DequantizeLinear feeds a Conv's first input from a QuantizeLinear or input of type int8.

    Only there does ``session.qdqisint8allowed`` change what onnxruntime fuses.
    """
    convolutions = (node for node in model.graph.node if node.op_type == "Conv")
    activations = {name for node in convolutions for name in node.input[:1]}
    dequantized = {
        each
        for node in model.graph.node
        if activations.intersection(node.output[:1])
        for each in node.input[2:3]
    }
    int8 = {
        each.name
        for each in model.graph.initializer
        if each.data_type == onnx.TensorProto.INT8
    }
    return bool(dequantized & int8)


@dataclass(frozen=True, slots=True)
class Variant:
    """One way a campaign runs a backend; ``helps`` says on which models it can differ."""

    options: tuple[tuple[str, str], ...] = ()
    helps: Callable[[onnx.ModelProto], bool] = always


@dataclass(frozen=True, slots=True)
class Entry:
    """A backend of the catalogue.

    ``target`` is ``module:factory``; ``install`` tells a person how to get the engine. ``isa`` are
    the instruction sets that it can be held to, the oldest first, each with the environment that
    does it. ``missing`` says why an engine cannot run ONNX's quantized models as they are written,
    and what would help: then there is no adapter. What is not ``native`` is Python and numpy alone, whose
    memory no model can damage.
    """

    name: str
    target: str
    install: str
    variants: tuple[Variant, ...] = (Variant(),)
    isa: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    missing: str = ""
    native: bool = True


PLAIN = Variant()
_TORCH = "harness.backends.torch_quantized:adapter"
_GET_TORCH = "pip install torch==2.13.0"
_ONEDNN = {
    "sse41": {"ONEDNN_MAX_CPU_ISA": "SSE41", "ATEN_CPU_CAPABILITY": "default"},
    "avx2": {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"},
}
_ATEN = {
    "sse41": {"ATEN_CPU_CAPABILITY": "default"},
    "avx2": {"ATEN_CPU_CAPABILITY": "avx2"},
}
_OPENCV = {
    "sse41": {"OPENCV_CPU_DISABLE": "AVX,FP16,AVX2,FMA3,AVX512-SKX"},
    "avx2": {"OPENCV_CPU_DISABLE": "AVX512-SKX"},
}
_OPENVINO = {
    "sse41": {"ONEDNN_MAX_CPU_ISA": "SSE41"},
    "avx2": {"ONEDNN_MAX_CPU_ISA": "AVX2"},
}

ENTRIES = (
    Entry(
        "engine",
        "harness.backends.engine_session:adapter",
        "it is part of quantdiff",
        (PLAIN, Variant((("fusion", "off"),))),
        native=False,
    ),
    Entry(
        "ort",
        "harness.backends.ort:adapter",
        "pip install onnxruntime",
        (
            PLAIN,
            Variant((("level", "off"),)),
            Variant((("int8", "on"),), has_int8_activations),
        ),
    ),
    Entry("torch-fbgemm", _TORCH, _GET_TORCH, isa=_ATEN),
    Entry("torch-qnnpack", _TORCH, _GET_TORCH, isa=_ATEN),
    Entry("torch-onednn", _TORCH, _GET_TORCH, isa=_ONEDNN),
    Entry("torch-x86", _TORCH, _GET_TORCH, isa=_ONEDNN),
    Entry(
        "opencv",
        "harness.backends.opencv:adapter",
        "pip install 'opencv-python-headless>=5'",
        isa=_OPENCV,
    ),
    Entry(
        "openvino",
        "harness.backends.openvino:adapter",
        "pip install openvino",
        (PLAIN, Variant((("disable", "low-precision"),))),
        _OPENVINO,
    ),
    Entry("tvm", "harness.backends.tvm:adapter", "pip install apache-tvm"),
    Entry(
        "tensorrt",
        "harness.backends.tensorrt:adapter",
        "pip install tensorrt cuda-python, on a machine with an NVIDIA GPU",
    ),
    Entry(
        "onnx-reference",
        "harness.backends.onnx_reference:adapter",
        "pip install onnx",
        native=False,
    ),
    Entry(
        "mnn",
        "",
        "pip install MNN",
        missing="MNN 3.6.1 changes what Q/DQ graphs mean: its converter gives int8 codes 128 too many"
        " and swaps the first two axes of a dequantized activation, its Python module takes no int8"
        " inputs; an importer that keeps codes and shapes would help",
    ),
    Entry(
        "ncnn",
        "",
        "pip install ncnn",
        missing="pnnx passes QuantizeLinear and DequantizeLinear on as layers that ncnn does not have,"
        " and ncnn's own int8 has scales from its calibration and no zero points; layers for Q and DQ"
        " would help",
    ),
    Entry(
        "litert",
        "",
        "pip install ai-edge-litert",
        missing="LiteRT runs .tflite files and imports no ONNX: converters requantize through"
        " TensorFlow, so codes and scales are no longer the model's; a direct importer would help",
    ),
)


def names() -> tuple[str, ...]:
    """Every name a person may use: ours, then the registered plug-ins."""
    return (*(entry.name for entry in ENTRIES), *sorted(_plugins()))


def runnable() -> tuple[str, ...]:
    """The names behind which there is an adapter."""
    return tuple(name for name in names() if not find(name).missing)


def find(name: str) -> Entry:
    """The entry of a known name, or one made up for ``package.module:attribute``."""
    for entry in ENTRIES:
        if entry.name == name:
            return entry
    return Entry(
        name, _plugins().get(name, name), "check the spelling and the current directory"
    )


def is_ours(entry: Entry) -> bool:
    """Whether the adapter is a file of this package."""
    return entry.target.startswith("harness.backends.")


def _plugins() -> dict[str, str]:
    ours = {entry.name for entry in ENTRIES}
    found = metadata.entry_points(group=GROUP)
    return {each.name: each.value for each in found if each.name not in ours}
