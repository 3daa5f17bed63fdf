"""Valid models with something changed at random: a field of the message, or its bytes."""

import random
from typing import Any

import onnx

INTEGERS = (0, 1, -1, 2, 3, 7, 100, 2**31 - 1, -(2**31), 2**40, 2**62, -(2**63))
FLOATS = (0.0, -1.0, float("nan"), float("inf"), 1e-45, 3e38)
TEXTS = ("", "Relu", "Conv", "QuantizeLinear", "x" * 100_000, "a\nb", "..", "/etc/passwd")


def mutated_bytes(model: onnx.ModelProto, r: random.Random) -> bytes:
    """Up to four bytes replaced, left out or put in."""
    data = bytearray(model.SerializeToString())
    for _ in range(r.randint(1, 4)):
        at = r.randrange(len(data))
        match r.randrange(3):
            case 0:
                data[at] = r.randrange(256)
            case 1:
                del data[at : at + r.randint(1, 4)]
            case _:
                data[at:at] = bytes(r.randrange(256) for _ in range(r.randint(1, 3)))
    return bytes(data)


def mutated_fields(model: onnx.ModelProto, r: random.Random) -> onnx.ModelProto:
    """Up to three fields cleared, left out, doubled, exchanged or set to something absurd."""
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    for _ in range(r.randint(1, 3)):
        fields: list[Any] = []
        _collect(changed, fields)
        message, field = r.choice(fields)
        try:
            _change(message, field, r)
        except (ValueError, TypeError, IndexError):  # protobuf itself does not allow it
            continue
    return changed


def _collect(message: Any, found: list[Any]) -> None:
    for field, value in message.ListFields():
        found.append((message, field))
        if field.type == field.TYPE_MESSAGE:
            for each in value if field.is_repeated else [value]:
                _collect(each, found)


def _change(message: Any, field: Any, r: random.Random) -> None:
    if r.randrange(4) == 0 or (field.type == field.TYPE_MESSAGE and not field.is_repeated):
        message.ClearField(field.name)
        return
    value = getattr(message, field.name)
    if not field.is_repeated:
        setattr(message, field.name, _value(field, value, r))
        return
    at = r.randrange(len(value))
    if r.randrange(3) == 0:
        del value[at]
    elif field.type != field.TYPE_MESSAGE:
        value[at] = _value(field, value[at], r)
    elif r.randrange(2):
        value.add().CopyFrom(value[at])
    else:
        value[at].CopyFrom(value[r.randrange(len(value))])


def _value(field: Any, old: Any, r: random.Random) -> Any:
    if field.type == field.TYPE_STRING:
        return r.choice(TEXTS)
    if field.type == field.TYPE_BYTES:
        return old[: r.randint(0, len(old))] + bytes([r.randrange(256)])
    if field.type in (field.TYPE_FLOAT, field.TYPE_DOUBLE):
        return r.choice(FLOATS)
    if field.type == field.TYPE_ENUM:
        return r.choice([each.number for each in field.enum_type.values])
    return r.choice([*INTEGERS, *range(30)])
