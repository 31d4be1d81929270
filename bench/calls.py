"""How many AWS calls each operation makes, counted on moto: `make bench`.

SageMaker's own calls (ListEndpoints, InvokeEndpointAsync) are counted where the adapters make them;
moto answers the rest. Every count is exact and the same on every machine; `tests/integration/test_calls.py`
holds the budgets.
"""

import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from darkroom.keys.api import KeyIn
from tests.support.events import completed, deliver, failed, manifest, progress
from tests.support.gateway import send
from tests.support.http import call
from tests.support.pictures import png
from tests.support.sagemaker import Details, endpoint
from tests.support.stage import Stage, moto_stage


@dataclass(frozen=True)
class Budget:
    """An operation, its budget in AWS calls, and what carries it out (once, on a warm function); `before` is not
    counted."""

    name: str
    calls: int
    run: Callable[[Stage], object]
    before: Callable[[Stage], object] = lambda stage: None


ASLEEP = "darkroom-test-asleep"


def _sleep(stage: Stage) -> None:
    """Another endpoint, which sleeps, and which the function has seen before."""
    stage.sagemaker.endpoints.append(endpoint(ASLEEP))
    stage.sagemaker.tagged[ASLEEP] = {"darkroom:min": "0", "darkroom:max": "1"}
    stage.sagemaker.details[ASLEEP] = Details(config=ASLEEP, instances=0)
    stage.services.endpoints.all(fresh=True)
    stage.services.endpoints.machine(ASLEEP)


def _submit(stage: Stage, **more: Any) -> str:
    body = {"type": "txt2img", "checkpoint": "v1-5.safetensors", "parameters": {"prompt": "a pier"}, **more}
    reply = call("POST", "/jobs", body)
    assert reply.status == 201, reply.body
    return str(reply.json["id"])


def _prepared(stage: Stage) -> str:
    """The job the other operations work on; made before the counting begins."""
    return stage.first_job


def _inpaint(stage: Stage) -> None:
    images = {"init": stage.picture, "mask": stage.picture}
    _submit(stage, type="img2img", images=images)


BUDGETS = (
    Budget("create a txt2img job", 3, _submit),
    Budget("create an inpaint job (two pictures)", 5, _inpaint),
    # To look at the endpoint or to know it, to wake it, and to note that it was asked.
    Budget("create a txt2img job for a sleeping endpoint", 5, lambda stage: _submit(stage, endpoint=ASLEEP), _sleep),
    # The second counts the jobs before it.
    Budget("get a job that waits in line", 2, lambda stage: call("GET", f"/jobs/{_prepared(stage)}")),
    Budget("list a page of jobs", 1, lambda _: call("GET", "/jobs")),
    Budget("list endpoints (warm)", 0, lambda _: call("GET", "/endpoints")),
    Budget("list one kind of checkpoints", 1, lambda _: call("GET", "/checkpoints?kind=lora")),
    Budget("register a picture", 1, lambda _: call("POST", "/images", _picture())),
    Budget("let a known key in", 1, lambda stage: send("GET", "/ping", key=stage.key)),
    Budget("ping", 0, lambda _: call("GET", "/ping")),
    Budget("progress", 1, lambda stage: deliver(progress(_prepared(stage), 0.5))),
    Budget("get a job", 1, lambda stage: call("GET", f"/jobs/{_prepared(stage)}")),
    Budget("callback: succeed", 2, lambda stage: deliver(_succeed(_prepared(stage)), painted=False)),
    Budget("callback: the same again", 2, lambda stage: deliver(_succeed(_prepared(stage)), painted=False)),
    Budget("callback: fail with the container's words", 1, lambda stage: deliver(_fail(_prepared(stage)))),
    Budget("callback: fail without them, the job ended before", 2, lambda stage: deliver(failed(_prepared(stage)))),
)


def _succeed(job_id: str) -> dict[str, Any]:
    return completed(job_id, manifest(job_id))


def _fail(job_id: str) -> dict[str, Any]:
    return failed(job_id) | {"responseBody": {"content": '{"detail": "Out of memory"}'}}


def _picture() -> dict[str, Any]:
    return {"sha256": "0" * 64, "bytes": 10, "content_type": "image/png"}


def measure() -> Iterator[tuple[Budget, Counter[str]]]:
    """Each operation with the AWS operations it called, by name."""
    with moto_stage() as stage:
        stage.picture = stage.upload(png())
        stage.sagemaker.tagged["darkroom-test-a"] = {"darkroom:min": "0", "darkroom:max": "1"}
        stage.first_job = _submit(stage)
        stage.key = stage.services.keys.create(KeyIn(name="bench", role="artist")).secret
        send("GET", "/ping", key=stage.key)
        for warm in ("/endpoints", "/checkpoints", "/ping", f"/jobs/{stage.first_job}"):
            call("GET", warm)
        for budget in BUDGETS:
            budget.before(stage)
            with counted(stage) as calls:
                budget.run(stage)
            yield budget, calls


@contextmanager
def counted(stage: Stage) -> Iterator[Counter[str]]:
    """Count every call that leaves the adapters, retries included."""
    calls: Counter[str] = Counter()

    def count(model: Any, **_: object) -> None:
        calls[model.name] += 1

    clients = [stage.clients(service) for service in ("dynamodb", "s3", "secretsmanager")]
    clients.append(stage.clients("dynamodb", fail_fast=True))
    for fake in (stage.sagemaker, stage.scaling):
        fake.on_call = lambda name: calls.update([name])
    for client in clients:
        client.meta.events.register("before-call", count)
    try:
        yield calls
    finally:
        for client in clients:
            client.meta.events.unregister("before-call", count)
        for fake in (stage.sagemaker, stage.scaling):
            fake.on_call = lambda name: None


def main() -> int:
    """Print the table; 1 when a budget is broken."""
    os.environ["POWERTOOLS_LOG_LEVEL"] = "WARNING"
    table = Table("operation", "calls", "budget", "ratio", "which", title="AWS calls per operation")
    broken = 0
    for budget, calls in measure():
        total = calls.total()
        broken += total > budget.calls
        ratio = f"{total / budget.calls:.2f}" if budget.calls else "-"
        which = ", ".join(f"{name} x{n}" if n > 1 else name for name, n in calls.items())
        table.add_row(budget.name, str(total), str(budget.calls), ratio, which)
    Console(width=130).print(table)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
