"""What the bridge knows of the WebUI: tables that stand beside this file.

`webui.json` is written by `make capabilities` from Darkroom's own tables. `options.json` has the settings of WebUI 1.10
with their defaults, and which of them change pictures or descriptions; `flags.json` its command line.
"""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

VERSION = "1.10.1"
"""The WebUI whose API this is."""


@cache
def table(name: str) -> dict[str, Any]:
    """A table by its file's name, read at its first use."""
    found: dict[str, Any] = json.loads((Path(__file__).parent / f"{name}.json").read_text(encoding="utf-8"))
    return found


def fields(call: str) -> Mapping[str, Mapping[str, Any]]:
    """The fields of a call, each with `type`, `default` and `forge`."""
    found: Mapping[str, Mapping[str, Any]] = table("webui")["calls"][call]
    return found


def with_defaults(call: str, sent: Mapping[str, Any]) -> dict[str, Any]:
    """A body as the WebUI gives it back in `parameters`: all fields of 1.10, those of Forge where they were sent."""
    known = fields(call)
    return {
        name: sent.get(name, field["default"]) for name, field in known.items() if name in sent or not field["forge"]
    }
