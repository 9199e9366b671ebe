from __future__ import annotations

from train.config import TrainConfig, half_width_model


def test_the_default_network_fits_the_phases() -> None:
    model = half_width_model(3000)
    phases = TrainConfig().phases
    assert phases[-1].image_size == model.image_size
    assert len(phases[-1].pass_weights) == 1 + model.refinements
    assert phases[-1].until == 1.0
    assert [p.until for p in phases] == sorted(p.until for p in phases)
