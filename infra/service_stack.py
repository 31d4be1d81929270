"""What a release replaces: layers, functions, the API, the events, the alarms, and the worker's role."""

import tomllib

from aws_cdk import CfnOutput, Duration, Stack, Tags
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from darkroom.settings import Settings
from infra import bundling, permissions
from infra.api import STAGE_NAME, Api
from infra.data_stack import DataStack
from infra.events import Events, Imports
from infra.firewall import Firewall
from infra.function import Common, Function, architecture
from infra.monitoring import Monitoring
from infra.stage import Stage

TIMEOUTS = {
    "authorizer": Duration.seconds(10),
    # API Gateway gives up after 29 seconds; a GET may wait 20 for its job.
    "jobs_api": Duration.seconds(29),
    "checkpoints_api": Duration.seconds(15),
    "endpoints_api": Duration.seconds(15),
    "keys_api": Duration.seconds(15),
    "job_events": Duration.seconds(30),
    # A step stops taking parts after 40 seconds; the last part it took may be a slow one.
    "checkpoint_imports": Duration.seconds(150),
}
"""The functions of this stack. A new one is a line here, a line in `permissions.py`, and a route in `ROUTES`."""

ROUTES = {
    "/ping": "jobs_api",
    "/images": "jobs_api",
    "/jobs": "jobs_api",
    "/jobs/{proxy+}": "jobs_api",
    "/checkpoints": "checkpoints_api",
    "/checkpoints/{proxy+}": "checkpoints_api",
    "/endpoints": "endpoints_api",
    "/endpoints/{proxy+}": "endpoints_api",
    "/keys": "keys_api",
    "/keys/{proxy+}": "keys_api",
    # What no route takes: API Gateway would read a bearer key there as a broken AWS signature.
    "/{proxy+}": "jobs_api",
}
"""Which function answers a path."""


class ServiceStack(Stack):
    """The running part of a stage. It keeps nothing: everything that lasts is in the data stack."""

    def __init__(self, scope: Construct, stage: Stage, data: DataStack) -> None:
        super().__init__(scope, f"Darkroom-{stage.name}-service", description="Darkroom: API, functions and events")
        self.stage = stage.name
        self.import_buckets = stage.import_buckets
        self.waf = stage.waf
        self._stage = stage
        # By its ARN: the CDK then leaves the key's policy as the data stack has it.
        self._key = kms.Key.from_key_arn(self, "CustomerKey", data.key.key_arn) if data.key else None
        self.events = Events(self, handling=TIMEOUTS["job_events"], key=self._key)
        self.imports = Imports(self, handling=TIMEOUTS["checkpoint_imports"], key=self._key)
        self._permissions = permissions.Permissions(self, stage, data, self.events, self.imports)
        self.functions = self._functions(data)
        self.events.feed(self.functions["job_events"].code)
        self.imports.feed(self.functions["checkpoint_imports"].code)
        self.api = Api(
            self,
            stage,
            authorizer=self.functions["authorizer"].code,
            routes={path: self.functions[name].code for path, name in ROUTES.items()},
            key=self._key,
        )
        if stage.waf:
            Firewall(self, stage, self.api.rest)
        self.worker_role = iam.Role(
            self,
            "WorkerRole",
            description=f"Darkroom {stage.name}: what SageMaker and the worker's container may do",
            assumed_by=iam.ServicePrincipal("sagemaker.amazonaws.com"),
            inline_policies=permissions.policy(self._permissions.worker()),
        )
        Monitoring(
            self,
            dead_letters={
                "DeadLetters": self.events.dead_letters,
                "Undelivered": self.events.undelivered,
                "ImportDeadLetters": self.imports.dead_letters,
            },
            functions={name: function.code for name, function in self.functions.items()},
            api=self.api.rest,
        )
        self._outputs()
        Tags.of(self).add("darkroom:stage", stage.name)

    def _functions(self, data: DataStack) -> dict[str, Function]:
        common = Common(stage=self._stage, settings=self._settings(data), layers=self._layers(), key=self._key)
        statements = self._permissions.functions()
        return {name: Function(self, name, common, statements[name], timeout) for name, timeout in TIMEOUTS.items()}

    def _layers(self) -> list[lambda_.LayerVersion]:
        stage = self._stage
        contents = {
            "Dependencies": bundling.dependencies(stage.architecture, stage.python),
            "Shared": bundling.shared(),
        }
        return [
            lambda_.LayerVersion(self, name, code=code, compatible_architectures=[architecture(stage)])
            for name, code in contents.items()
        ]

    def _settings(self, data: DataStack) -> Settings:
        project = tomllib.loads((bundling.ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        return Settings(
            stage=self._stage.name,
            version=project["version"],
            jobs_table=data.jobs_table.table_name,
            models_table=data.models_table.table_name,
            keys_table=data.keys_table.table_name,
            pictures_bucket=data.pictures_bucket.bucket_name,
            models_bucket=data.models_bucket.bucket_name,
            events_queue_url=self.events.queue.queue_url,
            imports_queue_url=self.imports.queue.queue_url,
            admin_secret=data.admin_arn,
            retention_days=self._stage.retention_days,
            feed_shards=self._stage.feed_shards,
            allow_pickle=self._stage.allow_pickle,
            shared_history=self._stage.shared_history,
            requests_per_minute=self._stage.requests_per_minute,
            origins=self._stage.origins,
        )

    def _outputs(self) -> None:
        for name, value in {
            "ApiUrl": self.api.rest.url,
            "ApiId": self.api.rest.rest_api_id,
            "ApiStage": STAGE_NAME,
            "EventsQueueUrl": self.events.queue.queue_url,
            "ResultsTopicArn": self.events.topic.topic_arn,
            "WorkerRoleArn": self.worker_role.role_arn,
            "InstanceType": self._stage.instance_type,
        }.items():
            CfnOutput(self, name, value=value)
