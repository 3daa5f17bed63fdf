"""A backend that says where it runs."""

import sys
from typing import Any

import numpy as np


def run(model: Any, inputs: Any) -> dict[str, Any]:
    facts = {"prefix": sys.prefix, "path": "\n".join(sys.path)}
    return {name: np.frombuffer(text.encode(), np.uint8) for name, text in facts.items()}
