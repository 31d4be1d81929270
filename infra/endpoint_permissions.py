"""The permissions to make, scale and delete endpoints, and those of an endpoint itself."""

from infra.grants import Grant, allow
from infra.resources import NO_RESOURCE, Resources


def making(resources: Resources, worker_role: str) -> list[Grant]:
    """To make endpoints. `worker_role` is the ARN of the only role that may be passed, and only to SageMaker."""
    models, configs = resources.sagemaker_models, resources.endpoint_configs
    return [
        allow(["sagemaker:CreateModel"], models),
        allow(["sagemaker:CreateEndpointConfig"], configs),
        allow(["sagemaker:CreateEndpoint"], resources.endpoints, configs),
        allow(["sagemaker:AddTags"], models, configs),
        allow(
            ["iam:PassRole"],
            worker_role,
            conditions={"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}},
        ),
    ]


def scaling(resources: Resources) -> list[Grant]:
    """To store the requested bounds of an endpoint, and to read what is set up of its scaling."""
    return [
        allow(["sagemaker:AddTags"], resources.endpoints),
        allow(
            ["application-autoscaling:DescribeScalableTargets", "application-autoscaling:DescribeScalingPolicies"],
            NO_RESOURCE,
        ),
    ]


def waking(resources: Resources) -> list[Grant]:
    """To set how many instances an endpoint has, in both ways of the setting `wake_by`. Application Auto Scaling acts
    with the permissions of the caller that registers bounds."""
    return [
        allow(["sagemaker:DescribeEndpoint", "sagemaker:UpdateEndpointWeightsAndCapacities"], resources.endpoints),
        allow(
            ["application-autoscaling:RegisterScalableTarget"],
            resources.scalable_targets,
            conditions={"StringEquals": {"application-autoscaling:service-namespace": "sagemaker"}},
        ),
    ]


def wake_ups(resources: Resources) -> list[Grant]:
    """To read and write the ledger of wake-ups; the usage table has other rows, too."""
    rows = {"dynamodb:LeadingKeys": ["wake#*"]}
    actions = ["dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem"]
    return [allow(actions, resources.usage, conditions={"ForAllValues:StringLike": rows})]


def scaling_by_the_minute(resources: Resources) -> list[Grant]:
    """To look at endpoints and at their open jobs, wake endpoints and put them to sleep."""
    return [
        allow(["sagemaker:ListEndpoints"], NO_RESOURCE),
        allow(["sagemaker:ListTags"], resources.endpoints),
        allow(
            [
                "application-autoscaling:DescribeScalableTargets",
                "application-autoscaling:DescribeScalingActivities",
            ],
            NO_RESOURCE,
        ),
        *waking(resources),
        allow(
            ["dynamodb:Query"],
            resources.index(resources.jobs, "open"),
            resources.index(resources.jobs, "by_endpoint"),
        ),
        # The ledger of wake-ups asks the first jobs when their worker began.
        allow(["dynamodb:GetItem"], resources.jobs),
        *wake_ups(resources),
    ]


def keeping(resources: Resources) -> list[Grant]:
    """To read endpoints, set up their scaling, delete them, and fail their jobs."""
    endpoints, configs, models = resources.endpoints, resources.endpoint_configs, resources.sagemaker_models
    return [
        allow(["sagemaker:ListEndpoints", "sagemaker:ListEndpointConfigs", "sagemaker:ListModels"], NO_RESOURCE),
        allow(
            ["sagemaker:DescribeEndpoint", "sagemaker:DeleteEndpoint", "sagemaker:UpdateEndpointWeightsAndCapacities"],
            endpoints,
        ),
        allow(["sagemaker:ListTags"], endpoints, configs, models),
        allow(["sagemaker:DescribeEndpointConfig", "sagemaker:DeleteEndpointConfig"], configs),
        allow(["sagemaker:DeleteModel"], models),
        *_set_up_scaling(resources),
        allow(
            ["dynamodb:Query"],
            resources.index(resources.jobs, "open"),
            resources.index(resources.jobs, "by_status"),
            resources.index(resources.jobs, "by_endpoint"),
        ),
        # A job whose answer is stored already does not fail with its endpoint. Its row says where the answer lies.
        allow(["s3:GetObject"], resources.job_files),
        list_bucket(resources.pictures_bucket),
        allow(["dynamodb:GetItem", "dynamodb:UpdateItem"], resources.jobs),
    ]


def _set_up_scaling(resources: Resources) -> list[Grant]:
    """Application Auto Scaling acts with the permissions of the caller that registers a target. That is why the caller
    needs UpdateEndpointWeightsAndCapacities above, and the permissions for the alarms of target tracking and for the
    service-linked role, which the first registration in an account creates (Application Auto Scaling User Guide,
    "Identity-based policy examples")."""
    return [
        allow(
            [
                "application-autoscaling:RegisterScalableTarget",
                "application-autoscaling:DeregisterScalableTarget",
                "application-autoscaling:PutScalingPolicy",
                "application-autoscaling:DeleteScalingPolicy",
            ],
            resources.scalable_targets,
            conditions={"StringEquals": {"application-autoscaling:service-namespace": "sagemaker"}},
        ),
        allow(["cloudwatch:PutMetricAlarm", "cloudwatch:DeleteAlarms"], *resources.alarms),
        allow(["cloudwatch:DescribeAlarms"], resources.every_alarm),
        allow(
            ["iam:CreateServiceLinkedRole"],
            resources.scaling_role,
            conditions={"StringEquals": {"iam:AWSServiceName": "sagemaker.application-autoscaling.amazonaws.com"}},
        ),
    ]


def worker(resources: Resources, results_topic: str, progress_queue: str) -> list[Grant]:
    """The permissions of an endpoint's container, which SageMaker uses too (SageMaker Developer Guide,
    "Asynchronous inference: prerequisites" and CreateModel's role). Topic and queue are given by their ARNs.

    SageMaker itself writes answers under `jobs/` and publishes results, with this same role. So a container can do
    both, too; docs/threat-model.md says what that means."""
    return [
        allow(["s3:GetObject"], resources.uploads, resources.job_files, resources.model_files),
        # SageMaker puts the worker's package into the container with this role.
        allow(["s3:GetObject"], resources.packages, resources.compiled),
        allow(["s3:PutObject", "s3:AbortMultipartUpload"], resources.job_files, resources.failures, resources.compiled),
        allow(["s3:ListBucket"], resources.pictures_bucket, resources.models_bucket),
        allow(["sns:Publish"], results_topic),
        allow(["sqs:SendMessage"], progress_queue),
        allow(
            ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"],
            *resources.endpoint_logs,
        ),
        allow(["ecr:GetAuthorizationToken"], NO_RESOURCE),
        allow(
            ["cloudwatch:PutMetricData"],
            NO_RESOURCE,
            conditions={"StringLike": {"cloudwatch:namespace": ["AWS/SageMaker", "/aws/sagemaker/*"]}},
        ),
        allow(
            ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
            resources.containers,
        ),
    ]


def list_bucket(bucket: str) -> Grant:
    """With this permission S3 answers 404 to a GET or HEAD of a key that does not exist, without it 403 (S3 API
    Reference, HeadObject). A condition on `s3:prefix` would not work: such a request has no prefix."""
    return allow(["s3:ListBucket"], bucket)
