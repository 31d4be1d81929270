"""The worker behind Ray Serve: AWS's Ray container imports this module, as its variable SM_RAYSERVE_APP says.

The worker is a process of its own beside Ray's, because Ray needs other versions of the packages that both have.
Requests are handed on to it as they are.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

import httpx
from ray import serve
from starlette.requests import Request
from starlette.responses import Response

PORT = 8081
"""8080 is the container's own, 8000 Ray's."""
LOOKS = 0.2
MOST = 32
"""Requests that Ray hands on side by side. The worker itself knows how many it works at."""


@serve.deployment(num_replicas=1, max_ongoing_requests=MOST)
class Worker:
    """One worker process, and requests for it."""

    def __init__(self) -> None:
        """Starts the worker, and returns once it takes jobs. Raises RuntimeError when it ends before."""
        environment = {**os.environ, "DARKROOM_HOST": "127.0.0.1", "SAGEMAKER_BIND_TO_PORT": str(PORT)}
        # Ray hides the GPUs from what did not ask it for one.
        environment.pop("CUDA_VISIBLE_DEVICES", None)
        command = [sys.executable, str(Path(__file__).with_name("start.py")), "serve"]
        self.process = subprocess.Popen(command, env=environment)  # noqa: S603 - a fixed command
        self._client = httpx.AsyncClient(base_url=f"http://127.0.0.1:{PORT}", timeout=None, trust_env=False)  # noqa: S113 - SageMaker gives a job up
        while not _ready():
            self.check_health()
            time.sleep(LOOKS)

    async def __call__(self, request: Request) -> Response:
        """Ray gets every request at its root."""
        answer = await self._client.post("/invocations", content=await request.body())
        return Response(answer.content, answer.status_code, media_type=answer.headers.get("content-type"))

    def check_health(self) -> None:
        """Ray asks this, and replaces a worker that ended."""
        if self.process.poll() is not None:
            raise RuntimeError(f"the worker ended with {self.process.returncode}")

    def __del__(self) -> None:
        self.process.terminate()


def _ready() -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{PORT}/ping", timeout=5, trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


app = Worker.bind()  # type: ignore[attr-defined]
