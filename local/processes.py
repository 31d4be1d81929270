"""Starting, finding and stopping the parts of the local stack."""

import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psutil


class StackError(Exception):
    """Something of the local stack did not work; the text says what, and where to look."""


class EndedError(StackError):
    """A part ended while it started."""


Process = tuple[int, float]
"""A pid and when its process started, in seconds since the epoch."""


def start(command: list[str], log: Path, environment: Mapping[str, str]) -> Process:
    """Start a part in a session of its own, so that it outlives this command; its output goes to `log`."""
    with log.open("ab") as output:
        child = subprocess.Popen(  # noqa: S603 - the commands are our own
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(environment),
            start_new_session=True,
        )
    return child.pid, psutil.Process(child.pid).create_time()


def find(process: Process) -> psutil.Process | None:
    """The running process, None when it ended (even if its pid was given out again)."""
    pid, began = process
    try:
        found = psutil.Process(pid)
        same = abs(found.create_time() - began) < 1 and found.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return None
    return found if same else None


def stop(process: Process, timeouts: float) -> None:
    """End a process and all it started: asked first, made to after `timeouts` seconds."""
    found = find(process)
    if found is None:
        return
    family = [found, *found.children(recursive=True)]
    found.terminate()
    psutil.wait_procs([found], timeout=timeouts)
    for one in family:
        if one.is_running():
            one.kill()
    psutil.wait_procs(family, timeout=5)


def free_port(wanted: int, taken: set[int]) -> int:
    """`wanted` if nothing listens there, else some free port; never one of `taken`."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            found: int = probe.getsockname()[1]
            if found not in taken:
                return found
    raise StackError("No free port was found on 127.0.0.1.")


def wait_until_up(name: str, url: str, process: Process, log: Path, seconds: float) -> None:
    """Wait until a part answers at `url`; raises StackError with the end of its log when it does not."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if find(process) is None:
            raise EndedError(f"{name} ended while it started. The end of {log}:\n{tail(log)}")
        try:
            # Somebody else may answer on a port that was taken between the look and the start.
            if httpx.get(url, timeout=2).status_code < 500 and _listens(process, urlsplit(url).port):
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise StackError(f"{name} did not answer within {seconds:g} seconds. The end of {log}:\n{tail(log)}")


def _listens(process: Process, port: int | None) -> bool:
    """Whether it is this process that listens on a port."""
    found = find(process)
    if found is None:
        return False
    listening = [c for c in found.net_connections("tcp") if c.status == psutil.CONN_LISTEN]
    return any(c.laddr and c.laddr[1] == port for c in listening)


def tail(log: Path, lines: int = 15) -> str:
    """The last lines of a log."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:]) if log.exists() else "(no log)"
