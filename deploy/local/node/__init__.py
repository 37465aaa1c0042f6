"""The process node: a kubelet in miniature, which runs a pod's command as a local process.

Each pod has a real address of the plane's network; its processes are told it by `POD_IP` and bind to it. There are no
images, volumes or limits: an image's name is only a name, and what a container runs is its `command` and `args`.
From there on it does what a kubelet does: probes, readiness gates, hooks, exit codes, restarts with back-off, grace on
deletion, logs, statuses and events, so that whatever watches pods can't tell.

    launcher.py     start one beside a plane          agent.py       follows the pods of the node
    worker.py       the life of one pod               container.py   the lives of one container
    status.py       what the API server is told       server.py      `kubectl logs`
"""
