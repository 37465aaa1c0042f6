"""R20: what the API server's refusals mean: can't be changed, can't be applied, or could not be asked."""

from __future__ import annotations

import pytest

from rollouts.engine.errors import ApiError, ConflictError, ForbiddenError, InvalidError, UnavailableError
from rollouts.gitops.errors import ClusterError
from rollouts.gitops.examine import _ImmutableError, _RefusalError, _why_not
from rollouts.gitops.objects import Manifest

JOB = Manifest(body={"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "a"}}, file="a.yaml", line=1)


@pytest.mark.parametrize(
    "text",
    [
        "spec.template: Invalid value: {…}: field is immutable",
        "spec: Forbidden: updates to statefulset spec for fields other than 'replicas' are forbidden",
        "spec: Forbidden: spec is immutable after creation except resources.requests",
        "roleRef: Invalid value: {…}: cannot change roleRef",
        "spec.clusterIPs[0]: Invalid value: may not change once set",
        'spec.storageClassName: Invalid value: "string": Value is immutable',
        'spec.size: Invalid value: "integer": the size can not be changed after creation',
        'spec.size: Invalid value: "integer": size may not be modified',
        'spec.size: Invalid value: "integer": must not be updated',
        "provisioner: Forbidden: updates to provisioner are forbidden.",
    ],
)
def test_what_can_not_be_changed_is_known_by_the_words(text: str) -> None:
    """R20: those of Kubernetes and those of rules in CRDs."""
    assert isinstance(_why_not(InvalidError(text), JOB), _ImmutableError)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (InvalidError("spec.ports[0].port: Invalid value: 99999: must be between 1 and 65535"), _RefusalError),
        (ForbiddenError("you cannot change jobs"), _RefusalError),
        (ConflictError("the object has been modified"), _RefusalError),
        (UnavailableError("etcd is away"), ClusterError),
    ],
)
def test_anything_else_is_no_reason_to_make_an_object_anew(error: ApiError, kind: type[Exception]) -> None:
    """R20: nor is a server that does not answer."""
    found = _why_not(error, JOB)
    assert type(found) is kind
