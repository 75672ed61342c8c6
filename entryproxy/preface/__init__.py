"""Pure parsers of what comes before HTTP on a new connection: the PROXY header of a load balancer, the TLS ClientHello.

Each reader takes all bytes received so far and returns None while it needs more; it keeps no state and does no I/O.
"""
