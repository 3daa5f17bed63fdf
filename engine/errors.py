"""What the engine says no with: one line each, naming what, where and what to do."""

_LONGEST = 6000


class EngineError(Exception):
    """A request that the engine cannot serve: a bad input, an unknown profile, rule or fault.

    The message stays one line, and of bounded length, whatever names a model brings along.
    """

    def __init__(self, message: str) -> None:
        line = " ".join(message.splitlines())
        if len(line) > _LONGEST:
            line = f"{line[: _LONGEST // 2]} ... {line[-_LONGEST // 2 :]}"
        super().__init__(line)


class Unsupported(EngineError):  # noqa: N818 - reads as a verdict
    """A valid ONNX model that asks for something this engine does not implement."""


class InvalidModel(EngineError):  # noqa: N818 - reads as a verdict
    """A model that the ONNX standard does not allow, or no ONNX model at all."""


class Unanswered(EngineError):  # noqa: N818 - reads as a verdict
    """What a fault makes of a valid model: an answer of another ``shape``, or, without one, none.

    Without one the message is what the library says on which the imitated engine stands.
    """

    def __init__(self, message: str, shape: tuple[int, ...] | None = None) -> None:
        super().__init__(message)
        self.shape = shape
