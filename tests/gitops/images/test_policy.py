"""Which tag wins."""

from __future__ import annotations

from typing import Any

import pytest

from rollouts.api.gitsync_images import FollowedImage
from rollouts.gitops.errors import ImageError
from rollouts.gitops.images.policy import Rule, ranked
from rollouts.gitops.images.reference import DOCKER_HUB, parse, repository

SHA = "sha256:" + "a" * 64


PRE = Rule(order="semver", range=">=1-0")
SEMVER = Rule(order="semver", range="1.x")


@pytest.mark.parametrize(
    ("rule", "tags", "expected"),
    [
        pytest.param(SEMVER, "1.2.0 v1.10.0 1.9.9 2.0.0 latest", "v1.10.0 1.9.9 1.2.0", id="semver"),
        pytest.param(PRE, "1.0.0 1.1.0-a.2 1.1.0-a.9", "1.1.0-a.9 1.1.0-a.2 1.0.0", id="rc"),
        pytest.param(SEMVER, "1.2.0 v1.2.0", "v1.2.0 1.2.0", id="ties: the greater by bytes"),
        pytest.param(Rule(order="alphabetical"), "a c b", "c b a", id="alphabetical"),
        pytest.param(Rule(order="alphabetical", smallest=True), "a c b", "a b c", id="alphabetical, the least"),
        pytest.param(Rule(order="numerical"), "9 10 1.5 x nan inf", "10 9 1.5", id="what is no number is out"),
        pytest.param(Rule(order="numerical", smallest=True), "9 10", "9 10", id="numerical, the least"),
        pytest.param(Rule(order="tag", tag="main"), "main v1", "main", id="one tag"),
        pytest.param(Rule(order="tag", tag="main"), "v1", "", id="one tag that is not there"),
        pytest.param(Rule(order="alphabetical", glob="main-*"), "main-1 dev-2 main-2", "main-2 main-1", id="glob"),
        pytest.param(
            Rule(order="numerical", pattern=r"^main-[a-f0-9]+-(?P<ts>[0-9]+)$", extract="$ts"),
            "main-ab-100 main-cd-99 main-zz-1000 dev-ab-500", "main-ab-100 main-cd-99", id="name",
        ),
        pytest.param(
            Rule(order="semver", pattern=r"^web-(.+)$", extract="$1", range="*"), "web-1.2.3 web-1.10.0 api-9.9.9",
            "web-1.10.0 web-1.2.3", id="extract by number, the whole tag is the answer",
        ),
        pytest.param(Rule(order="alphabetical", pattern=r"x(y)?", extract="${1}z$$"), "x xy a", "x xy", id="$$"),
        pytest.param(Rule(order="alphabetical"), f"v1 v1.sig v1.att v1.sbom sha256-{'a' * 64}", "v1", id="signed"),
        pytest.param(Rule(order="alphabetical", exclude=("v2.*",)), "v1 v2 v2.1 av2", "v1 av2", id="excluded"),
    ],
)  # fmt: skip
def test_candidates_best_first(rule: Rule, tags: str, expected: str) -> None:
    assert ranked(tags.split(), rule) == tuple(expected.split())


@pytest.mark.parametrize("pattern", ["(", "(?=x)", r"(a)\1"])
def test_expressions_that_are_none_or_could_take_for_ever(pattern: str) -> None:
    with pytest.raises(ImageError, match="is no regular expression"):
        ranked(["a"], Rule(order="alphabetical", pattern=pattern))


@pytest.mark.parametrize("policy", [{}, {"semver": {"range": "*"}, "tag": "x"}])
def test_exactly_one_policy(policy: dict[str, Any]) -> None:
    image = FollowedImage.model_validate({"name": "web", "image": "web", "policy": policy})
    with pytest.raises(ImageError, match="exactly one"):
        Rule.of(image)


def test_rules_from_the_api() -> None:
    given = {
        "name": "web", "image": "web", "policy": {"numerical": {"order": "desc"}},
        "filterTags": {"pattern": "a", "extract": "$1"}, "exclude": ["x"],
    }  # fmt: skip
    expected = Rule(order="numerical", smallest=True, pattern="a", extract="$1", exclude=("x",))
    assert Rule.of(FollowedImage.model_validate(given)) == expected


@pytest.mark.parametrize(
    ("text", "host", "name", "tag", "digest"),
    [
        ("nginx", DOCKER_HUB, "library/nginx", "", ""),
        ("nginx:1.2", DOCKER_HUB, "library/nginx", "1.2", ""),
        ("org/web:1.2", DOCKER_HUB, "org/web", "1.2", ""),
        ("docker.io/org/web", DOCKER_HUB, "org/web", "", ""),
        ("ghcr.io/org/web:v1", "ghcr.io", "org/web", "v1", ""),
        ("localhost/web:v1", "localhost", "web", "v1", ""),
        ("host:5000/web", "host:5000", "web", "", ""),
        (f"host:5000/a/b:1@{SHA}", "host:5000", "a/b", "1", SHA),
    ],
)
def test_images(text: str, host: str, name: str, tag: str, digest: str) -> None:
    found = parse(text)
    assert (found.repository.host, found.repository.name, found.tag, found.digest) == (host, name, tag, digest)
    assert str(found) == text


@pytest.mark.parametrize("text", ["", "Web", "a b", "web:", "web:-x", "web@sha256:1", "-x/web", "host/../x", "a//b"])
def test_what_is_no_image(text: str) -> None:
    with pytest.raises(ImageError):
        parse(text)


def test_a_repository_has_no_tag() -> None:
    with pytest.raises(ImageError):
        repository("web:1.2")
