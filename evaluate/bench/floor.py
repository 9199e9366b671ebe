"""The floor, as a program: import torch, read every case, write a mask of its size, end.

``python -m evaluate.bench.floor INPUTS MASKS OUTPUTS DEVICE``, with the masks as uncompressed
NAME.npy. On a GPU it also creates the context and moves the voxels there and the mask back.
Files are read by ``np.load`` and written by ``np.savez_compressed``, whatever the product does.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from predict.startup import StartUp


def main(inputs: Path, masks: Path, outputs: Path, device: str) -> None:
    """Do the least that any prediction with torch does; OUTPUTS/report.json is laid out as the
    product's.
    """
    startup = StartUp()
    import numpy as np
    import torch

    startup.lap("imports")
    gpu = device != "cpu" and torch.cuda.is_available()
    cases = []
    for source in sorted(inputs.glob("*.npz")):
        seconds = {}
        start = time.perf_counter()
        with np.load(source) as arrays:
            image = arrays["imgs"]
        seconds["read"] = time.perf_counter() - start
        start = time.perf_counter()
        mask = np.load(masks / f"{source.stem}.npy", mmap_mode=None if gpu else "r")
        if gpu:
            torch.from_numpy(image).cuda()
            mask = torch.from_numpy(mask).cuda().cpu().numpy()
            seconds["device"] = time.perf_counter() - start
            start = time.perf_counter()
        np.savez_compressed(outputs / source.name, segs=mask)
        seconds["write"] = time.perf_counter() - start
        cases.append({"case": source.name, "seconds": seconds})
    report = {
        "device": torch.cuda.get_device_name() if gpu else "cpu",
        "threads": torch.get_num_threads(),
        "versions": {"torch": torch.__version__, "numpy": np.__version__},
        "startup": startup.seconds,
        "seconds": startup.total(),
        "cases": cases,
    }
    (outputs / "report.json").write_text(json.dumps(report), encoding="utf-8")


if __name__ == "__main__":
    given, kept, written = map(Path, sys.argv[1:4])
    main(given, kept, written, sys.argv[4])
