"""The address and the key of the stage, stored once for this WebUI in a file that only its user can read.

The file is not in the WebUI's folder: Gradio 3 serves every file below that folder to everybody who can open the page.
"""

import json
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path

from darkroom_client import private


@dataclass(frozen=True)
class Account:
    """Where the stage is, and the secret to use it with."""

    address: str
    key: str = field(repr=False)


def account_file() -> Path:
    """Where the account is stored: in the user's folder for settings, or in the file `DARKROOM_WEBUI_ACCOUNT` names."""
    if named := os.environ.get("DARKROOM_WEBUI_ACCOUNT"):
        return Path(named)
    if sys.platform == "win32" and (roaming := os.environ.get("APPDATA")):
        return Path(roaming) / "darkroom" / "webui.json"
    settings = os.environ.get("XDG_CONFIG_HOME")
    return Path(settings or Path.home() / ".config") / "darkroom" / "webui.json"


def read() -> "Account | None":
    """The stored account, None when there is none, or none that can be read."""
    try:
        stored = json.loads(account_file().read_text(encoding="utf-8"))
        return Account(str(stored["address"]), str(stored["key"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write(account: Account) -> None:
    """Store the account in a file that only this user can read."""
    private.write(account_file(), json.dumps({"address": account.address, "key": account.key}))


def forget() -> None:
    """Delete the stored account."""
    account_file().unlink(missing_ok=True)
