"""quantdiff's int8 engine: ONNX in, fused plan, integer kernels, float fallback."""

from engine.errors import EngineError, InvalidModel, Unsupported
from engine.plan import Kept, Plan
from engine.profiles import PROFILES
from engine.program import Step
from engine.session import Session, load

__all__ = [
    "PROFILES",
    "EngineError",
    "InvalidModel",
    "Kept",
    "Plan",
    "Session",
    "Step",
    "Unsupported",
    "load",
]
