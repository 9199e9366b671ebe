"""``python -m examples [FOLDER]``: write the synthetic cases as challenge npz files."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from examples.volumes import KINDS, make_example

SHIPPED_SEED = 7


def write_examples(folder: Path) -> list[Path]:
    """Write FOLDER/inputs/NAME.npz and FOLDER/labels/NAME.npz; files already there are kept."""
    written = []
    for kind in KINDS:
        example = make_example(kind, SHIPPED_SEED)
        prompts: dict[str, object] = {str(k): v[0] for k, v in example.prompts.items()}
        prompts["instance_label"] = int(example.instance)
        spacing = np.array(example.spacing)
        members = {
            "inputs": {
                "imgs": example.image,
                "spacing": spacing,
                "text_prompts": np.array(prompts, dtype=object),
            },
            "labels": {"gts": example.labels, "spacing": spacing},
        }
        for part, arrays in members.items():
            path = folder / part / f"{example.name}.npz"
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.exists():
                np.savez_compressed(path, allow_pickle=True, **arrays)
            written.append(path)
    return written


if __name__ == "__main__":
    write_examples(Path(sys.argv[1] if len(sys.argv) > 1 else "examples"))
