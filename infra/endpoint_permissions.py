"""What it takes to make, scale and delete endpoints, and what an endpoint itself may do."""

from infra.grants import Grant, allow
from infra.resources import NO_RESOURCE, Resources


def making(resources: Resources, worker_role: str) -> list[Grant]:
    """Only the worker's role (its ARN is given), and only to SageMaker, may be passed on."""
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
    """What is wanted of an endpoint, and what stands of it."""
    return [
        allow(["sagemaker:AddTags"], resources.endpoints),
        allow(
            ["application-autoscaling:DescribeScalableTargets", "application-autoscaling:DescribeScalingPolicies"],
            NO_RESOURCE,
        ),
    ]


def keeping(resources: Resources) -> list[Grant]:
    """What whoever keeps endpoints in order may do: look, set their scaling up, delete them, fail their jobs."""
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
        # Whether the answer of a job lies there, which is then not failed with its endpoint.
        allow(["s3:GetObject"], resources.job_files),
        list_bucket(resources.pictures_bucket),
        allow(["dynamodb:UpdateItem"], resources.jobs),
    ]


def _set_up_scaling(resources: Resources) -> list[Grant]:
    """Application Auto Scaling acts in the name of who registers a target: hence UpdateEndpointWeightsAndCapacities
    above, the alarms of its target tracking, and its service-linked role, which the first registration in an account
    makes (Application Auto Scaling User Guide, "Identity-based policy examples")."""
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


def worker(resources: Resources, results_topic: str, events_queue: str) -> list[Grant]:
    """What an endpoint's container may do, and what SageMaker does in its name (SageMaker Developer Guide,
    "Asynchronous inference: prerequisites" and CreateModel's role). Topic and queue are given by their ARNs."""
    return [
        allow(["s3:GetObject"], resources.uploads, resources.job_files, resources.model_files),
        allow(["s3:PutObject", "s3:AbortMultipartUpload"], resources.job_files, resources.failures),
        allow(["s3:ListBucket"], resources.pictures_bucket, resources.models_bucket),
        allow(["sns:Publish"], results_topic),
        allow(["sqs:SendMessage"], events_queue),
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
    """Without it S3 answers 403 to a GET or HEAD of a key that is not there, with it 404 (S3 API Reference,
    HeadObject). A condition on `s3:prefix` would undo that: such a request has no prefix."""
    return allow(["s3:ListBucket"], bucket)
