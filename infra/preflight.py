"""What an account and a region lack for a stage: asked of AWS before the first deploy, nothing is changed."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    PartialCredentialsError,
)

from infra import quotas
from infra.quotas import Quota
from infra.stage import Stage

BOOTSTRAP_PARAMETER = "/cdk-bootstrap/hnb659fds/version"
"""Where `cdk bootstrap` writes its version, with the CDK's usual qualifier."""
BOOTSTRAP_VERSION = 6
"""The least version that the stacks can be deployed with; a test compares it with what the CDK writes."""
QUEUES_AT_ONCE = 50
"""How many functions may read queues at once, at most; a test adds up what the stacks say."""
_DENIED = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"})
_UNKNOWN_CALLER = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidClientTokenId",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
_FAST = Config(connect_timeout=5, read_timeout=20, retries={"mode": "standard", "total_max_attempts": 4})


@dataclass(frozen=True)
class Finding:
    """A thing that was looked at: whether it is as the stage needs it, and a sentence. `todo` are the commands and
    steps that put it right."""

    ok: bool
    what: str
    says: str
    todo: tuple[str, ...] = ()


@dataclass(frozen=True)
class Wanted:
    """What the stage shall run: instance types of its endpoints, and how many instances of each at once."""

    stage: Stage
    instance_types: tuple[str, ...]
    instances: int


def check(session: Any, wanted: Wanted) -> Iterator[Finding]:
    """Each finding about the account of a boto3 session. Without credentials and region nothing else is looked at."""
    region = session.region_name
    yield (found := _region(session, region))
    if not found.ok:
        return
    open_client = partial(_client, session)
    caller = _looked_up("credentials", "sts:GetCallerIdentity", lambda: _caller(open_client("sts")))
    yield from caller
    if not all(finding.ok for finding in caller):
        return
    need = QUEUES_AT_ONCE + wanted.stage.throttle_rate
    looks: list[tuple[str, str, Callable[[], list[Finding]]]] = [
        ("Lambda", "lambda:GetAccountSettings", lambda: _concurrency(open_client("lambda"), region, need)),
        (
            "GPU quotas",
            "servicequotas:ListServiceQuotas and servicequotas:ListAWSDefaultServiceQuotas",
            lambda: _gpus(open_client("service-quotas"), region, wanted),
        ),
        ("bootstrap", "ssm:GetParameter", lambda: _bootstrap(open_client("ssm"), region)),
    ]
    for what, right, look in looks:
        yield from _looked_up(what, right, look)


def _client(session: Any, service: str) -> Any:
    return session.client(service, config=_FAST)


def _looked_up(what: str, right: str, look: Callable[[], list[Finding]]) -> list[Finding]:
    """What `look` finds; a finding that says why it could not look, when AWS refuses or does not answer. `right` is the
    permission that it takes."""
    try:
        return look()
    except (NoCredentialsError, PartialCredentialsError) as error:
        return [Finding(False, what, f"{error}. Log in (aws configure, or aws sso login), or name a --profile.")]
    except EndpointConnectionError as error:
        return [Finding(False, what, f"{error} Is this machine online, and does the region have the service?")]
    except ClientError as error:
        return [Finding(False, what, _refusal(error, right))]
    except BotoCoreError as error:
        return [Finding(False, what, str(error))]


def _refusal(error: ClientError, right: str) -> str:
    code, message = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
    if code in _DENIED:
        return f"It could not be looked up: these credentials lack the permission {right}. {message}".strip()
    if code in _UNKNOWN_CALLER:
        return f"AWS does not take these credentials ({code}). Log in again, or name another --profile."
    return f"AWS refused {error.operation_name} with {code}. {message}".strip()


def _region(session: Any, region: str | None) -> Finding:
    if region is None:
        says = "No region is set. Set AWS_REGION, or name a --region; without one, the CDK would deploy to us-east-1."
        return Finding(False, "region", says)
    known = session.get_available_regions("sagemaker")
    elsewhere = (session.get_available_regions("sagemaker", name) for name in session.get_available_partitions())
    if region not in known and not any(region in names for names in elsewhere):
        says = f"There is no SageMaker in {region}, as far as this boto3 knows. It is in {', '.join(known)}."
        return Finding(False, "region", says)
    return Finding(True, "region", f"SageMaker is in {region}.")


def _caller(sts: Any) -> list[Finding]:
    caller = sts.get_caller_identity()
    return [Finding(True, "credentials", f"Account {caller['Account']}, as {caller['Arn']}.")]


def _concurrency(functions: Any, region: str, need: int) -> list[Finding]:
    limit = functions.get_account_settings()["AccountLimit"]
    free = limit["UnreservedConcurrentExecutions"]
    says = f"{free} functions may run at once (of {limit['ConcurrentExecutions']} in the account)"
    if free >= need:
        return [Finding(True, "Lambda", f"{says}; the stage needs {need}.")]
    quota = Quota("lambda", "L-B99A9384", "Concurrent executions")
    says += (
        f", and the stage needs {need}: {QUEUES_AT_ONCE} for queues, and its throttle_rate. With fewer, requests are "
        "answered with 429 or 5xx when much happens at once."
    )
    return [Finding(False, "Lambda", says, quotas.how_to_raise(quota, region, 1000))]


def _gpus(service_quotas: Any, region: str, wanted: Wanted) -> list[Finding]:
    names = [quotas.endpoint_usage(kind) for kind in wanted.instance_types]
    found = quotas.find(service_quotas, "sagemaker", names)
    return [_gpu(name, found.get(name), region, wanted.instances) for name in names]


def _gpu(name: str, quota: Quota | None, region: str, instances: int) -> Finding:
    if quota is None:
        says = f"SageMaker has no such quota in {region}: is that an instance type for endpoints, and is it there?"
        return Finding(False, name, says)
    may = f"{quota.value:g} at once"
    if quota.value >= instances:
        return Finding(True, name, f"{may}; {instances} needed.")
    says = f"{may}, and {instances} needed. An endpoint of this type would fail with quota_exceeded."
    return Finding(False, name, says, quotas.how_to_raise(quota, region, instances))


def _bootstrap(ssm: Any, region: str) -> list[Finding]:
    command = ("python -m infra.stage bootstrap",)
    try:
        text = ssm.get_parameter(Name=BOOTSTRAP_PARAMETER)["Parameter"]["Value"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "ParameterNotFound":
            raise
        return [Finding(False, "bootstrap", f"This account is not prepared for the CDK in {region}. Run:", command)]
    version = int(text) if text.isdecimal() else 0
    if version < BOOTSTRAP_VERSION:
        says = f"Its version is {text}, and the stacks need {BOOTSTRAP_VERSION} or newer. Run it again:"
        return [Finding(False, "bootstrap", says, command)]
    return [Finding(True, "bootstrap", f"Version {version}; {BOOTSTRAP_VERSION} or newer needed.")]


def lines(findings: Sequence[Finding]) -> Iterator[str]:
    """Findings as a person reads them."""
    for finding in findings:
        yield f"{'ok    ' if finding.ok else 'NOT OK'}  {finding.what}: {finding.says}"
        yield from (f"          {step}" for step in finding.todo)
