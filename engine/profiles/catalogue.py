"""The profiles by name."""

from collections.abc import Mapping
from types import MappingProxyType

from engine.errors import EngineError
from engine.profiles.profile import Profile
from engine.profiles.quantization import divide, multiply_by_reciprocal
from engine.profiles.requantization import (
    exact,
    fbgemm,
    onednn,
    onnxruntime,
    opencv,
    qnnpack,
)

_ALL = (
    Profile("spec", "exact real value, one rounding", exact, exact, True, divide),
    Profile("ort", "onnxruntime on x86", onnxruntime, onnxruntime, True, divide),
    Profile("fbgemm", "torch, engine fbgemm", fbgemm, fbgemm, False, divide),
    Profile("qnnpack", "torch, engine qnnpack", qnnpack, qnnpack, False, divide),
    Profile("onednn", "torch, engine onednn", onednn, onednn, False, divide),
    Profile("opencv", "OpenCV 5 on x86", opencv, opencv, False, multiply_by_reciprocal),
)

PROFILES: Mapping[str, Profile] = MappingProxyType({each.name: each for each in _ALL})


def find_profile(name: str) -> Profile:
    """The profile of that name; EngineError listing all names otherwise."""
    if name not in PROFILES:
        raise EngineError(f"profile {name!r} is unknown; known: {', '.join(PROFILES)}")
    return PROFILES[name]
