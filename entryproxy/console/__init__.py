"""The admin port: health, readiness, metrics, read-only JSON and a page for people, summed over all workers.

`view` says what it needs to know, and the control process implements that. `server` listens, `probes`, `api` and `page`
answer. Nothing here changes anything, and nothing here ever touches key material.
"""
