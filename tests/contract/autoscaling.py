"""What the contract tests send to Application Auto Scaling."""

from typing import Any

DIMENSION = "sagemaker:variant:DesiredInstanceCount"
TRACKING: Any = {
    "TargetValue": 2.0,
    "CustomizedMetricSpecification": {
        "MetricName": "ApproximateBacklogSizePerInstance",
        "Namespace": "AWS/SageMaker",
        "Dimensions": [{"Name": "EndpointName", "Value": "any"}],
        "Statistic": "Average",
    },
}
STEP: Any = {
    "AdjustmentType": "ChangeInCapacity",
    "StepAdjustments": [{"MetricIntervalLowerBound": 0.0, "ScalingAdjustment": 1}],
}


def target_of(name: str) -> Any:
    """The three parameters that name an endpoint's variant `all` in every call."""
    return {
        "ServiceNamespace": "sagemaker",
        "ResourceId": f"endpoint/{name}/variant/all",
        "ScalableDimension": DIMENSION,
    }
