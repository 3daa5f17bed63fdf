"""The exact arithmetic of each engine, as data: which function turns sums into codes."""

from engine.profiles.catalogue import PROFILES, find_profile
from engine.profiles.profile import Profile
from engine.profiles.requantization import (
    Prepare,
    Requantization,
    Rescaling,
    convert_then_saturate,
    saturate,
)

__all__ = [
    "PROFILES",
    "Prepare",
    "Profile",
    "Requantization",
    "Rescaling",
    "convert_then_saturate",
    "find_profile",
    "saturate",
]
