"""Credentials that lead nowhere, for every test, and which tests one worker runs."""

import pytest

GROUPS = {
    "darkroom": "the running stack",
    "demos": "the demos",
    "sagemaker_stage": "the simulator",
    "aws_on_this_machine": "the simulator",
    "installations": "the templates",
    "built": "the wheels",
}
"""What takes long to make is made once: all tests that use a fixture of these run on one worker of pytest-xdist (with
`--dist loadgroup`, as `make test` has it). The rest goes to whichever worker is free."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        used = set(getattr(item, "fixturenames", ()))
        for fixture, group in GROUPS.items():
            if fixture in used:
                item.add_marker(pytest.mark.xdist_group(group))
                break


@pytest.fixture(autouse=True)
def _no_real_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "test")
    monkeypatch.delenv("AWS_PROFILE", raising=False)
