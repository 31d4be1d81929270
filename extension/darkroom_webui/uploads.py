"""Uploading model files from the panel, with progress."""

import threading
from collections.abc import Sequence

from darkroom_client.model_files import ModelFile
from darkroom_client.upload import upload
from darkroom_webui.cloud import Cloud
from darkroom_webui.outbox import Outbox
from darkroom_webui.tickets import Ticket


class Progress:
    """Writes how far an upload is into its ticket; called from several threads."""

    def __init__(self, ticket: Ticket, size: int) -> None:
        self._ticket = ticket
        self._size = max(1, size)
        self._done = 0
        self._lock = threading.Lock()

    def begin(self, file: ModelFile, size: int, stored: int) -> None:
        """The upload of `size` bytes begins."""
        self._ticket.status = "uploading"
        self._count(0)

    def sent(self, count: int) -> None:
        """`count` more bytes were sent, or fewer if negative."""
        self._count(count)

    def found(self, count: int) -> None:
        """`count` bytes are stored already."""
        self._count(count)

    def _count(self, count: int) -> None:
        with self._lock:
            self._done += count
            self._ticket.progress = min(1.0, self._done / self._size)


def start(cloud: Cloud, outbox: Outbox, session: str, tab: str, files: "Sequence[ModelFile]") -> "list[Ticket]":
    """Upload these files, one after the other, in a thread of their own, so that no job waits behind gigabytes; returns
    their tickets."""
    tickets = [outbox.note(Ticket(session, tab, "upload", name=file.name, status="waiting")) for file in files]

    def run() -> None:
        for ticket, file in zip(tickets, files, strict=True):
            outbox.attempt(ticket, lambda ticket, file=file: _upload(cloud, ticket, file))  # type: ignore[misc]

    threading.Thread(target=run, name="darkroom-upload", daemon=True).start()
    return tickets


def _upload(cloud: Cloud, ticket: Ticket, file: ModelFile) -> None:
    outcome = upload(cloud.client(), file, Progress(ticket, file.path.stat().st_size))
    ticket.progress, ticket.state, ticket.status = 1.0, "done", outcome
    ticket.handed_in.set()
