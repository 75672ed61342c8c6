"""Frozen data that every other package speaks: labelled objects, tenants, certificates, snapshots, findings.

Nothing here does I/O. Structs are msgspec structs, so the same classes validate YAML, travel to the workers and print.
"""
