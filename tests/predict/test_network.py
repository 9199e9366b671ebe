from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from predict import network as module
from predict.free_memory import FreeMemory
from predict.memory import decode_bytes
from predict.model.mask_decoder import ImageFeatures
from predict.model.text3dsam import PassOutput, Text3DSAM
from predict.network import Network, Place, joined

CPU = torch.device("cpu")


class Gpu:
    """Named like a GPU; tensors on it are those of the CPU."""

    type = "cuda"


@pytest.fixture
def text(tiny_model: Text3DSAM) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(5, tiny_model.config.embed_dim, generator=generator)


@pytest.fixture
def volume(tiny_model: Text3DSAM) -> torch.Tensor:
    generator = torch.Generator().manual_seed(2)
    return 255 * torch.rand(1, 1, *tiny_model.config.image_size, generator=generator)


@pytest.fixture
def starve(tiny_model: Text3DSAM, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], list[int]]:
    """Let the model's memory end at so many prompts; returns the batches it was asked for."""

    def limit(most: int) -> list[int]:
        decode, sizes = tiny_model.decode, []

        def limited(features: ImageFeatures, text: torch.Tensor, *more: object) -> object:
            sizes.append(len(text))
            if len(text) > most:
                raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
            return decode(features, text, *more)  # type: ignore[arg-type]

        monkeypatch.setattr(tiny_model, "decode", limited)
        return sizes

    return limit


@torch.inference_mode()
def test_batches_are_halved_as_far_as_needed(
    tiny_model: Text3DSAM,
    text: torch.Tensor,
    volume: torch.Tensor,
    starve: Callable[[int], list[int]],
) -> None:
    network = Network(tiny_model, CPU, 4)
    features = network.encode_image(volume)
    expected = network.decode(features, text)
    assert network.events == []
    sizes = starve(1)
    found = network.decode(features, text)
    assert sizes == [4, 2, 1, 1, 1, 1, 1]
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
    assert network.events == [
        "memory ran out: 2 prompts at once",
        "memory ran out: 1 prompts at once",
    ]
    network.start_case()
    assert network.events == []


@torch.inference_mode()
def test_a_cpu_without_memory_for_one_prompt_is_the_end(
    tiny_model: Text3DSAM,
    text: torch.Tensor,
    volume: torch.Tensor,
    starve: Callable[[int], list[int]],
) -> None:
    network = Network(tiny_model, CPU, None)
    features = network.encode_image(volume)
    starve(0)
    with pytest.raises(MemoryError, match="memory ran out while one prompt at a time"):
        network.decode(features, text)


@torch.inference_mode()
def test_a_gpu_without_memory_leaves_the_rest_to_the_cpu(
    tiny_model: Text3DSAM,
    text: torch.Tensor,
    volume: torch.Tensor,
    monkeypatch: pytest.MonkeyPatch,
    starve: Callable[[int], list[int]],
) -> None:
    plain = Network(tiny_model, CPU, None)
    features = plain.encode_image(volume)
    coarse = plain.decode(features, text, 0)
    expected = plain.decode(features, text, before=coarse)
    monkeypatch.setattr(Place, "autocast", lambda _: torch.autocast("cpu", enabled=False))
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
    network = Network(tiny_model, CPU, 2)
    network._places = [Place(tiny_model, Gpu(), torch.float32)]  # type: ignore[arg-type]
    monkeypatch.setattr(module, "_last_pass", _moving_nothing)
    copied = module.copy_to_cpu(tiny_model)
    monkeypatch.setattr(module, "copy_to_cpu", lambda _: copied)
    starve(0)
    found = network.decode(features, text, before=coarse)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
    assert network.place == Place(copied, CPU, torch.float32)
    (halved, fell) = network.events
    assert halved == "memory ran out: 1 prompts at once"
    assert fell.startswith("the GPU's memory ran out while one prompt at a time")
    network.start_case()
    assert network.place.device.type == "cuda"
    share = network.share()
    assert share._places is network._places


def _moving_nothing(
    features: ImageFeatures,
    text: torch.Tensor,
    refinements: int | None,
    before: PassOutput | None,
    at: Place,
) -> PassOutput:
    return at.model.decode(features, text, refinements, before)[-1]


def test_other_errors_are_not_taken_for_want_of_memory(
    tiny_model: Text3DSAM, monkeypatch: pytest.MonkeyPatch, volume: torch.Tensor
) -> None:
    def fail(_: object) -> None:
        raise RuntimeError("wrong shape")

    monkeypatch.setattr(tiny_model, "encode_image", fail)
    with pytest.raises(RuntimeError, match="wrong shape"):
        Network(tiny_model, CPU, None).encode_image(volume)


def test_the_batch_follows_free_memory(
    tiny_model: Text3DSAM, monkeypatch: pytest.MonkeyPatch
) -> None:
    need = 2 * 3 * decode_bytes(tiny_model.config)
    monkeypatch.setattr(module, "free_memory", lambda: FreeMemory(need, "a test"))
    assert Network(tiny_model, CPU, None).batch_that_fits() == 3
    assert Network(tiny_model, CPU, 9).batch_that_fits() == 9


def test_batches_are_joined_in_order() -> None:
    parts = [PassOutput(torch.full((1, 1), i), torch.full((1, 2), i)) for i in (1, 2)]
    assert joined(parts).logits.tolist() == [[1], [2]]
