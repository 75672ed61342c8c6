"""Pure: labelled objects in, the configuration in force and findings out.

`Compiler.compile` is the only entrance. It takes objects as the sources hand them over and the time, and never does
I/O: YAML is decoded by a function that it is given. A bad object is left out, or its last good version kept, with a
finding; it never stops another object. The steps, each in its own module:

1. `parsing`: one object → a draft (`tenants`, `platform`) or a checked key pair (`certificates`), remembered by object.
2. `claims`: which tenant owns which custom host (routing rule 3).
3. `assembly`: drafts, platform defaults and certificates (`coverage` says which names each may serve) → tenants in
force.

Documents are read by `documents`, with `advice` on what may have been meant.

`provisioning.read_tenant_spec` is for the controller: one document as written, by the same judgement.
"""
