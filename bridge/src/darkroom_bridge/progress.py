"""How far a call is, as the WebUI tells it."""

import time
from datetime import datetime
from typing import Any

from darkroom_bridge.answers import timestamp
from darkroom_bridge.calls import Call
from darkroom_bridge.sessions import Session
from darkroom_client import waits
from darkroom_client.answers import Job
from darkroom_client.errors import Refused

FRESH_SECONDS = 1.0
"""A job is not looked at again so soon. With many open jobs it is less often: together they ask four times a second."""
_EACH = 0.25
_RUNS = "running"
_BEGUN = 0.01
"""What the WebUI shows from the beginning on, for clients that take 0 for idle."""


async def latest(session: Session, call: Call) -> Job | None:
    """The first job of a call that is open, as it is now or was a moment ago; None when none is made yet."""
    job = next((job for job in call.jobs.values() if job["completed_at"] is None), None)
    if job is None:
        return None
    fresh = max(FRESH_SECONDS, _EACH * len(session.calls.open))
    if time.monotonic() - call.looked < fresh:
        return job
    call.looked = time.monotonic()
    try:
        found: Job = await session.run(session.darkroom.job, job["id"])
    except Refused as refused:
        if refused.status == 404:
            return job
        raise
    session.calls.waiter.tell(found)
    return found


def told(call: Call | None, job: Job | None, now: float) -> dict[str, Any]:
    """The answer of `progress`. `now` is in epoch seconds. A job that waits is at 0, and `textinfo` says for
    what, how long that takes as a rule, and its place in line."""
    if call is None:
        return _answer(0.0, 0.0, _state("", 0, 0, 0, 0, "0"), None)
    share = share_of(job)
    at = _BEGUN if job and job["phase"] == _RUNS and share == 0 else share
    done = min(call.order.batches - 1, int(share * call.order.batches))
    within = share * call.order.batches - done
    name = f"Batch {done + 1} out of {call.order.batches}" if at else f"scripts_{call.order.what}"
    step = int(within * call.order.steps)
    state = _state(name, call.order.batches, done, step, call.order.steps, timestamp(job) if job else "0")
    state |= {"interrupted": call.stopped, "stopping_generation": call.stopped}
    text = "The job is being handed in." if job is None else waits.doing(job) if job["phase_detail"] else None
    return _answer(at, eta_of(job, share, now), state, text)


def share_of(job: Job | None) -> float:
    """From 0 to 1; 0 for a job that has not begun, whatever its phase is called."""
    return min(1.0, max(0.0, job["progress"] or 0.0)) if job and job["started_at"] is not None else 0.0


def eta_of(job: Job | None, share: float, now: float) -> float:
    """Seconds until a job ends, as its progress says so far; 0 when nothing is known."""
    if job is None or not job["started_at"] or share <= 0:
        return 0.0
    began = datetime.fromisoformat(job["started_at"].replace("Z", "+00:00")).timestamp()
    return max(0.0, (now - began) / share - (now - began))


def _state(job: str, count: int, number: int, step: int, steps: int, timestamp: str) -> dict[str, Any]:
    return {
        "skipped": False,
        "interrupted": False,
        "stopping_generation": False,
        "job": job,
        "job_count": count,
        "job_timestamp": timestamp,
        "job_no": number,
        "sampling_step": step,
        "sampling_steps": steps,
    }


def _answer(progress: float, eta: float, state: dict[str, Any], text: str | None) -> dict[str, Any]:
    return {"progress": progress, "eta_relative": eta, "state": state, "current_image": None, "textinfo": text}
