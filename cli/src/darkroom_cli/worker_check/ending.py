"""SIGTERM: what happens to a job under way, and to the next one. The last of the checks, as the worker is gone then."""

import time
from dataclasses import dataclass

from darkroom_cli.worker_check.calls import Response
from darkroom_cli.worker_check.checks import Check
from darkroom_cli.worker_check.contract import END_SECONDS
from darkroom_cli.worker_check.places import wait_until
from darkroom_cli.worker_check.running import asked, in_background, long_job, under_way
from darkroom_cli.worker_check.session import Answered, Fails, NotTried, Session
from darkroom_client import Failure

HOW = "give --stop COMMAND, or the worker's own command behind `--`"
LATER = 1.0
"""Seconds after SIGTERM at which the next job is sent."""
SPARE = 5.0


@dataclass(frozen=True)
class Ended:
    """How a worker ended: the answer to the job under way, whether that job was under way, the seconds from SIGTERM to
    its answer, the answer to a job that came after SIGTERM, and whether the process has ended (None: not known)."""

    first: Answered
    was_under_way: bool
    seconds: float
    later: Response
    gone: bool | None


def _ended(session: Session) -> Ended:
    if not session.worker.can_stop:
        raise NotTried(HOW)
    session.sample()

    found: Ended = session.once("ended", lambda: _end(session))
    return found


def _end(session: Session) -> Ended:
    job = long_job(session, END_SECONDS * 2)
    answer = asked(session, "a job under way at SIGTERM", job)
    running = under_way(session, answer, job, 3.0)
    told = time.monotonic()
    try:
        session.worker.stop()
    except Failure as failure:
        raise NotTried(str(failure)) from failure
    time.sleep(LATER)
    later = in_background(lambda: session.send(session.job()))
    first = answer.result()
    seconds = time.monotonic() - told
    stopping, child = session.worker.stopping, session.worker.child
    if stopping and wait_until(lambda: stopping.poll() is not None, END_SECONDS) and stopping.returncode:
        raise NotTried(f"the command of --stop failed with the code {stopping.returncode}")
    gone = bool(wait_until(lambda: child.process.poll() is not None, END_SECONDS)) if child else None
    return Ended(first, running, seconds, later.result(), gone)


def _under_way(session: Session) -> str:
    found = _ended(session)
    response, error = found.first.response, found.first.reply.error
    if not found.was_under_way:
        raise NotTried("the job was done before SIGTERM; give a larger --size or more --steps")
    if response.status is None:
        raise Fails(f"the job under way got no answer, and fails: {response.fault}")
    if error is None or error.code != "worker_stopped":
        session.painted(found.first)
    if found.seconds > END_SECONDS + SPARE:
        raise Fails(f"it answered {found.seconds:.0f} seconds after SIGTERM; SageMaker kills a container after 30")
    return f"{'worker_stopped' if error else 'done'} after {found.seconds:.1f} seconds"


def _next_one(session: Session) -> str:
    found = _ended(session)
    if found.later.status == 200 and b'"error"' not in found.later.content:
        raise Fails("a job that came after SIGTERM was done; SageMaker may kill the container in the middle of it")
    return found.later.fault or f"status {found.later.status}"


def _exit(session: Session) -> str:
    found = _ended(session)
    if found.gone is None:
        raise NotTried("only a worker whose command stands behind `--` can be seen to end")
    if not found.gone:
        raise Fails(f"the process runs {END_SECONDS:.0f} seconds after SIGTERM")
    return ""


CHECKS = [
    Check("sigterm", "must", "after SIGTERM the job under way is done, or answers worker_stopped", _under_way),
    Check("sigterm-next", "should", "after SIGTERM no job begins", _next_one),
    Check("sigterm-exit", "should", "after SIGTERM the process ends within 30 seconds", _exit),
]
