"""A finding: one bug of one backend, with everything that a script or a person needs to act on it.

``Finding`` is exactly ``finding.json``. ``Evidence`` is what the pages show besides; it lives in
the event log only, so that every page can be rendered again from there.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

PARTNER = "a partner"
"""What located a bug where the standard is silent: two answers of the backend that do not fit."""


@dataclass(frozen=True, slots=True)
class Engine:
    """Which backend, in which version: ``opencv``, ``5.0.0``."""

    name: str
    version: str


@dataclass(frozen=True, slots=True)
class Steps:
    """How far and how often: largest distance in steps, wrong elements, all elements."""

    max: float
    wrong: int
    total: int


@dataclass(frozen=True, slots=True)
class Match:
    """A fault whose emulation gives the backend's values on ``matched`` of ``total`` elements.

    Every element that the oracle calls wrong is among the matched ones. Of none where there are none
    of the model's: the fault foretells the refusal's words, or the shape.
    """

    fault: str
    title: str
    matched: int
    total: int


@dataclass(frozen=True, slots=True)
class LawCounts:
    """How the law fared on neighbouring cases.

    ``failing`` of the ``called_failing`` neighbours do fail, ``passing`` of the ``called_passing``
    others do pass.
    """

    failing: int
    called_failing: int
    passing: int
    called_passing: int


@dataclass(frozen=True, slots=True)
class Size:
    """How small the case is: compute nodes (Q and DQ not counted), ONNX bytes, input elements."""

    nodes: int
    bytes: int
    elements: int


@dataclass(frozen=True, slots=True)
class Finding:
    """``finding.json``: one divergence, refusal, crash or hang of one backend.

    ``kind`` is a verdict of the oracle, ``verdict`` its class (a ``divergent`` value is ``wrong``, a
    ``double rounding`` or a ``saturated accumulator``); ``op`` the ONNX operator and ``nodes`` the source nodes of
    the operation at fault; ``fused_as`` its name inside the backend; ``switches`` the minimal sets
    of passes whose removal restores the answer; ``near_misses`` faults that reproduce more than 95 %
    of the wrong elements where none reproduces all; ``instruction_sets`` the verdict on each that the
    backend can be held to; ``releases`` what each release of the engine that took part makes of the
    smallest case (words of ``corpus.history``); ``seen`` how many cases of the run show it.
    """

    id: str
    signature: str
    backend: Engine
    kind: str
    op: str
    nodes: tuple[str, ...]
    fused_as: str
    steps: Steps
    pattern: str
    switches: tuple[tuple[str, ...], ...]
    diagnosis: tuple[Match, ...]
    law: str
    law_counts: LawCounts
    size: Size
    seen: int
    located_by: str
    command: str
    message: str = ""
    near_misses: tuple[Match, ...] = ()
    verdict: str = ""
    instruction_sets: Mapping[str, str] = field(default_factory=dict)
    releases: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_by_partner(self) -> bool:
        """Whether it is the backend's own answer to a partner that its answer does not fit."""
        return self.located_by == PARTNER

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types, keys as in the class."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Finding":
        """The inverse of ``to_dict``; a missing or an unknown key raises ``TypeError``."""
        nested = {
            "backend": Engine(**data["backend"]),
            "nodes": tuple(data["nodes"]),
            "steps": Steps(**data["steps"]),
            "switches": tuple(tuple(each) for each in data["switches"]),
            "diagnosis": tuple(Match(**each) for each in data["diagnosis"]),
            "near_misses": tuple(Match(**each) for each in data.get("near_misses", ())),
            "law_counts": LawCounts(**data["law_counts"]),
            "size": Size(**data["size"]),
        }
        return cls(**{**data, **nested})


@dataclass(frozen=True, slots=True)
class GraphNode:
    """One node of the pictured graph; ``unit`` names the fused operation it ran in."""

    id: str
    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    unit: str
    culprit: bool


@dataclass(frozen=True, slots=True)
class TensorRow:
    """One tensor of the backend's run, judged on the values that the backend itself fed it."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    produced_by: str
    verdict: str
    steps: Steps


@dataclass(frozen=True, slots=True)
class Sample:
    """What one backend made of the culprit's tensor on the minimal case; values are flat."""

    backend: str
    version: str
    outcome: str
    verdict: str
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a report shows beyond the finding: all of it about the minimal case.

    ``heat`` is the distance in steps, channels x pixels; ``expected``, ``low`` and ``high`` are the
    oracle's values of ``tensor`` (shape ``shape``), flat, at most the first 4,096 elements, like
    every ``Sample.values``. ``parameters`` are the case's parameters in the words of the law;
    ``counterexamples`` the neighbours on which the law is wrong.
    """

    graph: tuple[GraphNode, ...]
    tensors: tuple[TensorRow, ...]
    tensor: str
    shape: tuple[int, ...]
    heat: tuple[tuple[float, ...], ...]
    expected: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    samples: tuple[Sample, ...]
    parameters: Mapping[str, Any]
    counterexamples: tuple[Mapping[str, Any], ...]
    versions: Mapping[str, str]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types, keys as in the class."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Evidence":
        """The inverse of ``to_dict``."""
        nested = {
            "graph": tuple(
                GraphNode(
                    **{
                        **each,
                        "inputs": tuple(each["inputs"]),
                        "outputs": tuple(each["outputs"]),
                    }
                )
                for each in data["graph"]
            ),
            "tensors": tuple(
                TensorRow(
                    **{**each, "shape": tuple(each["shape"]), "steps": Steps(**each["steps"])}
                )
                for each in data["tensors"]
            ),
            "shape": tuple(data["shape"]),
            "heat": tuple(tuple(row) for row in data["heat"]),
            "samples": tuple(
                Sample(**{**each, "values": tuple(each["values"])}) for each in data["samples"]
            ),
            "counterexamples": tuple(data["counterexamples"]),
        }
        for name in ("expected", "low", "high"):
            nested[name] = tuple(data[name])
        return cls(**{**data, **nested})
