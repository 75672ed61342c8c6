"""The API server of a cluster, for whoever reads or writes objects there.

    client        HTTP to the API server: raw bytes, every wait bounded
    credentials   in-cluster or kubeconfig; the only user of kubernetes_asyncio
    pod           a pod's service account
    paths         from kinds to paths; asks for those that it doesn't know
    session       connections; what aiohttp's exceptions mean
    errors        what the API server says no with
    nesting       pure: JSON that is nested deeper than the decoder goes
    conflicts     a write that somebody was faster than is decided anew
    backoff       pure: how long to wait before the next try

Which objects, and what they mean, is the business of the packages above.
"""
