"""The files of a bundle and their verification; imports nothing heavy.

A bundle is a folder with ``model.safetensors`` (only tensors that matter), ``config.json``,
``tokenizer.json``, optionally ``prompts.json`` (what may be asked), ``manifest.json`` (SHA-256 of
each) and, for people, ``MODEL_CARD.md``.
"""

from __future__ import annotations

import hashlib
import json
import mmap
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from predict.errors import BundleError

if TYPE_CHECKING:
    from collections.abc import Iterator

WEIGHTS, CONFIG, TOKENIZER, PROMPTS, MANIFEST = (
    "model.safetensors",
    "config.json",
    "tokenizer.json",
    "prompts.json",
    "manifest.json",
)
FORMAT = 1


@dataclass(frozen=True)
class BundleFiles:
    """Files that are what the manifest says.

    Attributes:
        folder: Where they are.
        manifest: Contents of manifest.json.
        contents: By name, of all but the weights.
        sizes: By name, in bytes, of all.
        sha256: Hash of manifest.json, which stands for the whole bundle.
    """

    folder: Path
    manifest: Mapping[str, Any]
    contents: Mapping[str, bytes]
    sizes: Mapping[str, int]
    sha256: str


def verify_files(folder: Path) -> BundleFiles:
    """Hash every file and compare with the manifest.

    Raises:
        BundleError: A file is missing or differs from the manifest.
    """
    manifest = read_manifest(folder)
    contents, sizes = {}, {}
    optional = [PROMPTS] if PROMPTS in manifest["files"] else []
    for name in (WEIGHTS, CONFIG, TOKENIZER, *optional):
        with _mapped(folder / name) as data:
            actual, sizes[name] = hashlib.sha256(data).hexdigest(), len(data)
            if name != WEIGHTS:
                contents[name] = bytes(data)
        stated = manifest["files"].get(name)
        if actual != stated:
            raise BundleError(
                f"{folder / name}: SHA-256 expected {stated} (manifest), received {actual}: "
                "the file is damaged or not the bundle's"
            )
    sha256 = hashlib.sha256(_read(folder / MANIFEST)).hexdigest()
    return BundleFiles(folder, manifest, contents, sizes, sha256)


def read_manifest(folder: Path) -> dict[str, Any]:
    """Parse manifest.json without verifying the files it names."""
    if not folder.is_dir():
        raise BundleError(f"no bundle: {folder} is not a folder")
    manifest = parse_json(_read(folder / MANIFEST), str(folder / MANIFEST))
    if manifest.get("format") != FORMAT or not isinstance(manifest.get("files"), dict):
        raise BundleError(
            f"{folder / MANIFEST}: expected format {FORMAT} with a table of files, "
            f"received format {manifest.get('format')!r}"
        )
    return manifest


def parse_json(text: bytes, source: str) -> dict[str, Any]:
    """JSON object or a BundleError that names the file."""
    try:
        values = json.loads(text)
    except ValueError as error:
        raise BundleError(f"{source}: not valid JSON ({error})") from error
    if not isinstance(values, dict):
        raise BundleError(f"{source}: expected a JSON object, received {type(values).__name__}")
    return values


@contextmanager
def _mapped(path: Path) -> Iterator[mmap.mmap | bytes]:
    """A file's bytes, without a copy in this process."""
    try:
        with path.open("rb") as file:
            if not file.seek(0, 2):
                yield b""
                return
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                yield data
    except OSError as error:
        raise BundleError(f"{path}: {error.strerror or error}") from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BundleError(f"{path}: {error.strerror or error}") from error
