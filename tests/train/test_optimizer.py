from __future__ import annotations

from dataclasses import replace

from train.config import TextConfig, TrainConfig
from train.network import new_model
from train.objective import Objective
from train.optimizer import parameter_groups


def test_parameters_have_rates_and_decays_of_their_own(small_run: TrainConfig) -> None:
    model = new_model(small_run.network, 0)
    groups = parameter_groups(model, small_run)
    kinds = {(g["rate"], g["weight_decay"]): g["params"] for g in groups}
    assert set(kinds) == {(0.1, 1e-5), (0.1, 0.0), (1.0, 1e-5), (1.0, 0.0)}
    assert all(p.ndim > 1 for p in kinds[1.0, 1e-5])
    assert all(p.ndim == 1 for p in kinds[0.1, 0.0])
    assert sum(len(params) for params in kinds.values()) == len(list(model.parameters()))


def test_vectors_decay_where_asked_for(small_run: TrainConfig) -> None:
    optimizer = replace(small_run.optimizer, decay_vectors=True)
    groups = parameter_groups(
        new_model(small_run.network, 0), replace(small_run, optimizer=optimizer)
    )
    assert {(g["rate"], g["weight_decay"]) for g in groups} == {(0.1, 1e-5), (1.0, 1e-5)}


def test_beside_a_frozen_encoder_the_projector_has_the_full_rate(small_run: TrainConfig) -> None:
    config = replace(small_run, text_encoder=TextConfig(mode="frozen"))
    model = new_model(small_run.network, 0)
    Objective(model, config.loss, frozen_text=True)
    groups = parameter_groups(model, config)
    trained = {id(p) for group in groups for p in group["params"]}
    assert {group["rate"] for group in groups} == {1.0}
    assert not any(id(p) in trained for p in model.text_encoder.parameters())
    assert all(id(p) in trained for p in model.text_projector.parameters())
