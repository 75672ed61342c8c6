"""What happened, counted and logged: per-worker counters, the access log, and their exposition to Prometheus."""
