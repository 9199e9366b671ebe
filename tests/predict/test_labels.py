"""Label fusion against the published dense form: argmax over a stack of probabilities."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from predict import labels as labels_module
from predict.labels import (
    View,
    count_voxels,
    finite_logits,
    fuse_labels,
    plan_slabs,
    probability,
)
from predict.resample import Window

Shape3d = tuple[int, int, int]


def random_logits(
    classes: int, coarse: Shape3d, *, seed: int = 0, shift: float = 0
) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 3 * torch.randn(classes, *coarse, generator=generator) + shift


def dense(
    logits: torch.Tensor, class_ids: list[int], shape: Shape3d
) -> tuple[np.ndarray, np.ndarray]:
    """Labels by argmax over (1 - max, p_1, ...) and each voxel's distance to another answer."""
    fine = F.interpolate(logits[None].double(), shape, mode="trilinear", align_corners=False)[0]
    probabilities = fine.sigmoid()
    background = 1 - probabilities.max(dim=0).values
    winner = torch.cat((background[None], probabilities)).argmax(dim=0)
    best = torch.cat((torch.zeros_like(fine[:1]), fine)).topk(2, dim=0).values
    return np.array([0, *class_ids], np.uint8)[winner], (best[0] - best[1]).numpy()


def fuse(logits: torch.Tensor, class_ids: list[int], shape: Shape3d) -> np.ndarray:
    return fuse_labels([View(logits=logits, class_ids=class_ids)], shape)


def foreground(logits: torch.Tensor, shape: Shape3d) -> np.ndarray:
    return fuse(logits, [1], shape).view(bool)


def assert_equals_dense(logits: torch.Tensor, class_ids: list[int], shape: Shape3d) -> np.ndarray:
    ours = fuse(logits, class_ids, shape)
    expected, margin = dense(logits, class_ids, shape)
    assert ours.dtype == np.uint8
    assert ours.shape == shape
    assert (margin[ours != expected] < 1e-5).all()
    return ours


