"""One TLS entry in front of many tenants' gateways. This is the map; read the package along any of three journeys.

A request, in one worker (`edge`): transport accepts → tls reads the ClientHello, routing.sni names the certificates,
contexts holds their SSLContexts → http1 finds heads, heads remembers what they mean → policy checks that Host and
server name agree → exchange passes the tenant's limits and leads the request through: pool finds a gateway connection,
upstream reads its answer, relay or tunnel passes it on → account counts and logs.

A change, in the control process: config watches and reads the source, settled → compiler makes tenants in force and
findings of all objects → process.publisher sends every worker what differs → edge.context prepares it between
requests, then applies it at once.

A tenant's gateway, in the controller that leads: controller.tenants follows the same source through the same compiler
→ queue hands out a tenant → reconcile has it designed (what is wanted) and observed (what there is) → provision.plan
says what to do → execute does it, with Helm for the release → statuses and storyteller tell it; then it is looked at
again. Going is such a journey, too, one stage a round.

    cli         arguments and environment → settings → one command
    demo        everything on one machine, with what a cluster would bring
    process     supervisor, control process, workers, and what they tell each other
    edge        the I/O of a worker: a request
    config      the I/O of the configuration: where objects come from
    console     the admin port: health, metrics, JSON, a page
    controller  the I/O of provisioning: who leads, what there is, Helm, what is told
    kubernetes  the API server of a cluster, for whoever reads or writes there
    telemetry   counters, access log, exposition
    http1       pure: heads and bodies of HTTP/1.1 as bytes
    preface     pure: what comes before HTTP (PROXY header, ClientHello)
    routing     pure: host → tenant, server name → certificates, order of addresses, rates
    compiler    pure: labelled objects → platform, tenants, findings
    provision   pure: what a tenant wants of its gateway × what there is → actions
    migrate     pure: ingress-nginx's Ingresses → what becomes of them, labelled objects
    authoring   pure: what somebody wants of a tenant → labelled objects
    model       frozen data that all of them speak; key material that doesn't print
    settings    every option and limit; the only reader of the environment
    errors      one error type: whose fault, which status, a word for logs and metrics
    tasks       the only place that starts a task
    listening   TCP sockets that listen

Imports point downwards only (import-linter, in pyproject.toml). Pure packages take time, randomness and bytes as
arguments. Nothing on the first journey waits for the others. docs/architecture.md says more.
"""

__version__ = "0.1.0"
