"""The challenge's npz files: read what an unknown sender wrote, write so that nothing is half."""

from __future__ import annotations

import math
import os
import zipfile
from pathlib import Path

import numpy as np
from numpy.lib import format as npy

from predict.archive import (
    DAMAGE,
    SMALL_MEMBER,
    Header,
    open_archive,
    packed_member,
    read_header,
    read_numbers,
    read_object,
)
from predict.atomic import replacing
from predict.cases import Case, check_spacing, normalise_image, parse_prompts
from predict.errors import CaseError, UsageError
from predict.run_lengths import write_npz

STAND_IN = b"stand-in: the case failed"


def list_cases(folder: Path) -> list[Path]:
    """The folder's ``*.npz`` files, sorted by name.

    Raises:
        UsageError: The folder is missing, closed or holds none.
    """
    if not folder.is_dir():
        raise UsageError(f"input folder {folder}: not a folder")
    try:
        found = len(os.listdir(folder))
    except OSError as error:
        raise UsageError(f"input folder {folder}: {error.strerror}") from error
    cases = sorted(p for p in folder.glob("*.npz") if not p.name.startswith("."))
    if not cases:
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
        with open_archive(path) as archive:
            limit = default_limit() if max_bytes is None else max_bytes
            header = read_header(archive, "imgs", limit)
            shape = header[0]
            image, warnings = normalise_image(read_numbers(archive, "imgs", header))
            spacing, more = check_spacing(read_spacing(archive))
            parsed = parse_prompts(_read_prompts(archive))
    except CaseError as error:
        message = one_line(f"{path.name}: {error}")
        raise CaseError(message, shape=error.shape or shape) from error
    except MemoryError as error:
        message = one_line(f"{path.name}: does not fit into memory")
        raise CaseError(message, shape=shape) from error
    except DAMAGE as error:
        message = one_line(f"{path.name}: not a readable npz ({error or type(error).__name__})")
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


def read_shape(path: Path) -> tuple[int, ...]:
    """Shape of a file's image, of which nothing but the header is read.

    Raises:
        CaseError: There is no image that :func:`read_case` would take.
    """
    return _image_header(path)[0]


def reading_bytes(path: Path) -> int:
    """Most memory that :func:`read_case` needs for a file's image, by what the file declares.

    uint8 is taken as it is; of other types there are the voxels as stored, as repaired and as
    float32. 0 where the file declares nothing that would be read.
    """
    try:
        shape, dtype = _image_header(path)
    except CaseError:
        return 0
    return math.prod(shape) * (1 if dtype == np.uint8 else 2 * dtype.itemsize + 4)


def write_labels(path: Path, labels: np.ndarray) -> None:
    """Write NAME.npz with the key ``segs`` under a temporary name, then rename it.

    Raises:
        OSError: The disk or folder refuses; nothing is left behind.
    """
    with replacing(path, keep_ending=False) as partial, partial.open("xb") as file:
        write_npz(file, "segs", labels)


def write_stand_in(path: Path, shape: tuple[int, ...]) -> None:
    """Write an all-background NAME.npz for a case that failed, and mark it as that.

    It takes no memory worth mentioning. Readers of npz files do not see the mark, which is the
    archive's comment.

    Raises:
        OSError: As of :func:`write_labels`.
    """
    with replacing(path, keep_ending=False) as partial:
        with partial.open("xb") as file:
            np.savez_compressed(file, segs=np.broadcast_to(np.uint8(0), shape))
        with zipfile.ZipFile(partial, "a") as archive:
            archive.comment = STAND_IN


def is_finished(path: Path) -> bool:
    """Whether there is an answer: a whole file, and not the stand-in of a case that failed."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.comment != STAND_IN
    except (OSError, zipfile.BadZipFile):
        return False


def read_spacing(archive: zipfile.ZipFile) -> object:
    """What is under ``spacing``, unchecked; None where there is nothing to read."""
    try:
        read_header(archive, "spacing", SMALL_MEMBER)
        with archive.open(packed_member(archive, "spacing")) as file:
            return npy.read_array(file, allow_pickle=False)
    except (CaseError, *DAMAGE):
        return None


def default_limit() -> int:
    """Half of the memory that this process may use, in bytes."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        try:
            memory = min(memory, int((Path("/sys/fs/cgroup") / name).read_text()))
        except (OSError, ValueError):
            continue
    return memory // 2


def one_line(text: str) -> str:
    """One line of bounded length, whatever an unknown sender put into names and headers."""
    return "".join(c if c.isprintable() else "?" for c in text[:300])


def _image_header(path: Path) -> Header:
    try:
        _check_regular(path)
        with open_archive(path) as archive:
            return read_header(archive, "imgs", default_limit())
    except DAMAGE as error:
        raise CaseError(
            one_line(f"not a readable npz ({error or type(error).__name__})")
        ) from error


def _check_regular(path: Path) -> None:
    if path.is_symlink():
        raise CaseError("expected a file, received a symbolic link")
    if not path.is_file():
        received = "a folder" if path.is_dir() else "something else" if path.exists() else "nothing"
        raise CaseError(f"expected a file, received {received}")


def _read_prompts(archive: zipfile.ZipFile) -> object:
    return read_object(archive, packed_member(archive, "text_prompts"))
