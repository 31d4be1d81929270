"""`python -m infra.stage first-key`: the address and the first admin key, as the command line reads them from AWS."""

import subprocess
import sys

import boto3.session
import pytest
from botocore.exceptions import ProfileNotFound

from darkroom_cli import aws
from darkroom_cli.logins import Login
from darkroom_client import Failure
from infra import first_key, operators


def test_address_and_key_of_the_named_stage_are_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def login(stage: str, region: str | None, profile: str | None) -> Login:
        return Login(f"https://{stage}.example.com/v1", "first-admin-key")

    monkeypatch.setattr(aws, "login", login)
    for command, arguments in ((operators.main, ["first-key", "dev"]), (first_key.main, ["dev"])):
        assert command(arguments) == 0
        assert capsys.readouterr().out == "API  https://dev.example.com/v1\nkey  first-admin-key\n"


def test_region_and_profile_are_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def login(*where: str | None) -> Login:
        asked.append(where)
        return Login("https://dev.example.com/v1", "first-admin-key")

    monkeypatch.setattr(aws, "login", login)
    operators.main(["first-key", "dev"])
    operators.main(["first-key", "dev", "--region", "eu-west-1", "--profile", "work"])
    assert asked == [("dev", None, None), ("dev", "eu-west-1", "work")]


def test_a_stage_that_cannot_be_read_is_an_error_with_its_reason(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def login(*_: object, **__: object) -> Login:
        raise Failure("The stage dev cannot be read: no credentials")

    monkeypatch.setattr(aws, "login", login)
    assert operators.main(["first-key", "dev"]) == 1
    assert capsys.readouterr() == ("", "The stage dev cannot be read: no credentials\n")
    assert first_key.main([]) == 2


def test_the_region_of_the_cdk_counts_where_none_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def session(region_name: str | None, profile_name: str | None) -> object:
        asked.append(region_name)
        raise ProfileNotFound(profile=str(profile_name))

    monkeypatch.setattr(boto3.session, "Session", session)
    # boto3 does not read this variable.
    monkeypatch.setenv("AWS_REGION", "eu-north-1")
    for command in ("first-key", "check"):
        assert operators.main([command, "dev"]) == 1
        assert operators.main([command, "dev", "--region", "eu-west-1"]) == 1
    assert asked == ["eu-north-1", "eu-west-1"] * 2


def test_the_commands_of_those_who_deploy_start_without_the_cdk() -> None:
    """Importing it starts Node, which takes seconds."""
    script = "import sys, infra.operators; print(sorted({'aws_cdk', 'jsii'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)  # noqa: S603 - our own words
    assert done.stdout == "[]\n"
