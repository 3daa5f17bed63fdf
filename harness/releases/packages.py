"""Facts about the packages that engines come in."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from packaging.version import InvalidVersion, Version

BY_BACKEND: Mapping[str, str] = MappingProxyType(
    {
        "ort": "onnxruntime",
        "torch-fbgemm": "torch",
        "torch-qnnpack": "torch",
        "torch-onednn": "torch",
        "torch-x86": "torch",
        "opencv": "opencv-python-headless",
        "openvino": "openvino",
        "onnx-reference": "onnx",
    }
)
"""The package whose releases are those of a backend."""

NUMPY_2: Mapping[str, str] = MappingProxyType(
    {
        "onnxruntime": "1.19",
        "torch": "2.3",
        "opencv-python-headless": "4.10.0.84",
        "onnx": "1.17",
    }
)
"""The first release that works with NumPy 2; its own requirements do not tell of older ones.

Source: release notes of onnxruntime 1.19.0, PyTorch 2.3.0, opencv-python 4.10.0.84, onnx 1.17.0.
"""


def companions(package: str, version: str) -> tuple[str, ...]:
    """What an adapter needs besides the engine, as requirements that fit that release."""
    first = NUMPY_2.get(package)
    numpy = "numpy<2" if first and Version(version) < Version(first) else "numpy"
    return (numpy,) if package == "onnx" else (numpy, "onnx")


def parsed(text: str) -> Version | None:
    """The version, None where the text is none of Python's."""
    try:
        return Version(text)
    except InvalidVersion:
        return None


def in_version_order(versions: Iterable[str]) -> tuple[str, ...]:
    """Each once, the oldest first; what is no version is left out."""
    return tuple(sorted({each for each in versions if parsed(each)}, key=Version))


def is_release(found: str, wanted: str) -> bool:
    """Whether an installed version is the release: ``2.13.0+cpu`` is 2.13.0."""
    has, asked = parsed(found), parsed(wanted)
    if has is None or asked is None:
        return False
    return has == asked or (asked.local is None and Version(has.public) == asked)
