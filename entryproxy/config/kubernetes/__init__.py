"""The cluster as a source: labelled objects, listed once and watched from then on.

    decode        pure: raw JSON → labelled objects, one poison object at a time
    kinds         pure: of each kind the fields that matter
    store         pure: what is known of one kind, and what changed since somebody asked
    guard         pure: a list that drops most of what was there is not believed at once
    health        pure: whether the API server is out of reach, since when, in which words
    resources     pure: the three kinds, their paths and selectors
    listing       one kind, page by page
    reflector     one kind: list, watch, resume, again
    source        the three together as a `process.control.Source`

The API server itself is the business of `entryproxy.kubernetes`. Resource versions are opaque: they are compared for
equality, and handed back to the server that gave them.
"""
