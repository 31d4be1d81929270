"""The HTTP API: one REST API with one stage. All routes use the authorizer, all refusals are problems (RFC 9457)."""

import json
from collections.abc import Mapping

from aws_cdk import Duration
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra.function import log
from infra.problems import PROBLEMS, template
from infra.stage import Stage

STAGE_NAME = "v1"

_ACCESS_LOG = {
    # The route instead of the path: ids and query strings (which may contain prompts) must not be logged.
    "request_id": apigateway.AccessLogField.context_request_id(),
    "time": apigateway.AccessLogField.context_request_time_epoch(),
    "ip": apigateway.AccessLogField.context_identity_source_ip(),
    "owner": apigateway.AccessLogField.context_authorizer("owner"),
    "key": apigateway.AccessLogField.context_authorizer("key"),
    "method": apigateway.AccessLogField.context_http_method(),
    "route": apigateway.AccessLogField.context_resource_path(),
    "status": apigateway.AccessLogField.context_status(),
    "milliseconds": apigateway.AccessLogField.context_response_latency(),
    "bytes": apigateway.AccessLogField.context_response_length(),
    "refused_as": apigateway.AccessLogField.context_error_response_type(),
}


class Api(Construct):
    """`routes` maps a path (`/jobs/{proxy+}`) to the function that answers all its methods."""

    def __init__(
        self,
        scope: Construct,
        stage: Stage,
        authorizer: lambda_.IFunction,
        routes: Mapping[str, lambda_.IFunction],
        key: kms.IKey | None = None,
    ) -> None:
        super().__init__(scope, "Api")
        self._key = key
        self._stage = stage
        self.rest = self._rest_api()
        # The CDK's own output of the address. The stack has another one, whose name is fixed (`ApiUrl`).
        self.rest.node.try_remove_child("Endpoint")
        request_authorizer = apigateway.RequestAuthorizer(
            self,
            "Gate",
            handler=authorizer,
            # A request without the header is refused before any function runs; other answers are cached by the header.
            identity_sources=[apigateway.IdentitySource.header("Authorization")],
            # A function caches the first admin key for ten seconds more; so a withdrawn key is refused within a minute.
            results_cache_ttl=Duration.seconds(45),
        )
        integrations = {
            # One permission for each function: with one for each method, the function's policy would be too large.
            function.node.path: apigateway.LambdaIntegration(function, scope_permission_to_method=False)
            for function in routes.values()
        }
        for path, function in routes.items():
            self.rest.root.resource_for_path(path).add_method(
                "ANY",
                integrations[function.node.path],
                authorizer=request_authorizer,
                authorization_type=apigateway.AuthorizationType.CUSTOM,
            )
        self._refusals()

    def _rest_api(self) -> apigateway.RestApi:
        origins = list(self._stage.origins)
        return apigateway.RestApi(
            self,
            "Rest",
            # A label only; API Gateway allows any number of APIs of one name.
            rest_api_name=f"darkroom-{self._stage.name}",
            endpoint_types=[apigateway.EndpointType.REGIONAL],
            # API Gateway writes logs with one role for a whole account and region. It is kept when the stack is
            # deleted, because other stages may use it.
            cloud_watch_role=True,
            deploy_options=apigateway.StageOptions(
                stage_name=STAGE_NAME,
                tracing_enabled=True,
                throttling_rate_limit=self._stage.throttle_rate,
                throttling_burst_limit=self._stage.throttle_burst,
                access_log_destination=apigateway.LogGroupLogDestination(log(self, self._stage, self._key)),
                access_log_format=apigateway.AccessLogFormat.custom(json.dumps(_ACCESS_LOG)),
            ),
            default_cors_preflight_options=apigateway.CorsOptions(
                allow_origins=origins,
                allow_methods=["GET", "POST", "PATCH", "DELETE"],
                allow_headers=["Authorization", "Content-Type", "Idempotency-Key"],
                max_age=Duration.hours(1),
            )
            if origins
            else None,
        )

    def _refusals(self) -> None:
        origins = self._stage.origins
        for kind, problem in PROBLEMS.items():
            self.rest.add_gateway_response(
                kind,
                type=apigateway.ResponseType.of(kind),
                status_code=str(problem.status),
                response_headers={
                    "Content-Type": "'application/problem+json'",
                    **({"Retry-After": f"'{problem.retry_after}'"} if problem.retry_after else {}),
                    # A gateway response cannot choose among several origins. With several, every web page may read it:
                    # it says only why the request was refused, and by the preflight only the stated origins can send a
                    # key.
                    **(
                        {
                            "Access-Control-Allow-Origin": f"'{origins[0] if len(origins) == 1 else '*'}'",
                            "Access-Control-Expose-Headers": "'Retry-After, x-amzn-RequestId'",
                        }
                        if origins
                        else {}
                    ),
                },
                # API Gateway uses the template of this type when a caller accepts any type. The header above has the
                # real type of the body.
                templates={"application/json": template(problem)},
            )
