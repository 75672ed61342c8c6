"""`python -m bench.cluster`: the entry with thousands of tenants on a real API server.

It starts a control plane as the tests do (tests/cluster), makes the tenants with a certificate each, and measures:
process start to ready, memory of each process, a change from the API's acknowledgement to the first good answer, the
entry's own share of that, and what a storm of changes does to the latency of traffic. The API server and the load run
on one core, the entry on the other.
"""
