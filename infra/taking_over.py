"""`python -m infra.stage take-over NAME FILE`: makes the data stack of a stage anew around tables, buckets and a secret
that an earlier one left. CloudFormation imports them; the deploy after it adds the rest.

The file is what `destroy` wrote: `{"<id in the template>": "<name of the resource>"}`.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from botocore.exceptions import WaiterError

from infra.deployed import stack_names
from infra.inventory import Inventory
from infra.stage import Stage

IDENTIFIERS = {
    "AWS::DynamoDB::GlobalTable": "TableName",
    "AWS::S3::Bucket": "BucketName",
    "AWS::SecretsManager::Secret": "Id",
    "AWS::KMS::Key": "KeyId",
}
"""What CloudFormation finds a resource by (CloudFormation User Guide, "Resource type support", column Import)."""


class CannotTakeOver(Exception):
    """The resources do not fit the stage's template, or CloudFormation refuses them; the text says which and why."""


def retained(found: Inventory) -> dict[str, str]:
    """What a later stage can take over: names by the id in the template."""
    return {one.logical: one.name for one in found.resources if one.stays and one.kind in IDENTIFIERS}


def template(stage: Stage, names: Mapping[str, str]) -> dict[str, Any]:
    """The data stack's template with nothing in it but what is imported. Raises CannotTakeOver."""
    # Not above: importing the CDK starts Node, which takes seconds, and `destroy` needs none of it.
    from aws_cdk import App

    from infra.data_stack import DataStack

    app = App(analytics_reporting=False)
    data = DataStack(app, stage)
    whole = json.loads((Path(app.synth().directory) / data.template_file).read_text())["Resources"]
    wanted = {logical for logical, one in whole.items() if one["Type"] in IDENTIFIERS}
    if wanted != set(names):
        lacking, more = wanted - set(names), set(names) - wanted
        raise CannotTakeOver(
            f"The stage {stage.name} has {', '.join(sorted(wanted))}. "
            + (f"The file lacks {', '.join(sorted(lacking))}. " if lacking else "")
            + (f"It names {', '.join(sorted(more))}, which the stage does not have. " if more else "")
            + "Deploy with the settings that the stage had (customer_key), from the release that it had."
        )
    return {"Resources": {logical: whole[logical] for logical in sorted(wanted)}}


def take_over(session: Any, stage: Stage, names: Mapping[str, str], say: Callable[[str], None]) -> None:
    """Make the data stack of what is there. Raises CannotTakeOver."""
    body = template(stage, names)
    stack, _ = stack_names(stage.name)
    cloudformation = session.client("cloudformation")
    change = cloudformation.create_change_set(
        StackName=stack,
        ChangeSetName="take-over",
        ChangeSetType="IMPORT",
        TemplateBody=json.dumps(body),
        ResourcesToImport=[
            {
                "ResourceType": one["Type"],
                "LogicalResourceId": logical,
                "ResourceIdentifier": {IDENTIFIERS[one["Type"]]: names[logical]},
            }
            for logical, one in body["Resources"].items()
        ],
    )
    try:
        cloudformation.get_waiter("change_set_create_complete").wait(ChangeSetName=change["Id"])
    except WaiterError:
        why = cloudformation.describe_change_set(ChangeSetName=change["Id"])["StatusReason"]
        raise CannotTakeOver(f"CloudFormation does not import them: {why}") from None
    cloudformation.execute_change_set(ChangeSetName=change["Id"])
    try:
        cloudformation.get_waiter("stack_import_complete").wait(StackName=stack, WaiterConfig={"Delay": 2})
    except WaiterError as problem:
        raise CannotTakeOver(f"CloudFormation did not import them: {problem}") from None
    say(f"{stack} has taken over {len(names)} resources. Deploy now: python -m infra.stage deploy {stage.name}")
