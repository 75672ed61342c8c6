"""Pure parsers of what comes before HTTP on a new connection: the PROXY header of a load balancer, the TLS ClientHello.

Each reader returns None while it needs more, and does no I/O. A PROXY header is short and is read from all bytes that
came so far; a ClientHello may be long, so its reader takes the new bytes only and remembers how far it got.
"""
