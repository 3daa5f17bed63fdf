"""TensorRT on the first GPU: explicitly quantized, strongly typed networks, reals in float32.

Untested on a device: written against the documented Python API of releases 10 and 11. What needs no
device (the limits, and reading the engine inspector) has tests.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import tensorrt as trt

from harness.backends import tensorrt_limits, tensorrt_memory, tensorrt_plan
from harness.backends.defaults import without_defaults
from harness.backends.protocol import Limit
from harness.backends.versions import version

if TYPE_CHECKING:
    from harness.backends.protocol import Array

    Shapes = tuple[tuple[str, tuple[int, ...]], ...]

KEPT_ENGINES = 4
LEVELS = ("0", "1", "2", "3", "4", "5")
DISTRIBUTIONS = ("tensorrt", "tensorrt-cu13", "tensorrt-cu12")
OPERATORS = ["QuantizeLinear", "DequantizeLinear"]


def adapter(name: str) -> TensorRT:
    """The adapter; the catalogue knows it as ``tensorrt``."""
    tensorrt_memory.check_device()
    return TensorRT()


class Log(trt.ILogger):  # type: ignore[misc]  # the wheel has no types
    """TensorRT's log, of which the last error is kept: a failed build returns nothing else."""

    def __init__(self) -> None:
        trt.ILogger.__init__(self)
        self.error = ""

    def log(self, severity: Any, message: str) -> None:
        """Called by TensorRT."""
        if severity in (trt.ILogger.ERROR, trt.ILogger.INTERNAL_ERROR):
            self.error = message


class TensorRT:
    """Engines built for the shapes of their inputs, the last few kept."""

    def __init__(self) -> None:
        self._log = Log()
        self._runtime = trt.Runtime(self._log)
        self._engine = lru_cache(KEPT_ENGINES)(self._build)

    def describe(self) -> dict[str, Any]:
        """Facts, as `harness.backends.protocol.Adapter` asks for them."""
        sources = list(_sources())
        return {
            "name": "tensorrt",
            "version": version(*DISTRIBUTIONS) or trt.__version__,
            "profile": "spec",
            "taps": True,
            "switches": sources,
            "operators": OPERATORS,
            "versions": {"tensorrt": trt.__version__, "numpy": np.__version__},
            "limits": tensorrt_limits.LIMITS,
            "options": {"level": list(LEVELS), "disable": sources, "tf32": ["on"]},
            "many": ["disable"],
        }

    def run(
        self, model: bytes, inputs: dict[str, Array], options: dict[str, str]
    ) -> dict[str, Array]:
        """Outputs of the engine, copied from the device."""
        inputs = without_defaults(onnx.ModelProto.FromString(model), inputs)
        engine = self._engine(model, _shapes(inputs), tuple(sorted(options.items())))
        context = engine.create_execution_context()
        names = [engine.get_tensor_name(i) for i in range(engine.num_io_tensors)]
        outputs = {}
        with tensorrt_memory.Buffers() as buffers:
            for name in names:
                if name in inputs:
                    context.set_input_shape(name, inputs[name].shape)
                    context.set_tensor_address(name, buffers.put(inputs[name]))
            for name in names:
                if engine.get_tensor_mode(name) == trt.TensorIOMode.OUTPUT:
                    array = _room(engine, context, name)
                    outputs[name] = array, buffers.allocate(array.nbytes)
                    context.set_tensor_address(name, outputs[name][1])
            if not context.execute_async_v3(buffers.stream):
                raise RuntimeError(self._log.error or "execute_async_v3 failed")
            for array, address in outputs.values():
                buffers.take(address, array)
        return {name: array for name, (array, _) in outputs.items()}

    def tap(
        self, model: bytes, inputs: dict[str, Array], options: dict[str, str]
    ) -> dict[str, Any]:
        """The plan alone: a tensor marked as an output is one that is not fused away."""
        engine = self._engine(model, _shapes(inputs), tuple(sorted(options.items())))
        inspector = engine.create_engine_inspector()
        printed = inspector.get_engine_information(trt.LayerInformationFormat.JSON)
        plan = tensorrt_plan.plan(onnx.ModelProto.FromString(model), printed)
        return {"arrays": {}, "plan": plan, "method": "prefixes", "confirmed": True}

    def _build(
        self, model: bytes, shapes: Shapes, options: tuple[tuple[str, str], ...]
    ) -> Any:
        reason = tensorrt_limits.unclaimed(onnx.ModelProto.FromString(model))
        if reason:
            raise Limit(reason)
        builder = trt.Builder(self._log)
        # Releases from 11 on build nothing else.
        typed = 1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
        network = builder.create_network(typed)
        parser = trt.OnnxParser(network, self._log)
        if not parser.parse(model):
            raise _parse_error(parser)
        config = _config(builder, dict(options))
        config.add_optimization_profile(_profile(builder, network, dict(shapes)))
        built = builder.build_serialized_network(network, config)
        engine = built and self._runtime.deserialize_cuda_engine(built)
        if not engine:
            raise RuntimeError(self._log.error or "the engine could not be built")
        return engine


def _shapes(inputs: dict[str, Array]) -> Shapes:
    return tuple((name, tuple(array.shape)) for name, array in sorted(inputs.items()))


def _sources() -> dict[str, int]:
    """The collections of kernels that can be turned off, by name, with their bits."""
    return {
        name: 1 << int(source) for name, source in sorted(trt.TacticSource.__members__.items())
    }


def _config(builder: Any, options: dict[str, str]) -> Any:
    config = builder.create_builder_config()
    config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED
    config.builder_optimization_level = int(options.get("level", "3"))
    if "tf32" not in options:
        config.clear_flag(trt.BuilderFlag.TF32)  # else products of reals lose 13 bits
    allowed = config.get_tactic_sources()
    for name in options["disable"].split("+") if "disable" in options else ():
        allowed &= ~_sources()[name]
    config.set_tactic_sources(allowed)
    return config


def _profile(builder: Any, network: Any, shapes: dict[str, tuple[int, ...]]) -> Any:
    """The shapes of this case, which is all that a dynamic input needs."""
    profile = builder.create_optimization_profile()
    for i in range(network.num_inputs):
        name = network.get_input(i).name
        profile.set_shape(name, shapes[name], shapes[name], shapes[name])
    return profile


def _parse_error(parser: Any) -> Exception:
    """The parser's first error, as a limit where it says that something is unsupported."""
    error = parser.get_error(0)
    text = f"{error.node_operator()} {error.node_name()}: {error.desc()}"
    return Limit(text) if "UNSUPPORTED" in str(error.code()) else RuntimeError(text)


def _room(engine: Any, context: Any, name: str) -> Array:
    """An array for an output.

    Raises:
        Limit: its shape depends on data, or numpy has no such type.
    """
    shape = tuple(context.get_tensor_shape(name))
    if any(size < 0 for size in shape):
        raise Limit(f"the shape of {name} depends on data")
    try:
        return np.empty(shape, trt.nptype(engine.get_tensor_dtype(name)))
    except TypeError as error:
        raise Limit(f"{name}: {error}") from error
