"""What a person may name on a command line: files, folders, globs; and prompts, also in a file."""

from __future__ import annotations

import glob
import json
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from predict.errors import UsageError
from predict.formats import is_image
from predict.formats.read import ending_of
from predict.json_files import read_json_table

WRITTEN_BY_US = ("_mask", "_sheet", "_surface", "_probability")


def find_images(arguments: Sequence[str]) -> list[Path]:
    """Images behind the arguments, each once, in their order and sorted within each.

    A folder that holds DICOM files is one image; of another folder the images in it, and its
    subfolders, but not those that are symbolic links. Masks that ``segment`` wrote there earlier
    are passed over.

    Raises:
        UsageError: Nothing there, with what to type instead.
    """
    found: dict[Path, None] = {}
    for argument in arguments:
        path = Path(argument)
        if path.is_dir():
            images = _images_below(path)
        elif path.exists():
            images = [path]
        else:
            matches = sorted(map(Path, glob.glob(argument, recursive=True)))
            images = [image for match in matches for image in _images_of(match)]
        if not images:
            raise UsageError(_nothing_at(argument, path))
        found.update(dict.fromkeys(images))
    return list(found)


def output_folders(images: Sequence[Path], out: Path) -> list[Path]:
    """Where each image's mask goes: OUT, or below it as the images lie where names collide."""
    stems = Counter(_stem(image) for image in images)
    if all(count == 1 for count in stems.values()):
        return [out] * len(images)
    top = Path(os.path.commonpath([image.resolve().parent for image in images]))
    folders = [out / image.resolve().parent.relative_to(top) for image in images]
    places = Counter(zip(folders, map(_stem, images), strict=True))
    for image, folder in zip(images, folders, strict=True):
        if places[folder, _stem(image)] > 1:
            raise UsageError(
                f"{image}: another input has the same name in the same folder, "
                "so that their masks would too; segment them with different -o"
            )
    return folders


def read_prompts(texts: Sequence[str], file: Path | None) -> dict[int, str]:
    """Class id -> prompt, from a file first and then from ``-p``.

    The file holds a prompt a line (lines that begin with # are passed over), or JSON: a list of
    prompts, or a table of class id -> prompt.

    Raises:
        UsageError: No prompt at all, or an unreadable file.
    """
    table = {} if file is None else _prompts_of_file(file)
    for text in texts:
        table[max(table, default=0) + 1] = text
    if not table:
        raise UsageError('expected what to look for, add for example: -p "liver" -p "left kidney"')
    return table


def _prompts_of_file(file: Path) -> dict[int, str]:
    if file.suffix.lower() == ".json":
        try:
            if file.read_text(encoding="utf-8").lstrip().startswith("["):
                lines = list(map(str, json.loads(file.read_text(encoding="utf-8"))))
            else:
                return {int(key): str(text) for key, text in read_json_table(file).items()}
        except (OSError, ValueError, RecursionError) as error:
            raise UsageError(
                f"{file}: expected a list of prompts, or class id -> prompt ({error})"
            ) from error
    else:
        try:
            lines = file.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"{file}: expected a text file of prompts ({error})") from error
    kept = [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
    return dict(enumerate(kept, start=1))


def _images_of(path: Path) -> list[Path]:
    if path.is_dir():
        return _images_below(path)
    return [path] if is_image(path) and not _is_ours(path) else []


def _images_below(folder: Path) -> list[Path]:
    entries = sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
    images = [entry for entry in entries if is_image(entry) and not _is_ours(entry)]
    if any(_is_slice(image) for image in images):
        return [folder]
    folders = [entry for entry in entries if entry.is_dir() and not entry.is_symlink()]
    below = [image for folder in folders for image in _images_below(folder)]
    return images + below


def _is_slice(image: Path) -> bool:
    return ending_of(image) is None and image.suffix.lower() != ".zip"


def _is_ours(path: Path) -> bool:
    return _stem(path).endswith(WRITTEN_BY_US)


def _stem(image: Path) -> str:
    if image.is_dir():
        return image.resolve().name
    name = image.name.removesuffix(".seg.nrrd")
    known = ending_of(image) or (image.suffix if image.suffix.lower() in (".dcm", ".zip") else "")
    return name[: len(name) - len(known)] if known and name == image.name else name


def _nothing_at(argument: str, path: Path) -> str:
    if path.is_dir():
        return (
            f"{argument}: expected images (.nii.gz, .nrrd, .mha, DICOM, .tif, .npz), found none "
            "in this folder"
        )
    if any(sign in argument for sign in "*?["):
        return f"{argument}: expected images, nothing fits this pattern"
    if Path(argument).suffix or os.sep in argument:
        return f"{argument}: no such file or folder"
    return f'{argument}: no such file or folder; if it is a prompt, type: -p "{argument}"'
