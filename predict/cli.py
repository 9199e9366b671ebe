"""Command line of prediction."""

from __future__ import annotations

import argparse
import difflib
import json
import logging
import os
import shlex
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from predict import (
    doctor_command,
    merge_command,
    prompts_command,
    ray_command,
    replay_command,
    run_command,
    segment_command,
    serve_command,
)
from predict.defaults import DEFAULT_BUNDLE
from predict.errors import BundleError, UsageError
from predict.exit_status import GOOD, INTERRUPTED, SOME_FAILED, WRONG_CALL
from predict.pipeline import Pipeline


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit status.

    Args:
        arguments: Of the command; None: those of this process, which was started for it.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    parser, commands = _parser()
    if not given:
        parser.print_help(sys.stderr)
        return WRONG_CALL
    advice = advice_on_command(given, list(commands))
    if advice is not None:
        print(f"error: {advice}", file=sys.stderr)
        return WRONG_CALL
    options = parser.parse_args(given)
    options.own_process = arguments is None
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    try:
        status = int(options.command(options))
        sys.stdout.flush()
        return status
    except (UsageError, BundleError) as error:
        print(f"error: {error}", file=sys.stderr)
        return WRONG_CALL
    except BrokenPipeError:  # the reader of our output, such as head, has seen enough
        _drop_output()
        return GOOD
    except OSError as error:  # such as a full disk below stdout
        print(f"error: {error}", file=sys.stderr)
        _drop_output()
        return SOME_FAILED
    except MemoryError:
        print("error: out of memory", file=sys.stderr)
        return SOME_FAILED
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED


def _drop_output() -> None:
    """Drop what stdout did not take, which Python would try to write once more at its end."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def advice_on_command(given: Sequence[str], commands: Sequence[str]) -> str | None:
    """What to type instead, where the first word is not a command; None where it may be one."""
    if not given or (given[0].startswith("-") and given[0] not in ("-p", "--prompt")):
        return None
    word = given[0]
    if word in commands:
        return None
    near = difflib.get_close_matches(word, commands, 1)
    if near and not Path(word).exists():
        call = shlex.join((near[0], *given[1:]))
        return f"no command {word!r}, did you mean: python -m predict {call}"
    call = shlex.join(given)
    if not {"-p", "--prompt", "--prompts-file"} & set(given):
        call += ' -p "liver"'
    return (
        f"expected a command ({', '.join(commands)}), received {word!r}; "
        f"to segment an image type: python -m predict segment {call}"
    )


def _parser() -> tuple[argparse.ArgumentParser, Iterable[str]]:
    parser = argparse.ArgumentParser(
        prog="python -m predict", description="Text-guided 3D medical image segmentation."
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    segment_command.add_command(commands)
    prompts_command.add_command(commands)
    run_command.add_command(commands)
    ray_command.add_command(commands)
    merge_command.add_command(commands)

    export = commands.add_parser("export", help="freeze a checkpoint into a bundle")
    export.add_argument("checkpoint", type=Path, help="folder: config, safetensors, tokenizer")
    export.add_argument("bundle", type=Path, help="folder to write")
    export.add_argument("--dtype", choices=("bfloat16", "float32"), default="bfloat16")
    export.add_argument("--source", help="where the weights come from, in one line")
    Pipeline.add_options(export)
    export.set_defaults(command=_export)

    info = commands.add_parser("info", help="say what a bundle is")
    info.add_argument("bundle", type=Path, nargs="?", default=DEFAULT_BUNDLE)
    info.add_argument("--json", action="store_true", help="for programs")
    info.set_defaults(command=_info)
    replay_command.add_command(commands)
    doctor_command.add_command(commands)
    serve_command.add_command(commands)
    return parser, commands.choices


def _export(options: argparse.Namespace) -> int:
    from predict.export import export_bundle

    manifest = export_bundle(
        options.checkpoint,
        options.bundle,
        dtype=options.dtype,
        source=options.source,
        pipeline=Pipeline.from_options(options),
    )
    print(
        f"{options.bundle}: {manifest['parameters_kept']:,} of {manifest['parameters']:,} "
        f"parameters, {manifest['dtype']}"
    )
    return GOOD


def _info(options: argparse.Namespace) -> int:
    from predict.bundle import describe_bundle

    description = describe_bundle(options.bundle)
    if options.json:
        print(json.dumps(description, indent=2))
    else:
        for key, value in description.items():
            print(f"{key:16} {value}")
    return GOOD
