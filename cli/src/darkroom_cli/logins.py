"""The address and the key that a command uses: from options, from the environment, or stored by `darkroom login`."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

import typer


@dataclass(frozen=True)
class Login:
    """A stage's address and a key for it."""

    url: str
    key: str


def file() -> Path:
    """Where `darkroom login` stores address and key."""
    return Path(typer.get_app_dir("darkroom")) / "login.json"


def read() -> Login | None:
    """The stored login, None when there is none. Raises Failure when its file is damaged."""
    from darkroom_client import Failure

    try:
        stored = json.loads(file().read_text(encoding="utf-8-sig"))
        return Login(str(stored["url"]), str(stored["key"]))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):
        raise Failure(f"{file()} is damaged; run `darkroom login` again.") from None


def store(login: Login) -> Path:
    """Store address and key where only this person can read them; returns the file."""
    from darkroom_client import private

    path = file()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    # It may have been made for others to read.
    path.parent.chmod(0o700)
    private.write(path, json.dumps({"url": login.url, "key": login.key}))
    return path


def forget() -> bool:
    """Remove the stored login; False when there was none."""
    try:
        file().unlink()
    except FileNotFoundError:
        return False
    return True


def find(url: str | None, key_file: Path | None) -> Login:
    """The login from the options or the environment, otherwise the stored one. Raises Failure when there is none.

    A stored key is only sent to the address that it was stored with.
    """
    from darkroom_client import Failure, address

    if url:
        url = address.checked(url)
    key = key_in(key_file.read_bytes(), str(key_file)) if key_file else os.environ.get("DARKROOM_KEY", "")
    stored = None if url and key.strip() else read()
    if stored and not url:
        url = stored.url
    if stored and not key.strip() and url == stored.url:
        key = stored.key
    if not url:
        raise Failure("Where is Darkroom? Run `darkroom login`, or give its address with --url or in DARKROOM_URL.")
    if not key.strip():
        raise Failure("No access key: run `darkroom login`, put it into DARKROOM_KEY, or name a file with --key-file.")
    return checked(url, key)


def key_in(content: bytes, source: str) -> str:
    """The text of a key file, or of what else `source` names, without a byte order mark. Raises Failure when it is no
    UTF-8."""
    from darkroom_client import Failure

    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise Failure(f"That is no access key: {source} is no UTF-8 text. Save it as UTF-8.")
    return text


def checked(url: str, key: str) -> Login:
    """Address and key without surrounding spaces and slashes; raises Failure when they have a wrong format."""
    from darkroom_client import Failure, address

    url = address.checked(url)
    key = key.lstrip("\ufeff").strip()
    if not key or not (key.isascii() and key.isprintable()) or " " in key:
        raise Failure("That is no access key: a key is one word.")
    return Login(url, key)
