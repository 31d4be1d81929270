"""`GET /ping`."""

from darkroom_cli.worker_check.answers import document_of
from darkroom_cli.worker_check.beside import wrong_state
from darkroom_cli.worker_check.checks import Check
from darkroom_cli.worker_check.session import Fails, Session


def _ping(session: Session) -> str:
    answer = session.worker.ping()
    if answer.status != 200:
        raise Fails(answer.fault or f"it answers {answer.status}")
    return ""


def _state(session: Session) -> str:
    state = document_of(session.worker.ping().content)
    if state is None:
        return "the body is no JSON object; SageMaker reads only the status"
    if wrong := list(wrong_state(state)):
        raise Fails("; ".join(wrong))
    return f"engine {state['engine']}" if state.get("engine") else ""


CHECKS = [
    Check("ping", "must", "GET /ping answers 200", _ping),
    Check("ping-body", "should", "the body of /ping has the fields of the contract in their shapes", _state),
]
