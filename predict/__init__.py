"""Text3DSAM prediction: a volume and free text in, labels out.

``from predict import Segmenter`` is the Python interface; importing ``predict`` alone is light.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from predict.api import Segmenter
    from predict.result import PromptResult, Result
    from predict.volumes import Volume

__all__ = ["PromptResult", "Result", "Segmenter", "Volume"]
_HOMES = {
    "Segmenter": "predict.api",
    "PromptResult": "predict.result",
    "Result": "predict.result",
    "Volume": "predict.volumes",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
