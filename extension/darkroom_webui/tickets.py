"""What was started in each browser: a ticket for each job, interrogation and upload, by the browser's own id."""

import threading
import time
import uuid
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any, Literal

State = Literal["sending", "open", "done", "failed"]
MAX_SESSIONS = 1_000
MAX_TICKETS = 300
"""Tickets of one browser that are remembered. Only what has ended is forgotten."""
ENDED = ("done", "failed")


@dataclass
class Ticket:
    """`kind` says what was started. `job` is the inference id as soon as it is known, `status` the cloud's word for how
    it stands, `progress` runs from 0 to 1, `text` says what went wrong, and `doing` what an open job is doing. `told`
    is the state that the click itself has shown, so that the page need not show it again."""

    session: str
    tab: str
    kind: Literal["job", "interrogate", "upload"] = "job"
    state: State = "sending"
    job: "str | None" = None
    status: str = "sending"
    progress: "float | None" = None
    text: str = ""
    doing: str = ""
    name: str = ""
    told: str = ""
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    handed_in: threading.Event = field(default_factory=threading.Event)
    created: float = field(default_factory=time.monotonic)

    def known(self, job: "dict[str, Any]") -> None:
        """The cloud has the job."""
        self.job, self.state, self.status = str(job["id"]), "open", str(job["status"])
        self.handed_in.set()

    def failed(self, text: str) -> None:
        """It has ended with an error."""
        self.state, self.status, self.text = "failed", "fail", text
        self.handed_in.set()

    def line(self) -> "dict[str, Any]":
        """What the page needs to know of it."""
        names = ("id", "tab", "kind", "state", "job", "status", "progress", "text", "doing", "name", "told")
        return {name: getattr(self, name) for name in names}


class Tickets:
    """All tickets of this WebUI. A browser sees its own, for nobody else knows its id."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sessions: OrderedDict[str, OrderedDict[str, Ticket]] = OrderedDict()

    def add(self, ticket: Ticket) -> Ticket:
        """Remember a ticket; returns it, or the one that this browser has for the same job."""
        with self._lock:
            own = self._sessions.setdefault(ticket.session, OrderedDict())
            self._sessions.move_to_end(ticket.session)
            same = next((other for other in own.values() if ticket.job and other.job == ticket.job), None)
            if same:
                return same
            own[ticket.id] = ticket
            ended = [other.id for other in own.values() if other.state in ENDED]
            for old in ended[: max(0, len(own) - MAX_TICKETS)]:
                del own[old]
            while len(self._sessions) > MAX_SESSIONS:
                self._sessions.popitem(last=False)
            return ticket

    def of(self, session: str) -> "list[Ticket]":
        """The tickets of a browser, oldest first."""
        with self._lock:
            return list(self._sessions.get(session, {}).values())

    def find(self, session: str, ticket: str) -> "Ticket | None":
        """A ticket of that browser, None when it has none of that id."""
        with self._lock:
            own = self._sessions.get(session)
            return own.get(ticket) if own else None

    def open(self) -> "list[Ticket]":
        """The tickets of all browsers whose jobs have not ended, oldest first."""
        with self._lock:
            every = [ticket for own in self._sessions.values() for ticket in own.values() if ticket.state == "open"]
        return sorted(every, key=lambda ticket: ticket.created)
