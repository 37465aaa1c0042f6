"""How the controller gets onto a cluster, and a cluster to get it onto."""
