"""What CloudFormation needs to deploy each type of resource in the stacks: actions of IAM, and on what.

Names in `${}` are CloudFormation's.
"""

from collections.abc import Mapping

ROLES = "arn:*:iam::${AWS::AccountId}:role/Darkroom-*"
"""The roles of all stages."""

Allowed = tuple[str, tuple[str, ...], tuple[str, ...]]
"""A service's prefix in IAM, its actions, and the resources."""

DYNAMODB: Allowed = (
    "dynamodb",
    (
        "CreateTable",
        "CreateTableReplica",
        "DeleteTable",
        "Describe*",
        "GetResourcePolicy",
        "ListTagsOfResource",
        "TagResource",
        "UntagResource",
        "UpdateContinuousBackups",
        "UpdateTable",
        "UpdateTimeToLive",
    ),
    ("arn:*:dynamodb:*:${AWS::AccountId}:table/Darkroom-*",),
)
_S3: Allowed = (
    "s3",
    (
        "CreateBucket",
        "DeleteBucket",
        "DeleteBucketPolicy",
        "Get*Configuration",
        "GetBucket*",
        "ListBucket",
        "Put*Configuration",
        "PutBucket*",
    ),
    ("arn:*:s3:::darkroom-*",),
)
_FUNCTIONS: Allowed = (
    "lambda",
    (
        "AddPermission",
        "CreateAlias",
        "CreateFunction",
        "Delete*",
        "Get*",
        "InvokeFunction",
        "List*",
        "PublishVersion",
        "PutFunctionEventInvokeConfig",
        "PutFunctionRecursionConfig",
        "RemovePermission",
        "TagResource",
        "UntagResource",
        "Update*",
    ),
    ("arn:*:lambda:*:${AWS::AccountId}:function:Darkroom-*",),
)
_LAYERS: Allowed = (
    "lambda",
    ("DeleteLayerVersion", "GetLayerVersion", "PublishLayerVersion"),
    ("arn:*:lambda:*:${AWS::AccountId}:layer:Dependencies*", "arn:*:lambda:*:${AWS::AccountId}:layer:Shared*"),
)
_MAPPINGS: Allowed = (
    "lambda",
    (
        "CreateEventSourceMapping",
        "DeleteEventSourceMapping",
        "GetEventSourceMapping",
        "ListTags",
        "UpdateEventSourceMapping",
    ),
    ("*",),
)
_ROLE: Allowed = (
    "iam",
    (
        "DeleteRole",
        "DeleteRolePolicy",
        "DetachRolePolicy",
        "GetRole",
        "GetRolePolicy",
        "ListAttachedRolePolicies",
        "ListRolePolicies",
        "TagRole",
        "UntagRole",
        "UpdateAssumeRolePolicy",
        "UpdateRole",
        "UpdateRoleDescription",
    ),
    (ROLES,),
)
QUEUES: Allowed = (
    "sqs",
    (
        "AddPermission",
        "CreateQueue",
        "DeleteQueue",
        "GetQueue*",
        "ListQueueTags",
        "SetQueueAttributes",
        "TagQueue",
        "UntagQueue",
    ),
    ("arn:*:sqs:*:${AWS::AccountId}:Darkroom-*",),
)
TOPICS: Allowed = (
    "sns",
    (
        "CreateTopic",
        "DeleteTopic",
        "Get*",
        "List*",
        "SetSubscriptionAttributes",
        "SetTopicAttributes",
        "Subscribe",
        "TagResource",
        "Unsubscribe",
        "UntagResource",
    ),
    ("arn:*:sns:*:${AWS::AccountId}:Darkroom-*",),
)
_LOGS: Allowed = (
    "logs",
    (
        "AssociateKmsKey",
        "CreateLogGroup",
        "DeleteLogGroup",
        "DeleteRetentionPolicy",
        "DisassociateKmsKey",
        "ListTags*",
        "PutRetentionPolicy",
        "TagLogGroup",
        "TagResource",
        "UntagResource",
    ),
    ("arn:*:logs:*:${AWS::AccountId}:log-group:Darkroom-*",),
)
_CLOUDWATCH: Allowed = (
    "cloudwatch",
    ("*Dashboard*", "De*Alarms", "ListTagsForResource", "PutMetricAlarm", "TagResource", "UntagResource"),
    (
        "arn:*:cloudwatch:*:${AWS::AccountId}:alarm:Darkroom-*",
        # A dashboard belongs to no region.
        "arn:*:cloudwatch::${AWS::AccountId}:dashboard/Darkroom-*",
    ),
)
_RULES: Allowed = (
    "events",
    ("DeleteRule", "DescribeRule", "List*", "PutRule", "PutTargets", "RemoveTargets", "TagResource", "UntagResource"),
    ("arn:*:events:*:${AWS::AccountId}:rule/Darkroom-*",),
)
SECRET: Allowed = (
    "secretsmanager",
    (
        "CreateSecret",
        "DeleteSecret",
        "DescribeSecret",
        "GetResourcePolicy",
        "PutSecretValue",
        "TagResource",
        "UntagResource",
        "UpdateSecret",
    ),
    ("arn:*:secretsmanager:*:${AWS::AccountId}:secret:Admin*",),
)
_GATEWAY: Allowed = (
    "apigateway",
    ("DELETE", "GET", "PATCH", "POST", "PUT", "SetWebACL"),
    ("arn:*:apigateway:*::/restapis*", "arn:*:apigateway:*::/account", "arn:*:apigateway:*::/tags/*"),
)
_KEYS: Allowed = (
    "kms",
    (
        "CreateGrant",
        "CreateKey",
        "Decrypt",
        "DescribeKey",
        "EnableKeyRotation",
        "Encrypt",
        "GenerateDataKey*",
        "GetKey*",
        "ListResourceTags",
        "PutKeyPolicy",
        "ScheduleKeyDeletion",
        "TagResource",
        "UntagResource",
    ),
    ("*",),
)
_FIREWALL: Allowed = (
    "wafv2",
    ("*WebACL*", "ListTagsForResource", "TagResource", "UntagResource"),
    ("arn:*:wafv2:*:${AWS::AccountId}:regional/*", "arn:*:apigateway:*::/restapis/*"),
)
_CLOUDFRONT: Allowed = (
    "cloudfront",
    (
        "Create*",
        "Delete*",
        "DescribeFunction",
        "Get*",
        "ListTagsForResource",
        "PublishFunction",
        "TagResource",
        "UntagResource",
        "Update*",
    ),
    tuple(
        f"arn:*:cloudfront::${{AWS::AccountId}}:{kind}/*"
        for kind in ("distribution", "function", "origin-access-control", "response-headers-policy")
    ),
)
"""Ids at CloudFront are random, so these cannot be told from others of the account by their names."""

