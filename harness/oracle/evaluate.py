"""The oracle: what a correct implementation may return for the tensors of one model."""

from collections.abc import Mapping, Sequence

import numpy as np
import onnx

from corpus.case import Array
from harness.oracle.graph import Node, read_graph
from harness.oracle.inputs import Inputs
from harness.oracle.operators import OPERATORS
from harness.oracle.scope import Scope
from harness.oracle.values import (
    CODE_TYPES,
    FLOAT_CODES,
    Allowed,
    Codes,
    Silent,
    Value,
    allowed,
    point_codes,
    point_reals,
)


class Oracle:
    """The judge of one model: keeps what it has read of the graph between questions."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self._model = model
        self._graph = read_graph(model)
        self._scope = Scope(self._graph)

    def tensors(self) -> tuple[str, ...]:
        """Every tensor in topological order: graph inputs, then what the nodes make."""
        made = [name for node in self._graph.nodes for name in node.outputs if name]
        return (*self._graph.inputs, *made)

    def allowed(
        self, known: Mapping[str, Array], wanted: Sequence[str] | None = None
    ) -> dict[str, Allowed]:
        """The allowed values of ``wanted`` (default: the graph outputs), computed from ``known``.

        Evaluation goes backwards and stops at known tensors, so one fused operation is judged on
        the inputs that a backend itself produced. A wanted tensor is computed even if it is known.

        Raises:
            Silent: the model asks for something that the oracle does not judge, or is not valid.
        """
        try:
            return self._allowed(known, wanted)
        except (ArithmeticError, AttributeError, TypeError) as error:
            why = _invalidity(self._model)
            if not why:
                raise
            raise Silent(f"the model is not valid: {why}", "the graph") from error

    def _allowed(
        self, known: Mapping[str, Array], wanted: Sequence[str] | None
    ) -> dict[str, Allowed]:
        names = self._graph.outputs if wanted is None else tuple(wanted)
        # Overflow and NaN are foreseen: such elements come out as "anything goes".
        with np.errstate(all="ignore"):
            values = _Evaluation(self._scope, known).values(names)
        return {name: allowed(name, value) for name, value in values.items()}


def _invalidity(model: onnx.ModelProto) -> str:
    """Why ONNX's own checker refuses the model, in a line; empty where it does not."""
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        return str(error).strip().splitlines()[0]
    return ""


class _Evaluation:
    """One pass over the graph: known arrays in, sets out."""

    def __init__(
        self,
        scope: Scope,
        known: Mapping[str, Array],
        around: Mapping[str, Value] | None = None,
    ) -> None:
        self._scope, self._known = scope, known
        self._given: dict[str, Value] = {}
        self._computed: dict[str, Value] = dict(around or {})

    def values(self, wanted: Sequence[str]) -> dict[str, Value]:
        nodes = self._scope.plan(wanted, self._known)
        last = {name: place for place, node in enumerate(nodes) for name in node.inputs}
        for place, node in enumerate(nodes):
            if node.op != "Constant":
                made = self._run(node)
                names = [name for name in node.outputs if name]
                values = made if isinstance(made, tuple) else (made,)
                self._computed.update(zip(names, values, strict=False))
            for name in node.inputs:
                if last[name] == place and name not in wanted:
                    self._computed.pop(name, None)
                    self._given.pop(name, None)
        return {name: self._final(name) for name in wanted}

    def _run(self, node: Node) -> Value | tuple[Value, ...]:
        judge = OPERATORS.get(node.op)
        try:
            if node.op == "If":
                return self._chosen(node)
            if judge is None:
                raise Silent("the operator is not judged", node.where)
            return judge(node, Inputs(node, self._value, self._array))
        # numpy's and dict's words for shapes that do not fit and attributes that are missing
        except (ValueError, IndexError, KeyError) as error:
            raise Silent(f"its inputs do not fit together: {error}", node.where) from error

    def _chosen(self, node: Node) -> tuple[Value, ...]:
        """What the branch of an If makes that its condition chooses. ONNX If-1 to -25."""
        condition = self._array(node.input(0))
        if condition is None:
            raise Silent("its condition is computed, and no value of it is known", node.where)
        name = "then_branch" if condition.item() else "else_branch"
        scope = self._scope.branch(node, name)
        around = {each: self._computed[each] for each in node.inputs if each in self._computed}
        values = _Evaluation(scope, self._known, around).values(scope.graph.outputs)
        made = zip(node.outputs, scope.graph.outputs, strict=True)
        return tuple([values[inner] for outer, inner in made if outer])

    def _final(self, name: str) -> Value:
        return self._computed[name] if name in self._computed else self._value(name)

    def _value(self, name: str) -> Value:
        """A known tensor, else a computed one, else a constant."""
        if name in self._given:
            return self._given[name]
        if name not in self._known and name in self._computed:
            return self._computed[name]
        array = self._array(name)
        if array is None:
            raise Silent(
                "no value is given for it and no node computes it", f"tensor {name!r}"
            )
        self._given[name] = _point(name, array)
        return self._given[name]

    def _array(self, name: str) -> Array | None:
        """A known or constant tensor, or a computed one without any doubt."""
        known = self._known.get(name)
        if known is not None:
            return known
        constant = self._scope.constant(name)
        if constant is not None or name not in self._computed:
            return constant
        value = self._computed[name]
        if isinstance(value, Codes) and value.is_point:
            return value.centre.astype(value.dtype)
        return None


def _point(name: str, array: Array) -> Value:
    if array.dtype == np.float32:
        return point_reals(array)
    if array.dtype.kind in "iub" or array.dtype in CODE_TYPES or array.dtype in FLOAT_CODES:
        return point_codes(array)
    raise Silent(f"element type {array.dtype} is not judged", f"tensor {name!r}")
