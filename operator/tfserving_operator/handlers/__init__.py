"""The only place that knows kopf: it watches ModelDeployments, logs in, and stops the process in order."""
