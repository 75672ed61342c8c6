"""`entryproxy demo`: the whole product on one machine, with everything around it that a cluster would bring.

authority (a CA) and objects (Kubernetes YAML) fill the folder; gateways stand in for the tenants' own; steps are the
commands a person tries; command runs it all. Nothing but the command line knows that this package exists.
"""
