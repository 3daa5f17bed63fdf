"""A worker's reply as the value the rest of the harness works with."""

from harness.backends.process import Message
from harness.outcome import FusedOp, Refused, Tapped, Values


def outcome(message: Message) -> Values | Refused:
    """The outcome in the reply to ``run``."""
    header, arrays = message
    if header["kind"] == "values":
        return Values(dict(arrays))
    return Refused(header["message"], header["documented"])


def tapped(message: Message) -> Tapped | Refused:
    """What the reply to ``tap`` holds."""
    header, arrays = message
    if header["kind"] != "tapped":
        return Refused(header["message"], header["documented"])
    plan = tuple(
        FusedOp(
            each["kind"],
            each["name"],
            tuple(each["nodes"]),
            tuple(each["inputs"]),
            tuple(each["outputs"]),
        )
        for each in header["plan"]
    )
    return Tapped(dict(arrays), plan, header["method"], header["confirmed"])
