"""Decode the pickled ``text_prompts`` of an npz without executing anything.

Three fences: a size limit, a list of the opcodes that plain data needs, and stand-ins for the few
numpy functions that such data calls. A pickle outside of them is refused, not repaired.
"""

from __future__ import annotations

import io
import pickle
import pickletools
from collections.abc import Callable

import numpy as np

from predict.errors import CaseError

MAX_BYTES = 4 * 2**20
MAX_OPCODES = 200_000
MAX_DEPTH = 64
MAX_MEMO = 100_000
PLAIN_OPCODES = frozenset(
    """
    PROTO FRAME STOP MARK POP POP_MARK MEMOIZE PUT BINPUT LONG_BINPUT GET BINGET LONG_BINGET
    NONE NEWTRUE NEWFALSE INT BININT BININT1 BININT2 LONG LONG1 FLOAT BINFLOAT
    UNICODE BINUNICODE SHORT_BINUNICODE BINUNICODE8 BINBYTES SHORT_BINBYTES BINSTRING
    SHORT_BINSTRING STRING EMPTY_DICT DICT SETITEM SETITEMS EMPTY_LIST LIST APPEND APPENDS
    EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 TUPLE3 GLOBAL STACK_GLOBAL REDUCE BUILD
    """.split()
)
PUTS = frozenset(("PUT", "BINPUT", "LONG_BINPUT"))
DTYPE_CODES = frozenset(
    ("O8", "b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8")
)


def load_restricted(data: bytes) -> object:
    """Decode a pickle of dicts, lists, tuples, text, numbers and small numpy values.

    Pickles of numpy 1 and numpy 2 are read, protocols 0 to 4 (numpy saves with 3 or 4).

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
    depth = 0
    for count, (opcode, argument, _) in enumerate(pickletools.genops(data)):
        if opcode.name not in PLAIN_OPCODES:
            raise CaseError(f"pickled object: operation {opcode.name} is refused")
        if opcode.name in PUTS and int(argument) > MAX_MEMO:
            raise CaseError(f"pickled object: memo index {argument} is refused")
        depth += opcode.name == "MARK"
        if count > MAX_OPCODES or depth > MAX_OPCODES // 4:
            raise CaseError("pickled object: too many operations")


class _Dtype:
    """Stand-in for numpy.dtype: only plain codes, and it ignores the state that follows."""

    def __init__(self, code: object, *_: object) -> None:
        if not isinstance(code, str) or (code not in DTYPE_CODES and not _is_text(code)):
            raise CaseError(f"pickled object: dtype {str(code)[:20]!r} is refused")
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
    """Stand-in for numpy.ndarray under construction; holds its items as a list."""

    def __init__(self) -> None:
        self.items: list[object] = []
        self.shape: tuple[int, ...] = ()

    def __setstate__(self, state: object) -> None:
        if not isinstance(state, tuple) or len(state) != 5:
            raise CaseError("pickled object: an array with an unknown state is refused")
        _, shape, dtype, _, content = state
        if not isinstance(dtype, _Dtype) or not isinstance(shape, tuple):
            raise CaseError("pickled object: an array with an unknown state is refused")
        self.shape = shape
        if isinstance(content, list):
            self.items = content
        else:
            self.items = np.frombuffer(_as_bytes(content), dtype.dtype).tolist()


def _is_text(code: str) -> bool:
    return code[:1] in ("U", "S") and code[1:].isdigit() and len(code) < 8


def _as_bytes(value: object) -> bytes:
    if isinstance(value, str):
        return value.encode("latin-1")
    if isinstance(value, bytes):
        return value
    raise CaseError(f"pickled object: expected bytes, received {type(value).__name__}")


def _reconstruct(*_: object) -> _Array:
    return _Array()


def _scalar(dtype: object, content: object = b"") -> object:
    if not isinstance(dtype, _Dtype) or dtype.code.startswith("O"):
        raise CaseError("pickled object: a scalar of an unknown dtype is refused")
    return np.frombuffer(_as_bytes(content), dtype.dtype, count=1)[0].item()


def _encode(text: object, encoding: object = "latin1") -> bytes:
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise CaseError("pickled object: this text encoding is refused")
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


class _PlainUnpickler(pickle._Unpickler):  # type: ignore[name-defined,misc]
    """The pure Python unpickler (its memo is a dict, not memory by index), with stand-ins only."""

    dispatch = dict(pickle._Unpickler.dispatch)  # type: ignore[attr-defined]

    def find_class(self, module: str, name: str) -> Callable[..., object]:
        """The stand-in for a global, or a refusal."""
        try:
            return STAND_INS[module, name]
        except KeyError:
            raise CaseError(f"pickled object: {module}.{name} is refused") from None

    def load_build(self) -> None:
        """Give state to stand-ins only, never to functions or classes."""
        if not isinstance(self.stack[-2], _Dtype | _Array):
            raise CaseError("pickled object: state for a foreign object is refused")
        super().load_build()

    dispatch[pickle.BUILD[0]] = load_build


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
            items = [self.unwrap(item, depth + 1) for item in value.items]
            return items[0] if len(items) == 1 else items
        if isinstance(value, dict):
            return {
                self.unwrap(k, depth + 1): self.unwrap(v, depth + 1) for k, v in value.items()
            }
        if isinstance(value, list | tuple):
            return type(value)([self.unwrap(item, depth + 1) for item in value])
        if value is None or isinstance(value, str | bytes | int | float):
            return value
        raise CaseError(f"pickled object: a bare {type(value).__name__} is refused")
