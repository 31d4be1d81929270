"""SageMaker as the services see it, for tests that run without the simulator."""

import json
from collections.abc import Callable
from typing import Any

from darkroom.endpoints.model import Endpoint
from darkroom.jobs.ports import EndpointRefused


def endpoint(name: str = "darkroom-test-a", status: str = "InService") -> Endpoint:
    """An endpoint in some status."""
    return Endpoint(name, status, "2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z")


class FakeSageMaker:
    """Endpoints and an inference that only remembers what it was given."""

    def __init__(self) -> None:
        self.endpoints = [endpoint()]
        self.invoked: list[dict[str, Any]] = []
        self.refuses: str | None = None
        self.on_call: Callable[[str], None] = lambda name: None
        self.before_answer: Callable[[str], None] = lambda job_id: None

    def all(self) -> list[Endpoint]:
        self.on_call("ListEndpoints")
        return list(self.endpoints)

    def invoke(self, name: str, job_id: str, body: bytes) -> tuple[str, str | None]:
        self.on_call("InvokeEndpointAsync")
        if self.refuses:
            raise EndpointRefused(self.refuses)
        self.invoked.append({"endpoint": name, **json.loads(body)})
        self.before_answer(job_id)
        return f"s3://pictures/jobs/{job_id}/output/response.json", "s3://pictures/failures/x-error.out"
