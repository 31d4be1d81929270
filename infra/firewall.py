"""The firewall before the API of a stage whose settings ask for one."""

from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_wafv2 as wafv2
from constructs import Construct

from infra.stage import Stage

_COUNTED = (
    # Bodies hold pictures in base64, prompts, and links to fetch model files from: each looks like an attack to these.
    "SizeRestrictions_BODY",
    "CrossSiteScripting_BODY",
    "EC2MetaDataSSRF_BODY",
    "GenericLFI_BODY",
    "GenericRFI_BODY",
    # The history is searched for words of prompts, such as `<lora:name:1>`.
    "CrossSiteScripting_QUERYARGUMENTS",
    "GenericLFI_QUERYARGUMENTS",
    "GenericRFI_QUERYARGUMENTS",
    # Words in scripts that take many bytes, percent-encoded, are over two kilobytes soon.
    "SizeRestrictions_QUERYSTRING",
)
_MANAGED = {
    "AWSManagedRulesAmazonIpReputationList": (),
    "AWSManagedRulesCommonRuleSet": _COUNTED,
    "AWSManagedRulesKnownBadInputsRuleSet": (),
}
"""AWS's own groups, and those of their rules that only count (WAF Developer Guide, "AWS Managed Rules rule groups")."""
_WINDOW = 300
"""Seconds over which the requests of one address are counted, WAF's own default."""


class Firewall(Construct):
    """AWS's rules against what is known to be bad; no address may take half of what the stage lets through."""

    def __init__(self, scope: Construct, stage: Stage, api: apigateway.RestApi) -> None:
        super().__init__(scope, "Firewall")
        rules = [_managed(number, name, counted) for number, (name, counted) in enumerate(_MANAGED.items(), start=1)]
        acl = wafv2.CfnWebACL(
            self,
            "Rules",
            scope="REGIONAL",
            default_action=wafv2.CfnWebACL.DefaultActionProperty(allow={}),
            visibility_config=_visible("All"),
            rules=[_rate(stage.throttle_rate * _WINDOW // 2), *rules],
        )
        wafv2.CfnWebACLAssociation(self, "Api", resource_arn=api.deployment_stage.stage_arn, web_acl_arn=acl.attr_arn)


def _managed(priority: int, name: str, counted: tuple[str, ...]) -> wafv2.CfnWebACL.RuleProperty:
    count = wafv2.CfnWebACL.RuleActionProperty(count={})
    return wafv2.CfnWebACL.RuleProperty(
        name=name,
        priority=priority,
        override_action=wafv2.CfnWebACL.OverrideActionProperty(none={}),
        visibility_config=_visible(name),
        statement=wafv2.CfnWebACL.StatementProperty(
            managed_rule_group_statement=wafv2.CfnWebACL.ManagedRuleGroupStatementProperty(
                vendor_name="AWS",
                name=name,
                rule_action_overrides=[
                    wafv2.CfnWebACL.RuleActionOverrideProperty(name=rule, action_to_use=count) for rule in counted
                ],
            )
        ),
    )


def _rate(limit: int) -> wafv2.CfnWebACL.RuleProperty:
    """WAF takes limits from 10 on (API reference, RateBasedStatement)."""
    return wafv2.CfnWebACL.RuleProperty(
        name="OneAddress",
        priority=0,
        action=wafv2.CfnWebACL.RuleActionProperty(block={}),
        visibility_config=_visible("OneAddress"),
        statement=wafv2.CfnWebACL.StatementProperty(
            rate_based_statement=wafv2.CfnWebACL.RateBasedStatementProperty(
                aggregate_key_type="IP", limit=max(limit, 10), evaluation_window_sec=_WINDOW
            )
        ),
    )


def _visible(name: str) -> wafv2.CfnWebACL.VisibilityConfigProperty:
    """Metrics, but no samples of requests: those show headers, so access keys."""
    return wafv2.CfnWebACL.VisibilityConfigProperty(
        cloud_watch_metrics_enabled=True, metric_name=name, sampled_requests_enabled=False
    )
