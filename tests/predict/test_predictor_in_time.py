"""A stand-in network whose passes take a told number of seconds, and 30 prompts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel

from predict import predictor as module
from predict.bundle import Bundle
from predict.governor import Governor
from predict.model.config import ModelConfig
from predict.model.mask_decoder import ImageFeatures
from predict.model.text3dsam import PassOutput
from predict.pipeline import Pipeline
from predict.predictor import Answer, ImagePredictor
from predict.second_look import Look
from predict.tokenizer import PromptTokenizer

CPU = torch.device("cpu")
IMAGE = np.random.default_rng(0).integers(0, 256, (20, 30, 25), np.uint8)
TEXTS = [f"liver {number}" for number in range(30)]
IDS = list(range(101, 131))
ENCODE, PASS = 8.0, 0.5
LEFT = ((0.0, 20.0), (0.0, 30.0), (0.0, 12.0))
RIGHT = ((0.0, 20.0), (0.0, 30.0), (12.0, 25.0))


class StandIn:
    """A network that takes its time: prompt n answers n when looked at, n + 1000 a pass later."""

    def __init__(self, config: ModelConfig) -> None:
        self.config, self.now = config, 0.0

    def to(self, _: torch.device) -> StandIn:
        return self

    def encode_image(self, _: torch.Tensor) -> ImageFeatures:
        self.now += ENCODE
        return ImageFeatures(*(torch.zeros(1),) * 4)

    def encode_text(self, ids: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
        return torch.arange(1.0, 1 + len(ids))

    def decode(
        self,
        _: ImageFeatures,
        text: torch.Tensor,
        refinements: int | None = None,
        before: PassOutput | None = None,
    ) -> list[PassOutput]:
        passes = self.config.refinements if refinements is None else refinements
        self.now += PASS * len(text) * (passes + (before is None))
        if before is None:
            logits = text[:, None, None, None, None].expand(-1, 1, 2, 2, 2)
            before = PassOutput(logits, text[:, None, None])
        return [PassOutput(before.logits + 1000 * passes, before.token)]

    def presence(self, *_: object) -> None:
        return None


class Slow:
    """A predictor on a slow machine, whose clocks only the network moves."""

    def __init__(
        self, config: ModelConfig, tokenizer: Tokenizer, patch: pytest.MonkeyPatch
    ) -> None:
        self.model, self.jump = StandIn(config), 0.0
        words = PromptTokenizer(tokenizer)
        bundle = Bundle(self.model, Pipeline(), words, {}, "")  # type: ignore[arg-type]
        self.predictor = ImagePredictor(bundle, CPU, batch_size=4)
        patch.setattr(module.time, "perf_counter", lambda: self.model.now)
        patch.setattr(module.time, "time", lambda: self.model.now + self.jump)

    def answer(self, budget: float) -> Answer:
        """Of all 30 prompts within a budget that begins now."""
        self.model.now = 0.0
        self.predictor.set_image(IMAGE)
        governor = Governor(
            budget,
            self.predictor.times,
            voxels=IMAGE.size,
            classes=len(TEXTS),
            spent=self.model.now,
            clock=lambda: self.model.now,
        )
        return self.predictor.predict(TEXTS, IDS, governor)

    @property
    def now(self) -> float:
        """Seconds since the last answer was asked for."""
        return self.model.now


@pytest.fixture
def slow(tiny_config: ModelConfig, monkeypatch: pytest.MonkeyPatch) -> Slow:
    tokenizer = Tokenizer(WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    return Slow(tiny_config, tokenizer, monkeypatch)


@pytest.fixture
def look_at(slow: Slow, monkeypatch: pytest.MonkeyPatch) -> Callable[[list[Look]], None]:
    """Precise mode, with given looks."""

    def look(looks: list[Look]) -> None:
        slow.predictor.pipeline = Pipeline(mode="precise")
        monkeypatch.setattr(module, "plan_looks", lambda *_: looks)

    return look


def _values(answer: Answer) -> list[float]:
    """What each prompt answers, in the order of the views."""
    return [value for view in answer.views for value in view.logits[:, 0, 0, 0].tolist()]


def coarse_of(answer: Answer) -> list[int]:
    return [IDS[number] for number in answer.unrefined]


COARSE = ENCODE + 30 * PASS
REFINED = COARSE + 30 * 2 * PASS


@pytest.mark.parametrize("budget", [1.0, COARSE, 35.0, 40.0, 45.0, 60.0, 1e6])
def test_the_paper_s_refinements_end_in_time_and_every_prompt_has_an_answer(
    slow: Slow, budget: float
) -> None:
    answer = slow.answer(budget)
    assert slow.now <= max(COARSE, budget)
    ids = [i for view in answer.views for i in view.class_ids]
    assert sorted(ids) == IDS
    assert all(view.window is None for view in answer.views)
    assert answer.unrefined == tuple(range(30 - len(answer.unrefined), 30))
    if budget <= COARSE:
        assert coarse_of(answer) == IDS
    if budget == 45:
        assert 0 < len(answer.unrefined) < 30
    if budget > 2 * REFINED:
        assert answer.unrefined == ()


def test_what_is_dropped_has_its_coarse_logits_and_the_rest_all_passes(slow: Slow) -> None:
    full, nothing, some = (slow.answer(budget) for budget in (1e6, 1.0, 45.0))
    count = 30 - len(some.unrefined)
    assert 0 < count < 30
    assert _values(full) == [2000 + n for n in range(1, 31)]
    assert _values(nothing) == list(range(1, 31))
    assert _values(some) == _values(full)[:count] + _values(nothing)[count:]


def test_windows_go_before_the_whole_and_small_groups_before_large_ones(
    slow: Slow, look_at: Callable[[list[Look]], None]
) -> None:
    """What is dropped first as time gets short."""
    few, many, whole = (
        Look((0, 1), LEFT),
        Look(tuple(range(2, 20)), RIGHT),
        Look(tuple(range(20, 30)), None),
    )
    look_at([few, many, whole])
    dropped = [set(slow.answer(budget).unrefined) for budget in (1e6, 70.0, 45.0, 1.0)]
    assert dropped[0] == set()
    assert dropped[1] == {0, 1}
    assert dropped[2] == set(range(20))
    assert dropped[3] == set(range(30))


@pytest.mark.parametrize("budget", [30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 1e6])
def test_a_prompt_is_refined_in_all_tiles_or_in_none(
    slow: Slow,
    look_at: Callable[[list[Look]], None],
    monkeypatch: pytest.MonkeyPatch,
    budget: float,
) -> None:
    joint = ((0.0, 20.0), (0.0, 30.0), (0.0, 25.0))
    stitched = []

    def stitch(seen: list[torch.Tensor], *_: object) -> torch.Tensor:
        stitched.extend(len(logits) for logits in seen)
        return seen[0]

    monkeypatch.setattr(module, "plan_tiles", lambda *_: [LEFT, RIGHT])
    monkeypatch.setattr(module, "stitch", stitch)
    look_at([Look(tuple(range(30)), joint, thin=True)])
    answer = slow.answer(budget)
    assert slow.now <= budget
    count = 30 - len(answer.unrefined)
    assert stitched == ([count, count] if count else [])
    windows = {i: view.window for view in answer.views for i in view.class_ids}
    assert windows == {i: joint if n < count else None for n, i in enumerate(IDS)}
    assert (count == 30) == (budget == 1e6)


def test_refinements_without_memory_leave_the_coarse_answer(
    slow: Slow, monkeypatch: pytest.MonkeyPatch
) -> None:
    decode = slow.model.decode

    def starved(*arguments: Any) -> list[PassOutput]:
        if arguments[3] is not None:
            raise MemoryError
        return decode(*arguments)

    monkeypatch.setattr(slow.model, "decode", starved)
    answer = slow.answer(1e6)
    assert _values(answer) == list(range(1, 31))
    assert answer.unrefined == tuple(range(30))
    assert answer.warnings[-1] == "memory ran out: refinements were left out"


def test_a_jump_of_the_wall_clock_changes_nothing(slow: Slow) -> None:
    before = slow.answer(45.0).unrefined
    slow.jump = 1e7
    again = slow.answer(45.0).unrefined
    assert before == again


def test_later_cases_know_what_stages_take(slow: Slow) -> None:
    slow.answer(1e6)
    times = slow.predictor.times
    assert times.estimate("encode", 1) == ENCODE
    assert times.estimate("decode", 1) == pytest.approx(PASS)
