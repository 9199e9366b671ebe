"""Decode the pickled ``text_prompts`` of an npz without executing anything.

Four fences: limits of size and count, a list of the opcodes that plain data needs, stand-ins for
the few numpy functions that such data calls, and tables that refuse keys whose hash can nest.
A pickle outside of them is refused, not repaired.
"""

from __future__ import annotations

import io
import pickle
import pickletools
import reprlib
from collections.abc import Callable
from typing import ClassVar

import numpy as np

from predict.errors import CaseError

MAX_BYTES = 16 * 2**20
MAX_CONTENT = 64 * 2**10
MAX_OPCODES = 20_000
MAX_KEYS = 4096
MAX_DEPTH = 64
PLAIN_OPCODES = frozenset(
    (
        *("PROTO", "FRAME", "STOP", "MARK", "POP", "POP_MARK"),
        *("MEMOIZE", "PUT", "BINPUT", "LONG_BINPUT", "GET", "BINGET", "LONG_BINGET"),
        *("NONE", "NEWTRUE", "NEWFALSE", "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1"),
        *("FLOAT", "BINFLOAT", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
        *("BINBYTES", "SHORT_BINBYTES", "STRING", "BINSTRING", "SHORT_BINSTRING"),
        *("EMPTY_DICT", "DICT", "SETITEM", "SETITEMS", "EMPTY_LIST", "LIST", "APPEND", "APPENDS"),
        *("EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3"),
        *("GLOBAL", "STACK_GLOBAL", "REDUCE", "BUILD"),
    )
)
PUTS = frozenset(("PUT", "BINPUT", "LONG_BINPUT"))
DTYPE_CODES = frozenset(
    ("O8", "b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8")
)


def load_restricted(data: bytes) -> object:
    """Decode a pickle of dicts, lists, tuples, text, numbers and small numpy values.

    Pickles of numpy 1 and numpy 2 are read, protocols 0 to 5 (numpy saves with 3 or 4), except
    for numeric arrays in protocol 5. An array becomes its only item, or a list.

    Raises:
        CaseError: The pickle is malformed, too large, or holds or calls anything else.
    """
    if len(data) > MAX_BYTES:
        raise CaseError(f"pickled object: expected at most {MAX_BYTES} bytes, received {len(data)}")
    try:
        _check_opcodes(data)
        return _Unwrapper().unwrap(_PlainUnpickler(io.BytesIO(data)).load())
    except CaseError:
        raise
    except Exception as error:
        # A malformed pickle can raise almost anything; all of it means the same.
        raise CaseError(f"pickled object: not readable ({type(error).__name__})") from error


def _check_opcodes(data: bytes) -> None:
    for count, (opcode, argument, _) in enumerate(pickletools.genops(data)):
        if opcode.name not in PLAIN_OPCODES:
            raise CaseError(f"pickled object: operation {opcode.name} is refused")
        if opcode.name in PUTS and not 0 <= (argument or 0) <= MAX_OPCODES:
            raise CaseError(f"pickled object: memo index {argument} is refused")
        if count >= MAX_OPCODES:
            raise CaseError(f"pickled object: more than {MAX_OPCODES} operations are refused")


class _Dtype:
    """Stand-in for numpy.dtype: only plain codes, and it ignores the state that follows."""

    def __init__(self, code: object, *_: object) -> None:
        if not isinstance(code, str) or (code not in DTYPE_CODES and not _is_text(code)):
            raise CaseError(f"pickled object: dtype {reprlib.repr(code)} is refused")
        self.code = code
        self.order = "="

    def __setstate__(self, state: object) -> None:
        order = state[1] if isinstance(state, tuple) and len(state) > 1 else None
        if order in ("<", ">", "|", "="):
            self.order = str(order)

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """The numpy dtype it stands for."""
        return np.dtype(("|" if self.order == "=" else self.order) + self.code)


class _Array:
    """Stand-in for numpy.ndarray under construction; decodes its items when asked."""

    def __init__(self) -> None:
        self.dtype = _Dtype("O8")
        self.content: object = []

    def __setstate__(self, state: object) -> None:
        if not isinstance(state, tuple) or len(state) != 5 or not isinstance(state[2], _Dtype):
            raise CaseError("pickled object: an array with an unknown state is refused")
        _, _, self.dtype, _, self.content = state

    def tolist(self) -> list[object]:
        """The items in the order of memory, whatever the shape says."""
        if isinstance(self.content, list):
            return self.content
        return _decode(self.dtype, self.content)


class _Table(dict[object, object]):
    """A dict for plain keys: nested tuples take exponential time, or the whole stack, to hash."""

    def __setitem__(self, key: object, value: object) -> None:
        if not isinstance(key, str | bytes | int | float | None):
            raise CaseError(f"pickled object: a key of type {type(key).__name__} is refused")
        if len(self) >= MAX_KEYS:
            raise CaseError(f"pickled object: more than {MAX_KEYS} keys are refused")
        super().__setitem__(key, value)


def _is_text(code: str) -> bool:
    return code[:1] in ("U", "S") and code[1:].isdigit() and len(code) < 8


def _decode(dtype: _Dtype, content: object) -> list[object]:
    if isinstance(content, str):
        content = _encode(content)
    if not isinstance(content, bytes) or len(content) > MAX_CONTENT:
        raise CaseError(f"pickled object: expected at most {MAX_CONTENT} bytes of numpy data")
    items: list[object] = np.frombuffer(content, dtype.dtype).tolist() if content else []
    return items


def _reconstruct(kind: object, shape: object, code: object) -> _Array:
    if kind is not _ndarray or shape != (0,) or code not in (b"b", "b"):
        raise CaseError("pickled object: an array of an unknown kind is refused")
    return _Array()


def _scalar(dtype: object, content: object) -> object:
    if not isinstance(dtype, _Dtype) or dtype.code.startswith("O"):
        raise CaseError("pickled object: a scalar of an unknown dtype is refused")
    items = _decode(dtype, content)
    if len(items) > 1:
        raise CaseError(f"pickled object: expected one scalar, received {len(items)}")
    return items[0] if items else ""


def _encode(text: object, encoding: object = "latin1") -> bytes:
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise CaseError("pickled object: this text encoding is refused")
    if len(text) > MAX_CONTENT:
        raise CaseError(f"pickled object: expected at most {MAX_CONTENT} bytes of numpy data")
    return text.encode("latin-1")


def _ndarray(*_: object) -> object:
    raise CaseError("pickled object: a direct call of numpy.ndarray is refused")


STAND_INS: dict[tuple[str, str], Callable[..., object]] = {
    ("numpy", "dtype"): _Dtype,
    ("numpy", "ndarray"): _ndarray,
    ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy.core.multiarray", "scalar"): _scalar,
    ("numpy._core.multiarray", "scalar"): _scalar,
    ("_codecs", "encode"): _encode,
}


LOAD: dict[int, Callable[..., None]] = {**pickle._Unpickler.dispatch}


class _PlainUnpickler(pickle._Unpickler):
    """The pure Python unpickler, as its single steps can be fenced, with stand-ins only."""

    stack: list[object]

    def find_class(self, module: str, name: str) -> Callable[..., object]:
        """The stand-in for a global, or a refusal."""
        try:
            return STAND_INS[module, name]
        except KeyError:
            shown = ascii(f"{module}.{name}"[:80])[1:-1]
            raise CaseError(f"pickled object: {shown} is refused") from None

    def load_build(self) -> None:
        """Give state to stand-ins only, never to functions or classes."""
        if not isinstance(self.stack[-2], _Dtype | _Array):
            raise CaseError("pickled object: state for a foreign object is refused")
        LOAD[pickle.BUILD[0]](self)

    def load_empty_dict(self) -> None:
        """Start a table."""
        self.stack.append(_Table())

    def load_dict(self) -> None:
        """Start a table, as protocols 0 and 1 do; they fill it later."""
        LOAD[pickle.LIST[0]](self)
        if self.stack[-1]:
            raise CaseError("pickled object: operation DICT with items is refused")
        self.stack[-1] = _Table()

    dispatch: ClassVar[dict[int, Callable[..., None]]] = {
        **LOAD,
        pickle.BUILD[0]: load_build,
        pickle.EMPTY_DICT[0]: load_empty_dict,
        pickle.DICT[0]: load_dict,
    }


class _Unwrapper:
    """Replaces stand-ins by plain values: an array becomes its only item, or a list.

    A pickle can refer to one list many times, so that it unfolds without end: items are counted.
    """

    def __init__(self) -> None:
        self.items = 0

    def unwrap(self, value: object, depth: int = 0) -> object:
        """Plain copy of a value."""
        self.items += 1
        if depth > MAX_DEPTH or self.items > MAX_OPCODES:
            raise CaseError("pickled object: nested too deeply or too large")
        if isinstance(value, _Array):
            items = [self.unwrap(item, depth + 1) for item in value.tolist()]
            return items[0] if len(items) == 1 else items
        if isinstance(value, dict):
            return {self.unwrap(k, depth + 1): self.unwrap(v, depth + 1) for k, v in value.items()}
        if isinstance(value, list | tuple):
            return type(value)([self.unwrap(item, depth + 1) for item in value])
        if value is None or isinstance(value, str | bytes | int | float):
            return value
        raise CaseError(f"pickled object: a bare {type(value).__name__} is refused")
