"""The data plane: everything one worker does with sockets.

Callbacks all the way. A request makes no task and waits for nothing that a change of configuration does. Read along a
request: `listener` accepts → `tls` (or `plain`) turns TCP into plaintext → `http1` finds heads and bodies →
`exchange` routes, forwards and relays → `pool` and `upstream` talk to the tenant's gateway → `exchange.finish` logs
and counts. `server` owns what a worker shares.
"""
