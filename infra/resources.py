"""The resources of permissions, by name. Each wildcard is written here once, with the reason why it is not narrower."""

from aws_cdk import ArnFormat, Stack

from darkroom.settings import COMPILED_PREFIX, PACKAGES_PREFIX, endpoint_prefix
from infra.data_stack import DataStack
from infra.grants import Pattern
from infra.stage import Stage

_KEYS = "Keys are made at run time; the prefix is as narrow as they allow."
_DIGESTS = "Each release has a package under a digest of its own, and endpoints of earlier ones use theirs."
_ENDPOINTS = "Endpoints are made by people at run time; the prefix is this stage's own."

NO_RESOURCE = Pattern("*", "AWS knows no resource for these actions (Service Authorization Reference).")


class Resources:
    """The ARNs, and the patterns of ARNs, of one stage."""

    def __init__(self, stack: Stack, stage: Stage, data: DataStack) -> None:
        """`stack` is the one whose roles name the resources."""
        self._stack = stack
        self.jobs = data.jobs_table.table_arn
        self.models = data.models_table.table_arn
        self.keys = data.keys_table.table_arn
        self.picture_uses = data.pictures_table.table_arn
        self.usage = data.usage_table.table_arn
        self.admin_secret = data.admin_arn
        self.pictures_bucket = data.pictures_bucket.bucket_arn
        self.models_bucket = data.models_bucket.bucket_arn
        self.job_indexes = Pattern(f"{self.jobs}/index/*", "Every index of this one table is there for lists.")
        self.uploads = Pattern(f"{self.pictures_bucket}/images/*", _KEYS)
        self.job_files = Pattern(f"{self.pictures_bucket}/jobs/*", _KEYS)
        self.failures = Pattern(f"{self.pictures_bucket}/failures/*", _KEYS)
        self.model_files = Pattern(f"{self.models_bucket}/models/*", _KEYS)
        self.packages = Pattern(f"{self.models_bucket}/{PACKAGES_PREFIX}*", _DIGESTS)
        self.compiled = Pattern(f"{self.models_bucket}/{COMPILED_PREFIX}*", _KEYS)
        self.import_buckets = [f"arn:{stack.partition}:s3:::{name}" for name in stage.import_buckets]
        self.import_files = [
            Pattern(f"{bucket}/*", "The operator names this bucket to import from; people say which of its files.")
            for bucket in self.import_buckets
        ]
        prefix = endpoint_prefix(stage.name)
        self.endpoints = Pattern(self._arn("sagemaker", "endpoint", f"{prefix}*"), _ENDPOINTS)
        self.endpoint_configs = Pattern(self._arn("sagemaker", "endpoint-config", f"{prefix}*"), _ENDPOINTS)
        self.sagemaker_models = Pattern(self._arn("sagemaker", "model", f"{prefix}*"), _ENDPOINTS)
        self.scalable_targets = Pattern(
            self._arn("application-autoscaling", "scalable-target", "*"),
            "AWS makes the ids of scaling targets; the condition names the namespace, which is SageMaker's.",
        )
        # The first is the alarm that wakes an endpoint; the second are those of target tracking, which AWS names.
        self.alarms = [
            Pattern(self._colon_arn("cloudwatch", "alarm", name), _ENDPOINTS)
            for name in (f"{prefix}*", f"TargetTracking-endpoint/{prefix}*")
        ]
        self.every_alarm = Pattern(
            self._colon_arn("cloudwatch", "alarm", "*"),
            "DescribeAlarms by the beginning of a name asks for every alarm; it only reads.",
        )
        logs = self._colon_arn("logs", "log-group", f"/aws/sagemaker/Endpoints/{prefix}*")
        self.endpoint_logs = [Pattern(logs, _ENDPOINTS), Pattern(f"{logs}:*", _ENDPOINTS)]
        self.containers = Pattern(
            self._arn("ecr", "repository", "*", account="*"),
            "The operator chooses the container; AWS's own containers lie in accounts of AWS.",
        )
        self.scaling_role = stack.format_arn(
            service="iam",
            region="",
            resource="role",
            resource_name="aws-service-role/sagemaker.application-autoscaling.amazonaws.com/"
            "AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint",
        )

    def index(self, table: str, name: str) -> str:
        """The ARN of an index; `table` is the ARN of its table."""
        return f"{table}/index/{name}"

    def _arn(self, service: str, resource: str, name: str, account: str | None = None) -> str:
        return self._stack.format_arn(service=service, resource=resource, resource_name=name, account=account)

    def _colon_arn(self, service: str, resource: str, name: str) -> str:
        return self._stack.format_arn(
            service=service, resource=resource, resource_name=name, arn_format=ArnFormat.COLON_RESOURCE_NAME
        )
