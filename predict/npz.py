"""The challenge's npz files: read what an unknown sender wrote, write so that nothing is half."""

from __future__ import annotations

import math
import os
import zipfile
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.lib import format as npy

from predict.archive import DAMAGE, SMALL_MEMBER, find_member, parse_header, read_object
from predict.cases import Case, check_spacing, normalise_image, parse_prompts
from predict.errors import CaseError, UsageError

MAX_AXES = 32
Header = tuple[tuple[int, ...], np.dtype[np.generic]]


def list_cases(folder: Path) -> list[Path]:
    """The folder's ``*.npz`` files, sorted by name.

    Raises:
        UsageError: The folder is missing or holds none.
    """
    if not folder.is_dir():
        raise UsageError(f"input folder {folder}: not a folder")
    cases = sorted(p for p in folder.glob("*.npz") if not p.name.startswith("."))
    if not cases:
        found = sum(1 for _ in folder.iterdir())
        raise UsageError(f"input folder {folder}: expected *.npz files, found {found} other files")
    return cases


def read_case(path: Path, *, max_bytes: int | None = None) -> Case:
    """Read a case; ground truth and unknown keys are never touched.

    Args:
        path: NAME.npz with ``imgs``, ``spacing`` and ``text_prompts``.
        max_bytes: Largest image to accept; half of the memory if None.

    Raises:
        CaseError: The case cannot be read; its ``shape`` is set where the image's header told it.
    """
    shape: tuple[int, ...] | None = None
    try:
        _check_regular(path)
        with zipfile.ZipFile(path) as archive:
            limit = default_limit() if max_bytes is None else max_bytes
            header = _read_header(archive, "imgs", limit)
            shape = header[0]
            image, warnings = normalise_image(_read_image(archive, header))
            spacing, more = check_spacing(_read_spacing(archive))
            parsed = parse_prompts(_read_prompts(archive))
    except CaseError as error:
        message = _line(f"{path.name}: {error}")
        raise CaseError(message, shape=error.shape or shape) from error
    except MemoryError as error:
        message = _line(f"{path.name}: does not fit into memory")
        raise CaseError(message, shape=shape) from error
    except DAMAGE as error:
        message = _line(f"{path.name}: not a readable npz ({error or type(error).__name__})")
        raise CaseError(message, shape=shape) from error
    return Case(
        name=path.name.removesuffix(".npz"),
        image=image,
        spacing=spacing,
        prompts=parsed.prompts,
        instance=parsed.instance,
        warnings=(*warnings, *more, *parsed.warnings),
        rejected=parsed.rejected,
    )


def write_labels(path: Path, labels: np.ndarray) -> None:
    """Write NAME.npz with the key ``segs`` under a temporary name, then rename it.

    Raises:
        OSError: The disk or folder refuses; nothing is left behind.
    """
    partial = path.with_name(f".{os.urandom(8).hex()}.partial")
    try:
        with partial.open("xb") as file:
            np.savez_compressed(file, segs=labels)
        os.replace(partial, path)
    except BaseException:
        with suppress(OSError):
            partial.unlink()
        raise


def default_limit() -> int:
    """Half of the memory that this process may use, in bytes."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        try:
            memory = min(memory, int((Path("/sys/fs/cgroup") / name).read_text()))
        except (OSError, ValueError):
            continue
    return memory // 2


def _check_regular(path: Path) -> None:
    if path.is_symlink():
        raise CaseError("expected a file, received a symbolic link")
    if not path.is_file():
        received = "a folder" if path.is_dir() else "something else" if path.exists() else "nothing"
        raise CaseError(f"expected a file, received {received}")


def _read_header(archive: zipfile.ZipFile, key: str, limit: int) -> Header:
    """Shape and dtype of a member whose size is what its header says and within the limit."""
    info = _member(archive, key)
    with archive.open(info) as file:
        shape, dtype, header_bytes = parse_header(key, file)
    if len(shape) > MAX_AXES or min(shape, default=0) < 0:
        raise CaseError(f"{key}: expected a shape, received {shape}")
    # Counted without empty axes, which could hide others that no memory holds.
    bound = math.prod(max(n, 1) for n in shape) * max(dtype.itemsize, 1)
    if bound > limit:
        raise CaseError(f"{key}: shape {shape} needs {bound} bytes, at most {limit} are accepted")
    if dtype.hasobject:
        raise CaseError(f"{key}: expected numbers, received pickled objects", shape=shape)
    size, held = math.prod(shape) * dtype.itemsize, info.file_size - header_bytes
    if held != size:
        raise CaseError(
            f"{key}: shape {shape} needs {size} bytes, the file holds {held}", shape=shape
        )
    return shape, dtype


def _read_image(archive: zipfile.ZipFile, header: Header) -> np.ndarray:
    shape, dtype = header
    if dtype.kind not in "biuf":
        raise CaseError(f"imgs: expected real numbers, received {dtype}", shape=shape)
    with archive.open(_member(archive, "imgs")) as file:
        image = npy.read_array(file, allow_pickle=False)
    return image.astype(image.dtype.newbyteorder("="), copy=False)


def _read_spacing(archive: zipfile.ZipFile) -> object:
    try:
        _read_header(archive, "spacing", SMALL_MEMBER)
        with archive.open(_member(archive, "spacing")) as file:
            return npy.read_array(file, allow_pickle=False)
    except (CaseError, *DAMAGE):
        return None


def _read_prompts(archive: zipfile.ZipFile) -> object:
    return read_object(archive, _member(archive, "text_prompts"))


def _member(archive: zipfile.ZipFile, key: str) -> zipfile.ZipInfo:
    info = find_member(archive, key)
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise CaseError(
            f"{key}: expected stored or deflated, received compression {info.compress_type}"
        )
    return info


def _line(text: str) -> str:
    """One line of bounded length, whatever an unknown sender put into names and headers."""
    return "".join(c if c.isprintable() else "?" for c in text[:300])
