"""The far side: what runs in a worker process, from the host that the engine talks to down to the training thread."""
