from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from predict.errors import BundleError
from predict.freeze import freeze_tokenizer

SENTENCES = (
    "Segment the left kidney on this contrast-enhanced abdominal CT.",
    "\u00c9tendue de l'\u0153d\u00e8me p\u00e9ritumoral, na\u00efve FLAIR",
    "L5 vertebra; 18F-FDG PET (SUV > 2.5) T1-T2* fusion",
    "\u809d\u81d3 \u0432 \u041a\u0422  \t\n liver\u00a0mask",
    "unaffable supercalifragilisticexpialidocious " + "x" * 150,
    "[SEP] liver [MASK] [cls]",
    "\U0001f9e0 \ufb01brosis \x00\u200b",
    "",
)


@pytest.mark.parametrize("lower_case", [False, True])
def test_ids_equal_the_published_tokenizer(shared: Path, tmp_path: Path, lower_case: bool) -> None:
    transformers = pytest.importorskip("transformers")
    shutil.copy(shared / "data" / "bert-base-cased-vocab.txt", tmp_path / "vocab.txt")
    settings = {"do_lower_case": lower_case, "tokenizer_class": "BertTokenizer"}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings))
    prompts = json.loads((shared / "data" / "CVPR25_TextSegFMData_with_class.json").read_text())
    texts = [t for d in prompts.values() for v in d.values() if isinstance(v, list) for t in v]
    oracle = transformers.BertTokenizer.from_pretrained(tmp_path)
    frozen = freeze_tokenizer(tmp_path)
    assert frozen.get_vocab_size() == 28996
    for text in (*SENTENCES, *texts):
        assert frozen.encode(text).ids == oracle(text)["input_ids"], text


@pytest.fixture
def folder(tiny_checkpoint: Path, tmp_path: Path) -> Path:
    for name in ("vocab.txt", "tokenizer_config.json"):
        shutil.copy(tiny_checkpoint / name, tmp_path)
    return tmp_path


def test_lower_case_is_the_default(folder: Path) -> None:
    (folder / "tokenizer_config.json").unlink()
    assert freeze_tokenizer(folder).encode("LIVER").tokens == ["[CLS]", "liver", "[SEP]"]


def test_case_is_kept_where_the_files_say_so(folder: Path) -> None:
    (folder / "tokenizer_config.json").write_text('{"do_lower_case": false}')
    assert freeze_tokenizer(folder).encode("LIVER").tokens == ["[CLS]", "[UNK]", "[SEP]"]


def test_a_whole_tokenizer_goes_before_a_vocabulary(folder: Path, tiny_bundle: Path) -> None:
    shutil.copy(tiny_bundle / "tokenizer.json", folder)
    (folder / "vocab.txt").write_text("broken")
    assert freeze_tokenizer(folder).encode("liver").ids == [2, 5, 3]


def test_special_tokens_may_have_other_names(folder: Path) -> None:
    text = (folder / "vocab.txt").read_text().replace("[CLS]", "<s>")
    (folder / "vocab.txt").write_text(text)
    names = {"cls_token": {"content": "<s>"}}
    (folder / "special_tokens_map.json").write_text(json.dumps(names))
    assert freeze_tokenizer(folder).encode("liver").tokens == ["<s>", "liver", "[SEP]"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[PAD]\nliver\nliver\n", "distinct tokens"),
        (b"", "distinct tokens"),
        (b"[PAD]\n[UNK]\n[SEP]\nliver\n", "special token"),
        (b"\xff\xfe", "UTF-8"),
    ],
)
def test_a_broken_vocabulary_is_refused(folder: Path, content: bytes, message: str) -> None:
    (folder / "vocab.txt").write_bytes(content)
    with pytest.raises(BundleError, match=message):
        freeze_tokenizer(folder)


def test_no_tokenizer_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="found neither"):
        freeze_tokenizer(tmp_path)
