"""Pickles that try to run something, to allocate, or never to end. Each must be refused.

Every one that could act would act on ``MARK``: a file that must not appear.
"""

from __future__ import annotations

import pickle
import struct
from collections.abc import Callable
from pathlib import Path

MARK = Path("/tmp/text3dsam-hostile-pickle")
TOUCH = f"touch {MARK}"
WRITE = f"open({str(MARK)!r}, 'w')"


def _text(value: str) -> bytes:
    data = value.encode()
    return pickle.BINUNICODE + struct.pack("<I", len(data)) + data


def _global(module: str, name: str) -> bytes:
    """Protocol 0 to 3: both names in the opcode."""
    return pickle.GLOBAL + f"{module}\n{name}\n".encode()


def _stacked(module: str, name: str) -> bytes:
    """Protocol 4: both names on the stack."""
    return _text(module) + _text(name) + pickle.STACK_GLOBAL


def _call(module: str, name: str, *arguments: str, find: Callable[[str, str], bytes]) -> bytes:
    texts = b"".join(map(_text, arguments))
    return find(module, name) + pickle.MARK + texts + pickle.TUPLE + pickle.REDUCE


CALLS: dict[str, tuple[str, ...]] = {
    "os.system": ("os", "system", TOUCH),
    "posix.system": ("posix", "system", TOUCH),
    "nt.system": ("nt", "system", TOUCH),
    "os.popen": ("os", "popen", TOUCH),
    "os.execv": ("os", "execlp", "touch", "touch", str(MARK)),
    "os.remove": ("os", "remove", str(MARK)),
    "subprocess.getoutput": ("subprocess", "getoutput", TOUCH),
    "pty.spawn": ("pty", "spawn", "touch"),
    "builtins.eval": ("builtins", "eval", WRITE),
    "builtins.exec": ("builtins", "exec", WRITE),
    "python 2 builtins": ("__builtin__", "eval", WRITE),
    "builtins.open": ("builtins", "open", str(MARK), "w"),
    "builtins.import": ("builtins", "__import__", "antigravity"),
    "builtins.getattr": ("builtins", "getattr", "text", "upper"),
    "builtins.breakpoint": ("builtins", "breakpoint"),
    "importlib": ("importlib", "import_module", "antigravity"),
    "runpy": ("runpy", "run_path", str(MARK)),
    "pip": ("pip._internal.cli.main", "main", "install"),
    "timeit": ("timeit", "timeit", WRITE),
    "cProfile": ("cProfile", "run", WRITE),
    "code.interact": ("code", "interact"),
    "webbrowser": ("webbrowser", "open", "http://127.0.0.1/"),
    "urllib": ("urllib.request", "urlopen", "http://127.0.0.1/"),
    "socket": ("socket", "create_connection", "127.0.0.1"),
    "shutil.rmtree": ("shutil", "rmtree", str(MARK)),
    "pathlib": ("pathlib", "Path", str(MARK)),
    "io.open_code": ("io", "open_code", str(MARK)),
    "ctypes": ("ctypes", "CDLL", "libc.so.6"),
    "pickle in a pickle": ("pickle", "loads", "cos\nsystem\n(S'true'\ntR."),
    "marshal": ("marshal", "loads", "c"),
    "logging.config": ("logging.config", "dictConfig", "x"),
    "numpy.load": ("numpy", "load", str(MARK)),
    "numpy.fromfile": ("numpy", "fromfile", str(MARK)),
    "numpy.memmap": ("numpy", "memmap", str(MARK)),
    "numpy.f2py": ("numpy.f2py.diagnose", "run_command", TOUCH),
    "numpy runstring": ("numpy.testing._private.utils", "runstring", WRITE, "x"),
    "torch.load": ("torch", "load", str(MARK)),
    "torch storage": ("torch.storage", "_load_from_bytes", "x"),
    "operator.methodcaller": ("operator", "methodcaller", "system", TOUCH),
    "operator.attrgetter": ("operator", "attrgetter", "system.__globals__"),
    "functools.partial": ("functools", "partial", "x"),
    "codecs.decode": ("_codecs", "decode", "x", "zlib"),
    "codecs.open": ("codecs", "open", str(MARK), "w"),
    "copyreg": ("copyreg", "_reconstructor", "x", "y", "z"),
    "our own function": ("predict.npz", "write_labels", str(MARK)),
    "an unpickler of ours": ("predict.pickles", "_PlainUnpickler", "x"),
}
REBUILD = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n"
SCALAR = b"cnumpy.core.multiarray\nscalar\n"
ARRAY = REBUILD + b"K\x00\x85U\x01b\x87R"
DTYPE = b"cnumpy\ndtype\nU\x02%b\x89\x88\x87R"


