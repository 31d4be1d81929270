"""The stack itself: it survives a restart, gives way on busy ports, and leaves nothing behind."""

import contextlib
import os
import re
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from darkroom_client import Darkroom
from local import parts, processes, stack
from local.home import ROOT, Home
from tests.e2e.conftest import Running, http, txt2img


def command(home: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - the command is our own
        [sys.executable, "-m", "local", *arguments],
        cwd=ROOT,
        env={**os.environ, "DARKROOM_HOME": str(home), "PYTHONPATH": f"{ROOT}:{ROOT / 'shared'}", **environment},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def left_behind(home: Path) -> list[str]:
    """Processes that were started for a home: its path stands in their command line or environment."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and str(home) in " ".join([*process.cmdline(), *process.environ().values()]):
                found.append(" ".join(process.cmdline()))
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


def test_a_restart_on_another_port_keeps_jobs_pictures_and_keys(darkroom: Running) -> None:
    job = darkroom.client.settled(darkroom.client.submit(txt2img(width=64, height=64))["id"], 30)
    content = darkroom.client.download(job["images"][0]["url"])
    assert sorted(stack.down(darkroom.home)) == ["aws", "page", "sagemaker", "worker"]
    assert stack.running(darkroom.home) is None
    record = darkroom.home.read()
    old = record.ports["aws"]
    record.ports["aws"] = processes.free_port(0, {old})
    darkroom.home.write(record)
    again = stack.up(darkroom.home, print)
    assert again.aws != darkroom.stack.aws
    assert again.outputs == darkroom.stack.outputs
    # The page follows, and reaches the API where it is now.
    assert "<title>Darkroom</title>" in http().get(again.page).text
    answer = http().get(f"{again.page}/api/jobs/{job['id']}", headers={"Authorization": f"Bearer {darkroom.key}"})
    assert answer.json()["label"] == job["label"]
    with Darkroom(again.api, darkroom.key) as client:
        found = client.job(job["id"])
        assert found["label"] == job["label"]
        assert client.download(found["images"][0]["url"]) == content
        assert client.settled(client.submit(txt2img(width=64, height=64))["id"], 30)["status"] == "succeed"


@dataclass(frozen=True)
class Demos:
    """Two demos in one home; something else listened on the worker's usual port during the first one."""

    home: Path
    first: subprocess.CompletedProcess[str]
    second: subprocess.CompletedProcess[str]
    temporary: Path


@pytest.fixture(scope="module")
def demos(tmp_path_factory: pytest.TempPathFactory) -> Demos:
    home = tmp_path_factory.mktemp("demo")
    temporary = tmp_path_factory.mktemp("temporary")
    with socket.socket() as busy:
        busy.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Somebody else may have taken it already.
        with contextlib.suppress(OSError):
            busy.bind(("127.0.0.1", parts.PORTS["worker"]))
            busy.listen()
        first = command(home, "demo", TMPDIR=str(temporary))
        assert first.returncode == 0, first.stdout + first.stderr
        second = command(home, "demo")
    assert second.returncode == 0, second.stdout + second.stderr
    return Demos(home, first, second, temporary)


def test_the_demo_runs_twice_on_busy_ports_and_leaves_no_process_behind(demos: Demos) -> None:
    assert "cdk deploy" in demos.first.stdout
    assert "cdk deploy" not in demos.second.stdout
    for done in (demos.first, demos.second):
        labels = re.findall(r"\S+Z->(txt2img|img2img|interrogate_clip)->succeed->[0-9a-f-]{36}", done.stdout)
        assert labels == ["txt2img", "img2img", "interrogate_clip", "interrogate_clip", "img2img", "txt2img"]
        assert "caption: " in done.stdout
        pictures = [Path(path) for path in re.findall(r"picture: (\S+)", done.stdout)]
        assert len(pictures) == 2
        assert all(path.read_bytes().startswith(b"\x89PNG") for path in pictures)
        assert "look at them in the browser: `make up`" in done.stdout
    assert left_behind(demos.home) == []
    assert Home(demos.home).key_file.stat().st_mode & 0o777 == 0o600


def test_the_functions_leave_no_temporary_files_behind(demos: Demos, darkroom: Running) -> None:
    """MiniStack unpacks each process of a function into a folder of 25 MB, and leaves it there."""
    assert list(darkroom.home.temporary.glob("ministack-lambda-*"))
    assert not Home(demos.home).temporary.exists()
    assert list(demos.temporary.glob("ministack-*")) == []


def test_a_demo_that_cannot_work_says_what_failed_and_ends_with_1(demos: Demos) -> None:
    done = command(demos.home, "demo", DARKROOM_JOBS_AT_ONCE="there-is-none")
    assert done.returncode == 1
    assert "demo failed:" in done.stdout
    assert "there-is-none" in done.stdout
    assert "trying other ports" in done.stdout
    assert left_behind(demos.home) == []


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"DARKROOM_ENGINE": "there-is-none"}, "There is no engine there-is-none; there are: preview, diffusers."),
        ({"DARKROOM_MODELS": "/there/is/none"}, "MODELS: there is no folder /there/is/none."),
    ],
)
def test_what_the_worker_cannot_paint_with_is_refused_before_anything_starts(
    tmp_path: Path, environment: dict[str, str], said: str
) -> None:
    done = command(tmp_path, "up", **environment)
    assert (done.returncode, said in done.stdout) == (1, True)
    assert left_behind(tmp_path) == []


def test_status_and_down_say_how_it_stands_when_nothing_runs(tmp_path: Path) -> None:
    assert "does not run" in command(tmp_path, "status").stdout
    done = command(tmp_path, "down")
    assert (done.returncode, "nothing runs" in done.stdout) == (0, True)
