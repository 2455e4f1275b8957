"""Writes ONNX files, which are protocol buffers, without the package that makes them."""

from __future__ import annotations

from pathlib import Path

FLOAT, INT64 = 1, 7
_INTEGER, _INTEGERS = 2, 7


def message(**fields: int | str | bytes | list[bytes]) -> bytes:
    """A protocol buffer of fields named ``_<number>``, each one value or several."""
    made = b""
    for name, values in fields.items():
        number = int(name[1:])
        for value in values if isinstance(values, list) else [values]:
            if isinstance(value, int):
                made += _varint(number << 3) + _varint(value)
            else:
                content = value.encode() if isinstance(value, str) else value
                made += _varint(number << 3 | 2) + _varint(len(content)) + content
    return made


def _varint(value: int) -> bytes:
    made = bytearray()
    while value > 0x7F:
        made.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*made, value])


def node(kind: str, inputs: list[str], output: str, **attributes: int | list[int]) -> bytes:
    """One operation."""
    given = [
        message(_1=name, _3=value, _20=_INTEGER)
        if isinstance(value, int)
        else message(_1=name, _20=_INTEGERS) + b"".join(message(_8=each) for each in value)
        for name, value in attributes.items()
    ]
    return message(_1=[name.encode() for name in inputs], _2=output, _4=kind, _5=given)


def constant(name: str, kind: int, shape: list[int], raw: bytes) -> bytes:
    """A tensor that the file holds."""
    return b"".join(message(_1=side) for side in shape) + message(_2=kind, _8=name, _9=raw)


def value(name: str, kind: int, shape: list[int]) -> bytes:
    """What goes in or out."""
    sides = message(_1=[message(_1=side) for side in shape])
    return message(_1=name, _2=message(_1=message(_1=kind, _2=sides)))


def write_onnx(path: Path, nodes: list[bytes], constants: list[bytes], given: bytes, found: list[bytes]) -> Path:
    """A file of one graph."""
    graph = message(_1=nodes, _2="test", _5=constants, _11=given, _12=found)
    path.write_bytes(message(_1=8, _7=graph, _8=message(_2=17)))
    return path
