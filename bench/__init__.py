"""This entry beside nginx, HAProxy, Envoy and a plain aiohttp proxy, doing the same work on the same machine.

`python -m bench` starts everything itself. Every contender is pinned to one core; the upstream and the load generator
share another. The figure is requests per CPU-second of the proxy's processes (user and system time from /proc), which a
busy machine disturbs least; compare only figures of one run. Contenders take turns, A B C A B C, so that a slow minute
hits all of them.

site.py        what all contenders serve: certificate, host, upstream
contenders/    one class per proxy, with its configuration
load.py        wrk and our own clients against one contender
clients.py     those clients: full handshakes, idle connections
processes.py   child processes, pinned and ended
measure.py     CPU time and memory of a process tree
rows.py        what is compared
idle.py        memory per idle connection
tenants.py     start, change and memory with many tenants
provision.py   a controller that provisions many tenants (`python -m bench.provision`)
report.py      medians, spread, ratios; table, JSON, plot
"""
