"""The demo's data plane: real requests to the pods of a process node, and real counters of them.

traefik.py      unmodified Traefik as Gateway API controller, from outside the cluster
scrape.py       how Prometheus finds pods and Traefik
service.py      a service whose versions answer with different error rates
load.py         requests through Traefik, counted by version and status
"""
