"""The permissions of each function: exact actions and resources. Nothing else in these stacks grants permissions.

The CDK cannot add permissions by itself, because it gets the roles `without_policy_updates`. So a permission that is
not written here does not exist.
"""

from collections.abc import Sequence

from aws_cdk import Stack
from aws_cdk import aws_logs as logs
from aws_cdk.aws_s3_assets import Asset

from darkroom import tables
from infra import endpoint_permissions
from infra.data_stack import DataStack
from infra.encryption import SERVICES
from infra.endpoint_permissions import list_bucket
from infra.events import EndpointEvents, Events, Progress, Steps, Sweeps
from infra.grants import Grant, allow
from infra.resources import NO_RESOURCE, Resources
from infra.stage import Stage

_TAKE_MESSAGES = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]
"""The permissions that Lambda needs in a function's role to read a queue for it (Lambda Developer Guide, "Using Lambda
with SQS")."""
_KEEP_MODEL_FILES = [
    "s3:GetObject",
    "s3:PutObject",
    "s3:DeleteObject",
    "s3:AbortMultipartUpload",
    "s3:ListMultipartUploadParts",
]


class Permissions:
    """The permissions of a stage: `functions()` has those of each function, `worker()` those of the worker."""

    def __init__(
        self,
        service: Stack,
        stage: Stage,
        data: DataStack,
        events: Events,
        progress: Progress,
        imports: Steps,
        deletions: Steps,
        endpoint_events: EndpointEvents,
        sweeps: Sweeps,
        assets: Sequence[Asset] = (),
    ) -> None:
        """`assets` are those that are unpacked in a deploy."""
        self._region = service.region
        self._key = data.key
        self._events = events
        self._progress = progress
        self._imports = imports
        self._deletions = deletions
        self._endpoint_events = endpoint_events
        self._sweeps = sweeps
        self._assets = [asset.bucket.arn_for_objects(asset.s3_object_key) for asset in assets]
        self._resources = Resources(service, stage, data)

    def functions(self, worker_role: str) -> dict[str, list[Grant]]:
        """The grants of each function by its name, without those of `basics`. `worker_role` is the ARN of the role that
        endpoints are made with."""
        return {name: [*own, *self._use_key()] for name, own in self._functions(worker_role).items()}

    def worker(self) -> list[Grant]:
        """The grants of the worker's role, which an endpoint's container and SageMaker use."""
        topic, queue = self._events.topic.topic_arn, self._progress.queue.queue_arn
        return [*self._use_key(), *endpoint_permissions.worker(self._resources, topic, queue)]

    def _functions(self, worker_role: str) -> dict[str, list[Grant]]:
        resources = self._resources
        return {
            "authorizer": [
                allow(["dynamodb:GetItem"], resources.keys),
                self._note_use(),
                allow(["secretsmanager:GetSecretValue"], resources.admin_secret),
            ],
            "jobs_api": self._jobs_api(),
            "checkpoints_api": self._checkpoints_api(),
            "endpoints_api": [
                *endpoint_permissions.keeping(resources),
                *endpoint_permissions.scaling(resources),
                *endpoint_permissions.making(resources, worker_role),
                *endpoint_permissions.wake_ups(resources),
                self._count_requests("claim#*"),
            ],
            "endpoint_events": [
                *endpoint_permissions.keeping(resources),
                *endpoint_permissions.wake_ups(resources),
                allow(_TAKE_MESSAGES, self._endpoint_events.queue.queue_arn),
            ],
            "costs_api": self._costs_api(),
            "keys_api": self.keys_api(),
            "job_events": self._job_events(),
            "job_progress": self._job_progress(),
            "job_deletions": self._job_deletions(),
            "checkpoint_imports": self._checkpoint_imports(),
            "sweeper": self._sweeper(),
            "scaler": [
                *endpoint_permissions.scaling_by_the_minute(resources),
                # It meters for how long which instances are awake.
                allow(["sagemaker:DescribeEndpointConfig"], resources.endpoint_configs),
                allow(["dynamodb:Query", "dynamodb:PutItem", "dynamodb:UpdateItem"], resources.usage),
            ],
            "dead_letters_api": self._dead_letters_api(),
            "unpack_asset": self._unpack_asset(),
        }

    def keys_api(self) -> list[Grant]:
        """Keys are listed by the only index of the table."""
        keys = self._resources.keys
        return [
            allow(["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:DeleteItem"], keys),
            allow(["dynamodb:Query"], self._resources.index(keys, tables.KEYS.indexes[0].name)),
            self._count_requests(),
        ]

    def _note_use(self) -> Grant:
        """To store the time of a key's last use, and no other attribute: role and owner cannot be changed with this
        (DynamoDB Developer Guide, "Using IAM policy conditions for fine-grained access control")."""
        names = {"dynamodb:Attributes": [tables.KEYS.partition, "last_used"]}
        return allow(["dynamodb:UpdateItem"], self._resources.keys, conditions={"ForAllValues:StringEquals": names})

    def _count_requests(self, *other_rows: str) -> Grant:
        """To update the counts of requests, and `other_rows`, in the keys table. Rows of keys begin differently, so
        they cannot be updated with this."""
        rows = {"dynamodb:LeadingKeys": ["pace#*", *other_rows]}
        return allow(["dynamodb:UpdateItem"], self._resources.keys, conditions={"ForAllValues:StringLike": rows})

    def _jobs_api(self) -> list[Grant]:
        """IAM has no action TransactWriteItems; a transaction needs PutItem and ConditionCheckItem
        (Developer Guide, "Using IAM with DynamoDB transactions")."""
        resources = self._resources
        return [
            allow(
                [
                    "dynamodb:GetItem",
                    "dynamodb:PutItem",
                    "dynamodb:UpdateItem",
                    "dynamodb:DeleteItem",
                    "dynamodb:ConditionCheckItem",
                ],
                resources.jobs,
            ),
            allow(["dynamodb:Query"], resources.job_indexes),
            allow(["dynamodb:GetItem", "dynamodb:Query", "dynamodb:ConditionCheckItem"], resources.models),
            allow(["dynamodb:BatchGetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"], resources.picture_uses),
            allow(["s3:GetObject", "s3:PutObject"], resources.uploads, resources.job_files),
            allow(["s3:DeleteObject"], resources.job_files, resources.failures),
            list_bucket(resources.pictures_bucket),
            # It lists all endpoints of the account; the code keeps those with the stage's prefix.
            allow(["sagemaker:ListEndpoints"], NO_RESOURCE),
            # The tags tell which engine an endpoint has.
            allow(
                ["sagemaker:InvokeEndpointAsync", "sagemaker:DescribeEndpoint", "sagemaker:ListTags"],
                resources.endpoints,
            ),
            allow(["sagemaker:DescribeEndpointConfig"], resources.endpoint_configs),
            allow(["application-autoscaling:DescribeScalingActivities"], NO_RESOURCE),
            *endpoint_permissions.waking(resources),
            *endpoint_permissions.wake_ups(resources),
            allow(["sqs:SendMessage"], self._deletions.queue.queue_arn),
            allow(["dynamodb:GetItem", "dynamodb:Query"], resources.usage),
            self._note_removed(),
            self._count_requests(),
        ]

    def _note_removed(self) -> Grant:
        """To keep what a removed job cost; no other row of the usage table can be written with this."""
        rows = {"dynamodb:LeadingKeys": ["gone#*"]}
        return allow(["dynamodb:PutItem"], self._resources.usage, conditions={"ForAllValues:StringLike": rows})

    def _costs_api(self) -> list[Grant]:
        """It reads the history and what was counted of it, and writes budgets alone."""
        resources = self._resources
        rows = {"dynamodb:LeadingKeys": ["budget"]}
        return [
            allow(["dynamodb:Query"], resources.job_indexes),
            allow(["dynamodb:GetItem", "dynamodb:Query"], resources.usage),
            allow(
                ["dynamodb:PutItem", "dynamodb:DeleteItem"],
                resources.usage,
                conditions={"ForAllValues:StringEquals": rows},
            ),
            self._count_requests(),
        ]

    def _job_deletions(self) -> list[Grant]:
        """It removes jobs as `jobs_api` does, and leaves its own next step."""
        resources = self._resources
        return [
            allow(["dynamodb:GetItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"], resources.jobs),
            allow(["dynamodb:Query"], resources.job_indexes),
            allow(["dynamodb:UpdateItem"], resources.picture_uses),
            # The marker that stops a worker is read and written.
            allow(["s3:GetObject", "s3:PutObject", "s3:DeleteObject"], resources.job_files),
            allow(["s3:DeleteObject"], resources.failures),
            list_bucket(resources.pictures_bucket),
            allow(["sqs:SendMessage", *_TAKE_MESSAGES], self._deletions.queue.queue_arn),
            self._note_removed(),
        ]

    def _checkpoints_api(self) -> list[Grant]:
        """For IAM, CreateMultipartUpload, UploadPart and CompleteMultipartUpload are all PutObject. A presigned URL has
        the permissions of the function that signed it."""
        resources = self._resources
        return [
            allow(
                ["dynamodb:Query", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:DeleteItem"],
                resources.models,
            ),
            allow(_KEEP_MODEL_FILES, resources.model_files),
            list_bucket(resources.models_bucket),
            allow(["sqs:SendMessage"], self._imports.queue.queue_arn),
            self._count_requests("claim#*"),
        ]

    def _checkpoint_imports(self) -> list[Grant]:
        """Besides the models bucket it reads only the buckets in the stage's setting `import_buckets`."""
        resources = self._resources
        sources = resources.import_files
        return [
            allow(["dynamodb:GetItem", "dynamodb:PutItem"], resources.models),
            allow(_KEEP_MODEL_FILES, resources.model_files),
            allow(["s3:ListBucket"], resources.models_bucket, *resources.import_buckets),
            *([allow(["s3:GetObject"], *sources)] if sources else []),
            allow(["sqs:SendMessage", *_TAKE_MESSAGES], self._imports.queue.queue_arn),
        ]

    def _sweeper(self) -> list[Grant]:
        """It ends jobs as `job_events` does and hands them over as `jobs_api` does. Lambda sends its failures to a
        queue."""
        resources = self._resources
        return [
            allow(
                ["dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"],
                resources.jobs,
            ),
            allow(["dynamodb:Query"], resources.job_indexes),
            *self._tidy_pictures(),
            *self._end_imports(),
            # It counts what jobs cost.
            allow(["dynamodb:GetItem", "dynamodb:Query", "dynamodb:PutItem"], resources.usage),
            allow(["s3:GetObject", "s3:PutObject", "s3:DeleteObject"], resources.job_files),
            allow(["s3:GetObject", "s3:DeleteObject"], resources.failures),
            list_bucket(resources.pictures_bucket),
            allow(["sagemaker:InvokeEndpointAsync"], resources.endpoints),
            allow(["sqs:SendMessage"], self._sweeps.dead_letters.queue_arn),
            *endpoint_permissions.keeping(resources),
            *endpoint_permissions.scaling(resources),
        ]

    def _tidy_pictures(self) -> list[Grant]:
        """Input pictures that no job names any more. BatchWriteItem drops their uses."""
        uses = self._resources.picture_uses
        return [
            allow(
                ["dynamodb:Query", "dynamodb:UpdateItem", "dynamodb:DeleteItem", "dynamodb:BatchWriteItem"],
                uses,
            ),
            allow(["dynamodb:Query"], self._resources.index(uses, tables.PICTURES.indexes[0].name)),
            allow(["s3:GetObject", "s3:DeleteObject"], self._resources.uploads),
        ]

    def _end_imports(self) -> list[Grant]:
        """Imports that stand still: their rows end, and nothing that they stored stays."""
        models = self._resources.models
        return [
            allow(["dynamodb:GetItem", "dynamodb:PutItem"], models),
            allow(["dynamodb:Query"], self._resources.index(models, tables.MODELS.indexes[0].name)),
            allow(["s3:AbortMultipartUpload", "s3:DeleteObject"], self._resources.model_files),
        ]

    def _dead_letters_api(self) -> list[Grant]:
        events, imports, endpoints = self._events, self._imports, self._endpoint_events
        deletions, progress = self._deletions, self._progress
        return [
            allow(
                ["sqs:GetQueueAttributes", "sqs:ReceiveMessage", "sqs:ChangeMessageVisibility", "sqs:DeleteMessage"],
                events.dead_letters.queue_arn,
                events.undelivered.queue_arn,
                progress.dead_letters.queue_arn,
                imports.dead_letters.queue_arn,
                deletions.dead_letters.queue_arn,
                endpoints.dead_letters.queue_arn,
                self._sweeps.dead_letters.queue_arn,
            ),
            allow(
                ["sqs:SendMessage"],
                events.queue.queue_arn,
                progress.queue.queue_arn,
                imports.queue.queue_arn,
                deletions.queue.queue_arn,
                endpoints.queue.queue_arn,
            ),
            self._count_requests(),
        ]

    def _job_progress(self) -> list[Grant]:
        """It writes how far a job is, and nothing else of it: with these attributes alone no job gets an end, a picture
        or another owner (DynamoDB Developer Guide, "Using IAM policy conditions for fine-grained access control").
        Most of them are only compared. An update that is refused answers the whole row."""
        written = ["progress", "loading", "started_at", "cancelled_when"]
        names = [tables.JOBS.partition, *written, "status", "run", "handed_over_at"]
        conditions = {"ForAllValues:StringEquals": {"dynamodb:Attributes": names}}
        return [
            allow(["dynamodb:UpdateItem"], self._resources.jobs, conditions=conditions),
            allow(_TAKE_MESSAGES, self._progress.queue.queue_arn),
        ]

    def _job_events(self) -> list[Grant]:
        """It also hands a job over again whose worker was stopped."""
        resources = self._resources
        return [
            allow(["dynamodb:GetItem", "dynamodb:UpdateItem"], resources.jobs),
            allow(["s3:GetObject", "s3:PutObject", "s3:DeleteObject"], resources.job_files),
            allow(["s3:GetObject", "s3:DeleteObject"], resources.failures),
            list_bucket(resources.pictures_bucket),
            allow(["sagemaker:InvokeEndpointAsync"], resources.endpoints),
            # To see of which instance type the instances are. An endpoint that is gone is looked for in the list.
            allow(["sagemaker:DescribeEndpoint"], resources.endpoints),
            allow(["sagemaker:ListEndpoints"], NO_RESOURCE),
            allow(_TAKE_MESSAGES, self._events.queue.queue_arn),
        ]

    def _unpack_asset(self) -> list[Grant]:
        """It reads the assets of this deploy, and writes where the worker's packages are kept."""
        resources = self._resources
        return [
            *([allow(["s3:GetObject"], *self._assets)] if self._assets else []),
            allow(["s3:PutObject", "s3:AbortMultipartUpload", "s3:DeleteObject"], resources.packages),
            list_bucket(resources.models_bucket),
        ]

    def _use_key(self) -> list[Grant]:
        """To use the customer's key, if there is one, through the services that store data. So the key gives a role no
        access beyond its permissions in those services. The guides of DynamoDB, S3, SNS and SQS list these actions."""
        if self._key is None:
            return []
        services = [f"{name}.{self._region}.amazonaws.com" for name in SERVICES]
        return [
            allow(
                [
                    "kms:Decrypt",
                    "kms:DescribeKey",
                    "kms:Encrypt",
                    "kms:GenerateDataKey",
                    "kms:ReEncryptFrom",
                    "kms:ReEncryptTo",
                ],
                self._key.key_arn,
                conditions={"StringEquals": {"kms:ViaService": services}},
            )
        ]


def basics(log_group: logs.ILogGroup) -> list[Grant]:
    """The permissions of every function: to write its own log, and traces."""
    return [
        allow(["logs:CreateLogStream", "logs:PutLogEvents"], log_group.log_group_arn),
        allow(["xray:PutTraceSegments", "xray:PutTelemetryRecords"], NO_RESOURCE),
    ]
