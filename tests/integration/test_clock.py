"""Every time that a service writes comes from the clock that the wiring was given."""

from datetime import UTC, datetime

from darkroom.keys.api import KeyIn
from tests.support.events import completed, deliver, manifest
from tests.support.http import call
from tests.support.stage import Stage

BODY = {"type": "txt2img", "checkpoint": "v1-5.safetensors", "parameters": {"prompt": "a pier"}}
LATER = datetime(2031, 5, 6, 7, 8, 9, tzinfo=UTC).timestamp()


def test_the_end_of_a_job_has_the_time_of_the_wired_clock(stage: Stage) -> None:
    stage.configure(clock=lambda: LATER)
    succeeds, cancelled = (call("POST", "/jobs", BODY).json["id"] for _ in range(2))
    deliver(completed(succeeds, manifest(succeeds)))
    call("POST", f"/jobs/{cancelled}/cancel")
    ends = {call("GET", f"/jobs/{job_id}").json["completed_at"] for job_id in (succeeds, cancelled)}
    assert ends == {"2031-05-06T07:08:09.000Z"}


def test_a_job_is_kept_and_handed_over_by_the_wired_clock(stage: Stage) -> None:
    stage.configure(clock=lambda: LATER, retention_days=10)
    call("POST", "/jobs", BODY)
    [row] = stage.rows()
    assert row["expires_at"] == {"N": str(int(LATER) + 10 * 86_400)}
    assert row["submitted_at"] == {"S": "2031-05-06T07:08:09.000Z"}


def test_a_key_is_made_and_ends_by_the_wired_clock(stage: Stage) -> None:
    now = [LATER]
    stage.configure(clock=lambda: now[0])
    made = stage.services.keys.create(KeyIn(name="alice", role="artist", days=1))
    assert made.created_at.startswith("2031-05-06")
    assert stage.services.authenticator.caller(f"Bearer {made.secret}") is not None
    now[0] += 2 * 86_400
    assert stage.services.authenticator.caller(f"Bearer {made.secret}") is None
