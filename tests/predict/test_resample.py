"""Trilinear resizing against ``F.interpolate``."""

from __future__ import annotations

import tracemalloc
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from predict import resample
from predict.resample import Window, axis_taps, resample_volume, resize_volume

CPU = torch.device("cpu")
SHAPES = [
    ((7, 9, 11), (5, 13, 11)),
    ((37, 21, 30), (16, 32, 48)),
    ((4, 5, 6), (13, 11, 29)),
    ((1, 6, 5), (4, 3, 7)),
    ((5, 1, 1), (1, 4, 3)),
    ((3, 4, 5), (1, 1, 1)),
    ((50, 8, 8), (3, 8, 8)),
]


def interpolate(image: np.ndarray, size: tuple[int, int, int]) -> torch.Tensor:
    dense = torch.from_numpy(image.astype(np.float32))[None, None]
    return F.interpolate(dense, size, mode="trilinear", align_corners=False)


def random_image(shape: tuple[int, ...], dtype: str = "uint8") -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape).astype(dtype)


@given(n_in=st.integers(1, 600), n_out=st.integers(1, 600))
@settings(max_examples=200, deadline=None)
def test_taps_are_the_rule_of_interpolate(n_in: int, n_out: int) -> None:
    values = torch.rand(n_in, generator=torch.Generator().manual_seed(n_in))
    taps = axis_taps(n_in, n_out)
    expected = F.interpolate(values[None, None], n_out, mode="linear", align_corners=False)[0, 0]
    picked = torch.lerp(values[taps.lower], values[taps.upper], taps.fraction)
    torch.testing.assert_close(picked, expected, atol=2e-4, rtol=0)
    torch.testing.assert_close(taps.matrix(n_in) @ values, expected, atol=2e-4, rtol=0)
    assert taps.lower.dtype == taps.upper.dtype == torch.int64
    assert taps.fraction.dtype == torch.float32
    assert taps.fraction.min() >= 0
    assert taps.fraction.max() < 1


def test_taps_of_an_equal_size_are_the_identity() -> None:
    assert torch.equal(axis_taps(512, 512).matrix(512), torch.eye(512))


