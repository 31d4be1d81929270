"""Scripts in a WebUI body: which of them run, and with which arguments.

`alwayson_scripts` maps titles to `{"args": […]}`, `script_name` selects one more, whose arguments are `script_args`
(the WebUI's modules/api/api.py, `init_script_args`). Titles are compared in any case.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from darkroom.webui.truth import is_false

Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Script:
    """A script that runs: its title in lower case, its arguments, and where they stand in the body."""

    title: str
    args: tuple[Any, ...]
    path: Path


def running(fields: dict[str, Any]) -> Iterator[Script]:
    """The scripts of a body that are switched on, the selected one first."""
    selected, args = fields.get("script_name"), fields.get("script_args")
    if isinstance(selected, str) and selected.strip() and isinstance(args, list):
        yield Script(selected.strip().lower(), tuple(args), ("script_args",))
    always = fields.get("alwayson_scripts")
    for title, said in always.items() if isinstance(always, dict) else ():
        if (found := _arguments(said)) is not None:
            args, inside = found
            script = Script(title.strip().lower(), tuple(args), ("alwayson_scripts", title, *inside))
            if not _switched_off(script):
                yield script


def units(script: Script) -> Iterator[tuple[dict[str, Any], Path]]:
    """The arguments of a script that are units (ControlNet, ADetailer and their like) and are switched on."""
    for number, argument in enumerate(script.args):
        if isinstance(argument, dict) and not _unit_off(argument):
            yield argument, (*script.path, number)


def _unit_off(unit: dict[str, Any]) -> bool:
    return unit.get("ad_model") == "None" or any(is_false(unit.get(switch)) for switch in _SWITCHES)


_SWITCHES = ("enabled", "enable", "ad_tab_enable")
"""What units call their switch: ControlNet, AnimateDiff, ADetailer."""


def _arguments(said: Any) -> tuple[list[Any], Path] | None:
    if isinstance(said, dict) and isinstance(said.get("args"), list):
        return said["args"], ("args",)
    return (said, ()) if isinstance(said, list) else None


def _switched_off(script: Script) -> bool:
    """Whether an always-visible script does nothing: its first argument is its switch if that is a truth value, and
    one whose arguments all stand at their defaults is as good as not there."""
    if not script.args or script.args[0] is False:
        return True
    return all(isinstance(argument, dict) and _unit_off(argument) for argument in script.args)
