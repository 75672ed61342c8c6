"""Pure: what somebody wants of a tenant → the labelled objects that say so, as plain data, and whether they may be
written.

The other direction of `compiler`: it reads what stands here. Nothing here talks to a cluster.
"""
