"""What is fuzzed: each target reads one file or one pickle, as the product does."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from fuzz import seeds
from fuzz.hostile_archives import bombs, readable_archives, refused_archives
from fuzz.hostile_pickles import hostile_pickles

# Most bytes that an image may need while fuzzing; the product takes half of the memory.
LIMIT = 16 * 2**20
# Most that one reading may take on top: the image as stored, as converted and packed, and the
# smaller members of an npz.
BOUND = 4 * LIMIT + 2 * 32 * 2**20


@dataclass(frozen=True, kw_only=True)
class Target:
    """Something that reads what an unknown sender wrote.

    Attributes:
        read: Read these bytes; the folder is for files.
        seeds: Makes good and hostile inputs to start from.
        modules: Prefixes of the modules whose branches guide the fuzzer.
        words: Byte strings worth putting into an input.
        archive: Whether inputs are npz archives, whose members are worth changing by themselves.
    """

    read: Callable[[bytes, Path], object]
    seeds: Callable[[], Sequence[bytes]]
    modules: tuple[str, ...]
    words: tuple[str, ...] = ()
    archive: bool = False


def read_prompts(data: bytes, _folder: Path) -> object:
    """Decode a pickle and read the prompts in it."""
    from predict.cases import parse_prompts
    from predict.pickles import load_restricted

    return parse_prompts(load_restricted(data))


def read_prompt_file(data: bytes, folder: Path) -> object:
    """Read a file of prompts as of ``--prompts``, which is JSON if it begins like that."""
    from predict.inputs import read_prompts as read

    name = "prompts.json" if data[:1] in (b"[", b"{") else "prompts.txt"
    return read([], _written(data, folder / name))


def read_npz(data: bytes, folder: Path) -> object:
    """Read a case of the challenge."""
    from predict.npz import read_case

    return read_case(_written(data, folder / "case.npz"), max_bytes=LIMIT)


def _reader(ending: str, signs: tuple[tuple[bytes, str], ...] = ()) -> Callable[..., object]:
    """Reads a file by an ending, or another one if the data begin with a sign."""

    def read(data: bytes, folder: Path) -> object:
        from predict.formats import read_volume

        name = next((other for sign, other in signs if data.startswith(sign)), ending)
        with _small_memory():
            return read_volume(_written(data, folder / f"scan{name}"))

    return read


def _written(data: bytes, path: Path) -> Path:
    path.write_bytes(data)
    return path


@contextlib.contextmanager
def _small_memory() -> Iterator[None]:
    """Readers accept images up to `LIMIT` bytes."""
    names = ("sizes", "challenge", "dicom_files")
    modules = [sys.modules.get(f"predict.formats.{name}") for name in names]
    found = [module for module in modules if module is not None]
    before = [module.__dict__["default_limit"] for module in found]
    for module in found:
        module.__dict__["default_limit"] = lambda: LIMIT
    try:
        yield
    finally:
        for module, function in zip(found, before, strict=True):
            module.__dict__["default_limit"] = function


def _npz_seeds() -> list[bytes]:
    archives = {**refused_archives(), **readable_archives(), **bombs(2**20)}
    return [*seeds.npz_files(), *(data for data in archives.values() if len(data) < 20_000)]


def _prompt_seeds() -> list[bytes]:
    hostile = hostile_pickles().values()
    return [*seeds.prompt_pickles(), *(data for data in hostile if len(data) < 4000)]


PICKLE_WORDS = (
    *("cnumpy\n", "ndarray\n", "dtype\n", "_reconstruct\n", "scalar\n", "cnumpy.core.multiarray\n"),
    *(
        "cnumpy._core.multiarray\n",
        "c_codecs\nencode\n",
        "latin1",
        "cos\nsystem\n",
        "instance_label",
    ),
    *(
        "\x80\x02",
        "\x80\x04\x95",
        "\x93",
        "\x94",
        "\x8c\x05numpy",
        "O8",
        "U1",
        "i8",
        "<",
        "tb",
        "R",
    ),
)
GENERAL = ("0", "-1", "1e308", "nan", "inf", "4294967295", "9223372036854775807", "../x", "/")
NIBABEL = ("nifti", "analyze", "arrayproxy", "fileslice", "volumeutils", "wrapstruct", "spatial")
PYDICOM = (
    "filereader",
    "fileutil",
    "dataset",
    "dataelem",
    "values",
    "pixels",
    "encaps",
    "sequence",
)
TARGETS = {
    "prompts": Target(
        read=read_prompts,
        seeds=_prompt_seeds,
        modules=("predict", "pickle", "pickletools"),
        words=PICKLE_WORDS,
    ),
    "prompt_file": Target(
        read=read_prompt_file,
        seeds=seeds.prompt_files,
        modules=("predict.inputs", "predict.json_files", "json"),
        words=("[[[[[[[[", '{"":', "\\ud800", "1e999", "NaN", "#", "\x00", "\xef\xbb\xbf"),
    ),
    "npz": Target(
        read=read_npz,
        seeds=_npz_seeds,
        modules=("predict", "zipfile", "numpy.lib._format_impl", "pickle", "pickletools"),
        words=(*PICKLE_WORDS, "'descr'", "'shape'", "PK\x01\x02", "PK\x03\x04", "imgs.npy"),
        archive=True,
    ),
    "nifti": Target(
        read=_reader(".nii", ((b"\x1f\x8b", ".nii.gz"),)),
        seeds=seeds.nifti_files,
        modules=("predict", *(f"nibabel.{name}" for name in NIBABEL)),
        words=("n+1\x00", "n+2\x00", "\x00\x00\x80\x3f"),
    ),
    "nrrd": Target(
        read=_reader(".nrrd"),
        seeds=seeds.nrrd_files,
        modules=("predict",),
        words=(*GENERAL, "space directions: ((((", "none", "data file: scan.nrrd\n", "byte skip: "),
    ),
    "metaimage": Target(
        read=_reader(".mha"),
        seeds=seeds.metaimage_files,
        modules=("predict",),
        words=(
            *GENERAL,
            "HeaderSize = ",
            "ElementDataFile = scan.mha\n",
            "DimSize = ",
            "Rotation = ",
        ),
    ),
    "tiff": Target(
        read=_reader(".tif"),
        seeds=seeds.tiff_files,
        modules=("predict", "PIL.TiffImagePlugin", "PIL.ImageFile"),
        words=(*GENERAL, "II*\x00", "MM\x00*", "unit=", "spacing=", "images=", "PhysicalSizeX="),
    ),
    "dicom": Target(
        read=_reader(".dcm", ((b"PK\x03\x04", ".zip"),)),
        seeds=seeds.dicom_files,
        modules=("predict", "zipfile", *(f"pydicom.{name}" for name in PYDICOM)),
        words=(*GENERAL, "OB", "SQ", "UN", "\\", "\xff\xff\xff\xff", "\xfe\xff\x00\xe0"),
    ),
}