def _array(shape: bytes, code: bytes, content: bytes) -> bytes:
    """An array of one axis with a state of version 1."""
    return ARRAY + b"(K\x01" + shape + b"\x85" + DTYPE % code + b"\x89" + content + b"tb"


def _nested(count: int, opening: bytes, closing: bytes) -> bytes:
    return opening * count + closing * count


def _memo_bomb() -> bytes:
    """A list that holds the one before it ten times, 60 times over."""
    parts = [b"](" + _text("x") * 10 + b"eq\x00"]
    for level in range(1, 60):
        get, put = b"h" + bytes([level - 1]), b"q" + bytes([level])
        parts.append(b"](" + get * 10 + b"e" + put)
    return b"".join(parts)


def _nested_key() -> bytes:
    """A tuple of tuples, twice the one before it, as key: it takes 2**60 steps to hash."""
    pairs = (b"h%ch%c\x86q%c0" % (n, n, n + 1) for n in range(60))
    return b"})q\x000" + b"".join(pairs) + b"h\x3cNs"


TRICKS: dict[str, bytes] = {
    "persistent id of protocol 0": b"Pfile\n",
    "persistent id": b"\x8c\x04fileQ",
    "extension 1": b"\x82\x01",
    "extension 2": b"\x83\x01\x00",
    "extension 4": b"\x84\x01\x00\x00\x00",
    "INST": b"(S'" + TOUCH.encode() + b"'\nios\nsystem\n",
    "OBJ": b"(cos\nsystem\nS'" + TOUCH.encode() + b"'\no",
    "NEWOBJ": b"cnumpy\nndarray\n)\x81",
    "NEWOBJ_EX": b"cnumpy\nndarray\n)}\x92",
    "NEWOBJ of a stand-in": DTYPE % b"O8" + b"0cnumpy\ndtype\nU\x02O8\x85\x81",
    "BUILD of a function": b"c_codecs\nencode\n}" + _text("__globals__") + b"Nsb",
    "BUILD of a class": b"cnumpy\ndtype\n}" + _text("DTYPE_CODES") + b"Nsb",
    "BUILD of a dict": b"}}" + _text("keys") + b"Nsb",
    "BUILD with slots": DTYPE % b"O8" + b"N}" + _text("code") + _text("V9") + b"s\x86b",
    "dotted name": _stacked("numpy", "core.memmap"),
    "dotted stand-in": _stacked("_codecs", "encode.__globals__"),
    "getattr chain": _stacked("builtins", "getattr.__self__.eval") + _text("1") + b"\x85R",
    "module in module": _stacked("numpy.os", "system") + _text(TOUCH) + b"\x85R",
    "name of two lines": _stacked("os\nsystem", "x"),
    "names that are no text": b"NN\x93",
    "name that is a list": b"]" + _text("x") + b"\x93",
    "REDUCE of a text": _text("x") + b")R",
    "REDUCE with a dict": b"cnumpy\ndtype\n}R",
    "REDUCE of a stand-in's result": DTYPE % b"O8" + b")R",
    "encode by another codec": b"c_codecs\nencode\n" + _text("x") + _text("zlib_codec") + b"\x86R",
    "dtype of a record": b"cnumpy\ndtype\n" + _text("i4,O") + b"\x85R",
    "dtype of 2 GB": b"cnumpy\ndtype\n" + _text("V2147483647") + b"\x85R",
    "dtype from a dict": b"cnumpy\ndtype\n}\x85R",
    "array of a subclass": REBUILD.replace(b"ndarray", b"memmap") + b"K\x00\x85U\x01b\x87R",
    "array of 2^31": REBUILD + b"J\xff\xff\xff\x7f\x85U\x01b\x87R",
    "array in itself": ARRAY + b"q\x00(K\x01K\x01\x85" + DTYPE % b"O8" + b"\x89]h\x00atb",
    "array of pointers": _array(b"K\x01", b"O8", b"U\x08\x00\x00\x00\x00\x00\x00\x00\x00"),
    "array of half an item": _array(b"K\x01", b"i8", b"U\x03abc"),
    "scalar that is an object": SCALAR + DTYPE % b"O8" + b"U\x01x\x86R",
    "scalar of many": SCALAR + DTYPE % b"i1" + b"U\x03abc\x86R",
    "memo index of 2^31": b"Nr\xff\xff\xff\x7f",
    "negative memo index": b"Np-5\n",
    "unknown memo index": b"h\x09",
    "text of 2^60": b"\x8d" + struct.pack("<Q", 2**60),
    "bytes of 2^60": b"\x8e" + struct.pack("<Q", 2**60),
    "bytearray of 2^40": b"\x96" + struct.pack("<Q", 2**40),
    "integer of 2^31 bytes": b"\x8b\xff\xff\xff\x7f",
    "integer of negative length": b"\x8b\xff\xff\xff\xff",
    "integer of many digits": b"L" + b"9" * 100_000 + b"L\n",
    "frame of 2^64 bytes": b"\x95" + struct.pack("<Q", 2**64 - 1) + b"N",
    "frame in a frame": b"\x95" + struct.pack("<Q", 10) + b"\x95" + struct.pack("<Q", 1) + b"N",
    "next buffer": b"\x97",
    "read-only buffer": b"N\x98",
    "set": b"\x8f(" + _text("x") + b"\x90",
    "frozenset": b"(" + _text("x") + b"\x91",
    "deep list": _nested(5000, b"]", b"a")[:-1],
    "deep tuple": b")" + b"\x85" * 5000,
    "deep dict": (b"}" + _text("k")) * 2000 + b"N" + b"s" * 2000,
    "memo bomb": _memo_bomb(),
    "key that takes 2^60 steps to hash": _nested_key(),
    "list in itself": b"]q\x00h\x00a",
    "dict in itself": b"}q\x00" + _text("k") + b"h\x00s",
    "dict as key": b"}}Ns",
    "many keys": b"}(" + b"".join(b"M" + struct.pack("<H", n) + b"N" for n in range(5000)) + b"u",
    "many operations": b"N0" * 20_000 + b"N",
    "marks without end": b"(" * 20_000,
    "DICT with items": b"(" + _text("k") + b"Nd",
    "empty stack": b"0000",
    "unknown opcode": b"\xff",
    "protocol of the future": b"\x80\xffN",
    "quote that is open": b"S'x\n",
    "escape that is broken": b"S'\\x'\n",
    "surrogates": b"V\\ud800\n" + b"\x85" * 70,
}  # fmt: skip
MALFORMED: dict[str, bytes] = {
    "nothing": b"",
    "no stop": b"\x80\x04N",
    "stop alone": b".",
    "noise": bytes(range(256)),
    "text": b"{'1': 'liver'}",
    "too long": b"\x80\x04" + b"N0" * (17 * 2**19) + b"N.",
}


def hostile_pickles() -> dict[str, bytes]:
    """All by name; the calls as protocols 0 to 3 spell them and as protocol 4 does."""
    old = {
        name: b"\x80\x02" + _call(*call[:2], *call[2:], find=_global)
        for name, call in CALLS.items()
    }
    new = {
        f"{name}, stacked": b"\x80\x04" + _call(*call[:2], *call[2:], find=_stacked)
        for name, call in CALLS.items()
    }
    tricks = {name: b"\x80\x04" + trick for name, trick in TRICKS.items()}
    whole = {name: data + b"." for name, data in {**old, **new, **tricks}.items()}
    inside = {
        f"{name}, as a prompt": b"\x80\x04}" + _text("1") + data[2:-1] + b"s."
        for name, data in old.items()
    }
    return {**whole, **inside, **MALFORMED}
