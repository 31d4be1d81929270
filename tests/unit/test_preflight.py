"""`python -m infra.stage check`: what is asked of AWS, and what a person is told. botocore's Stubber checks every
answer that is played here against AWS's own model of it."""

import os
import re
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import NoCredentialsError
from botocore.stub import Stubber

from infra import operators, preflight
from infra.preflight import Finding, Wanted
from infra.stage import Stage

REGION = "eu-west-1"
CALLER = {"Account": "123456789012", "Arn": "arn:aws:iam::123456789012:user/anna", "UserId": "A"}


@pytest.fixture(autouse=True)
def nobody_logged_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """No credentials and no region of this machine."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, os.devnull)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


class Account:
    """A boto3 session whose clients answer what a test says: a ready account, unless something is changed."""

    def __init__(self, region: str | None = REGION) -> None:
        self._session = boto3.session.Session("key", "secret", region_name=region)
        self.region_name = region
        self.concurrency, self.reserved = 1000, 0
        self.applied = {"ml.g5.xlarge": 2.0}
        self.defaults = {"ml.g5.xlarge": 0.0, "ml.g4dn.xlarge": 0.0}
        self.bootstrap: str | None = "30"
        self.refuses: dict[str, tuple[str, str]] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def client(self, service: str, **options: Any) -> Any:
        client = self._session.client(service, **options)  # type: ignore[call-overload]
        stubber = Stubber(client)
        if service in self.refuses:
            code, message = self.refuses[service]
            stubber.add_client_error(self.first_call(service), code, message)
        else:
            for operation, answer in self.answers(service):
                if answer is None:
                    stubber.add_client_error(operation, "ParameterNotFound")
                else:
                    stubber.add_response(operation, answer)
        stubber.activate()
        return client

    def first_call(self, service: str) -> str:
        return next(self.answers(service))[0]

    def answers(self, service: str) -> Iterator[tuple[str, dict[str, Any] | None]]:
        if service == "sts":
            yield "get_caller_identity", CALLER
        elif service == "lambda":
            limits = {"ConcurrentExecutions": self.concurrency}
            limits["UnreservedConcurrentExecutions"] = self.concurrency - self.reserved
            yield "get_account_settings", {"AccountLimit": limits}
        elif service == "service-quotas":
            # In two pages, with one that AWS could not read.
            unread = {"QuotaName": "ml.p5.48xlarge for endpoint usage", "ErrorReason": {"ErrorCode": "SERVICE"}}
            yield "list_service_quotas", {"Quotas": [unread], "NextToken": "more"}
            yield "list_service_quotas", {"Quotas": quotas(self.applied)}
            yield "list_aws_default_service_quotas", {"Quotas": quotas(self.defaults)}
        else:
            yield "get_parameter", None if self.bootstrap is None else {"Parameter": {"Value": self.bootstrap}}


def quotas(values: dict[str, float]) -> list[dict[str, Any]]:
    return [
        {"QuotaName": f"{kind} for endpoint usage", "QuotaCode": "L-1928E07B", "Value": value}
        for kind, value in values.items()
    ]


def found(account: Account, *types: str, instances: int = 1, **settings: Any) -> dict[str, Finding]:
    wanted = Wanted(Stage(name="dev", **settings), types or ("ml.g5.xlarge",), instances)
    return {finding.what: finding for finding in preflight.check(account, wanted)}


def lacking(account: Account, *types: str, **more: Any) -> list[str]:
    return [what for what, finding in found(account, *types, **more).items() if not finding.ok]


def test_a_ready_account_lacks_nothing() -> None:
    findings = found(Account())
    assert [finding.ok for finding in findings.values()] == [True] * 5
    assert "123456789012" in findings["credentials"].says


def test_a_new_account_is_told_what_to_ask_for() -> None:
    account = Account()
    account.concurrency, account.applied, account.bootstrap = 10, {}, None
    findings = found(account, "ml.g5.xlarge", instances=2)
    assert [what for what, finding in findings.items() if not finding.ok] == [
        "Lambda",
        "ml.g5.xlarge for endpoint usage",
        "bootstrap",
    ]
    concurrency, gpu = findings["Lambda"], findings["ml.g5.xlarge for endpoint usage"]
    assert concurrency.says.startswith("10 functions may run at once (of 10 in the account), and the stage needs 100")
    assert '"Concurrent executions" (L-B99A9384)' in concurrency.todo[0]
    assert concurrency.todo[1] == (
        "aws service-quotas request-service-quota-increase --region eu-west-1 --service-code lambda "
        "--quota-code L-B99A9384 --desired-value 1000"
    )
    assert gpu.says.startswith("0 at once, and 2 needed")
    assert "Amazon SageMaker" in gpu.todo[0]
    assert gpu.todo[1].endswith("--service-code sagemaker --quota-code L-1928E07B --desired-value 2")
    assert findings["bootstrap"].todo == ("python -m infra.stage bootstrap",)


def test_concurrency_that_is_reserved_for_other_functions_does_not_count() -> None:
    account = Account()
    account.reserved = 950
    assert lacking(account) == ["Lambda"]
    account.reserved = 900
    assert lacking(account) == []
    assert lacking(account, throttle_rate=51) == ["Lambda"]


def test_every_instance_type_is_looked_up_and_a_granted_quota_counts_before_the_default() -> None:
    account = Account()
    assert lacking(account, "ml.g5.xlarge", "ml.g4dn.xlarge") == ["ml.g4dn.xlarge for endpoint usage"]
    assert lacking(account, "ml.g5.xlarge", instances=3) == ["ml.g5.xlarge for endpoint usage"]


def test_an_instance_type_that_the_region_does_not_know_is_said() -> None:
    finding = found(Account(), "ml.p5.48xlarge")["ml.p5.48xlarge for endpoint usage"]
    assert not finding.ok
    assert "no such quota in eu-west-1" in finding.says


@pytest.mark.parametrize(("version", "ok"), [("5", False), ("6", True), ("30", True), ("?", False)])
def test_an_old_bootstrap_is_made_anew(version: str, ok: bool) -> None:
    account = Account()
    account.bootstrap = version
    finding = found(account)["bootstrap"]
    assert finding.ok is ok
    assert finding.todo == (() if ok else ("python -m infra.stage bootstrap",))


@pytest.mark.parametrize(
    ("service", "what", "right"),
    [
        ("lambda", "Lambda", "lambda:GetAccountSettings"),
        ("service-quotas", "GPU quotas", "servicequotas:ListServiceQuotas"),
        ("ssm", "bootstrap", "ssm:GetParameter"),
    ],
)
@pytest.mark.parametrize("code", ["AccessDeniedException", "AccessDenied"])
def test_a_missing_permission_is_named_and_the_rest_is_looked_at_all_the_same(
    service: str, what: str, right: str, code: str
) -> None:
    account = Account()
    account.refuses[service] = (code, "User anna is not authorized.")
    findings = found(account)
    assert len(findings) == 5
    assert [name for name, finding in findings.items() if not finding.ok] == [what]
    assert f"lack the permission {right}" in findings[what].says
    assert "User anna is not authorized." in findings[what].says


def test_any_other_refusal_is_passed_on() -> None:
    account = Account()
    account.refuses["lambda"] = ("ServiceException", "Try later.")
    assert found(account)["Lambda"].says == "AWS refused GetAccountSettings with ServiceException. Try later."


@pytest.mark.parametrize("code", ["ExpiredToken", "InvalidClientTokenId"])
def test_with_credentials_that_aws_does_not_take_nothing_else_is_asked(code: str) -> None:
    account = Account()
    account.refuses["sts"] = (code, "No.")
    findings = found(account)
    assert list(findings) == ["region", "credentials"]
    assert f"does not take these credentials ({code})" in findings["credentials"].says


def test_without_credentials_nothing_else_is_asked(capsys: pytest.CaptureFixture[str]) -> None:
    assert operators.main(["check", "dev", "--region", REGION]) == 1
    told = capsys.readouterr().out
    assert str(NoCredentialsError()) in told
    assert "aws sso login" in told
    assert "Lambda" not in told


def test_a_missing_region_and_one_without_sagemaker_are_told() -> None:
    assert "Set AWS_REGION" in found(Account(None))["region"].says
    elsewhere = found(Account("eu-moon-1"))
    assert list(elsewhere) == ["region"]
    assert "no SageMaker in eu-moon-1" in elsewhere["region"].says
    assert "eu-west-1" in elsewhere["region"].says
    # A region of another partition is one as well.
    assert found(Account("cn-north-1"))["region"].ok


def test_an_account_that_cannot_be_reached_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:9")
    session = boto3.session.Session("key", "secret", region_name=REGION)
    monkeypatch.setattr(preflight, "_FAST", Config(retries={"total_max_attempts": 1}))
    wanted = Wanted(Stage(name="dev"), ("ml.g5.xlarge",), 1)
    findings = list(preflight.check(session, wanted))
    assert [finding.ok for finding in findings] == [True, False]
    assert "Is this machine online" in findings[1].says


def run(monkeypatch: pytest.MonkeyPatch, account: Account, *arguments: str) -> int:
    def session(region_name: str | None, profile_name: str | None) -> Account:
        account.region_name = region_name
        return account

    monkeypatch.setattr(boto3.session, "Session", session)
    return operators.main(["check", *arguments])


def test_the_command_prints_a_line_for_each_finding_and_ends_with_1_when_something_lacks(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    account = Account()
    assert run(monkeypatch, account, "dev", "--region", REGION) == 0
    told = capsys.readouterr().out.splitlines()
    assert [line[:6] for line in told[:5]] == ["ok    "] * 5
    assert told[-1] == "The stage dev can be deployed to eu-west-1."
    account.concurrency = 10
    assert run(monkeypatch, account, "dev", "--region", REGION, "--instance-type", "ml.g4dn.xlarge") == 1
    told = capsys.readouterr().out.splitlines()
    assert [line for line in told if line.startswith("NOT OK  ml.g4dn.xlarge for endpoint usage: 0 at once")]
    assert [line for line in told if re.match(r" {10}aws service-quotas request-service-quota-increase", line)]
    assert told[-1] == "2 of these must be put right first; then run this again."


def test_wrong_arguments_are_explained(capsys: pytest.CaptureFixture[str]) -> None:
    assert operators.main(["check", "nowhere"]) == 1
    assert capsys.readouterr().err == 'There is no stage "nowhere" in cdk.json. It has dev, prod, local.\n'
    assert operators.main(["check", "dev", "--profile", "nobody"]) == 1
    assert "nobody" in capsys.readouterr().err
    for wrong in (["check"], ["check", "dev", "--instances", "0"], ["unknown"], []):
        with pytest.raises(SystemExit) as ended:
            operators.main(wrong)
        assert ended.value.code == 2
