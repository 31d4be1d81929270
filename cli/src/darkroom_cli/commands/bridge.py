"""`darkroom bridge`: the WebUI's own API on this machine, whose jobs run in the cloud."""

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from darkroom_cli.console import KeyFile, Url, reported_errors

NEEDED = ("starlette", "uvicorn", "PIL", "python_multipart")
"""What the extra `bridge` installs."""


def bridge(
    host: Annotated[str, typer.Option("--host", help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="The port; 0 takes any free one.")] = 7861,
    no_key: Annotated[
        bool, typer.Option("--no-key", help="Use no key of yours: every client must send its own.")
    ] = False,
    allow_host: Annotated[
        list[str] | None, typer.Option("--allow-host", help="A name that clients call this machine by; may repeat.")
    ] = None,
    url: Url = None,
    key_file: KeyFile = None,
) -> None:
    """Serve the API of the AUTOMATIC1111 WebUI on this machine; the pictures are painted in the cloud.

    Clients of the WebUI connect to it unchanged. Without a key of its own, a client uses the one of `darkroom login`.
    """
    with reported_errors():
        from darkroom_cli import logins
        from darkroom_cli.extras import extra_missing
        from darkroom_client import Failure, address

        if any(find_spec(package) is None for package in NEEDED):
            raise extra_missing("bridge")
        from darkroom_bridge import server
        from darkroom_bridge.settings import Settings

        key: str | None = None
        if no_key:
            stored = None if url else logins.read()
            found = url or (stored.url if stored else None)
            if not found:
                raise Failure("Where is Darkroom? Give its address with --url or in DARKROOM_URL.")
            where = address.checked(found)
        else:
            login = logins.find(url, key_file)
            where, key = login.url, login.key
        folder = Path(typer.get_app_dir("darkroom")) / "bridge"
        settings = Settings(where, key, host, port, folder, tuple(allow_host or ()))

        def ready(at: str) -> None:
            typer.echo(f"The WebUI's API is at {at}; pictures are painted by {where}. Ctrl-C stops it.")

        if not server.serve(settings, ready):
            raise Failure(f"Nothing can listen at {host}, port {port}: give another one with --port.")
