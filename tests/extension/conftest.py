"""A stage on this machine, the double of a WebUI with the extension in it, and a browser that looks at it."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
for folder in (ROOT, ROOT / "extension", ROOT / "client" / "src"):
    sys.path.insert(0, str(folder))
os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1,localhost"

import httpx  # noqa: E402
from playwright.sync_api import Browser, Page, sync_playwright  # noqa: E402

from darkroom_client import Darkroom  # noqa: E402
from tests.extension.looks import Tab  # noqa: E402
from tests.support.chromium import PATIENCE, chromium  # noqa: E402

NO_OTHER_HOST = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
"""Gradio's page asks for fonts and scripts of other hosts. Here it gets none, and does not wait for them."""


@dataclass(frozen=True)
class Stage:
    """A running stage: where its API is, its key, and where the simulator of SageMaker is."""

    api: str
    key: str
    simulator: str

    def client(self) -> Darkroom:
        """A client of it."""
        return Darkroom(self.api, self.key)

    def knobs(self, **settings: Any) -> None:
        """Turn the simulator's knobs; those not named go back to their defaults."""
        httpx.put(f"{self.simulator}/_simulator/knobs", json=settings).raise_for_status()


def _local(home: Path, command: str) -> str:
    """Run `python -m local` in the project's own environment; returns what it says."""
    environment = {**os.environ, "DARKROOM_HOME": str(home), "PYTHONPATH": f"{ROOT}:{ROOT / 'shared'}"}
    python = ROOT / ".venv" / "bin" / "python"
    done = subprocess.run(
        [python, "-m", "local", command], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@contextmanager
def local_stage(own: Path) -> Iterator[Stage]:
    """A stage in its own folder, or the one in the folder that `DARKROOM_EXTENSION_HOME` names, which goes on."""
    given = os.environ.get("DARKROOM_EXTENSION_HOME")
    home = Path(given or own)
    _local(home, "up")
    ports = json.loads((home / "stack.json").read_text())["ports"]
    api = _local(home, "url").strip()
    try:
        yield Stage(api, (home / "admin-key").read_text().strip(), f"http://127.0.0.1:{ports['sagemaker']}")
    finally:
        if not given:
            _local(home, "down")


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A running stage."""
    with local_stage(tmp_path_factory.mktemp("stage")) as stage:
        yield stage


@pytest.fixture
def knobs(stage: Stage) -> Iterator[Callable[..., None]]:
    """Turns the simulator's knobs for one test."""
    yield stage.knobs
    stage.knobs()


@dataclass
class WebUI:
    """A running double. `folder` is where it keeps its files, `account` where the extension keeps address and key."""

    url: str
    folder: Path
    account: Path
    process: "subprocess.Popen[str]"
    log: Path

    def state(self) -> Any:
        """What it did itself: prompts that it painted, and how long each click held the lock."""
        return httpx.get(f"{self.url}/double/state", timeout=30).json()

    def stop(self) -> None:
        """End it."""
        self.process.terminate()
        self.process.wait(20)


def free_port() -> int:
    """A port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start_webui(folder: Path, port: int | None = None, others: Sequence[Path] = (), **options: Any) -> WebUI:
    """Start a double in this folder, with `others` among its extensions, and with these options of the WebUI; returns
    it when it serves."""
    port = port or free_port()
    account, log = folder / "account" / "webui.json", folder / "webui.log"
    folder.mkdir(parents=True, exist_ok=True)
    environment = {
        **os.environ,
        "DARKROOM_WEBUI_ACCOUNT": str(account),
        "DOUBLE_EXTENSIONS": os.pathsep.join(map(str, (ROOT / "extension", *others))),
        "DOUBLE_FOLDER": str(folder),
        "DOUBLE_OPTIONS": ";".join(f"{name}={value}" for name, value in options.items()),
        "GRADIO_ANALYTICS_ENABLED": "False",
        "GRADIO_TEMP_DIR": str(folder / "tmp"),
    }
    command = [sys.executable, str(ROOT / "tests" / "extension" / "double" / "webui.py"), str(port)]
    with log.open("a") as output:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT, text=True
        )
    webui = WebUI(f"http://127.0.0.1:{port}", folder, account, process, log)
    deadline = time.monotonic() + 120
    while True:
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, "the double does not serve: " + log.read_text()
        try:
            httpx.get(f"{webui.url}/double/state", timeout=5).raise_for_status()
            return webui
        except httpx.HTTPError:
            time.sleep(0.3)


def log_in(webui: WebUI, address: str, key: str) -> None:
    """Store an account as the panel does."""
    webui.account.parent.mkdir(parents=True, exist_ok=True)
    webui.account.write_text(json.dumps({"address": address, "key": key}))
    webui.account.chmod(0o600)


@pytest.fixture(scope="module")
def webui(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebUI]:
    """A double whose extension knows the stage."""
    webui = start_webui(tmp_path_factory.mktemp("webui"))
    log_in(webui, stage.api, stage.key)
    yield webui
    webui.stop()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A browser."""
    with sync_playwright() as playwright:
        started = chromium(playwright, NO_OTHER_HOST)
        yield started
        started.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page of a browser that has seen nothing yet."""
    context = browser.new_context(viewport={"width": 1500, "height": 1400})
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    yield page
    context.close()


@pytest.fixture
def txt2img(page: Page, webui: WebUI) -> Tab:
    """The open tab txt2img with the panel open."""
    return Tab(page, "txt2img").open(webui.url)


@pytest.fixture
def img2img(page: Page, webui: WebUI) -> Tab:
    """The open tab img2img with the panel open."""
    return Tab(page, "img2img").open(webui.url)
