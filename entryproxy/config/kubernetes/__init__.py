"""The cluster as a source: labelled objects, listed once and watched from then on.

    client        HTTP to the API server: raw bytes, every wait bounded
    credentials   in-cluster or kubeconfig; the only user of kubernetes_asyncio
    session       connections; what aiohttp's exceptions mean
    errors        what the API server says no with
    decode        pure: raw JSON → labelled objects, one poison object at a time
    kinds         pure: of each kind the fields that matter
    nesting       pure: JSON that is nested deeper than the decoder goes
    store         pure: what is known of one kind, and what changed since somebody asked
    guard         pure: a list that drops most of what was there is not believed at once
    backoff       pure: how long to wait before the next try
    health        pure: whether the API server is out of reach, since when, in which words
    resources     pure: the three kinds, their paths and selectors
    listing       one kind, page by page
    reflector     one kind: list, watch, resume, again
    source        the three together as a `process.control.Source`

Resource versions are opaque: they are compared for equality, and handed back to the server that gave them.
"""
