"""Clicks on their way to the cloud, each in a file of its own, so that one that is not handed in when the WebUI stops
is handed in when it starts again.

The files lie beside the account's: what a person asks for is as private as the key.
"""

import json
import logging
import time
from base64 import b64decode, b64encode
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from darkroom_client import private
from darkroom_webui import account
from darkroom_webui.sending import Parcel
from darkroom_webui.tickets import Ticket

MAX_AGE = 12 * 3600.0
"""After so many seconds nobody waits for a click any more. The cloud recognizes a repeat for 24 hours."""
_log = logging.getLogger("darkroom")


def keep(ticket: Ticket, parcel: Parcel) -> None:
    """Write down what is about to be handed in. Where that fails, the click goes its way all the same."""
    known = account.read()
    if known is None:
        return
    content = {
        "address": known.address,
        "clicked": time.time(),
        "session": ticket.session,
        "tab": ticket.tab,
        "kind": ticket.kind,
        "body": parcel.body,
        "files": {name: b64encode(file).decode() for name, file in parcel.files.items()},
    }
    try:
        private.write(_file(ticket.id), json.dumps(content))
    except OSError as error:
        _log.warning("A click is not kept for the next start of the WebUI: %s", error)


def forget(ticket: Ticket) -> None:
    """Delete what was kept of a ticket that has arrived, or has failed."""
    try:
        _file(ticket.id).unlink(missing_ok=True)
    except OSError as error:
        _log.warning("A kept click cannot be deleted: %s", error)


def left() -> "list[tuple[Ticket, Parcel]]":
    """What an earlier run of the WebUI has not handed in to the stage of the stored account, in the order of the
    clicks. The tickets have their ids of then, so the cloud makes no second job of what it has got already. What is too
    old, or cannot be read, is deleted."""
    known = account.read()
    found = []
    for path in _folder().glob("*.json"):
        kept = _read(path)
        if kept is None:
            path.unlink(missing_ok=True)
        elif known and kept.address == known.address:
            found.append(kept)
    return [(kept.ticket, kept.parcel) for kept in sorted(found, key=lambda kept: (kept.clicked, kept.ticket.id))]


@dataclass(frozen=True)
class _Kept:
    """A click, the address of the stage that it was for, and when it was made, in seconds since the epoch."""

    address: str
    clicked: float
    ticket: Ticket
    parcel: Parcel


def _folder() -> Path:
    stored = account.account_file()
    return stored.with_name(f"{stored.stem}-waiting")


def _file(ticket_id: str) -> Path:
    return _folder() / f"{ticket_id}.json"


def _read(path: Path) -> "_Kept | None":
    """What a file keeps; None when it is too old, or damaged."""
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        ticket = Ticket(content["session"], content["tab"], content["kind"], id=path.stem)
        parcel = Parcel(content["body"], {name: b64decode(file) for name, file in content["files"].items()})
        fresh = 0 <= time.time() - content["clicked"] < MAX_AGE
        return _Kept(content["address"], content["clicked"], ticket, parcel) if fresh and content["address"] else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