TYPES: Mapping[str, tuple[Allowed, ...]] = {
    "AWS::ApiGateway::Account": (_GATEWAY,),
    "AWS::ApiGateway::Authorizer": (_GATEWAY,),
    "AWS::ApiGateway::Deployment": (_GATEWAY,),
    "AWS::ApiGateway::GatewayResponse": (_GATEWAY,),
    "AWS::ApiGateway::Method": (_GATEWAY,),
    "AWS::ApiGateway::Resource": (_GATEWAY,),
    "AWS::ApiGateway::RestApi": (_GATEWAY,),
    "AWS::ApiGateway::Stage": (_GATEWAY,),
    "AWS::CDK::Metadata": (),
    "AWS::CloudFront::Distribution": (_CLOUDFRONT,),
    "AWS::CloudFront::Function": (_CLOUDFRONT,),
    "AWS::CloudFront::OriginAccessControl": (_CLOUDFRONT,),
    "AWS::CloudFront::ResponseHeadersPolicy": (_CLOUDFRONT,),
    "AWS::CloudWatch::Alarm": (_CLOUDWATCH,),
    "AWS::CloudWatch::Dashboard": (_CLOUDWATCH,),
    "AWS::DynamoDB::GlobalTable": (DYNAMODB,),
    "AWS::Events::Rule": (_RULES,),
    "AWS::IAM::Role": (_ROLE,),
    "AWS::KMS::Key": (_KEYS,),
    "AWS::Lambda::Alias": (_FUNCTIONS,),
    "AWS::Lambda::EventInvokeConfig": (_FUNCTIONS,),
    "AWS::Lambda::EventSourceMapping": (_MAPPINGS,),
    "AWS::Lambda::Function": (_FUNCTIONS,),
    "AWS::Lambda::LayerVersion": (_LAYERS,),
    "AWS::Lambda::Permission": (_FUNCTIONS,),
    "AWS::Lambda::Version": (_FUNCTIONS,),
    "AWS::Logs::LogGroup": (_LOGS,),
    "AWS::S3::Bucket": (_S3,),
    "AWS::S3::BucketPolicy": (_S3,),
    "AWS::SNS::Subscription": (TOPICS,),
    "AWS::SNS::Topic": (TOPICS,),
    "AWS::SNS::TopicPolicy": (TOPICS,),
    "AWS::SQS::Queue": (QUEUES,),
    "AWS::SQS::QueuePolicy": (QUEUES,),
    "AWS::SecretsManager::Secret": (SECRET,),
    "AWS::WAFv2::WebACL": (_FIREWALL,),
    "AWS::WAFv2::WebACLAssociation": (_FIREWALL,),
    "Custom::DarkroomUnpacked": (_FUNCTIONS,),
}
"""What CloudFormation needs for each type of resource in the stacks. A test finds a type that is not here."""
