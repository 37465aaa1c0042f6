"""R10: what applying would make of an object that can't be tried out. The tables say what a server would answer."""

from __future__ import annotations

from typing import Any

import pytest

from rollouts.gitops.marks import FIELD_MANAGER
from rollouts.gitops.workedout import applied


def live(body: dict[str, Any], **owned: dict[str, Any]) -> dict[str, Any]:
    """A live object; `ours` and `theirs` own these fields."""
    rows = [
        {"manager": FIELD_MANAGER if who == "ours" else "somebody", "operation": "Apply", "fieldsV1": tree}
        for who, tree in owned.items()
    ]
    return {**body, "metadata": {"managedFields": rows}}


DATA = {"f:data": {"f:a": {}, "f:b": {}}}
WEB = 'k:{"name":"web"}'
SIDECAR = 'k:{"name":"sidecar"}'
PORT = 'k:{"port":80,"protocol":"TCP"}'


@pytest.mark.parametrize(
    ("there", "wanted", "expected"),
    [
        pytest.param(
            live({"data": {"a": "1", "b": "2", "c": "3"}}, ours=DATA, theirs={"f:data": {"f:c": {}}}),
            {"data": {"a": "1", "d": "4"}},
            {"data": {"a": "1", "c": "3", "d": "4"}},
            id="what we own and Git has no more goes, what others have added stays",
        ),
        pytest.param(
            live({"data": {"a": "1", "b": "2"}}, ours=DATA),
            {},
            {},
            id="with its parent, where nothing is left in it",
        ),
        pytest.param(
            live({"data": {"a": "1", "b": "2", "c": "3"}}, ours=DATA, theirs={"f:data": {"f:c": {}}}),
            {},
            {"data": {"c": "3"}},
            id="a parent that Git has no more takes only our leaves along",
        ),
        pytest.param(
            live({"data": {"a": "1"}}, ours={"f:data": {"f:a": {}}}, theirs={"f:data": {"f:a": {}}}),
            {},
            {"data": {"a": "1"}},
            id="what somebody else owns too stays",
        ),
        pytest.param(
            live({"data": {"a": "9"}}, theirs={"f:data": {"f:a": {}}}),
            {"data": {"a": "1"}},
            {"data": {"a": "1"}},
            id="what somebody has changed is set back",
        ),
        pytest.param(
            live(
                {"spec": {"list": [{"name": "sidecar", "x": 1}, {"name": "web", "image": "a", "policy": "default"}]}},
                ours={"f:spec": {"f:list": {WEB: {".": {}, "f:name": {}, "f:image": {}}}}},
                theirs={"f:spec": {"f:list": {SIDECAR: {".": {}, "f:name": {}, "f:x": {}}}}},
            ),
            {"spec": {"list": [{"name": "web", "image": "b"}, {"name": "new"}]}},
            {
                "spec": {
                    "list": [
                        {"name": "sidecar", "x": 1},
                        {"name": "web", "image": "b", "policy": "default"},
                        {"name": "new"},
                    ]
                }
            },
            id="items of a list with keys, defaults and another's items stay",
        ),
        pytest.param(
            live(
                {"spec": {"ports": [{"port": 80, "protocol": "TCP", "nodePort": 30000}]}},
                ours={"f:spec": {"f:ports": {PORT: {".": {}, "f:port": {}}}}},
            ),
            {"spec": {"ports": [{"port": 80}]}},
            {"spec": {"ports": [{"port": 80, "protocol": "TCP", "nodePort": 30000}]}},
            id="a key with a default need not be written",
        ),
        pytest.param(
            live({"spec": {"rules": [{"host": "a", "default": 1}]}}, ours={"f:spec": {"f:rules": {}}}),
            {"spec": {"rules": [{"host": "b"}]}},
            {"spec": {"rules": [{"host": "b", "default": 1}]}},
            id="a list that is one value, item by item",
        ),
        pytest.param(
            live({"spec": {"rules": [1, 2]}}, ours={"f:spec": {"f:rules": {}}}),
            {"spec": {"rules": [1]}},
            {"spec": {"rules": [1]}},
            id="or of another length",
        ),
        pytest.param(
            live({"metadata": {}, "spec": {"cpu": "100m"}}, ours={"f:spec": {"f:cpu": {}}}),
            {"spec": {"cpu": 0.1}},
            {"spec": {"cpu": "100m"}},
            id="an amount in another spelling is the same",
        ),
        pytest.param(
            live({"data": {"cpu": "100m"}}, ours={"f:data": {"f:cpu": {}}}),
            {"data": {"cpu": "0.1"}},
            {"data": {"cpu": "0.1"}},
            id="a text is not",
        ),
    ],
)
def test_as_the_server_would(there: dict[str, Any], wanted: dict[str, Any], expected: dict[str, Any]) -> None:
    found = {key: value for key, value in applied(there, wanted).items() if key != "metadata"}
    assert found == expected


def test_what_an_earlier_tool_applied_and_git_has_no_more_goes_when_it_is_taken_over() -> None:
    """R11."""
    there = live({"data": {"a": "1", "b": "2"}}, theirs=DATA)
    assert applied(there, {"data": {"a": "1"}})["data"] == {"a": "1", "b": "2"}
    assert applied(there, {"data": {"a": "1"}}, taken=DATA)["data"] == {"a": "1"}
