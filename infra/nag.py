"""cdk-nag, and the findings that are accepted: each on the resource it is about, with the reason.

A finding that is not acknowledged stops the synthesis. A wildcard in a policy is acknowledged by its exact text, with
the reason that `resources.py` gives for it.
"""

from typing import cast

from aws_cdk import Acknowledgment, App, Stack, Validations
from aws_cdk import aws_apigateway as apigateway
from cdk_nag import AwsSolutionsChecks
from constructs import IConstruct

from infra.data_stack import DataStack
from infra.grants import Grant
from infra.page import Page
from infra.service_stack import ServiceStack


def check(app: App) -> None:
    """Let cdk-nag check every resource of `app` when it is synthesized."""
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))


def acknowledge(data: DataStack, service: ServiceStack) -> None:
    """Acknowledge the findings that are accepted, with the reasons."""
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
    if service.page:
        _acknowledge_page(service.page)
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


def _acknowledge_page(page: Page) -> None:
    _acknowledge(
        page.bucket, {"S1": "The files are the same for everybody; CloudTrail data events serve who needs a trail."}
    )
    _acknowledge(
        page.distribution,
        {
            "CFR1": "People with a key may use it from wherever they are.",
            "CFR2": "The files need no guard; the firewall of a stage stands before the API, which does all the work.",
            "CFR3": "Access logs would hold queries, so words of prompts; the API's own log has none.",
            "CFR4": "CloudFront's own name has CloudFront's own policy; a name of yours gets TLS 1.2 and newer.",
        },
    )


def _acknowledge_wildcards(data: DataStack, service: ServiceStack) -> None:
    """Acknowledge each wildcard at the role whose grants have it, with the reason from `resources.py`."""
    exports = _exports(data)
    for function in service.functions.values():
        _acknowledge_patterns(service, function.role, function.grants, exports)
    _acknowledge_patterns(service, service.worker_role, service.worker_grants, exports)


def _acknowledge_patterns(stack: Stack, role: IConstruct, grants: list[Grant], exports: dict[str, str]) -> None:
    reasons = {
        f"IAM5[Resource::{_text(stack, pattern.arn, exports)}]": pattern.reason
        for grant in grants
        for pattern in grant.patterns()
    }
    _acknowledge(role, reasons)


def _text(stack: Stack, arn: str, exports: dict[str, str]) -> str:
    """An ARN as cdk-nag writes it: references in angle brackets, those to the data stack by the name of its export."""
    for token, export in exports.items():
        arn = arn.replace(token, export)
    resolved = stack.resolve(arn)
    parts = resolved["Fn::Join"][1] if isinstance(resolved, dict) else [resolved]
    return "".join(part if isinstance(part, str) else f"<{part['Ref']}>" for part in parts)


def _exports(data: DataStack) -> dict[str, str]:
    """The ARNs of tables and buckets, as strings with a token in them, and the names of their exports."""
    tables = (data.jobs_table, data.models_table, data.keys_table, data.pictures_table, data.usage_table)
    arns = [table.table_arn for table in tables]
    arns += [bucket.bucket_arn for bucket in (data.pictures_bucket, data.models_bucket)]
    return {arn: cast(str, data.resolve(data.export_value(arn))["Fn::ImportValue"]) for arn in arns}


def _acknowledge(construct: IConstruct, reasons: dict[str, str]) -> None:
    for rule, reason in reasons.items():
        Validations.of(construct).acknowledge(Acknowledgment(id=f"AwsSolutions-{rule}", reason=reason))
