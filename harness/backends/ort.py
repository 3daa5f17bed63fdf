"""onnxruntime on the CPU, one thread."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime

from harness.backends import ort_claims, ort_tap, ort_tensors
from harness.backends.protocol import Limit

if TYPE_CHECKING:
    from harness.backends.protocol import Array

    Options = frozenset[tuple[str, str]]

LEVELS = {
    "all": "ORT_ENABLE_ALL",
    "extended": "ORT_ENABLE_EXTENDED",
    "basic": "ORT_ENABLE_BASIC",
    "off": "ORT_DISABLE_ALL",
}
# The passes that can touch a quantized graph, by the names that the option disable answers to. Rule
# sets stand for their rules: a rule's own name works too, but onnxruntime does not list them. Where
# removing one of several restores the answer, the first names the bug: what changes numbers comes
# before what makes use of it, a rule before its set.
SWITCHES = (
    "WeightBiasQuantization",
    "QDQSelectorActionTransformer",
    "QDQS8ToU8Transformer",
    "QDQPropagationTransformer",
    "QDQFinalCleanupTransformer",
    "DoubleQDQPairsRemover",
    "EnsureUniqueDQForNodeUnit",
    "WhereDummyDq",
    "NhwcTransformer",
    "NchwcTransformer",
    "TransposeOptimizer",
    "TransposeOptimizer_CPUExecutionProvider",
    "ConvActivationFusion",
    "ConvAddActivationFusion",
    "ConstantFolding",
    "ConstantSharing",
    "CommonSubexpressionElimination",
    "ReshapeFusion",
    "MatMulAddFusion",
    "GemmActivationFusion",
    "MatMulActivationFusion",
    "MatMulScaleFusion",
    "MatmulTransposeFusion",
    "MatMulIntegerToFloatFusion",
    "DynamicQuantizeMatMulFusion",
    "MatMulNBitsFusion",
    "ClipQuantRewrite",
    "ReluQuantRewrite",
    "FuseReluClip",
    "ConvAddFusion",
    "ConvMulFusion",
    "ConvBNFusion",
    "Pad_Fusion",
    "Level1_RuleBasedTransformer",
    "Level2_RuleBasedTransformer",
)
DOCUMENTED = (
    "is under development and support for this is limited",
    "Unsupported model IR version",
    "is not a registered function/op",
)
KEPT_SESSIONS = 3


def adapter(name: str) -> Ort:
    """The adapter; the catalogue knows it as ``ort``."""
    return Ort()


class Ort:
    """Sessions of onnxruntime, kept from the second time on that a model is asked of the same options.

    One that is kept for nothing lies in the way of what the next one allocates: 5 % of its time.
    """

    def __init__(self) -> None:
        self._last: OrderedDict[Options, tuple[bytes, Any]] = OrderedDict()
        self._settings: dict[Options, Any] = {}

    def describe(self) -> dict[str, Any]:
        """Facts, as `harness.backends.protocol.Adapter` asks for them."""
        return {
            "name": "ort",
            "version": onnxruntime.__version__,
            "profile": "ort",
            "taps": True,
            "switches": list(SWITCHES),
            "operators": sorted(ort_claims.operators()),
            "versions": {"onnxruntime": onnxruntime.__version__, "numpy": np.__version__},
            "limits": ort_claims.in_words("QLinearConv"),
            "options": {"level": list(LEVELS), "disable": list(SWITCHES), "int8": ["on"]},
            "many": ["disable"],
        }

    def run(
        self, model: bytes, inputs: dict[str, Array], options: dict[str, str]
    ) -> dict[str, Array]:
        """Outputs of a session with the options' optimizations."""
        key = frozenset(options.items())
        before, kept = self._last.pop(key, (b"", None))
        is_again = before == model
        session = kept if is_again and kept is not None else self._create(model, options, key)
        self._last[key] = model, session if is_again else None
        if len(self._last) > KEPT_SESSIONS:
            self._last.popitem(last=False)
        return ort_tensors.run(session, inputs)

    def tap(
        self, model: bytes, inputs: dict[str, Array], options: dict[str, str]
    ) -> dict[str, Any]:
        """Every tensor of onnxruntime's own optimized graph, mapped back to the source's names."""
        untapped = self.run(model, inputs, options)
        optimized = ort_tap.optimized(model, self._fresh_settings(options), _disabled(options))
        return ort_tap.tapped(model, optimized, inputs, untapped)

    def _create(self, model: bytes, options: dict[str, str], key: Options) -> Any:
        if key not in self._settings:
            self._settings[key] = self._fresh_settings(options)
        try:
            return onnxruntime.InferenceSession(
                model,
                self._settings[key],
                providers=["CPUExecutionProvider"],
                disabled_optimizers=_disabled(options),
            )
        except Exception as error:
            reason = _documented(model, str(error))
            if reason:
                raise Limit(reason) from error
            raise

    def _fresh_settings(self, options: dict[str, str]) -> Any:
        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = 1
        settings.inter_op_num_threads = 1
        settings.log_severity_level = 4
        level = LEVELS[options.get("level", "all")]
        settings.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, level)
        if options.get("int8") == "on":
            settings.add_session_config_entry("session.qdqisint8allowed", "1")
        return settings


def _disabled(options: dict[str, str]) -> list[str] | None:
    return options["disable"].split("+") if "disable" in options else None


def _documented(model: bytes, message: str) -> str:
    if any(each in message for each in DOCUMENTED):
        return message[message.find(" : ", message.find(" : ") + 3) + 3 :]
    if "NOT_IMPLEMENTED" in message:
        return ort_claims.unclaimed(model)
    return ""
