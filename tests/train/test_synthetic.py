from __future__ import annotations

from examples.volumes import KINDS
from train.synthetic import synthetic_corpus, synthetic_prompts


def test_every_class_of_every_volume_has_prompts() -> None:
    seeds = range(2)
    volumes, prompts = synthetic_corpus(seeds), synthetic_prompts(seeds)
    assert len(volumes) == 2 * len(KINDS)
    assert {v.dataset for v in volumes} == {f"synthetic_{kind}" for kind in KINDS}
    for volume in volumes:
        assert volume.classes
        assert set(volume.classes) <= set(prompts[volume.dataset])
