"""What the panel's line of a job says of it."""

from typing import Any

from darkroom_webui.outbox import settle
from darkroom_webui.tickets import Ticket

WAITS: Any = {
    "id": "1",
    "status": "in_progress",
    "phase": "waking",
    "phase_detail": "anime sleeps, and the job wakes it.",
    "progress": None,
    "forecast": {"median": 184.0, "ninth_decile": 271.0, "wake_ups": 10},
    "place": 1,
}
TOLD = (
    "anime sleeps, and the job wakes it. The first picture usually takes 3 min, nearly always under 5 min. "
    "1 job is before it."
)


def test_a_job_that_waits_says_for_what_until_it_has_ended() -> None:
    ticket = Ticket("a-browser", "txt2img")
    ticket.known(WAITS)
    settle(ticket, WAITS)
    assert ticket.line()["doing"] == TOLD
    # A line of the list knows nothing of it.
    settle(ticket, {"id": "1", "status": "in_progress"})
    assert ticket.line()["doing"] == TOLD
    settle(ticket, {"id": "1", "status": "succeed"})
    assert (ticket.line()["doing"], ticket.state) == ("", "done")
