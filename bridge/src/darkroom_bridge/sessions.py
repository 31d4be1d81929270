"""Who calls: the key of a request, and what the bridge keeps for each key."""

import asyncio
import base64
import binascii
import hashlib
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from starlette.requests import Request

from darkroom_bridge.calls import Calls
from darkroom_bridge.options import CHECKPOINT, Options, file_of
from darkroom_bridge.problems import of, unauthenticated
from darkroom_bridge.settings import Settings
from darkroom_bridge.shelf import Shelf, title
from darkroom_bridge.threads import Run, runner
from darkroom_client import Darkroom, checkpoints

MOST = 32
"""Keys whose connections are kept; those without a call make room."""
NO_KEY = "Send a Darkroom key: as the password of Basic authentication, or as a Bearer token."


class Session:
    """What the bridge keeps for one key."""

    def __init__(self, darkroom: Darkroom, options: Options, run: Run, grace: float) -> None:
        self.darkroom = darkroom
        self.options = options
        self.run = run
        self.shelf = Shelf(lambda: checkpoints.listed(darkroom))
        self.calls = Calls(darkroom, run, grace)

    def checkpoint(self) -> str | None:
        """The checkpoint of a job that names none, as the WebUI shows it: the chosen one, else the first on the shelf.
        It may block."""
        chosen = self.options.said(CHECKPOINT)
        if isinstance(chosen, str) and chosen:
            return chosen
        rows = self.shelf.of("stable-diffusion")
        return title(rows[0]) if rows else None

    async def close(self) -> int:
        """Cancel what is open and close the connections; returns how many jobs were cancelled."""
        count = await self.calls.close()
        self.darkroom.close()
        return count


class Sessions:
    """The keys that are in use. `connect` makes a client for a key."""

    def __init__(self, settings: Settings, connect: Callable[[str], Darkroom] | None = None) -> None:
        self._settings = settings
        self._connect = connect or (lambda key: Darkroom(settings.url, key))
        self._sessions: OrderedDict[str, Session] = OrderedDict()
        # One lock for each key, so that nobody waits for the connection of another one.
        self._opening: dict[str, asyncio.Lock] = {}

    async def of(self, request: Request) -> Session:
        """What is kept for the caller's key. Raises Problem without a key, and for one that Darkroom does not take."""
        key = key_in(request.headers.get("authorization")) or self._settings.key
        if not key:
            raise unauthenticated(NO_KEY)
        fingerprint = hashlib.sha256(f"{self._settings.url}\n{key}".encode()).hexdigest()[:32]
        if fingerprint not in self._sessions:
            async with self._opening.setdefault(fingerprint, asyncio.Lock()):
                try:
                    session = self._sessions.get(fingerprint) or await self._opened(key, fingerprint)
                finally:
                    self._opening.pop(fingerprint, None)
                self._sessions[fingerprint] = session
                await self._make_room()
                return session
        self._sessions.move_to_end(fingerprint)
        return self._sessions[fingerprint]

    async def forget(self, session: Session) -> None:
        """Ask for the key anew at the next call: Darkroom has refused it."""
        for fingerprint, kept in list(self._sessions.items()):
            if kept is session and not len(session.calls):
                del self._sessions[fingerprint]
                await session.close()

    async def close(self) -> int:
        """Close all; returns how many jobs were cancelled."""
        counts = await asyncio.gather(*(session.close() for session in self._sessions.values()))
        self._sessions.clear()
        return sum(counts)

    async def _opened(self, key: str, fingerprint: str) -> Session:
        darkroom = self._connect(key)
        # Threads of its own, so that no key waits while another one is told to slow down.
        run = runner()
        options = await run(Options, file_of(self._settings.folder, fingerprint))
        session = Session(darkroom, options, run, self._settings.grace)
        try:
            # Tells at once whether the key is good, and is needed by most calls.
            await run(session.shelf.of, "stable-diffusion")
        except Exception as error:
            darkroom.close()
            raise of(error) from error
        return session

    async def _make_room(self) -> None:
        idle = [name for name, session in self._sessions.items() if not len(session.calls)]
        for name in idle[: max(0, len(self._sessions) - MOST)]:
            await self._sessions.pop(name).close()


def key_in(header: str | None) -> str | None:
    """The key in an Authorization header: a Bearer token, or the password of Basic; None where there is none. Raises
    Problem for a header that cannot be read."""
    scheme, _, rest = (header or "").partition(" ")
    if scheme.lower() == "bearer":
        return _checked(rest.strip())
    if scheme.lower() != "basic":
        return None
    try:
        said = base64.b64decode(rest.strip(), validate=True).decode()
    except (binascii.Error, ValueError):
        raise unauthenticated(f"The Authorization header cannot be read. {NO_KEY}") from None
    return _checked(said.partition(":")[2].strip())


def _checked(key: str) -> str | None:
    """A key, None for an empty one. Raises Problem for what cannot be sent on in a header."""
    if key and not (key.isascii() and key.isprintable() and " " not in key):
        raise unauthenticated("That is no Darkroom key: a key is one word.")
    return key or None


def address_of(request: Request) -> str:
    """The address that a request came from."""
    return request.client.host if request.client else ""


def task_of(request: Request, body: Any = None) -> str | None:
    """The `force_task_id` of a request: in its query or its body."""
    said = request.query_params.get("force_task_id")
    if said is None and isinstance(body, dict):
        said = body.get("force_task_id")
    return said if isinstance(said, str) and said else None
