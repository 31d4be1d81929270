"""`python -m infra.first_key`: the address and the first admin key, as the command line reads them from AWS."""

import pytest

from darkroom_cli import aws
from darkroom_cli.logins import Login
from darkroom_client import Failure
from infra import first_key


def test_address_and_key_of_the_named_stage_are_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def login(stage: str, region: str | None, profile: str | None) -> Login:
        return Login(f"https://{stage}.example.com/v1", "first-admin-key")

    monkeypatch.setattr(aws, "login", login)
    assert first_key.main(["dev"]) == 0
    assert capsys.readouterr().out == "API  https://dev.example.com/v1\nkey  first-admin-key\n"


def test_a_stage_that_cannot_be_read_is_an_error_with_its_reason(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def login(*_: object, **__: object) -> Login:
        raise Failure("The stage dev cannot be read: no credentials")

    monkeypatch.setattr(aws, "login", login)
    assert first_key.main(["dev"]) == 1
    assert capsys.readouterr() == ("", "The stage dev cannot be read: no credentials\n")
    assert first_key.main([]) == 2
