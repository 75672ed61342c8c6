"""Pure decisions about traffic: which certificate, which tenant, whether now, and which gateway address.

Everything is computed from an immutable Snapshot and from arguments: no I/O, no clock, no randomness. The workers,
`check`, `explain` and the admin port all decide with these functions, so what they say is what happens.
"""
