"""The stored scalable targets, scaling policies and scaling activities."""

from uuid import uuid4

from local.sagemaker.protocol import Document
from local.sagemaker.store import Documents


class ScalableTargets:
    """Stored by resource id, `endpoint/<name>/variant/<variant>`, with the members that the Describe calls answer."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    def target(self, resource: str) -> Document | None:
        """The scalable target of a resource, or None."""
        return self._documents.get("scalable-target", resource)

    def targets(self) -> list[Document]:
        """Every scalable target."""
        return self._documents.all("scalable-target")

    def of(self, endpoint: str, variant: str) -> Document | None:
        """The scalable target of an endpoint's variant, or None."""
        return self.target(f"endpoint/{endpoint}/variant/{variant}")

    def put(self, target: Document) -> None:
        """Store a target, replacing the old one."""
        self._documents.put("scalable-target", target["ResourceId"], target)

    def remove(self, resource: str) -> None:
        """Delete a target and its policies (API reference, DeregisterScalableTarget)."""
        for policy in self.policies_of(resource):
            self.remove_policy(policy)
        self._documents.remove("scalable-target", resource)

    def forget(self, endpoint: str) -> None:
        """Delete the targets of an endpoint that is deleted: DeleteEndpoint deregisters them without an error
        (Developer Guide, "Delete endpoints configured for auto scaling").
        """
        for target in self.targets():
            if target["ResourceId"].startswith(f"endpoint/{endpoint}/"):
                self.remove(target["ResourceId"])

    def policy(self, resource: str, name: str) -> Document | None:
        """A policy of a resource by its name, or None."""
        return self._documents.get("scaling-policy", f"{resource}/{name}")

    def policies(self) -> list[Document]:
        """Every scaling policy."""
        return self._documents.all("scaling-policy")

    def policies_of(self, resource: str) -> list[Document]:
        """The scaling policies of one resource."""
        return [policy for policy in self.policies() if policy["ResourceId"] == resource]

    def put_policy(self, policy: Document) -> None:
        """Store a policy, replacing the old one."""
        self._documents.put("scaling-policy", f"{policy['ResourceId']}/{policy['PolicyName']}", policy)

    def note_change(self, target: Document, instances: int, cause: str, now: float, seconds: float) -> None:
        """Store the activity that a resource gets so many instances because of `cause`, from `now` (epoch seconds) on,
        which takes `seconds`."""
        activity = {
            "ActivityId": str(uuid4()),
            "ServiceNamespace": "sagemaker",
            "ResourceId": target["ResourceId"],
            "ScalableDimension": target["ScalableDimension"],
            "Description": f"Setting desired instance count to {instances}.",
            "Cause": cause,
            "StartTime": round(now, 3),
            "EndTime": round(now + seconds, 3),
            "StatusCode": "Successful",
            "StatusMessage": f"Successfully set desired instance count to {instances}. "
            "Change successfully fulfilled by sagemaker.",
        }
        self._documents.put("scaling-activity", activity["ActivityId"], activity)

    def amend(self, endpoint: str, **changes: object) -> None:
        """Change the newest scaling activity of an endpoint, if it has one that has not ended yet."""
        of_endpoint = (each for each in self.activities() if each["ResourceId"].startswith(f"endpoint/{endpoint}/"))
        newest = next(of_endpoint, None)
        if newest and newest["StatusCode"] == "Successful":
            self._documents.put("scaling-activity", newest["ActivityId"], newest | changes)

    def activities(self) -> list[Document]:
        """Every scaling activity, newest first."""
        return sorted(self._documents.all("scaling-activity"), key=lambda found: -float(found["StartTime"]))

    def remove_policy(self, policy: Document) -> None:
        """Delete a policy."""
        self._documents.remove("scaling-policy", f"{policy['ResourceId']}/{policy['PolicyName']}")
