"""A Lambda function of Darkroom: its own role, its own log, and the settings that it reads."""

from collections.abc import Sequence
from dataclasses import dataclass

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from darkroom.settings import Settings
from infra import bundling, permissions
from infra.functions import ALIAS, AWAITED, RELEASE_VARIABLE, FunctionSpec
from infra.grants import Grant, policy
from infra.stage import Stage

LOG_RETENTION = {
    1: logs.RetentionDays.ONE_DAY,
    7: logs.RetentionDays.ONE_WEEK,
    14: logs.RetentionDays.TWO_WEEKS,
    30: logs.RetentionDays.ONE_MONTH,
    90: logs.RetentionDays.THREE_MONTHS,
    180: logs.RetentionDays.SIX_MONTHS,
    365: logs.RetentionDays.ONE_YEAR,
}


@dataclass(frozen=True)
class Common:
    """What all functions of a stage share."""

    stage: Stage
    settings: Settings
    layers: Sequence[lambda_.ILayerVersion]
    release: str
    """What this deploy is called: two deploys of one name deploy the same."""
    key: kms.IKey | None = None


class Function(Construct):
    """`functions/<name>` as a Lambda function with exactly the permissions `grants`.

    Everything calls `live`, an alias of a version. Lambda changes code and layers of a function in two calls, and runs
    what is between them; a version has both, and the alias switches at once (Lambda Developer Guide, "Manage Lambda
    function versions"). `code` is the function itself, whose metrics count all versions.
    """

    def __init__(
        self,
        scope: Construct,
        name: str,
        common: Common,
        grants: Sequence[Grant],
        spec: FunctionSpec,
    ) -> None:
        super().__init__(scope, "".join(word.capitalize() for word in name.split("_")))
        stage = common.stage
        log_group = log(self, stage, common.key)
        self.grants = [*grants, *permissions.basics(log_group)]
        self.role = iam.Role(
            self,
            "Role",
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
            inline_policies=policy(self.grants),
        )
        self.code = lambda_.Function(
            self,
            "Code",
            description=f"Darkroom {stage.name}: {name}",
            runtime=lambda_.Runtime(
                f"python{stage.python}", lambda_.RuntimeFamily.PYTHON, supports_snap_start=stage.snap_start
            ),
            architecture=architecture(stage),
            code=bundling.function(name, stage.python),
            handler=f"functions.{name}.handler.handler",
            layers=common.layers,
            memory_size=stage.memory_mb,
            timeout=Duration.seconds(spec.seconds),
            role=self.role.without_policy_updates(),
            log_group=log_group,
            tracing=lambda_.Tracing.ACTIVE,
            snap_start=lambda_.SnapStartConf.ON_PUBLISHED_VERSIONS if stage.snap_start and name in AWAITED else None,
            # The versions that are kept are removed by `infra/versions.py`, when they are old.
            current_version_options=lambda_.VersionOptions(removal_policy=RemovalPolicy.RETAIN),
            recursive_loop=lambda_.RecursiveLoop.ALLOW if spec.calls_itself else None,
            environment={
                **common.settings.environment(spec.settings),
                "POWERTOOLS_SERVICE_NAME": name,
                "POWERTOOLS_LOG_LEVEL": stage.log_level,
                # Each release makes a version of every function, so that all of them can go back together.
                RELEASE_VARIABLE: common.release,
            },
        )
        self.live = lambda_.Alias(self, "Live", alias_name=ALIAS, version=self.code.current_version)


def log(scope: Construct, stage: Stage, key: kms.IKey | None) -> logs.LogGroup:
    """A log group with the stage's retention time, encrypted with the customer's key if there is one."""
    return logs.LogGroup(
        scope,
        "Log",
        encryption_key=key,
        retention=LOG_RETENTION[stage.log_retention_days],
        removal_policy=RemovalPolicy.DESTROY if stage.disposable else RemovalPolicy.RETAIN,
    )


def architecture(stage: Stage) -> lambda_.Architecture:
    """The stage's CPU as the CDK names it."""
    return lambda_.Architecture.ARM_64 if stage.architecture == "arm64" else lambda_.Architecture.X86_64
