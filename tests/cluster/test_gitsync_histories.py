"""Random histories with faults: the cluster ends equal to the last good commit, and nothing else is ever touched.

Each step is a commit (good, broken, refused by the API server), a fault (repository away, controller killed), or a
hand in the cluster. After all faults the objects must be exactly those of Git; a bad commit, which removes everything,
must never delete anything (§2.1).
"""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from rollouts.gitops.gitsync.controller import GitSyncs
from tests.cluster.controllers import OwnController
from tests.cluster.gitsyncs import Synced, config
from tests.cluster.harness import Kubectl

NAMES = "abcdef"
STEPS = 12
REFUSED = "apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nmetadata: {name: bad}\nspec: {replica: 1}\n"
POLICY = {
    "automated": {"prune": True, "selfHeal": True, "allowEmpty": True},
    "pruneGuards": {"maxPercent": 100},
    "retry": {"limit": -1, "backoff": {"duration": "1s", "factor": 1}},
}


class History:
    """A random walk; `wanted` is what the last good commit says."""

    def __init__(self, seed: int, syncing: Synced, start: Callable[[], OwnController]) -> None:
        self.random = random.Random(seed)
        self.syncing = syncing
        self.start = start
        self.wanted: dict[str, str] = {}
        self.count = 0
        self.controller = start()

    def good(self) -> None:
        """A commit that adds, changes and removes."""
        files: dict[str, str | None] = {"bad.yaml": None}
        for name in self.random.sample(NAMES, k=self.random.randint(1, 4)):
            self.count += 1
            if name in self.wanted and self.random.random() < 0.4:
                del self.wanted[name]
                files[f"{name}.yaml"] = None
            else:
                self.wanted[name] = str(self.count)
                files[f"{name}.yaml"] = config(name, str(self.count))
        self.follow(self.syncing.bare.commit(files))

    def bad(self) -> None:
        """A commit that removes everything and can't be applied."""
        before = set(self.syncing.values())
        text = self.random.choice(["kind: [", REFUSED, config("a") + "---\n" + config("a"), "- not\n- an object\n"])
        gone = {f"{name}.yaml": None for name in NAMES}
        self.syncing.bare.commit({**gone, "bad.yaml": text})
        self.ask()
        assert before <= set(self.syncing.values())
        self.syncing.bare.commit({"bad.yaml": None, **{f"{n}.yaml": config(n, v) for n, v in self.wanted.items()}})
        self.ask()

    def away(self) -> None:
        """The repository does not answer for a while."""
        self.syncing.server.refusing = True
        self.ask()
        self.syncing.server.refusing = False

    def killed(self) -> None:
        """The controller dies, perhaps in the middle of a commit."""
        self.controller.kill()
        self.controller = self.start()

    def meddled(self) -> None:
        """Somebody changes or deletes one of the objects."""
        name = self.random.choice(sorted(self.wanted)) if self.wanted else None
        if name is None:
            return
        if self.random.random() < 0.5:
            self.syncing.kubectl("delete", "configmap", name, "--ignore-not-found")
        else:
            self.syncing.kubectl("patch", "configmap", name, "--type=merge", "-p", '{"data": {"value": "theirs"}}')
        self.ask()

    def ask(self) -> None:
        self.count += 1
        self.syncing.ask(f"step {self.count}")

    def follow(self, commit: str) -> None:
        self.ask()
        self.syncing.until_synced(commit)

    def step(self) -> None:
        self.random.choice([self.good, self.good, self.bad, self.away, self.killed, self.meddled])()


@pytest.mark.timeout(240)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # pipes of what was killed
@pytest.mark.parametrize("seed", [1, 2])
def test_the_cluster_ends_as_the_last_good_commit_says(
    seed: int, opened: Synced, tmp_path: Path, kubectl: Kubectl, own_controller: Callable[..., OwnController]
) -> None:
    syncing = opened
    kubectl("create", "configmap", "theirs", "--from-literal=value=theirs")
    stores = (tmp_path / f"stores-{number}" for number in range(100))

    def start() -> OwnController:
        folder = next(stores)
        folder.mkdir()
        return own_controller(additions=(GitSyncs(directory=folder),))

    history = History(seed, syncing, start)
    syncing.bare.commit({"keep.txt": "not a manifest"})
    syncing.create(syncPolicy=POLICY)
    for _ in range(STEPS):
        history.step()
        assert syncing.values()["theirs"] == "theirs"
    history.good()
    expected = {**history.wanted, "theirs": "theirs"}
    syncing.until("Git and cluster agree", lambda: syncing.values() == expected)
    assert {row["id"].split("_")[1] for row in syncing.status["inventory"]["entries"]} == set(history.wanted)
