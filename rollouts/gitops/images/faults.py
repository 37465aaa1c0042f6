"""What is wrong with image updates as they are declared, found before a registry or a repository is asked. Pure.

A look finds the same (`scan.py`, `update.py`) and goes on with the other images; here `lint` asks, field by field.
"""

from __future__ import annotations

from collections.abc import Iterator

from rollouts.api.errors import FieldError, Path
from rollouts.api.gitsync_images import FollowedImage, ImageUpdate
from rollouts.gitops.errors import ImageError
from rollouts.gitops.images import policy, reference
from rollouts.gitops.images.markers import Marker
from rollouts.gitops.images.plan import Change, Followed

_ANY_TAG = "0.0.0"
_MARKER = Marker(file="a", line=1, start=0, end=0, quote="", value="a:1", namespace="a", policy="a", part="")
_SAMPLE = (Change(marker=_MARKER, old="a:1", new="a:2"),)


def image_faults(update: ImageUpdate, place: Path) -> Iterator[FieldError]:
    """Every fault, at fields below `place`."""
    from rollouts.gitops.images.message import message  # here, as in update.py: it brings Jinja2

    for index, item in enumerate(update.images):
        where = place / "images" / index
        for field, text in _of(item):
            yield (where / field).error(text)
    commit = update.git.commit
    try:
        message(commit.message_template, _SAMPLE, sync="a/b", values=commit.message_template_values or {})
    except ImageError as error:
        yield (place / "git" / "commit" / "messageTemplate").error(str(error))


def _of(item: FollowedImage) -> Iterator[tuple[str, str]]:
    try:
        reference.repository(item.image)
    except ImageError as error:
        yield "image", str(error)
    try:
        policy.ranked((_ANY_TAG,), Followed.of(item).rule)
    except ImageError as error:
        yield "policy", str(error)
