"""`python -m local demo|up|down|status|url`: the local stack on the command line."""

import argparse
import os
import sys
import time
from collections.abc import Callable

import httpx
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console

from darkroom_client import Darkroom, Refused
from local import demo, stack
from local.home import Home
from local.processes import StackError


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns its exit code: 0, 1 after an error message, or 130 after Ctrl-C."""
    parser = argparse.ArgumentParser("local", description="Darkroom on one machine")
    parser.add_argument("command", choices=sorted(_COMMANDS))
    options = parser.parse_args(arguments)
    console = Console(highlight=False, soft_wrap=True)
    started = time.monotonic()

    def say(text: str) -> None:
        console.print(f"{time.monotonic() - started:5.1f} s  {text}", markup=False)

    # Requests between processes of this machine must not go through a person's proxy.
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1,localhost"
    try:
        return _COMMANDS[options.command](Home.here(), say)
    except (StackError, Refused, httpx.HTTPError, BotoCoreError, ClientError, OSError, ValueError) as error:
        console.print(f"{options.command} failed: {error}", markup=False, style="red")
        return 1
    except KeyboardInterrupt:
        console.print(f"{options.command} was interrupted.")
        return 130


def _demo(home: Home, say: Callable[[str], None]) -> int:
    """Run the demo. A stack that was running stays; one that was started for the demo is stopped, also after an
    error."""
    was_running = stack.partly_running(home)
    try:
        painter = stack.Painter.asked_for()
        up = stack.up(home, say, painter)
        with Darkroom(up.api, home.key_file.read_text()) as client:
            jobs = demo.run(client, home.folder("pictures"), say, real=painter.engine != "preview")
        say("the history:")
        for job in reversed(jobs):
            say(f"  {job['label']}")
        if was_running:
            say(f"look at them in the browser: {up.page} (the key is in {home.key_file})")
        else:
            say("look at them in the browser: `make up` starts the stack again with these jobs, and prints the address")
        return 0
    finally:
        if not was_running:
            say("stopping the stack")
            stack.down(home)


def _up(home: Home, say: Callable[[str], None]) -> int:
    up = stack.up(home, say, stack.Painter.asked_for())
    say("Darkroom runs. Stop it with `make down`.")
    say(f"  page     {up.page} (for a browser)")
    say(f"  API      {up.api}")
    say(f"  key      {home.key_file} (send it as `Authorization: Bearer <key>`)")
    say(f"  worker   {up.worker}")
    say(f"  logs     {home.folder('logs')}")
    return 0


def _down(home: Home, say: Callable[[str], None]) -> int:
    stopped = stack.down(home)
    say(f"stopped {', '.join(stopped)}; the state stays in {home.path}" if stopped else "nothing runs")
    return 0


def _status(home: Home, say: Callable[[str], None]) -> int:
    up = stack.running(home)
    if up is None:
        say("does not run; start it with `make up`")
        return 1
    say(f"runs: {up.api}")
    say(f"  page       {up.page}")
    say(f"  MiniStack  {up.aws}")
    say(f"  simulator  {up.sagemaker}")
    say(f"  worker     {up.worker}")
    return 0


def _url(home: Home, say: Callable[[str], None]) -> int:
    up = stack.running(home)
    if up is None:
        raise StackError("the stack does not run; start it with `make up`")
    print(up.api)
    return 0


_COMMANDS = {"demo": _demo, "up": _up, "down": _down, "status": _status, "url": _url}

if __name__ == "__main__":
    sys.exit(main())
