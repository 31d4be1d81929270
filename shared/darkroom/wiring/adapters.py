"""What the services need from the outside: the adapters of one stage.

Every adapter is created at its first use and kept. So a function creates, imports and reads only what its requests
need: each property imports its own classes, and reads its settings from `settings.<name>` and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from darkroom.assets import AssetStore
    from darkroom.checkpoints.ports import ModelFiles, ModelRegistry, Web
    from darkroom.costs.ports import BudgetStore, DayStore, MeterStore
    from darkroom.dead_letters.ports import Letters
    from darkroom.endpoints.ports import EndpointControl, EndpointSource, Scaling, WakeUpStore, Waking
    from darkroom.idempotency import ClaimStore
    from darkroom.images.ports import ImageStore, PictureUses
    from darkroom.jobs.model import JobTimeouts
    from darkroom.jobs.ports import Bookmarks, DeletionStore, Inference, JobStore, Outputs
    from darkroom.keys.ports import AdminSecret, Counts, KeyStore
    from darkroom.settings import Settings
    from darkroom.steps import StepQueue


class Clients(Protocol):
    """Gives the boto3 client of a service, the same one each time; see `darkroom.aws.clients.client`."""

    def __call__(self, service: str, fail_fast: bool = False) -> Any:
        """A client; `fail_fast` for one that gives up after a second."""


class Adapters:
    """The adapters of the stage that `settings` describe. A test may set one to a fake before anything has used it."""

    def __init__(self, settings: Settings, clients: Clients, clock: Callable[[], float]) -> None:
        """`clock` gives epoch seconds."""
        self.settings = settings
        self.clients = clients
        self.clock = clock

    @cached_property
    def key_store(self) -> KeyStore:
        """The rows of access keys."""
        from darkroom.aws.keys import DynamoKeys

        return DynamoKeys(self.clients("dynamodb"), self.settings.keys_table, self._fail_fast)

    @cached_property
    def rate_counts(self) -> Counts:
        """The rows that count requests."""
        from darkroom.aws.keys import DynamoCounts

        return DynamoCounts(self._fail_fast, self.settings.keys_table)

    @cached_property
    def claims(self) -> ClaimStore:
        """The idempotency keys of requests that name what they create: model files and endpoints."""
        from darkroom.aws.claims import DynamoClaims

        return DynamoClaims(self.clients("dynamodb"), self.settings.keys_table)

    @cached_property
    def admin_secret(self) -> AdminSecret:
        """The first admin key."""
        from darkroom.aws.keys import SecretsManagerAdmin

        return SecretsManagerAdmin(self.clients("secretsmanager"), self.settings.admin_secret)

    @cached_property
    def image_store(self) -> ImageStore:
        """Uploaded pictures."""
        from darkroom.aws.pictures import S3Images

        return S3Images(self.clients("s3"), self.settings.pictures_bucket, self.clock)

    @cached_property
    def picture_uses(self) -> PictureUses:
        """Which jobs name which pictures."""
        from darkroom.aws.picture_uses import DynamoPictureUses

        return DynamoPictureUses(self.clients("dynamodb"), self.settings.pictures_table)

    @cached_property
    def outputs(self) -> Outputs:
        """The objects of jobs in the pictures bucket."""
        from darkroom.aws.pictures import S3Outputs

        return S3Outputs(self.clients("s3"), self.settings.pictures_bucket)

    @cached_property
    def registry(self) -> ModelRegistry:
        """The rows of the model shelf."""
        from darkroom.aws.models import DynamoModelRegistry

        return DynamoModelRegistry(self.clients("dynamodb"), self.settings.models_table)

    @cached_property
    def model_files(self) -> ModelFiles:
        """The files of the model shelf."""
        from darkroom.aws.model_files import S3ModelFiles

        return S3ModelFiles(self.clients("s3"), self.settings.models_bucket)

    @cached_property
    def import_queue(self) -> StepQueue:
        """The queue of import steps."""
        from darkroom.aws.queue import SqsSteps

        return SqsSteps(self.clients("sqs"), self.settings.imports_queue_url)

    @cached_property
    def deletion_queue(self) -> StepQueue:
        """The queue of the steps of deletions."""
        from darkroom.aws.queue import SqsSteps

        return SqsSteps(self.clients("sqs"), self.settings.deletions_queue_url)

    @cached_property
    def deletion_store(self) -> DeletionStore:
        """The rows of deletions, in the jobs table."""
        from darkroom.aws.deletions import DynamoDeletions

        return DynamoDeletions(self.clients("dynamodb"), self.settings.jobs_table)

    @cached_property
    def web(self) -> Web:
        """The web that model files are fetched from."""
        from darkroom.https import Https

        return Https()

    @cached_property
    def endpoint_source(self) -> EndpointSource:
        """The stage's endpoints as SageMaker reports them."""
        from darkroom.aws.endpoints import SageMakerEndpoints

        return SageMakerEndpoints(self.clients("sagemaker"), self.settings.endpoint_prefix)

    @cached_property
    def asset_store(self) -> AssetStore:
        """Zips in S3."""
        from darkroom.aws.assets import S3Assets

        return S3Assets(self.clients("s3"))

    @cached_property
    def endpoint_control(self) -> EndpointControl:
        """Changes endpoints in SageMaker."""
        from darkroom.aws.endpoints import EndpointDefaults, SageMakerControl, SageMakerEndpoints
        from darkroom.settings import COMPILED_PREFIX

        settings = self.settings
        defaults = EndpointDefaults(
            settings.worker_role,
            settings.pictures_bucket,
            settings.results_topic,
            settings.pickles,
            f"s3://{settings.models_bucket}/{COMPILED_PREFIX}",
        )
        sagemaker = self.clients("sagemaker")
        return SageMakerControl(sagemaker, SageMakerEndpoints(sagemaker, settings.endpoint_prefix), defaults)

    @cached_property
    def scaling(self) -> Scaling:
        """Application Auto Scaling, with its alarms."""
        from darkroom.aws.scaling import AutoScaling

        clients = self.clients
        return AutoScaling(clients("application-autoscaling"), clients("cloudwatch"), self.settings.endpoint_prefix)

    @cached_property
    def wake_up_store(self) -> WakeUpStore:
        """The wake-ups of endpoints."""
        from darkroom.aws.wakeups import DynamoWakeUps

        return DynamoWakeUps(self.clients("dynamodb"), self.settings.usage_table, self.clock)

    @cached_property
    def waking(self) -> Waking:
        """Sets how many instances endpoints have."""
        from darkroom.aws.waking import ByBounds, ByCount

        if self.settings.wake_by == "bounds":
            return ByBounds(self.clients("application-autoscaling"))
        return ByCount(self.clients("sagemaker"))

    @cached_property
    def inference(self) -> Inference:
        """SageMaker asynchronous inference."""
        from darkroom.aws.sagemaker import SageMakerInference

        runtime, s3 = self.clients("sagemaker-runtime"), self.clients("s3")
        return SageMakerInference(runtime, s3, self.settings.pictures_bucket, self.timeouts)

    @cached_property
    def timeouts(self) -> JobTimeouts:
        """How long a job may take."""
        from darkroom.jobs.model import JobTimeouts

        settings = self.settings
        return JobTimeouts(settings.job_wait_seconds, settings.job_run_seconds, settings.settle_after_seconds)

    @cached_property
    def store(self) -> JobStore:
        """The jobs table."""
        from darkroom.aws.jobs import DynamoJobs

        settings = self.settings
        dynamodb = self.clients("dynamodb")
        tables = settings.jobs_table, settings.models_table, settings.pictures_table
        return DynamoJobs(dynamodb, *tables, settings.feed_shards, self.clock)

    @cached_property
    def bookmarks(self) -> Bookmarks:
        """Where the sweeper stopped, in the jobs table."""
        from darkroom.aws.bookmarks import DynamoBookmarks

        return DynamoBookmarks(self.clients("dynamodb"), self.settings.jobs_table, self.clock)

    @cached_property
    def day_store(self) -> DayStore:
        """The counted days of jobs."""
        from darkroom.aws.usage import DynamoDays

        return DynamoDays(self.clients("dynamodb"), self.settings.usage_table, self.clock)

    @cached_property
    def meter_store(self) -> MeterStore:
        """The metered seconds of endpoints."""
        from darkroom.aws.usage import DynamoMeter

        return DynamoMeter(self.clients("dynamodb"), self.settings.usage_table, self.clock)

    @cached_property
    def budget_store(self) -> BudgetStore:
        """The budgets."""
        from darkroom.aws.usage import DynamoBudgets

        return DynamoBudgets(self.clients("dynamodb"), self.settings.usage_table, self.clock)

    @cached_property
    def letters(self) -> Letters:
        """The dead-letter queues."""
        from darkroom.aws.dead_letters import SqsLetters

        return SqsLetters(self.clients("sqs"))

    def _fail_fast(self) -> Any:
        return self.clients("dynamodb", fail_fast=True)
