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
    """A part of the local stack does not work; the text says which, and where to look."""


class EndedError(StackError):
    """A part ended while it was starting."""


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
    """The running process; None when it has ended, even if another process has its pid now."""
    pid, started = process
    try:
        found = psutil.Process(pid)
        same = abs(found.create_time() - started) < 1 and found.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return None
    return found if same else None


def stop(process: Process, timeout: float) -> None:
    """End a process and its child processes: by SIGTERM, and after `timeout` seconds by SIGKILL."""
    found = find(process)
    if found is None:
        return
    family = [found, *found.children(recursive=True)]
    found.terminate()
    psutil.wait_procs([found], timeout=timeout)
    for one in family:
        if one.is_running():
            one.kill()
    psutil.wait_procs(family, timeout=5)


def free_port(preferred: int, taken: set[int]) -> int:
    """`preferred` if nothing listens on it, otherwise any free port; never one of `taken`."""
    for port in (preferred, 0):
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
    """Wait until a part answers at `url`, at most `seconds`; raises StackError with the end of its log."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if find(process) is None:
            raise EndedError(f"{name} ended while it started. The end of {log}:\n{tail(log)}")
        try:
            # Another program may have taken the port after it was chosen, and may be answering.
            if httpx.get(url, timeout=2).status_code < 500 and _listens(process, urlsplit(url).port):
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise StackError(f"{name} did not answer within {seconds:g} seconds. The end of {log}:\n{tail(log)}")


def _listens(process: Process, port: int | None) -> bool:
    """Whether this process listens on a port."""
    found = find(process)
    if found is None:
        return False
    listening = [c for c in found.net_connections("tcp") if c.status == psutil.CONN_LISTEN]
    return any(c.laddr and c.laddr[1] == port for c in listening)


def tail(log: Path, lines: int = 15) -> str:
    """The last lines of a log."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:]) if log.exists() else "(no log)"
