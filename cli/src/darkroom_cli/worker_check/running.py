"""What happens while a job runs: `/ping`, progress, cancelling, and other jobs beside it."""

import json
import math
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from itertools import groupby, pairwise
from typing import TypeVar

from darkroom_cli.worker_check.beside import wrong_progress
from darkroom_cli.worker_check.calls import Response
from darkroom_cli.worker_check.checks import Check
from darkroom_cli.worker_check.contract import REPORT_SECONDS
from darkroom_cli.worker_check.places import Message, wait_until
from darkroom_cli.worker_check.session import Answered, Fails, Job, NotTried, Session

T = TypeVar("T")
MOST_TIMES = 100
"""The WebUI's limit of `n_iter`."""
LARGEST = 2048
NOTICED = 15.0
"""Seconds after the marker was stored in which a worker that looks every few seconds has noticed it."""
SPARE = 20.0
"""How much longer than it is watched a long job should take: it must not be done before its cancelling is noticed."""
IN_A_ROW = 3
"""After so many pings without an answer in time a worker counts as silent."""
SLACK = 0.5
"""By how many seconds two messages may come too close, as they travel for different times."""


@dataclass(frozen=True)
class Watched:
    """A long job that was cancelled after a while. `pings` are the answers of `/ping` meanwhile, `messages` those of
    its progress, `noticed` the seconds from the marker to the answer (None: it was done before)."""

    answered: Answered
    pings: list[Response]
    messages: list[Message]
    noticed: float | None


def long_job(session: Session, seconds: float, larger: int = 1) -> Job:
    """A job that takes about so many seconds, as far as the jobs before it tell; `larger` multiplies its sides."""
    session.sample()
    # The first job is slower than the others, as the worker loads what it needs.
    painted = [each for each in session.answered if each.job.get("type") == "txt2img" and each.reply.count]
    single = max(min(each.response.seconds / each.reply.count for each in painted), 0.001)
    side = session.options.size
    times = min(max(2, math.ceil(seconds / single)), MOST_TIMES)
    grown = math.sqrt(max(1.0, seconds / (single * times))) * larger
    side = min(max(side, math.ceil(side * grown / 64) * 64), max(side, LARGEST))
    return session.job(parameters={"n_iter": times, "width": side, "height": side})


def asked(session: Session, label: str, job: Job) -> "Future[Answered]":
    """A job on its way."""
    return in_background(lambda: session.keep(label, job, session.send(job)))


