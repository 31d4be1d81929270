"""What a bridge is started with."""

from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from darkroom_client.errors import Failure

HOST, PORT = "127.0.0.1", 7861
GRACE_SECONDS = 60.0
"""How long the job of a client that broke off goes on, for the client to ask for it again."""
MAX_BODY = 96 * 1024**2
"""Bytes of a request: a picture of 32 MB and its mask in base64."""


@dataclass(frozen=True)
class Settings:
    """`url` is the stage's address. `key` serves clients that send none of their own; None: each must send one.
    `folder` is where options are kept, None: nowhere. `hosts` are further names that clients may call it by. `grace` is
    in seconds."""

    url: str
    key: str | None = None
    host: str = HOST
    port: int = PORT
    folder: Path | None = None
    hosts: tuple[str, ...] = ()
    grace: float = GRACE_SECONDS

    def __post_init__(self) -> None:
        if self.key and not is_local(self.host):
            raise Failure(
                f"A bridge at {self.host} can be reached by other machines, and would give them your key. "
                "Add --no-key, so that every client must send its own, or leave out --host."
            )


def is_local(host: str) -> bool:
    """Whether only programs of this machine reach a server that listens there."""
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
