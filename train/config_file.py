"""Read YAML into the typed settings; whatever does not fit is refused in one line."""

from __future__ import annotations

import re
import types
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import yaml

from predict.errors import BundleError, UsageError
from train.config import TrainConfig

CONFIGS = Path(__file__).parent / "configs"


class _Loader(yaml.SafeLoader):
    """SafeLoader that takes 1e-4 for a number, as YAML 1.2 does, and no key twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """A table without repeated keys."""
        keys = [self.construct_object(key, deep=deep) for key, _ in node.value]
        twice = [key for key in keys if keys.count(key) > 1]
        if twice:
            raise yaml.constructor.ConstructorError(
                None, None, f"field {twice[0]} is given twice", node.start_mark
            )
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$"),
    list("-+0123456789"),
)


def read_config(path: Path, overrides: Sequence[str] = ()) -> TrainConfig:
    """Read a configuration file.

    Args:
        path: YAML; a bare name such as ``paper.yaml`` that is no file here is looked up beside this
            module, in ``configs``.
        overrides: ``section.field=value`` each, the value in YAML.

    Raises:
        UsageError: Unreadable, an unknown or repeated field, or a value of the wrong type or range.
    """
    if not path.is_file() and (CONFIGS / path).is_file():
        path = CONFIGS / path
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: expected a readable configuration ({error})") from error
    values = parse_yaml(text, str(path)) or {}
    for override in overrides:
        _override(values, override)
    return build_config(values, path.name)


def build_config(values: object, source: str) -> TrainConfig:
    """Plain values, as of a YAML file, to settings.

    Raises:
        UsageError: As of :func:`read_config`; the message begins with ``source``.
    """
    try:
        config = _convert(TrainConfig, values, "")
    except (UsageError, BundleError) as error:
        raise UsageError(f"{source}: {error}") from error
    assert isinstance(config, TrainConfig)
    return config


def config_text(config: TrainConfig) -> str:
    """The whole configuration as YAML, ready to be read again."""
    return str(yaml.safe_dump(_plain(asdict(config)), sort_keys=False))


def parse_yaml(text: str, source: str) -> Any:
    """Plain values of a YAML text; a UsageError of one line where it is none."""
    try:
        return yaml.load(text, _Loader)
    except yaml.YAMLError as error:
        line = " ".join(str(error).split())
        raise UsageError(f"{source}: not valid YAML ({line})") from error


def _override(values: dict[str, Any], override: str) -> None:
    name, equals, value = override.partition("=")
    if not equals:
        raise UsageError(f"--set: expected field=value, received {override!r}")
    *sections, last = name.strip().split(".")
    for section in sections:
        values = values.setdefault(section, {})
        if not isinstance(values, dict):
            raise UsageError(f"--set {name}: {section} has no fields")
    values[last] = parse_yaml(value, f"--set {name}")


def _convert(kind: Any, value: Any, name: str) -> Any:
    """A value as the type that a field declares."""
    origin = get_origin(kind)
    if is_dataclass(kind):
        return _section(kind, value, name)
    if origin in (Union, types.UnionType):
        options = [option for option in get_args(kind) if option is not types.NoneType]
        return None if value is None else _convert(options[0], value, name)
    if origin is Literal:
        if value not in get_args(kind):
            choices = ", ".join(map(str, get_args(kind)))
            raise UsageError(f"{name}: expected one of {choices}, received {value!r}")
        return value
    if origin is dict:
        return _table(get_args(kind)[1], value, name)
    if origin is tuple:
        return _tuple(get_args(kind), value, name)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not kind:
        raise UsageError(f"{name}: expected {kind.__name__}, received {value!r}")
    return value


def _section(kind: Any, value: Any, name: str) -> Any:
    shown = name or "the configuration"
    if not isinstance(value, Mapping):
        raise UsageError(f"{shown}: expected a table of fields, received {value!r}")
    known = {f.name: f for f in fields(kind)}
    unknown = [str(key) for key in value if key not in known]
    if unknown:
        raise UsageError(f"{shown}: unknown field(s) {', '.join(unknown)}")
    missing = [
        f.name
        for f in known.values()
        if f.name not in value and f.default is MISSING and f.default_factory is MISSING
    ]
    if missing:
        raise UsageError(f"{shown}: expected field(s) {', '.join(missing)}")
    hints = get_type_hints(kind)
    prefix = f"{name}." if name else ""
    return kind(**{k: _convert(hints[k], v, prefix + k) for k, v in value.items()})


def _table(kind: Any, value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise UsageError(f"{name}: expected a table, received {value!r}")
    return {str(key): _convert(kind, item, f"{name}.{key}") for key, item in value.items()}


def _tuple(kinds: tuple[Any, ...], value: Any, name: str) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise UsageError(f"{name}: expected a list, received {value!r}")
    if kinds[-1] is Ellipsis:
        kinds = (kinds[0],) * len(value)
    if len(value) != len(kinds):
        raise UsageError(f"{name}: expected {len(kinds)} values, received {value!r}")
    return tuple(
        _convert(kind, item, f"{name}[{i}]")
        for i, (kind, item) in enumerate(zip(kinds, value, strict=True))
    )


def _plain(value: Any) -> Any:
    """Tuples as lists, which is all that YAML knows."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
