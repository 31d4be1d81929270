"""Scalable targets and scaling policies as they are written down; who asks for them and who obeys them."""

from local.sagemaker.protocol import Document
from local.sagemaker.store import Documents


class ScalableTargets:
    """Kept by resource id, `endpoint/<name>/variant/<variant>`; both have the members that are described."""

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
        """Write a target down, in place of what was there."""
        self._documents.put("scalable-target", target["ResourceId"], target)

    def remove(self, resource: str) -> None:
        """Forget a target and its policies (API reference of DeregisterScalableTarget)."""
        for policy in self.policies_of(resource):
            self.remove_policy(policy)
        self._documents.remove("scalable-target", resource)

    def forget(self, endpoint: str) -> None:
        """Forget the targets of an endpoint that is deleted: DeleteEndpoint deregisters them without a word
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
        """Write a policy down, in place of what was there."""
        self._documents.put("scaling-policy", f"{policy['ResourceId']}/{policy['PolicyName']}", policy)

    def note_activity(self, activity: Document) -> None:
        """Write down that instances come or go, with the time it ends."""
        self._documents.put("scaling-activity", activity["ActivityId"], activity)

    def activities(self) -> list[Document]:
        """Every scaling activity, newest first."""
        return sorted(self._documents.all("scaling-activity"), key=lambda found: -float(found["StartTime"]))

    def remove_policy(self, policy: Document) -> None:
        """Forget a policy."""
        self._documents.remove("scaling-policy", f"{policy['ResourceId']}/{policy['PolicyName']}")
