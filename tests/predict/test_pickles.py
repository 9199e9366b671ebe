"""Malicious pickles must be refused and must not run anything."""

from __future__ import annotations

import builtins
import functools
import importlib
import operator
import os
import pickle
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from predict.errors import CaseError
from predict.pickles import MAX_BYTES, load_restricted

TABLE = {"1": "liver", 2: "Leber größer", np.int64(3): np.str_("x"), "instance_label": np.uint8(1)}
PLAIN = {"1": "liver", 2: "Leber größer", 3: "x", "instance_label": 1}


class Call:
    """Pickles as a call of a function."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.parts = function, arguments

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return self.parts


@pytest.mark.parametrize("protocol", range(5))
def test_reads_what_numpy_saves(protocol: int) -> None:
    data = pickle.dumps(np.array(TABLE, dtype=object), protocol=protocol)
    assert load_restricted(data) == PLAIN


@pytest.mark.parametrize("package", [b"numpy.core", b"numpy._core"])
def test_reads_pickles_of_numpy_1_and_2(package: bytes) -> None:
    data = pickle.dumps(np.array(TABLE, dtype=object), protocol=3)
    for name in (b"numpy._core", b"numpy.core"):
        data = data.replace(b"c" + name + b".multiarray", b"c" + package + b".multiarray")
    assert package + b".multiarray" in data
    assert load_restricted(data) == PLAIN


def test_reads_small_arrays_and_nested_tables() -> None:
    value = {"a": [1, 2.5, None, True], "b": (np.arange(3), np.array(["x", "y"]))}
    expected = {"a": [1, 2.5, None, True], "b": ([0, 1, 2], ["x", "y"])}
    assert load_restricted(pickle.dumps(value, protocol=4)) == expected


def _calls(sentinel: Path) -> list[Call]:
    command = f"touch {sentinel}"
    return [
        Call(os.system, command),
        Call(os.popen, command),
        Call(subprocess.Popen, command, -1, None, None, None, None, None, True, True),
        Call(subprocess.check_output, ["touch", str(sentinel)]),
        Call(eval, f"open({str(sentinel)!r}, 'w')"),
        Call(exec, f"open({str(sentinel)!r}, 'w')"),
        Call(compile, "1", "x", "eval"),
        Call(open, str(sentinel), "w"),
        Call(builtins.__import__, "os"),
        Call(importlib.import_module, "os"),
        Call(getattr, "text", "upper"),
        Call(operator.attrgetter("system"), "os"),
        Call(operator.methodcaller("touch"), sentinel),
        Call(functools.partial(os.system, command)),
        Call(map, os.system, [command]),
        Call(np.load, str(sentinel)),
        Call(np.fromfile, str(sentinel)),
        Call(np.save, str(sentinel), 1),
        Call(np.memmap, str(sentinel), "uint8", "w+", 0, (4,)),
        Call(np.ndarray, (10**9,), "u1"),
        Call(np.zeros, 10**12),
        Call(bytearray, 10**12),
        Call(pickle.loads, b"cos\nsystem\n(S'true'\ntR."),
        Call(Path, "x"),
        Call(print, "x"),
    ]


@pytest.mark.parametrize("index", range(25))
@pytest.mark.parametrize("protocol", [2, 4])
def test_refuses_calls_and_runs_nothing(index: int, protocol: int, tmp_path: Path) -> None:
    sentinel = tmp_path / "sentinel"
    data = pickle.dumps({"1": _calls(sentinel)[index]}, protocol=protocol)
    with pytest.raises(CaseError, match="refused"):
        load_restricted(data)
    assert not sentinel.exists()


def _deeply_nested() -> object:
    value: object = []
    for _ in range(200):
        value = [value]
    return value


def _unfolding() -> object:
    value: object = ["x"]
    for _ in range(60):
        value = [value, value]
    return value


def _endless() -> object:
    value: list[object] = []
    value.append(value)
    return value


HOSTILE_BYTES = {
    "memo index of 2^31": b"\x80\x04Nr\xff\xff\xff\x7f.",
    "bytearray of 2^40": b"\x80\x05\x96" + (2**40).to_bytes(8, "little") + b".",
    "text of 2^60": b"\x80\x04\x8d" + (2**60).to_bytes(8, "little") + b".",
    "persistent id": b"Pfile\n.",
    "extension": b"\x80\x02\x82\x01.",
    "old instance": b"(ios\nsystem\nS'true'\no.",
    "inst": b"(S'true'\nios\nsystem\n.",
    "new object": b"\x80\x02cnumpy\nndarray\n)\x81.",
    "state for a function": b"\x80\x02c_codecs\nencode\n}X\x01\x00\x00\x00aNsb.",
    "state for a dict": b"\x80\x02}}X\x01\x00\x00\x00aNsb.",
    "dotted name": b"\x80\x04\x8c\x05numpy\x8c\x0bcore.memmap\x93.",
    "empty": b"",
    "no stop": b"\x80\x04N",
    "noise": bytes(range(256)),
    "empty stack": b".",
    "large": b"\x80\x04" + b"N0" * MAX_BYTES + b"N.",
    "marks": b"(" * 100_000 + b".",
}


@pytest.mark.parametrize("name", HOSTILE_BYTES)
def test_refuses_hostile_bytes(name: str) -> None:
    with pytest.raises(CaseError, match="pickled object"):
        load_restricted(HOSTILE_BYTES[name])


def test_an_array_never_allocates_by_its_declared_shape() -> None:
    data = (
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n"
        b"J\xff\xff\xff\x7f\x85U\x01b\x87R."
    )
    with pytest.raises(CaseError, match="array of an unknown kind is refused"):
        load_restricted(data)


@pytest.mark.parametrize("make", [_deeply_nested, _unfolding, _endless])
def test_refuses_structures_that_never_end(make: Callable[[], object]) -> None:
    with pytest.raises(CaseError, match="pickled object"):
        load_restricted(pickle.dumps(make(), protocol=4))


@pytest.mark.parametrize("value", [{1, 2}, 1j, np.float64, object, b"x".decode, range(3)])
def test_refuses_values_outside_plain_data(value: object) -> None:
    with pytest.raises(CaseError, match="refused"):
        load_restricted(pickle.dumps(value, protocol=4))