@pytest.mark.parametrize(
    ("coarse", "shape"),
    [
        ((4, 5, 6), (9, 13, 17)),
        ((8, 8, 8), (31, 8, 5)),
        ((6, 7, 8), (5, 3, 2)),
        ((5, 6, 7), (5, 6, 7)),
        ((1, 4, 3), (6, 9, 1)),
        ((4, 1, 1), (1, 7, 8)),
        ((9, 9, 9), (1, 1, 1)),
        ((1, 1, 1), (3, 4, 5)),
    ],
)
@pytest.mark.parametrize("class_ids", [[1], [7, 2, 15, 200], list(range(30, 0, -1))])
@pytest.mark.parametrize("slab_bytes", [1, 900, labels_module.CPU_SLAB_BYTES])
def test_equals_the_dense_form(
    coarse: Shape3d,
    shape: Shape3d,
    class_ids: list[int],
    slab_bytes: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(labels_module, "CPU_SLAB_BYTES", slab_bytes)
    logits = random_logits(len(class_ids), coarse, shift=-2)
    assert_equals_dense(logits, class_ids, shape)


@st.composite
def cases(draw: st.DrawFn) -> tuple[torch.Tensor, Shape3d, int, int]:
    sizes = st.tuples(*[st.integers(1, 7)] * 3)
    logits = random_logits(
        draw(st.integers(1, 4)),
        draw(sizes),
        seed=draw(st.integers(0, 2**31)),
        shift=draw(st.sampled_from([-6, -3, 0, 3])),
    )
    shape = draw(st.tuples(*[st.integers(1, 12)] * 3))
    return logits, shape, draw(st.integers(1, 2000)), draw(st.integers(1, 12))


@given(case=cases())
@settings(max_examples=200, deadline=None)
def test_equals_the_dense_form_whatever_the_sizes(
    case: tuple[torch.Tensor, Shape3d, int, int],
) -> None:
    logits, shape, slab_bytes, columns = case
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(labels_module, "CPU_SLAB_BYTES", slab_bytes)
        patch.setattr(labels_module, "CPU_COLUMNS", columns)
        assert_equals_dense(logits, list(range(1, len(logits) + 1)), shape)


@pytest.mark.parametrize("corner", [(z, y, x) for z in (0, 5) for y in (0, 6) for x in (0, 7)])
def test_a_single_positive_cell_at_a_corner(corner: Shape3d) -> None:
    logits = torch.full((1, 6, 7, 8), -1.0)
    logits[(0, *corner)] = 5
    shape = (19, 23, 21)
    found = assert_equals_dense(logits, [9], shape)
    at = tuple(0 if i == 0 else n - 1 for i, n in zip(corner, shape, strict=True))
    assert found[at] == 9
    assert np.count_nonzero(found) < found.size / 8


def test_a_positive_cell_that_no_output_reads_leaves_background() -> None:
    logits = torch.full((1, 9, 9, 9), -1.0)
    logits[0, 0] = logits[0, :, 0] = logits[0, :, :, 0] = 5
    assert not fuse(logits, [1], (3, 3, 3)).any()


def test_all_negative_is_background() -> None:
    assert not fuse(torch.full((3, 4, 4, 4), -0.5), [1, 2, 3], (7, 8, 9)).any()


def test_zero_is_background() -> None:
    assert not fuse(torch.zeros(2, 4, 4, 4), [1, 2], (7, 8, 9)).any()


def test_no_classes_is_background() -> None:
    assert not fuse(torch.zeros(0, 4, 4, 4), [], (7, 8, 9)).any()


def test_all_positive_leaves_no_background() -> None:
    logits = random_logits(3, (4, 4, 4)).abs() + 0.1
    assert assert_equals_dense(logits, [4, 5, 6], (9, 10, 11)).all()


@given(
    coarse=st.tuples(*[st.integers(1, 20)] * 3),
    shape=st.tuples(*[st.integers(1, 40)] * 3),
    seed=st.integers(0, 2**31),
)
@settings(max_examples=100, deadline=None)
def test_the_earlier_of_equal_classes_wins(coarse: Shape3d, shape: Shape3d, seed: int) -> None:
    logits = random_logits(1, coarse, seed=seed).expand(3, *coarse)
    assert set(np.unique(fuse(logits, [200, 2, 7], shape))) <= {0, 200}


def test_nan_and_infinite_cells() -> None:
    logits = torch.full((2, 2, 2, 6), -1.0)
    logits[0, :, :, 0], logits[1, :, :, 0] = torch.nan, 1
    logits[1, :, :, 2] = torch.inf
    logits[0, :, :, 4], logits[1, :, :, 4] = 1, -torch.inf
    np.testing.assert_array_equal(fuse(logits, [1, 2], (2, 2, 6))[0, 0], [2, 0, 2, 0, 1, 0])
    all_nan = torch.full((1, 3, 3, 3), torch.nan)
    assert not fuse(all_nan, [1], (7, 7, 7)).any()


def test_a_nan_cell_takes_what_it_touches_and_nothing_else() -> None:
    logits = torch.ones(1, 1, 1, 9)
    logits[..., 4] = torch.nan
    found = fuse(logits, [1], (1, 1, 36))[0, 0]
    touched = slice(14, 22)
    assert not found[touched].any()
    assert found[: touched.start].all()
    assert found[touched.stop :].all()


def test_finite_logits_counts_nan_and_keeps_the_rest() -> None:
    logits = torch.tensor([1.5, torch.nan, -torch.inf, torch.inf, torch.nan], dtype=torch.float16)
    finite, count = finite_logits(logits)
    assert count == 2
    assert finite.dtype == torch.float32
    assert finite[0] == 1.5
    assert finite[1] == finite[2] == finite[4] == -finite[3]
    assert torch.isfinite(finite).all()
    assert torch.isnan(logits).sum() == 2


def test_logits_of_half_precision_are_interpolated_in_float32() -> None:
    logits = random_logits(2, (3, 4, 5)).bfloat16()
    assert_equals_dense(logits, [1, 2], (7, 9, 11))


def test_one_id_per_class() -> None:
    with pytest.raises(ValueError, match="expected 2 class ids, received 1"):
        fuse(torch.zeros(2, 2, 2, 2), [1], (3, 3, 3))


WINDOW = ((2.0, 7.0), (-1.5, 9.25), (3.4, 16.2))


def in_window(logits: torch.Tensor, window: Window, shape: Shape3d) -> torch.Tensor:
    """(C, *shape): values at the voxels' centres, minus infinity outside of the window."""
    axes = [
        2 * (torch.arange(n) + 0.5 - start) / (stop - start) - 1
        for n, (start, stop) in zip(shape, window, strict=True)
    ]
    z, y, x = torch.meshgrid(*axes, indexing="ij")
    grid = torch.stack((x, y, z), dim=-1)[None].double()
    values = F.grid_sample(logits[None].double(), grid, padding_mode="border", align_corners=False)[
        0
    ]
    outside = (grid[0].abs() > 1).any(dim=-1)
    return values.masked_fill(outside, -torch.inf)


@pytest.mark.parametrize("slab_bytes", [1, 2**23])
@pytest.mark.parametrize("columns", [1, 4, 128])
def test_views_of_parts_of_a_case(
    slab_bytes: int, columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(labels_module, "CPU_SLAB_BYTES", slab_bytes)
    monkeypatch.setattr(labels_module, "CPU_COLUMNS", columns)
    shape = (9, 13, 17)
    whole, part = random_logits(2, (4, 5, 6)), random_logits(1, (6, 6, 5), seed=1)
    views = [
        View(logits=whole, class_ids=[3, 9]),
        View(logits=part, class_ids=[5], window=WINDOW),
    ]
    everywhere = tuple((0.0, float(n)) for n in shape)
    values = torch.cat((in_window(whole, everywhere, shape), in_window(part, WINDOW, shape)))
    best, winner = torch.cat((torch.zeros_like(values[:1]), values)).topk(2, dim=0)
    margin = (best[0] - best[1]).numpy()
    expected = np.array([0, 3, 9, 5], np.uint8)[winner[0]]
    ours = fuse_labels(views, shape)
    assert (margin[ours != expected] < 1e-5).all()
    assert set(np.unique(ours)) == {0, 3, 5, 9}


def test_a_class_is_background_outside_of_its_window() -> None:
    view = View(logits=torch.ones(1, 2, 2, 2), class_ids=[4], window=WINDOW)
    labels = fuse_labels([view], (9, 13, 17))
    expected = np.zeros((9, 13, 17), np.uint8)
    expected[2:7, :9, 3:16] = 4  # voxels whose centres lie inside
    np.testing.assert_array_equal(labels, expected)


@pytest.mark.parametrize("shape", [(9, 11, 14), (4, 5, 6), (2, 3, 3)])
def test_foreground_mask_equals_the_dense_form(shape: Shape3d) -> None:
    logits = random_logits(1, (4, 5, 6))
    mask = foreground(logits, shape)
    expected, margin = dense(logits, [1], shape)
    assert mask.dtype == np.bool_
    assert (margin[mask != expected.astype(bool)] < 1e-5).all()


def test_count_voxels() -> None:
    labels = np.zeros((3, 4, 5), np.uint8)
    labels[0], labels[1:, 0, 0], labels[2, 3, 4] = 7, 255, 2
    assert count_voxels(labels) == {2: 1, 7: 20, 255: 2}
    assert count_voxels(labels[:, ::2, ::-1]) == {7: 10, 255: 2}
    assert count_voxels(np.zeros((2, 2, 2), np.uint8)) == {}


@given(
    shape=st.tuples(st.integers(1, 40), st.integers(1, 30), st.integers(1, 30)),
    coarse_depth=st.integers(1, 64),
    slab_bytes=st.integers(1, 2**16),
)
def test_slabs_cover_every_plane_within_the_bound(
    shape: Shape3d, coarse_depth: int, slab_bytes: int
) -> None:
    slabs = plan_slabs(shape, coarse_depth, slab_bytes)
    starts, stops = [s[0] for s in slabs], [s[1] for s in slabs]
    assert [*starts, shape[0]] == [0, *stops]
    depths = [stop - start for start, stop in slabs]
    plane_bytes = 4 * shape[1] * shape[2]
    assert min(depths) >= 1
    if max(depths) > 1:
        assert max(depths) * plane_bytes <= slab_bytes
        assert max(depths) * plane_bytes * coarse_depth <= slab_bytes * shape[0]


@pytest.mark.parametrize("name", ["semantic_up", "semantic_down", "semantic_same"])
def test_semantic_cases_of_the_published_code(name: str, shared: Path) -> None:
    with np.load(shared / "reference/golden/predict" / f"{name}_out.npz") as arrays:
        published, logits = arrays["segs"], torch.from_numpy(arrays["logits"])
        class_ids = [int(i) for i in arrays["class_ids"]]
    ours = fuse(logits, class_ids, published.shape)
    different = ours != published
    assert np.count_nonzero(different) <= 20
    assert (dense(logits, class_ids, published.shape)[1][different] < 1e-3).all()


def test_instance_case_of_the_published_code(shared: Path) -> None:
    with np.load(shared / "reference/golden/predict/instance_out.npz") as arrays:
        published, logits = arrays["segs"], torch.from_numpy(arrays["logits"][:1])
    different = foreground(logits, published.shape) != published.astype(bool)
    assert np.count_nonzero(different) <= 20
    assert (dense(logits, [1], published.shape)[1][different] < 1e-3).all()


@pytest.mark.parametrize("shape", [(9, 11, 7), (3, 4, 5), (20, 6, 30)])
def test_probabilities_equal_the_dense_form(
    shape: Shape3d, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(labels_module, "CPU_SLAB_BYTES", 1)
    logits = random_logits(2, (6, 5, 8))
    view = View(logits=logits, class_ids=[4, 9])
    fine = F.interpolate(logits[None], shape, mode="trilinear", align_corners=False)[0]
    for class_id, expected in zip((4, 9), fine.sigmoid(), strict=True):
        found = probability([view], class_id, shape)
        assert found.dtype == np.float16
        np.testing.assert_allclose(found, expected.numpy(), atol=1e-3)


def test_probabilities_are_0_outside_of_the_window_and_without_a_view() -> None:
    window = ((2.0, 6.0), (0.0, 5.0), (1.0, 4.0))
    view = View(logits=torch.full((1, 2, 2, 2), 5.0), class_ids=[1], window=window)
    inside = np.zeros((8, 5, 6), bool)
    inside[2:6, :, 1:4] = True
    np.testing.assert_array_equal(probability([view], 1, (8, 5, 6)) > 0, inside)
    assert not probability([view], 2, (8, 5, 6)).any()
