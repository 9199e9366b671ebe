"""Cases for a long run: mixed shapes, some of them broken, each quarter with the same ones."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

WARM_UP = 20
QUARTERS = 4
LEAST, MOST = 30, 100
ONE_IN = 10
TEXTS = ("liver in CT", "left kidney", "spleen in abdominal CT", "nuclei")


@dataclass(frozen=True)
class Planned:
    """A case to come.

    Attributes:
        name: Its file, sorted by which cases are processed.
        recipe: What it is; the same one gives the same file.
        quarter: 0..3, or -1 to warm up.
        fault: Name of what is wrong with it; None if nothing is.
    """

    name: str
    recipe: int
    quarter: int
    fault: str | None


def plan_cases(count: int, seed: int = 0) -> list[Planned]:
    """WARM_UP cases, then four quarters with the same cases in four orders.

    Args:
        count: Cases after the warm-up; rounded down to a multiple of four.
        seed: Of the orders.
    """
    random = np.random.default_rng(seed)
    recipes = count // QUARTERS
    orders = [list(range(min(WARM_UP, recipes)))]
    orders += [random.permutation(recipes).tolist() for _ in range(QUARTERS)]
    faults = tuple(FAULTS)
    plan: list[Planned] = []
    for quarter, order in enumerate(orders, start=-1):
        for recipe in order:
            turn, rest = divmod(recipe, ONE_IN)
            fault = faults[turn % len(faults)] if rest == ONE_IN - 1 else None
            plan.append(Planned(f"{len(plan):05}.npz", recipe, quarter, fault))
    return plan


def write_case(planned: Planned, folder: Path) -> None:
    """Write a case, broken if it is to be."""
    random = np.random.default_rng(planned.recipe)
    shape = tuple(random.integers(LEAST, MOST + 1, 3).tolist())
    texts = random.permutation(TEXTS)[: random.integers(1, len(TEXTS) + 1)].tolist()
    instance = int(random.random() < 0.2)
    arrays = {
        "imgs": _image(shape, random),
        "spacing": random.uniform(0.5, 3, 3),
        "text_prompts": _boxed(
            {**{str(i): text for i, text in enumerate(texts, 1)}, "instance_label": instance}
        ),
    }
    path = folder / planned.name
    if planned.fault is None:
        path.write_bytes(_packed(arrays))
    else:
        FAULTS[planned.fault](path, arrays)


def _image(shape: tuple[int, ...], random: np.random.Generator) -> np.ndarray:
    """A bright blob in noise."""
    axes = np.ogrid[tuple(slice(-1, 1, complex(0, n)) for n in shape)]
    centre = random.uniform(-0.4, 0.4, 3)
    distance = sum((axis - c) ** 2 for axis, c in zip(axes, centre, strict=True))
    blob = 160 * np.exp(-6 * distance)
    return np.asarray(blob + random.integers(0, 64, shape)).astype(np.uint8)


def _boxed(value: object) -> np.ndarray:
    return np.array(value, dtype=object)


def _packed(arrays: dict[str, np.ndarray]) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
    return file.getvalue()


class _Hostile:
    """Pickles as a call, which no reader may make."""

    def __reduce__(self) -> tuple[object, ...]:
        return exec, ("raise SystemExit('an input was run')",)


def _hostile(path: Path, arrays: dict[str, np.ndarray]) -> None:
    path.write_bytes(_packed({**arrays, "text_prompts": _boxed(_Hostile())}))


def _folder(path: Path, _: dict[str, np.ndarray]) -> None:
    path.mkdir()


def _declared_huge(path: Path, arrays: dict[str, np.ndarray]) -> None:
    header = io.BytesIO()
    description = {"descr": "|u1", "fortran_order": False, "shape": (2**20,) * 3}
    np.lib.format.write_array_header_1_0(header, description)
    prompts = io.BytesIO()
    np.lib.format.write_array(prompts, arrays["text_prompts"], allow_pickle=True)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("imgs.npy", header.getvalue())
        archive.writestr("text_prompts.npy", prompts.getvalue())


def _damaged(path: Path, arrays: dict[str, np.ndarray]) -> None:
    data = bytearray(_packed(arrays))
    data[len(data) // 3] ^= 0xFF
    path.write_bytes(data)


FAULTS: dict[str, Callable[[Path, dict[str, np.ndarray]], object]] = {
    "empty": lambda path, _: path.touch(),
    "noise": lambda path, _: path.write_bytes(bytes(range(256)) * 40),
    "truncated": lambda path, arrays: path.write_bytes(_packed(arrays)[:-200]),
    "damaged": _damaged,
    "no prompts": lambda path, arrays: path.write_bytes(
        _packed({k: v for k, v in arrays.items() if k != "text_prompts"})
    ),
    "hostile": _hostile,
    "NaN": lambda path, arrays: path.write_bytes(
        _packed({**arrays, "imgs": np.full(arrays["imgs"].shape, np.nan, np.float32)})
    ),
    "objects": lambda path, arrays: path.write_bytes(_packed({**arrays, "imgs": _boxed([b"a"])})),
    "two axes": lambda path, arrays: path.write_bytes(
        _packed({**arrays, "imgs": arrays["imgs"][0]})
    ),
    "folder": _folder,
    "huge": _declared_huge,
}
