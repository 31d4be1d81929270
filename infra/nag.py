"""cdk-nag, and each finding that stays: on the one resource it is about, with the reason.

What is not acknowledged here stops the synthesis. A wildcard in a policy is acknowledged by its exact
text, so another one in `permissions.py` needs its line here too.
"""

from typing import cast

from aws_cdk import Acknowledgment, App, Stack, Validations
from aws_cdk import aws_apigateway as apigateway
from cdk_nag import AwsSolutionsChecks
from constructs import IConstruct

from infra.data_stack import DataStack
from infra.service_stack import ServiceStack

_KEYS = "Any key under this one prefix: keys are made at run time, and the prefix is as narrow as they allow."
_INDEXES = "Any index of this one table; they are all for lists."
_SOURCES = "The operator names this bucket as one to import from; which of its files, people say."
_ENDPOINTS = "Endpoints are made by people at run time; the prefix is this stage's own."
_NO_RESOURCE = (
    "AWS knows no resource for these actions (traces; SageMaker's lists; scaling's reads; ECR's login; metrics)."
)
_TARGETS = "AWS makes the ids of scaling targets; the condition names the namespace, which is SageMaker's."
_ALARMS = "DescribeAlarms by a name's beginning asks for every alarm; it only reads."


def check(app: App) -> None:
    """Have cdk-nag look at every resource of `app` when it is synthesized."""
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))


def acknowledge(data: DataStack, service: ServiceStack) -> None:
    """Say why the remaining findings stay."""
    for bucket in (data.pictures_bucket, data.models_bucket):
        _acknowledge(
            bucket,
            {"S1": "Access logs would hold presigned URLs; CloudTrail data events serve who needs a trail."},
        )
    _acknowledge(
        data.admin_secret,
        {"SMG4": "The first key of an admin, who makes and withdraws keys; a new value would lock people out."},
    )
    _acknowledge(
        service.events.undelivered,
        {"SQS3": "This queue is the subscription's own dead-letter queue; the rule sees only those of queues."},
    )
    _acknowledge(
        service.sweeps.dead_letters,
        {"SQS3": "The dead-letter queue of a schedule and a function; the rule sees only those of queues."},
    )
    for function in service.functions.values():
        _acknowledge(
            function.code,
            {"L1": "The stage names the Python that the wheels are made for; the newest is not tested yet."},
        )
    _acknowledge_api(service.api.rest, service.waf)
    _acknowledge_wildcards(data, service)


def _acknowledge_api(api: apigateway.RestApi, waf: bool) -> None:
    _acknowledge(api, {"APIG2": "The functions validate, and answer with the field that is wrong."})
    _acknowledge(
        api.deployment_stage,
        {
            **({} if waf else {"APIG3": "The operator chooses and pays for a firewall (setting `waf`)."}),
            "APIG6": "Execution logs hold request headers, so access keys; the access log has none.",
        },
    )
    for method in api.methods:
        _acknowledge(method, {"COG4": "Programs call with access keys, which our own authorizer checks."})
    _acknowledge(
        api.node.find_child("CloudWatchRole"),
        {
            "IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/"
            "AmazonAPIGatewayPushToCloudWatchLogs]": "AWS's own policy for the one role that API Gateway logs with."
        },
    )


def _acknowledge_wildcards(data: DataStack, service: ServiceStack) -> None:
    """Texts as cdk-nag writes them: an ARN of the data stack is the name of its export there."""
    pictures = _exported(data, data.pictures_bucket.bucket_arn)
    models = _exported(data, data.models_bucket.bucket_arn)
    jobs = _exported(data, data.jobs_table.table_arn)
    here = "<AWS::Region>:<AWS::AccountId>"
    prefix = f"darkroom-{service.stage}-*"
    endpoints = {f"arn:<AWS::Partition>:sagemaker:{here}:endpoint/{prefix}": _ENDPOINTS}
    logs = f"arn:<AWS::Partition>:logs:{here}:log-group:/aws/sagemaker/Endpoints/{prefix}"
    images, outputs, failures = (f"{pictures}/{part}/*" for part in ("images", "jobs", "failures"))
    sources = [f"arn:<AWS::Partition>:s3:::{name}/*" for name in service.import_buckets]
    configs, made = (f"arn:<AWS::Partition>:sagemaker:{here}:{kind}/{prefix}" for kind in ("endpoint-config", "model"))
    alarms = f"arn:<AWS::Partition>:cloudwatch:{here}:alarm:"
    keeping = {
        **endpoints,
        **dict.fromkeys((configs, made, f"{alarms}{prefix}", f"{alarms}TargetTracking-endpoint/{prefix}"), _ENDPOINTS),
        f"arn:<AWS::Partition>:application-autoscaling:{here}:scalable-target/*": _TARGETS,
        f"{alarms}*": _ALARMS,
        outputs: _KEYS,
    }
    wildcards: dict[str, dict[str, str]] = {
        "jobs_api": {
            f"{jobs}/index/*": _INDEXES,
            **dict.fromkeys((images, outputs, failures), _KEYS),
            **endpoints,
            configs: _ENDPOINTS,
        },
        "checkpoints_api": {f"{models}/models/*": _KEYS},
        "checkpoint_imports": {f"{models}/models/*": _KEYS, **dict.fromkeys(sources, _SOURCES)},
        "job_events": dict.fromkeys((outputs, failures), _KEYS),
        "endpoints_api": keeping,
        "endpoint_events": keeping,
        "sweeper": {f"{jobs}/index/*": _INDEXES, **dict.fromkeys((outputs, failures), _KEYS), **keeping},
    }
    for name, function in service.functions.items():
        _acknowledge_resources(function.role, {"*": _NO_RESOURCE, **wildcards.get(name, {})})
    _acknowledge_resources(
        service.worker_role,
        {
            "*": _NO_RESOURCE,
            **dict.fromkeys((images, outputs, failures, f"{models}/models/*"), _KEYS),
            **dict.fromkeys((logs, f"{logs}:*"), _ENDPOINTS),
            "arn:<AWS::Partition>:ecr:<AWS::Region>:*:repository/*": "The operator chooses the container; AWS's own "
            "lie in accounts of AWS.",
        },
    )


def _acknowledge_resources(role: IConstruct, reasons: dict[str, str]) -> None:
    _acknowledge(role, {f"IAM5[Resource::{resource}]": reason for resource, reason in reasons.items()})


def _acknowledge(construct: IConstruct, reasons: dict[str, str]) -> None:
    for rule, reason in reasons.items():
        Validations.of(construct).acknowledge(Acknowledgment(id=f"AwsSolutions-{rule}", reason=reason))


def _exported(stack: Stack, value: str) -> str:
    return cast(str, stack.resolve(stack.export_value(value))["Fn::ImportValue"])
