"""``python -m predict prompts``: what may be asked, and what is odd about a prompt."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from predict.defaults import DEFAULT_BUNDLE
from predict.exit_status import GOOD
from predict.known_prompts import MODALITIES

if TYPE_CHECKING:
    from predict.known_prompts import KnownPrompts

NOT_TOLD = "this bundle does not say what it was trained on (it has no prompts.json)"
EPILOG = """\
examples:
  python -m predict prompts                       everything, by modality
  python -m predict prompts --modality CT
  python -m predict prompts "left kidny in CT"    what is near, and what is odd about it
"""


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register ``prompts``."""
    parser = commands.add_parser(
        "prompts",
        help="list what the bundle was trained on; check prompts",
        description="List what a bundle was trained on, or compare prompts with it.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("texts", nargs="*", metavar="TEXT", help="prompts to check")
    parser.add_argument("--modality", choices=MODALITIES, help="only this one; of the image")
    parser.add_argument("--bundle", type=Path, default=DEFAULT_BUNDLE, help="weights")
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.set_defaults(command=prompts)


def prompts(options: argparse.Namespace) -> int:
    """Run the command and return the exit status."""
    from predict.bundle import read_known_prompts

    known = read_known_prompts(options.bundle)
    if known is None:
        print(json.dumps({"known": None}) if options.json else NOT_TOLD)
    elif options.texts:
        _check(options)
    else:
        _list(known, options)
    return GOOD


def _list(known: KnownPrompts, options: argparse.Namespace) -> None:
    chosen = known.of(options.modality)
    if options.json:
        table = [
            {"name": c.name, "modality": c.modality, "datasets": c.datasets, "also": c.wordings}
            | {"examples": c.examples}
            for c in chosen
        ]
        print(json.dumps({"known": table}, indent=1, ensure_ascii=False))
        return
    for modality in known.modalities:
        classes = [c for c in chosen if c.modality == modality]
        if not classes:
            continue
        print(f"{modality}: {len(classes)} structures")
        for c in classes:
            also = f"  (also: {', '.join(c.wordings[:2])})" if c.wordings else ""
            print(f"  {c.name}{also}")
        examples = ", ".join(f'"{text}"' for text in classes[0].examples)
        print(f"  ask, for example: {examples}\n")


def _check(options: argparse.Namespace) -> None:
    from predict.api import Segmenter

    prompt_help = Segmenter.load(options.bundle, device="cpu").prompt_help
    if prompt_help is None:
        raise RuntimeError("expected the list that was read a moment ago")
    answers: list[dict[str, Any]] = [
        {
            "text": text,
            "warnings": prompt_help.check([text], options.modality),
            "nearest": [
                {"name": n.known.name, "modality": n.known.modality}
                | {"nearness": round(n.nearness, 3)}
                for n in prompt_help.nearest(text, modality=options.modality)
            ],
        }
        for text in options.texts
    ]
    together = prompt_help.check(options.texts, options.modality)
    pairs = [line for line in together if not any(line in a["warnings"] for a in answers)]
    if options.json:
        print(json.dumps({"prompts": answers, "together": pairs}, indent=1, ensure_ascii=False))
        return
    for answer in answers:
        print(answer["text"])
        for near in answer["nearest"]:
            print(f"  {near['nearness']:.2f}  {near['name']} ({near['modality']})")
        for line in answer["warnings"]:
            print(f"  warning: {line}")
    for line in pairs:
        print(f"warning: {line}")
