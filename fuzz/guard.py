"""What reading a file must never do: an audit hook that stops the interpreter's attempts.

Python tells audit hooks of every file opened, module imported, code object made, process started
and socket used. While the guard is armed, anything but reading ends in a `Breach`; so does whatever
is not known to be harmless.
"""

from __future__ import annotations

import ast
import os
import shutil
import sys
import unicodedata  # noqa: F401  (the parser of literals loads it when it meets other scripts)
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HARMLESS = frozenset(
    (
        *("object.__getattr__", "object.__setattr__", "object.__delattr__", "sys._getframe"),
        *("os.listdir", "os.scandir", "os.walk", "os.fwalk", "glob.glob", "glob.glob/2"),
        *("array.__new__", "builtins.id", "mmap.__new__", "tempfile.mkdtemp"),
    )
)
FILES = frozenset(("open", "os.mkdir", "os.remove", "os.rmdir", "os.chmod", "shutil.rmtree"))
LOADING = frozenset(("import", "exec", "compile", "marshal.loads", "open"))
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
PROJECT = str(Path(__file__).resolve().parents[1])
IMPORT_SYSTEM = ("<frozen importlib._bootstrap>", "<frozen importlib._bootstrap_external>")


class Breach(BaseException):
    """Something other than reading was tried; no ``except Exception`` can hide it."""


class Guard:
    """One hook for the life of the process, since Python never takes one out again.

    Attributes:
        breaches: What was tried while it was armed, also where the `Breach` was swallowed.
    """

    def __init__(self) -> None:
        self.breaches: list[str] = []
        self._scratch = ""
        self._armed = self._asking = False
        sys.addaudithook(self._hear)

    @contextmanager
    def armed(self, scratch: Path | None = None) -> Iterator[None]:
        """Refuse all but reading; files may be written below ``scratch``."""
        self._scratch = str(scratch) + os.sep if scratch else ""
        self.breaches.clear()
        self._armed = True
        try:
            yield
        finally:
            self._armed = False

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._armed or self._asking or event in HARMLESS:
            return
        self._asking = True
        try:
            allowed = self._allows(event, arguments)
        finally:
            self._asking = False
        if not allowed:
            self.breaches.append(f"{event} {arguments!r}"[:300])
            raise Breach(self.breaches[-1])

    def _allows(self, event: str, arguments: tuple[Any, ...]) -> bool:
        if event in FILES and self._scratch and str(arguments[0]).startswith(self._scratch):
            return True
        if event in (
            "os.remove",
            "os.rmdir",
        ):  # of a folder that shutil.rmtree was allowed to remove
            return _caller(3) == shutil.__file__
        if event == "open":
            path, mode, flags = arguments
            reads = not set(mode or "r") & set("wax+") and not (flags or 0) & WRITING
            return reads and (isinstance(path, int) or _own_file(path))
        if event == "compile":  # numpy reads its headers by ast.literal_eval, which runs nothing
            return _caller(3) == ast.__file__
        # Text encodings are modules of the standard library; they are found by their names.
        return event in LOADING and _loads_an_encoding(event, arguments)


def _own_file(path: object) -> bool:
    """Whether a path is of the Python installation or the project, such as a module's source."""
    return str(path).startswith((sys.prefix, sys.base_prefix, PROJECT))


def _caller(depth: int) -> str:
    return sys._getframe(depth).f_code.co_filename


def _loads_an_encoding(event: str, arguments: tuple[Any, ...]) -> bool:
    if event == "import":
        return str(arguments[0]).startswith("encodings.")
    return _caller(4) in IMPORT_SYSTEM


def runs(guard: Guard, function: Callable[[], object], scratch: Path | None = None) -> object:
    """Call a function under the guard.

    Raises:
        Breach: It tried anything but reading, even if it went on as if nothing had happened.
    """
    with guard.armed(scratch):
        result = function()
    if guard.breaches:
        raise Breach(guard.breaches[0])
    return result
