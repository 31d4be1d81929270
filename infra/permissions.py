"""Who may do what: each function's exact actions and resources. Nothing else in these stacks grants anything.

The CDK's own grants are switched off (roles are given to it `without_policy_updates`), so a permission
that is not written here does not exist. A `*` in a resource needs its reason in `nag.py`.
"""

from collections.abc import Iterable
from typing import Any

from aws_cdk import ArnFormat, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs

from darkroom import tables
from darkroom.settings import endpoint_prefix
from infra.data_stack import DataStack
from infra.encryption import SERVICES
from infra.events import EndpointEvents, Events, Imports, Sweeps
from infra.stage import Stage

_TAKE_MESSAGES = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]
"""What Lambda asks of a function's role to read a queue for it (Lambda Developer Guide, "Using Lambda with SQS")."""
_KEEP_MODEL_FILES = [
    "s3:GetObject",
    "s3:PutObject",
    "s3:DeleteObject",
    "s3:AbortMultipartUpload",
    "s3:ListMultipartUploadParts",
]


class Permissions:
    """The permissions of a stage, for one call per role: `functions()[name]` and `worker()`."""

    def __init__(
        self,
        service: Stack,
        stage: Stage,
        data: DataStack,
        events: Events,
        imports: Imports,
        endpoint_events: EndpointEvents,
        sweeps: Sweeps,
    ) -> None:
        self._stack = service
        self._data = data
        self._events = events
        self._imports = imports
        self._endpoint_events = endpoint_events
        self._sweeps = sweeps
        self._import_buckets = stage.import_buckets
        self._pictures = data.pictures_bucket.bucket_arn
        prefix = endpoint_prefix(stage.name)
        self._endpoints = self._arn("sagemaker", "endpoint", f"{prefix}*")
        self._endpoint_configs = self._arn("sagemaker", "endpoint-config", f"{prefix}*")
        self._sagemaker_models = self._arn("sagemaker", "model", f"{prefix}*")
        # The alarm that wakes an endpoint is ours; those of target tracking carry AWS's own names.
        self._alarms = [
            self._arn("cloudwatch", "alarm", name, ArnFormat.COLON_RESOURCE_NAME)
            for name in (f"{prefix}*", f"TargetTracking-endpoint/{prefix}*")
        ]
        self._endpoint_logs = self._arn(
            "logs", "log-group", f"/aws/sagemaker/Endpoints/{prefix}*", ArnFormat.COLON_RESOURCE_NAME
        )

    def functions(self, worker_role: str) -> dict[str, list[iam.PolicyStatement]]:
        """Each function's statements by its name, logs and traces aside; `worker_role` is the ARN of the role that
        endpoints are made with."""
        return {name: [*own, *self._use_key()] for name, own in self._functions(worker_role).items()}

    def _functions(self, worker_role: str) -> dict[str, list[iam.PolicyStatement]]:
        return {
            "authorizer": [
                _allow(["dynamodb:GetItem"], self._data.keys_table.table_arn),
                self._note_use(),
                _allow(["secretsmanager:GetSecretValue"], self._data.admin_arn),
            ],
            "jobs_api": self._jobs_api(),
            "checkpoints_api": self._checkpoints_api(),
            "endpoints_api": [
                *self._endpoint_keeping(),
                *self._endpoint_scaling(),
                *self._endpoint_making(worker_role),
                self._keep_pace(),
            ],
            "endpoint_events": [
                *self._endpoint_keeping(),
                _allow(_TAKE_MESSAGES, self._endpoint_events.queue.queue_arn),
            ],
            "keys_api": self._keys_api(),
            "job_events": self._job_events(),
            "checkpoint_imports": self._checkpoint_imports(),
            "sweeper": self._sweeper(),
            "dead_letters_api": self._dead_letters_api(),
        }

    def _keys_api(self) -> list[iam.PolicyStatement]:
        """A list reads the one index there is."""
        keys = self._data.keys_table.table_arn
        return [
            _allow(["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:DeleteItem"], keys),
            _allow(["dynamodb:Query"], f"{keys}/index/{tables.KEYS.indexes[0].name}"),
            self._keep_pace(),
        ]

    def _note_use(self) -> iam.PolicyStatement:
        """The time of a key's last use, and no other attribute: nobody gets another role or owner this way
        (DynamoDB Developer Guide, "Using IAM policy conditions for fine-grained access control")."""
        names = {"dynamodb:Attributes": [tables.KEYS.partition, "last_used"]}
        return _allow(
            ["dynamodb:UpdateItem"],
            self._data.keys_table.table_arn,
            conditions={"ForAllValues:StringEquals": names},
        )

    def _keep_pace(self) -> iam.PolicyStatement:
        """Counts of requests, which share the table of the keys; the rows of keys begin otherwise."""
        return _allow(
            ["dynamodb:UpdateItem"],
            self._data.keys_table.table_arn,
            conditions={"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["pace#*"]}},
        )

    def _jobs_api(self) -> list[iam.PolicyStatement]:
        """TransactWriteItems is no action of its own: IAM asks for PutItem and ConditionCheckItem
        (Developer Guide, "Using IAM with DynamoDB transactions")."""
        jobs = self._data.jobs_table.table_arn
        return [
            _allow(
                [
                    "dynamodb:GetItem",
                    "dynamodb:PutItem",
                    "dynamodb:UpdateItem",
                    "dynamodb:DeleteItem",
                    "dynamodb:ConditionCheckItem",
                ],
                jobs,
            ),
            _allow(["dynamodb:Query"], f"{jobs}/index/*"),
            _allow(
                ["dynamodb:GetItem", "dynamodb:Query", "dynamodb:ConditionCheckItem"],
                self._data.models_table.table_arn,
            ),
            _allow(["s3:GetObject", "s3:PutObject"], f"{self._pictures}/images/*", f"{self._pictures}/jobs/*"),
            _allow(["s3:DeleteObject"], f"{self._pictures}/jobs/*", f"{self._pictures}/failures/*"),
            self._list_pictures(),
            self._list_endpoints(),
            _allow(["sagemaker:InvokeEndpointAsync", "sagemaker:DescribeEndpoint"], self._endpoints),
            _allow(["sagemaker:DescribeEndpointConfig"], self._endpoint_configs),
            _allow(["application-autoscaling:DescribeScalingActivities"], "*"),
            self._keep_pace(),
        ]

    def _endpoint_making(self, worker_role: str) -> list[iam.PolicyStatement]:
        """Only the worker's role, and only to SageMaker, may be passed on."""
        return [
            _allow(["sagemaker:CreateModel"], self._sagemaker_models),
            _allow(["sagemaker:CreateEndpointConfig"], self._endpoint_configs),
            _allow(["sagemaker:CreateEndpoint"], self._endpoints, self._endpoint_configs),
            _allow(["sagemaker:AddTags"], self._sagemaker_models, self._endpoint_configs),
            _allow(
                ["iam:PassRole"],
                worker_role,
                conditions={"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}},
            ),
        ]

    def _endpoint_scaling(self) -> list[iam.PolicyStatement]:
        """What is wanted of an endpoint, and what stands of it."""
        return [
            _allow(["sagemaker:AddTags"], self._endpoints),
            _allow(
                ["application-autoscaling:DescribeScalableTargets", "application-autoscaling:DescribeScalingPolicies"],
                "*",
            ),
        ]

    def _endpoint_keeping(self) -> list[iam.PolicyStatement]:
        """What whoever keeps endpoints in order may do: look, set their scaling up, delete them, fail their jobs.

        Application Auto Scaling acts in the name of who registers a target: hence UpdateEndpointWeightsAndCapacities,
        the alarms of its target tracking, and its service-linked role, which the first registration in an account
        makes (Application Auto Scaling User Guide, "Identity-based policy examples"). Its targets have ids of AWS's
        making, so only the namespace can be named.
        """
        jobs = self._data.jobs_table.table_arn
        return [
            _allow(["sagemaker:ListEndpoints", "sagemaker:ListEndpointConfigs", "sagemaker:ListModels"], "*"),
            _allow(
                [
                    "sagemaker:DescribeEndpoint",
                    "sagemaker:DeleteEndpoint",
                    "sagemaker:UpdateEndpointWeightsAndCapacities",
                ],
                self._endpoints,
            ),
            _allow(["sagemaker:ListTags"], self._endpoints, self._endpoint_configs, self._sagemaker_models),
            _allow(["sagemaker:DescribeEndpointConfig", "sagemaker:DeleteEndpointConfig"], self._endpoint_configs),
            _allow(["sagemaker:DeleteModel"], self._sagemaker_models),
            _allow(
                [
                    "application-autoscaling:RegisterScalableTarget",
                    "application-autoscaling:DeregisterScalableTarget",
                    "application-autoscaling:PutScalingPolicy",
                    "application-autoscaling:DeleteScalingPolicy",
                ],
                self._arn("application-autoscaling", "scalable-target", "*"),
                conditions={"StringEquals": {"application-autoscaling:service-namespace": "sagemaker"}},
            ),
            _allow(["cloudwatch:PutMetricAlarm", "cloudwatch:DeleteAlarms"], *self._alarms),
            _allow(["cloudwatch:DescribeAlarms"], self._arn("cloudwatch", "alarm", "*", ArnFormat.COLON_RESOURCE_NAME)),
            _allow(
                ["iam:CreateServiceLinkedRole"],
                self._stack.format_arn(
                    service="iam",
                    region="",
                    resource="role",
                    resource_name="aws-service-role/sagemaker.application-autoscaling.amazonaws.com/"
                    "AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint",
                ),
                conditions={"StringEquals": {"iam:AWSServiceName": "sagemaker.application-autoscaling.amazonaws.com"}},
            ),
            _allow(["dynamodb:Query"], f"{jobs}/index/by_status", f"{jobs}/index/by_endpoint"),
            # Whether the answer of a job lies there, which is then not failed with its endpoint.
            _allow(["s3:GetObject"], f"{self._pictures}/jobs/*"),
            self._list_pictures(),
            _allow(["dynamodb:UpdateItem"], jobs),
        ]

    def _checkpoints_api(self) -> list[iam.PolicyStatement]:
        """CreateMultipartUpload, UploadPart and CompleteMultipartUpload are all PutObject to IAM; what a presigned
        URL may do is what this function may do."""
        models = self._data.models_bucket.bucket_arn
        return [
            _allow(
                ["dynamodb:Query", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:DeleteItem"],
                self._data.models_table.table_arn,
            ),
            _allow(_KEEP_MODEL_FILES, f"{models}/models/*"),
            _allow(["s3:ListBucket"], models),
            _allow(["sqs:SendMessage"], self._imports.queue.queue_arn),
            self._keep_pace(),
        ]

    def _checkpoint_imports(self) -> list[iam.PolicyStatement]:
        """Besides the shelf itself it reads those buckets alone that the stage's settings name."""
        models = self._data.models_bucket.bucket_arn
        sources = [f"arn:{self._stack.partition}:s3:::{name}" for name in self._import_buckets]
        return [
            _allow(["dynamodb:GetItem", "dynamodb:PutItem"], self._data.models_table.table_arn),
            _allow(_KEEP_MODEL_FILES, f"{models}/models/*"),
            _allow(["s3:ListBucket"], models, *sources),
            *([_allow(["s3:GetObject"], *(f"{source}/*" for source in sources))] if sources else []),
            _allow(["sqs:SendMessage", *_TAKE_MESSAGES], self._imports.queue.queue_arn),
        ]

    def _sweeper(self) -> list[iam.PolicyStatement]:
        """It settles as `job_events` does, and hands over as `jobs_api` does; its failed rounds are kept in a queue."""
        jobs = self._data.jobs_table.table_arn
        return [
            _allow(["dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"], jobs),
            _allow(["dynamodb:Query"], f"{jobs}/index/*"),
            _allow(["s3:GetObject", "s3:PutObject", "s3:DeleteObject"], f"{self._pictures}/jobs/*"),
            _allow(["s3:GetObject", "s3:DeleteObject"], f"{self._pictures}/failures/*"),
            self._list_pictures(),
            _allow(["sagemaker:InvokeEndpointAsync"], self._endpoints),
            _allow(["sqs:SendMessage"], self._sweeps.dead_letters.queue_arn),
            *self._endpoint_keeping(),
            *self._endpoint_scaling(),
        ]

    def _dead_letters_api(self) -> list[iam.PolicyStatement]:
        events, imports = self._events, self._imports
        return [
            _allow(
                ["sqs:GetQueueAttributes", "sqs:ReceiveMessage", "sqs:ChangeMessageVisibility", "sqs:DeleteMessage"],
                events.dead_letters.queue_arn,
                events.undelivered.queue_arn,
                imports.dead_letters.queue_arn,
                self._endpoint_events.dead_letters.queue_arn,
                self._sweeps.dead_letters.queue_arn,
            ),
            _allow(
                ["sqs:SendMessage"],
                events.queue.queue_arn,
                imports.queue.queue_arn,
                self._endpoint_events.queue.queue_arn,
            ),
            self._keep_pace(),
        ]

    def _job_events(self) -> list[iam.PolicyStatement]:
        return [
            _allow(["dynamodb:GetItem", "dynamodb:UpdateItem"], self._data.jobs_table.table_arn),
            _allow(["s3:GetObject", "s3:PutObject", "s3:DeleteObject"], f"{self._pictures}/jobs/*"),
            _allow(["s3:DeleteObject"], f"{self._pictures}/failures/*"),
            self._list_pictures(),
            _allow(_TAKE_MESSAGES, self._events.queue.queue_arn),
        ]

    def worker(self) -> list[iam.PolicyStatement]:
        """What an endpoint's container may do, and what SageMaker does in its name
        (SageMaker Developer Guide, "Asynchronous inference: prerequisites" and CreateModel's role)."""
        models = self._data.models_bucket.bucket_arn
        return [
            *self._use_key(),
            _allow(
                ["s3:GetObject"],
                f"{self._pictures}/images/*",
                f"{self._pictures}/jobs/*",
                f"{models}/models/*",
            ),
            _allow(
                ["s3:PutObject", "s3:AbortMultipartUpload"],
                f"{self._pictures}/jobs/*",
                f"{self._pictures}/failures/*",
            ),
            _allow(["s3:ListBucket"], self._pictures, models),
            _allow(["sns:Publish"], self._events.topic.topic_arn),
            _allow(["sqs:SendMessage"], self._events.queue.queue_arn),
            _allow(
                ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"],
                self._endpoint_logs,
                f"{self._endpoint_logs}:*",
            ),
            # A login at ECR, and a metric, have no resource to name.
            _allow(["ecr:GetAuthorizationToken"], "*"),
            _allow(
                ["cloudwatch:PutMetricData"],
                "*",
                conditions={"StringLike": {"cloudwatch:namespace": ["AWS/SageMaker", "/aws/sagemaker/*"]}},
            ),
            # AWS's own containers lie in other accounts, so the account stays open; the image is the operator's choice.
            _allow(
                ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
                self._arn("ecr", "repository", "*", account="*"),
            ),
        ]

    def _use_key(self) -> list[iam.PolicyStatement]:
        """The customer's key, where there is one, through the services that keep what it encrypts: a role reaches with
        it no more than it may there. Actions as the guides of DynamoDB, S3, SNS and SQS list them for callers."""
        if self._data.key is None:
            return []
        region = self._stack.region
        return [
            _allow(
                [
                    "kms:Decrypt",
                    "kms:DescribeKey",
                    "kms:Encrypt",
                    "kms:GenerateDataKey",
                    "kms:ReEncryptFrom",
                    "kms:ReEncryptTo",
                ],
                self._data.key.key_arn,
                conditions={
                    "StringEquals": {"kms:ViaService": [f"{name}.{region}.amazonaws.com" for name in SERVICES]}
                },
            )
        ]

    def _list_pictures(self) -> iam.PolicyStatement:
        """Without it S3 answers 403 to a GET or HEAD of a key that is not there, with it 404
        (S3 API Reference, HeadObject). A condition on `s3:prefix` would undo that: such a request has no prefix."""
        return _allow(["s3:ListBucket"], self._pictures)

    def _list_endpoints(self) -> iam.PolicyStatement:
        """ListEndpoints knows no resource (Service Authorization Reference, SageMaker); the code filters by prefix."""
        return _allow(["sagemaker:ListEndpoints"], "*")

    def _arn(
        self,
        service: str,
        resource: str,
        name: str,
        form: ArnFormat = ArnFormat.SLASH_RESOURCE_NAME,
        account: str | None = None,
    ) -> str:
        return self._stack.format_arn(
            service=service, resource=resource, resource_name=name, arn_format=form, account=account
        )


def basics(log_group: logs.ILogGroup) -> list[iam.PolicyStatement]:
    """What every function may do: write its own log, and traces (which have no resource to name)."""
    return [
        _allow(["logs:CreateLogStream", "logs:PutLogEvents"], log_group.log_group_arn),
        _allow(["xray:PutTraceSegments", "xray:PutTelemetryRecords"], "*"),
    ]


def policy(statements: Iterable[iam.PolicyStatement]) -> dict[str, iam.PolicyDocument]:
    """The statements as a role's one inline policy: it is there as soon as the role is."""
    return {"darkroom": iam.PolicyDocument(statements=list(statements))}


def _allow(actions: list[str], *resources: str, conditions: dict[str, Any] | None = None) -> iam.PolicyStatement:
    return iam.PolicyStatement(actions=actions, resources=list(resources), conditions=conditions)
