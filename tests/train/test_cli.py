from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file
from transformers import BertConfig, BertModel

from predict.bundle import load_bundle, read_known_prompts
from train.checkpoints import exportable
from train.cli import main
from train.config import TextConfig, TrainConfig
from train.config_file import config_text

VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "liver", "kidney", "left", "ct", "in"]


def _arguments(corpus: Path, config: TrainConfig, tmp_path: Path) -> list[str]:
    path = tmp_path / "config.yaml"
    path.write_text(config_text(config))
    prompts, names = corpus / "prompts.json", corpus / "provenance.json"
    data = ["--data", str(corpus / "data"), "--prompts", str(prompts), "--provenance", str(names)]
    return ["--config", str(path), *data, "--out", str(tmp_path / "run")]


def test_fit_then_export_gives_a_bundle(
    small_run: TrainConfig, corpus_folder: Path, tmp_path: Path
) -> None:
    assert main(["fit", *_arguments(corpus_folder, small_run, tmp_path), "--set", "seed=3"]) == 0
    assert main(["export", str(tmp_path / "run"), str(tmp_path / "bundle")]) == 0
    assert load_bundle(tmp_path / "bundle").manifest["dtype"] == "bfloat16"


def test_a_frozen_pretrained_text_encoder_stays_what_it_was(
    small_run: TrainConfig, corpus_folder: Path, tmp_path: Path
) -> None:
    """From the folder that transformers wrote, through a run, to the bundle."""
    bert = tmp_path / "bert"
    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2}
    BertModel(
        BertConfig(vocab_size=len(VOCABULARY), intermediate_size=16, **sizes)
    ).save_pretrained(bert)
    (bert / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n")
    config = replace(small_run, text_encoder=TextConfig(pretrained=str(bert), mode="frozen"))
    assert main(["fit", *_arguments(corpus_folder, config, tmp_path)]) == 0
    trained = load_file(exportable(tmp_path / "run") / "model.safetensors")
    for key, value in load_file(bert / "model.safetensors").items():
        assert (trained[f"text_encoder.{key}"] == value).all(), key
    main(["export", str(tmp_path / "run"), str(tmp_path / "bundle")])
    assert load_bundle(tmp_path / "bundle").tokenizer.tokenizer.token_to_id("kidney") == 6


def test_finetune_goes_on_from_a_bundle_with_a_flat_folder(
    tiny_bundle: Path, small_run: TrainConfig, tmp_path: Path
) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    labels = np.zeros((12, 16, 16), np.uint8)
    labels[3:9, 4:12, 4:12] = 1
    prompts = np.array({"1": "segment the liver", "instance_label": 0}, dtype=object)
    for name in ("a", "b"):
        np.savez(
            mine / f"{name}.npz",
            imgs=labels * np.uint8(180),
            gts=labels,
            spacing=np.ones(3),
            text_prompts=prompts,
        )
    path = tmp_path / "config.yaml"
    path.write_text(config_text(replace(small_run, freeze_norm_at=0.0)))
    run = ["--config", str(path), "--data", str(mine), "--out", str(tmp_path / "run")]
    assert main(["finetune", "--bundle", str(tiny_bundle), *run]) == 0
    assert main(["export", str(tmp_path / "run"), str(tmp_path / "bundle")]) == 0
    before, after = load_bundle(tiny_bundle), load_bundle(tmp_path / "bundle")
    assert before.model.config == after.model.config
    assert before.tokenizer.tokenizer.to_str() == after.tokenizer.tokenizer.to_str()


@pytest.mark.parametrize(
    "call",
    [
        ["fit", "--config", "nowhere.yaml", "--data", ".", "--out", "run"],
        ["finetune", "--bundle", "nowhere", "--data", "nowhere", "--out", "run"],
        ["export", "nowhere", "bundle"],
    ],
)
def test_a_wrong_call_is_one_line_and_exit_status_2(
    call: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(call) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_packs_train_as_the_files_they_were_made_of(
    small_run: TrainConfig, corpus_folder: Path, tmp_path: Path
) -> None:
    """The cases are small enough to be packed as they are, so every step is the same."""
    index, cache = tmp_path / "index.sqlite", tmp_path / "cache"
    data, prompts = str(corpus_folder / "data"), str(corpus_folder / "prompts.json")
    assert main(["index", data, prompts, "--out", str(index), "--workers", "0"]) == 0
    assert main(["pack", str(index), str(cache), "--workers", "0"]) == 0
    config = tmp_path / "config.yaml"
    config.write_text(config_text(replace(small_run, log_every=1)))
    losses = []
    for name, source in (
        ("raw", ["--data", data]),
        ("packed", ["--data", str(cache), "--index", str(index)]),
    ):
        out = tmp_path / name
        run = ["fit", "--config", str(config), *source, "--prompts", prompts, "--out", str(out)]
        assert main(run) == 0
        with (out / "log.csv").open() as file:
            losses.append([row["loss"] for row in csv.DictReader(file)])
    assert len(losses[0]) == 4
    assert losses[0] == losses[1]


def test_describe_adds_the_list_to_a_finished_bundle(
    tiny_bundle: Path, corpus_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(tiny_bundle, tmp_path / "b")
    case = {"dataset": "CT_A", "modality": "CT", "classes": {"1": "liver"}}
    provenance = tmp_path / "provenance.json"
    provenance.write_text(json.dumps({"train": {"a": case}}))
    files = ["--prompts", str(corpus_folder / "prompts.json"), "--provenance", str(provenance)]
    assert main(["describe", str(tmp_path / "b"), *files]) == 0
    known = read_known_prompts(tmp_path / "b")
    assert known is not None
    assert [(c.modality, c.name) for c in known.classes] == [("CT", "liver")]
    assert ": 1 classes" in capsys.readouterr().out
