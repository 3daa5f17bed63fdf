"""The convolution family: one quantized convolution and every parameter it can have.

``ConvSpec`` holds the parameters, ``build`` makes the case, ``describe`` reads a case back,
``parameters`` puts a spec into the words of laws, ``conv_specs`` draws specs.
"""

from generators.operators.conv.build import build
from generators.operators.conv.describe import describe
from generators.operators.conv.draw import conv_specs
from generators.operators.conv.spec import (
    NEWEST_OPSET,
    OLDEST_OPSET,
    ConvSpec,
    problem,
    resized,
)
from generators.operators.conv.words import parameters

__all__ = [
    "NEWEST_OPSET",
    "OLDEST_OPSET",
    "ConvSpec",
    "build",
    "conv_specs",
    "describe",
    "parameters",
    "problem",
    "resized",
]
