"""The way of jobs to the cloud and of their progress back, in threads of the extension's own.

A click never waits for the cloud longer than `WAIT_SECONDS`; what is not handed in by then goes on here, and after a
restart of the WebUI.
"""

import queue
import threading
import time
from collections.abc import Callable
from typing import Any

from darkroom_client import waits
from darkroom_webui import kept
from darkroom_webui.body import Order
from darkroom_webui.cloud import Cloud, CloudError, readable
from darkroom_webui.sending import Parcel, hand_in, pack
from darkroom_webui.tickets import Ticket, Tickets

WAIT_SECONDS = 0.7
"""How long a click waits to show the inference id or an error at once. The WebUI's lock is held as long."""
MAX_WAITING = 200
_SENDERS = 3
_LOOK_SECONDS = 1.5
"""The pause between two looks at the jobs that run."""
_LOOKS = 4
"""Jobs that are looked at one by one in a round; of the others a list tells the status."""
_LINES = 100
_ENDS = {"succeed": "done", "fail": "failed", "cancelled": "failed"}


class Outbox:
    """Sends what was clicked, in order, and watches what was sent. Its threads start when they are needed."""

    def __init__(self, cloud: Cloud, tickets: Tickets) -> None:
        self._cloud = cloud
        self._tickets = tickets
        self._lock = threading.Lock()
        self._orders: queue.Queue[tuple[Ticket, Order]] = queue.Queue()
        self._parcels: queue.Queue[tuple[Ticket, Parcel]] = queue.Queue()
        self._threads: dict[str, threading.Thread] = {}
        self._turn = 0

    def submit(self, ticket: Ticket, order: Order) -> Ticket:
        """Hand an order in, in the background; returns the ticket. Raises CloudError when too many wait already."""
        self._tickets.add(ticket)
        if self._orders.qsize() + self._parcels.qsize() >= MAX_WAITING:
            text = f"{MAX_WAITING} clicks wait for the cloud already. Wait until some are handed in, then try again."
            ticket.failed(text)
            raise CloudError(text, later=True)
        self._orders.put((ticket, order))
        self._start("pack", self._pack)
        return ticket

    def resume(self) -> None:
        """Hand in what an earlier run of the WebUI has not."""
        for ticket, parcel in kept.left():
            self._tickets.add(ticket)
            self._post(ticket, parcel)

    def follow(self, session: str, tab: str, job: str, status: str = "in_progress") -> Ticket:
        """Watch a job that was handed in before; returns its ticket."""
        ticket = self._tickets.add(Ticket(session, tab, job=job, state="open", status=status, told="open"))
        ticket.handed_in.set()
        self._start("watch", self._watch)
        return ticket

    def note(self, ticket: Ticket) -> Ticket:
        """Remember a ticket whose work is done elsewhere."""
        return self._tickets.add(ticket)

    def attempt(self, ticket: Ticket, work: "Callable[[Ticket], None]") -> None:
        """Do `work` now; an error becomes the ticket's."""
        try:
            work(ticket)
        except Exception as error:  # Nothing that one click does may stop the next.
            ticket.failed(str(readable(error)))

    def _start(self, name: str, target: "Callable[[], None]") -> None:
        """Start a thread unless it runs."""
        with self._lock:
            thread = self._threads.get(name)
            if thread is None or not thread.is_alive():
                self._threads[name] = threading.Thread(target=target, name=f"darkroom-{name}", daemon=True)
                self._threads[name].start()

    def _pack(self) -> None:
        """Encode what was clicked, and keep it for the next start: also what waits behind a cloud that is away."""
        while True:
            ticket, order = self._orders.get()

            def work(ticket: Ticket, order: Order = order) -> None:
                parcel = pack(order)
                kept.keep(ticket, parcel)
                self._post(ticket, parcel)

            self.attempt(ticket, work)

    def _post(self, ticket: Ticket, parcel: Parcel) -> None:
        self._parcels.put((ticket, parcel))
        for number in range(_SENDERS):
            self._start(f"send-{number}", self._send)

    def _send(self) -> None:
        while True:
            ticket, parcel = self._parcels.get()

            def work(ticket: Ticket, parcel: Parcel = parcel) -> None:
                ticket.known(hand_in(self._cloud, parcel, ticket.id))
                self._start("watch", self._watch)

            self.attempt(ticket, work)
            kept.forget(ticket)

    def _watch(self) -> None:
        while True:
            tickets = self._tickets.open()
            if tickets:
                try:
                    self._look(tickets)
                except Exception as error:  # The next round tries again; until then the page shows why nothing moves.
                    for ticket in tickets:
                        ticket.text = str(readable(error))
            time.sleep(_LOOK_SECONDS)

    def _look(self, tickets: "list[Ticket]") -> None:
        """Bring the tickets up to date: one request for each of a few that run, and one for the newest jobs where there
        are more."""
        client = self._cloud.client()
        many = len(tickets) > _LOOKS
        lines = {line["id"]: line for line in client.page(limit=_LINES)["jobs"]} if many else {}
        for ticket in tickets:
            if line := lines.get(ticket.job or ""):
                settle(ticket, line)
        left = [ticket for ticket in tickets if ticket.state == "open"]
        if not left:
            return
        self._turn += 1
        start = (self._turn * _LOOKS) % len(left) if len(left) > _LOOKS else 0
        for ticket in (left[start:] + left[:start])[:_LOOKS]:
            try:
                settle(ticket, client.job(ticket.job or ""))
            except Exception as error:
                told = readable(error)
                if told.code == "job_not_found":
                    ticket.failed(str(told))
                    continue
                raise


def settle(ticket: Ticket, job: Any) -> None:
    """Bring a ticket up to date by a line of the list or by a whole job."""
    ticket.text = ""
    ticket.status = job.get("phase") or job["status"]
    if job.get("progress") is not None:
        ticket.progress = job["progress"]
    end = _ENDS.get(job["status"])
    if end:
        ticket.doing = ""
    elif "phase_detail" in job:  # A line of the list does not know it.
        ticket.doing = waits.doing(job) if job["phase_detail"] else ""
    if end == "done":
        ticket.progress, ticket.state = 1.0, "done"
    elif end and "error" in job:
        ticket.failed(_why(job))
    # A line of the list does not say why a job failed; the look at the whole job does.


def _why(job: Any) -> str:
    if job["status"] == "cancelled":
        return f"The job {job['id']} was cancelled."
    error = job["error"] or {"code": "unknown", "message": "no reason was given"}
    return f"The job {job['id']} failed: {error['message']} ({error['code']})"
