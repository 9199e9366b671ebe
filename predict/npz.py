"""The challenge's npz files: read what an unknown sender wrote, write so that nothing is half."""

from __future__ import annotations

import io
import os
import zipfile
import zlib
from pathlib import Path

import numpy as np
from numpy.lib import format as npy

from predict.cases import Case, check_spacing, normalise_image, parse_prompts
from predict.errors import CaseError, UsageError
from predict.pickles import MAX_BYTES, load_restricted

SMALL_MEMBER = 2 * MAX_BYTES
DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError)


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
        if not path.is_file():
            raise CaseError("expected a file")
        with zipfile.ZipFile(path) as archive:
            limit = default_limit() if max_bytes is None else max_bytes
            header = _read_header(archive, "imgs", limit)
            shape = header[0]
            image, warnings = normalise_image(_read_image(archive, header))
            spacing, more = check_spacing(_read_spacing(archive))
            parsed = parse_prompts(_read_prompts(archive))
    except CaseError as error:
        raise CaseError(f"{path.name}: {error}", shape=error.shape or shape) from error
    except MemoryError as error:
        raise CaseError(f"{path.name}: does not fit into memory", shape=shape) from error
    except DAMAGE as error:
        raise CaseError(f"{path.name}: not a readable npz ({_line(error)})", shape=shape) from error
    except RuntimeError as error:  # zipfile's word for an encrypted member
        raise CaseError(f"{path.name}: {_line(error)}", shape=shape) from error
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
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("wb") as file:
            np.savez_compressed(file, segs=labels)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def default_limit() -> int:
    """Half of the memory that this process may use, in bytes."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        try:
            memory = min(memory, int((Path("/sys/fs/cgroup") / name).read_text()))
        except (OSError, ValueError):
            continue
    return memory // 2


def _read_header(
    archive: zipfile.ZipFile, key: str, limit: int
) -> tuple[tuple[int, ...], np.dtype[np.generic]]:
    """Shape and dtype of a member whose size is what its header says and within the limit."""
    info = _member(archive, key)
    with archive.open(info) as file:
        version = npy.read_magic(file)
        reader = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, _, dtype = reader(file)
        header_bytes = file.tell()
    if dtype.hasobject:
        raise CaseError(f"{key}: expected numbers, received pickled objects")
    size = dtype.itemsize
    for n in shape:
        size *= n
    if size > limit:
        raise CaseError(f"{key}: shape {shape} needs {size} bytes, at most {limit} are accepted")
    if info.file_size - header_bytes != size:
        raise CaseError(
            f"{key}: shape {shape} needs {size} bytes, the file holds "
            f"{info.file_size - header_bytes}",
            shape=shape,
        )
    return shape, dtype


def _read_image(
    archive: zipfile.ZipFile, header: tuple[tuple[int, ...], np.dtype[np.generic]]
) -> np.ndarray:
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
    info = _member(archive, "text_prompts")
    if info.file_size > SMALL_MEMBER:
        raise CaseError(
            f"text_prompts: expected at most {SMALL_MEMBER} bytes, received {info.file_size}"
        )
    with archive.open(info) as file:
        data = io.BytesIO(file.read(SMALL_MEMBER))
    version = npy.read_magic(data)
    reader = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    _, _, dtype = reader(data)
    if not dtype.hasobject:
        raise CaseError(f"text_prompts: expected a pickled dict, received an array of {dtype}")
    return load_restricted(data.read())


def _member(archive: zipfile.ZipFile, key: str) -> zipfile.ZipInfo:
    try:
        return archive.getinfo(f"{key}.npy")
    except KeyError:
        held = ", ".join(name.removesuffix(".npy") for name in archive.namelist()[:6]) or "nothing"
        raise CaseError(f"expected the key {key}, received {held}") from None


def _line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:160]