@pytest.mark.parametrize(("shape", "size"), SHAPES)
@pytest.mark.parametrize("chunk_bytes", [1, 4096, resample.CHUNK_BYTES])
def test_equals_interpolate(
    shape: tuple[int, int, int],
    size: tuple[int, int, int],
    chunk_bytes: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(resample, "CHUNK_BYTES", chunk_bytes)
    image = random_image(shape)
    resized = resize_volume(image, size, CPU)
    assert resized.dtype == torch.float32
    torch.testing.assert_close(resized, interpolate(image, size), atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    "dtype",
    [
        "bool",
        "int8",
        "uint16",
        "int32",
        "uint32",
        "int64",
        "uint64",
        "float16",
        "float32",
        "float64",
        "longdouble",
        ">i2",
        ">f4",
    ],
)
def test_any_real_dtype(dtype: str) -> None:
    image = random_image((6, 7, 8), dtype)
    resized = resize_volume(image, (4, 9, 5), CPU)
    torch.testing.assert_close(resized, interpolate(image, (4, 9, 5)), atol=1e-4, rtol=0)


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_any_memory_layout(dtype: str) -> None:
    image = random_image((12, 14, 16), dtype)
    read_only = image.copy()
    read_only.flags.writeable = False
    views = [
        np.asfortranarray(image),
        image[::2, 1:, ::3],
        image[::-1, :, ::-1],
        image.T,
        read_only,
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for view in views:
            resized = resize_volume(view, (5, 6, 7), CPU)
            torch.testing.assert_close(resized, interpolate(view, (5, 6, 7)), atol=1e-4, rtol=0)


def test_a_right_size_gives_the_image_itself_but_not_its_memory() -> None:
    image = random_image((5, 6, 7), "float32")
    resized = resize_volume(image, (5, 6, 7), CPU)
    assert torch.equal(resized[0, 0], torch.from_numpy(image))
    resized.zero_()
    assert image.any()


def test_slices_that_no_output_reads_do_not_matter() -> None:
    image = random_image((20, 4, 4), "float32")
    taps = axis_taps(20, 4)
    unread = np.setdiff1d(np.arange(20), torch.cat((taps.lower, taps.upper)))
    image[unread] = np.nan
    assert unread.size == 12
    assert torch.isfinite(resize_volume(image, (4, 4, 4), CPU)).all()


def test_the_volume_is_never_copied_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resample, "CHUNK_BYTES", 4 * 4 * 64 * 64)
    image = random_image((256, 64, 64), "float64")
    resize_volume(image[:4], (4, 8, 8), CPU)
    tracemalloc.start()
    resize_volume(image, (128, 8, 8), CPU)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < image.nbytes / 16


@pytest.mark.parametrize("name", ["semantic_up", "semantic_down", "semantic_same", "instance"])
def test_equals_the_published_resize(name: str, shared: Path) -> None:
    folder = shared / "reference" / "golden" / "predict"
    with np.load(folder / f"{name}_in.npz") as arrays:
        image = arrays["imgs"]
    with np.load(folder / f"{name}_out.npz") as arrays:
        published = torch.from_numpy(arrays["resized_sample"])
        size = tuple(4 * n for n in arrays["logits"].shape[1:])
    resized = resize_volume(image, size, CPU)[0, 0, ::3, ::5, ::7]
    torch.testing.assert_close(resized, published.reshape(resized.shape), atol=1e-4, rtol=0)


WINDOW = ((3.0, 17.0), (2.5, 11.75), (0.0, 9.0))


def by_subvoxels(image: np.ndarray, size: tuple[int, int, int], window: Window) -> np.ndarray:
    """Means of many nearest samples per cell of the result."""
    fine = 60
    for axis, (n, (start, stop)) in enumerate(zip(size, window, strict=True)):
        position = start + (np.arange(n * fine) + 0.5) / (n * fine) * (stop - start)
        image = image.take(position.astype(int), axis=axis)
        image = image.reshape(*image.shape[:axis], n, fine, *image.shape[axis + 1 :]).mean(axis + 1)
    return image


def test_a_shrinking_window_is_averaged_over() -> None:
    image = np.random.default_rng(0).integers(0, 256, (20, 15, 9)).astype(np.uint8)
    ours = resample_volume(image, (4, 5, 3), CPU, WINDOW)[0, 0]
    np.testing.assert_allclose(ours, by_subvoxels(image, (4, 5, 3), WINDOW), atol=2.0)
    whole = ((0, 20), (0, 15), (0, 9))
    exact = image.reshape(4, 5, 5, 3, 3, 3).mean((1, 3, 5))
    np.testing.assert_allclose(
        resample_volume(image, (4, 5, 3), CPU, whole)[0, 0], exact, rtol=1e-5
    )


def test_every_voxel_of_the_window_has_its_say() -> None:
    whole = ((0, 40), (0, 30), (0, 20))
    image = np.zeros((40, 30, 20), np.float32)
    rng = np.random.default_rng(0)
    for voxel in zip(*(rng.integers(0, n, 30) for n in image.shape), strict=True):
        image[:] = 0
        image[voxel] = 1000
        assert resample_volume(image, (7, 8, 9), CPU, whole).sum() > 0


def test_a_growing_window_is_interpolated_as_ever() -> None:
    image = np.random.default_rng(0).random((6, 7, 8), np.float32)
    whole = ((0, 6), (0, 7), (0, 8))
    ours = resample_volume(image, (9, 14, 8), CPU, whole)
    torch.testing.assert_close(ours, resize_volume(image, (9, 14, 8), CPU))
    part = resample_volume(image, (4, 4, 4), CPU, ((1, 3), (2, 4), (4, 6)))[0, 0]
    torch.testing.assert_close(part[0, 0, 0].item(), _trilinear(image, (1.25, 2.25, 4.25)))


def _trilinear(image: np.ndarray, position: tuple[float, float, float]) -> float:
    low = [int(p - 0.5) for p in position]
    weights = [p - 0.5 - n for p, n in zip(position, low, strict=True)]
    cube = image[low[0] : low[0] + 2, low[1] : low[1] + 2, low[2] : low[2] + 2].astype(float)
    for weight in weights:
        cube = cube[0] * (1 - weight) + cube[1] * weight
    return float(cube)
