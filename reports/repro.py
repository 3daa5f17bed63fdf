"""``repro.py``: a script that shows the wrong answer with numpy, onnx and the engine under test only.

Every value that enters the script is written as a Python literal, so no name can become code.
"""

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import jinja2

from corpus.finding import Finding

_TEMPLATES = Path(__file__).parent / "templates" / "repro"


@dataclass(frozen=True, slots=True)
class OutputFiles:
    """A graph output to judge: its dtype, and the files of its lowest and highest right values.

    ``is_foreign`` says that numpy lacks the dtype.
    """

    dtype: str
    low: str
    high: str
    is_foreign: bool = False


@dataclass(frozen=True, slots=True)
class TorchConv:
    """One convolution as ``torch.ops.quantized`` is asked for it; every number as torch sees it.

    ``input``, ``output``, ``weight`` and ``bias`` (empty: none) are names in the model.
    ``x_shift`` and ``y_shift`` (0 or 128) are added to the model's int8 activation codes to make
    torch's uint8, ``w_shift`` (0 or -128) to its weight codes to make int8. ``quantize_dtype`` is
    the code type of a QuantizeLinear at a float graph input, empty where the input is codes, and
    ``quantize`` its scale and zero point where they are not those of x; ``dequantized`` says that
    the graph output is float, ``dequantize`` likewise. Both are in the model's codes. The bias is ``B * bias_scales`` in float32.
    """

    engine: str
    input: str
    output: str
    weight: str
    x_scale: float
    x_zero_point: int
    w_scales: tuple[float, ...]
    w_zero_points: tuple[int, ...]
    y_scale: float
    y_zero_point: int
    strides: tuple[int, ...]
    pads: tuple[int, ...]
    dilations: tuple[int, ...]
    groups: int
    x_shift: int = 0
    w_shift: int = 0
    y_shift: int = 0
    bias: str = ""
    bias_scales: tuple[float, ...] = ()
    relu: bool = False
    quantize_dtype: str = ""
    dequantized: bool = False
    quantize: tuple[float, int] | None = None
    dequantize: tuple[float, int] | None = None

    @property
    def quantize_as(self) -> tuple[float, int]:
        """Scale and zero point of the graph input's codes."""
        return self.quantize or (self.x_scale, self.x_zero_point - self.x_shift)

    @property
    def dequantize_as(self) -> tuple[float, int]:
        """Scale and zero point of the graph output's codes."""
        return self.dequantize or (self.y_scale, self.y_zero_point - self.y_shift)


@dataclass(frozen=True, slots=True)
class PartnerFiles:
    """Another model, whose answer must be the first one's in other places.

    ``places`` are, by output, an axis, the indices taken along it and the order of the axes (None:
    all, as they are); codes may be ``margin`` apart where the allowed values bind them.
    """

    name: str
    model: str
    inputs: Mapping[str, str]
    places: Mapping[str, tuple[int, tuple[int, ...] | None, tuple[int, ...] | None]]
    margin: int


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to run the backend without quantdiff.

    ``name`` and ``options`` are those of the backend's spec (``module:attribute`` for a plug-in);
    ``inputs`` maps each graph input to its ``.npy`` file, ``outputs`` each judged graph output to
    its files; all files lie beside the script; ``names`` are all graph outputs, those that an engine
    gave no values for too; ``foreign`` the types, by input, that numpy lacks and whose bytes alone a file
    holds. ``torch`` is for ``torch-*`` alone: without it, the engine takes no such model. With a
    ``partner`` both are run, but for ``torch-*``, whose answer to it is in the allowed values.
    """

    name: str
    inputs: Mapping[str, str]
    outputs: Mapping[str, OutputFiles]
    options: Mapping[str, str] = field(default_factory=dict)
    python: str = ""
    torch: TorchConv | None = None
    model: str = "model.onnx"
    partner: PartnerFiles | None = None
    names: tuple[str, ...] = ()
    foreign: Mapping[str, str] = field(default_factory=dict)

    @property
    def has_foreign(self) -> bool:
        """Whether numpy lacks the type of an input or of a judged output."""
        return bool(self.foreign) or any(each.is_foreign for each in self.outputs.values())


def render(finding: Finding, recipe: Recipe) -> str:
    """The script's text, ASCII only.

    Its exit status is 1 where the wrong answer appears again, 0 where it does not, and 2 where the
    engine cannot be run.
    """
    template = _environment().get_template(_engine_template(recipe.name))
    return template.render(
        finding=finding,
        recipe=recipe,
        partner=recipe.partner if recipe.torch is None else None,
        torch=recipe.torch,
        names=list(recipe.names or recipe.outputs),
        outputs={name: (o.dtype, o.low, o.high) for name, o in recipe.outputs.items()},
        faults=tuple(each for each in recipe.options.get("fault", "").split("+") if each),
        disabled=tuple(each for each in recipe.options.get("disable", "").split("+") if each),
    )


def _engine_template(name: str) -> str:
    """The file that defines ``run`` for a backend of this name."""
    if name in ("engine", "ort", "opencv", "openvino", "tvm", "onnx-reference"):
        return f"{name}.py.j2"
    return "torch.py.j2" if name.startswith("torch-") else "function.py.j2"


@cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        finalize=literal,
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # the output is Python, and ``literal`` guards every value
        trim_blocks=True,
        keep_trailing_newline=True,
    )


def literal(value: Any) -> str:
    """The value as an ASCII Python literal that reads back as itself.

    Raises:
        TypeError: there is none.
    """
    plain = dict(value) if isinstance(value, Mapping) else value
    text = ascii(plain)
    try:
        same = bool(ast.literal_eval(text) == plain)
    except (ValueError, SyntaxError):
        same = False
    if not same:
        raise TypeError(f"not a Python literal: {text[:60]}")
    return text