def in_background(call: Callable[[], T]) -> "Future[T]":
    """A call in a thread of its own, which does not keep the program from ending after Ctrl-C."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(call())
        except BaseException as error:  # told to whoever asks for the result
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future


def watched(session: Session) -> Watched:
    """A long job that is watched and then cancelled; a larger one where the first was done too early."""

    def made() -> Watched:
        session.sample()
        for larger in (1, 2, 4):
            found = _watch(session, long_job(session, session.options.watch + SPARE, larger))
            if not found.answered.reply.count or (found.noticed or 0) >= NOTICED:
                break
        return found

    found: Watched = session.once("watched", made)
    return found


def _watch(session: Session, job: Job) -> Watched:
    pings: list[Response] = []
    answer = asked(session, "a long job", job)
    deadline = time.monotonic() + session.options.watch
    while time.monotonic() < deadline and not answer.done():
        ping = session.worker.ping()
        if not answer.done():
            pings.append(ping)
        time.sleep(0.2)
    early = answer.done()
    marked = time.monotonic()
    session.place.put(f"jobs/{job['job_id']}/cancelled", b"")
    answered = answer.result()
    noticed = None if early else time.monotonic() - marked
    # The last message may still be on its way.
    return Watched(answered, pings, session.place.messages(job["job_id"]), noticed)


def _ping_meanwhile(session: Session) -> str:
    pings = watched(session).pings
    if not pings:
        raise NotTried("the job was done at once; give a larger --size or more --steps")
    wrong = [ping for ping in pings if ping.status not in (200, None)]
    if wrong:
        raise Fails(f"{len(wrong)} of {len(pings)} were not 200: {wrong[0].status}")
    silent = max(len(list(row)) if late else 0 for late, row in groupby(pings, lambda ping: ping.status is None))
    # On a busy machine one answer may be late; SageMaker asks again.
    if silent >= IN_A_ROW or silent == len(pings):
        raise Fails(f"{silent} in a row were not answered: {next(ping.fault for ping in pings if ping.fault)}")
    return f"{len(pings)} times"


def _cancel_before(session: Session) -> str:
    session.sample()
    job = session.job()
    session.place.put(f"jobs/{job['job_id']}/cancelled", b"")
    return _cancelled(session.ask("cancelled before its start", job))


def _cancel_other(session: Session) -> str:
    session.sample()
    job, other = session.job(), session.job()
    session.place.put(f"jobs/{other['job_id']}/cancelled", b"")
    session.not_refused(session.ask("beside a cancelled job", job))
    return ""


def _cancel_during(session: Session) -> str:
    found = watched(session)
    if found.noticed is None:
        if found.answered.reply.count:
            raise NotTried("the longest job was done too early; give a larger --size or more --steps")
        session.painted(found.answered)
    if found.answered.reply.count and found.noticed is not None and found.noticed < NOTICED:
        raise NotTried("the job was done before its cancelling had to be noticed; give a larger --size or more --steps")
    _cancelled(found.answered)
    if found.noticed is not None and found.noticed > NOTICED:
        raise Fails(f"it stopped {found.noticed:.0f} seconds after the marker was there; look every few seconds")
    return f"{found.noticed:.1f} seconds after the marker"


def _cancelled(answered: Answered) -> str:
    error, response = answered.reply.error, answered.response
    if error and error.code == "cancelled" and response.status == 200:
        return ""
    told = f"the error {error}" if error else f"{answered.reply.count} pictures"
    raise Fails(f"it answers {response.fault or told}, and not the error cancelled")


def _progress_comes(session: Session) -> str:
    _queue(session)
    if not watched(session).messages:
        raise Fails("no message came (nobody sees that the job runs), or none that names the job")
    return f"{len(watched(session).messages)} in the long job"


def _progress_shape(session: Session) -> str:
    _queue(session)
    session.sample()
    # Read once: a message that comes between two looks would belong to no job.
    came = session.place.messages("")
    messages = [(job, message) for message in came for job in session.jobs if job in message.text]
    known = {message.text for _, message in messages}
    if lost := [message.text for message in came if message.text not in known]:
        raise Fails(f"a message names no job of the check: {lost[0][:100]}")
    if not messages:
        raise NotTried("no message came")
    for job, message in messages:
        if wrong := list(wrong_progress(message.text, job)):
            raise Fails("; ".join(wrong))
    return f"{len(messages)} messages"


def _progress_rises(session: Session) -> str:
    shares = [_share(message) for message in _several(session)]
    told = [share for share in shares if share is not None]
    if told != sorted(told):
        raise Fails(f"it goes back: {', '.join(str(share) for share in told)}")
    return ", ".join(str(round(share, 2)) for share in told)


def _progress_pace(session: Session) -> str:
    messages = _several(session)
    gaps = [later.at - earlier.at for earlier, later in pairwise(messages)]
    if min(gaps) < REPORT_SECONDS - SLACK:
        raise Fails(f"two messages came {min(gaps):.1f} seconds apart; send at most one every 5 seconds")
    return f"every {min(gaps):.0f} seconds"


def _several(session: Session) -> list[Message]:
    _queue(session)
    messages = watched(session).messages
    if len(messages) < 2:
        raise NotTried(f"{len(messages)} messages came in the long job")
    return messages


def _share(message: Message) -> float | None:
    try:
        share = json.loads(message.text)["progress"]
    except (ValueError, KeyError, TypeError):
        return None
    return share if isinstance(share, int | float) else None


def _queue(session: Session) -> None:
    if session.place.queue is None:
        raise NotTried("there is no queue of progress; give --queue URL")


def _side_by_side(session: Session) -> str:
    """As many jobs as may come side by side and one more, that comes while they run."""
    session.sample()
    jobs = [session.job() for _ in range(session.options.at_once + 1)]
    gate = threading.Barrier(len(jobs))

    def send(job: Job) -> Response:
        gate.wait()
        return session.send(job)

    waiting = [in_background(partial(send, job)) for job in jobs]
    # All of them are over before one is judged: the next row wants a worker that has nothing to do.
    answered = [
        session.keep("jobs side by side", job, response.result()) for job, response in zip(jobs, waiting, strict=True)
    ]
    for each in answered:
        session.not_refused(each)
    return f"{len(jobs)} jobs"


def under_way(session: Session, answer: "Future[Answered]", job: Job, seconds: float) -> bool:
    """Waits until a job has told its progress, or for so many seconds. Whether it is still under way."""
    wait_until(lambda: answer.done() or session.place.messages(job["job_id"]), seconds)
    return not answer.done()


CHECKS = [
    Check("side-by-side", "must", "jobs that come while others run are done too", _side_by_side),
    Check("ping-meanwhile", "must", "/ping answers 200 while a job runs", _ping_meanwhile),
    Check("cancel-before", "must", "a job with a marker is not begun, and answers cancelled", _cancel_before),
    Check("cancel-other", "must", "the marker of another job changes nothing", _cancel_other),
    Check(
        "cancel-during", "must", "a job that gets a marker while it runs stops, and answers cancelled", _cancel_during
    ),
    Check("progress", "should", "messages of progress come", _progress_comes),
    Check("progress-shape", "must", "messages of progress have their shape, and tell no result", _progress_shape),
    Check("progress-rises", "should", "the progress of a job does not go back", _progress_rises),
    Check("progress-pace", "should", "messages of progress are 5 seconds apart", _progress_pace),
]
