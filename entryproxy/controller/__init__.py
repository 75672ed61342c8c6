"""The I/O of provisioning: what `provision` decides is observed and carried out here.

    helm          Helm as a child process: one per operation, with a deadline; and the charts that it installs
    releases      what is deployed, read from the labels of Helm's own Secrets
    observe       what there is of one tenant; uses
    own_objects     the namespace and what surrounds the release: ours, changed, deleted
    manifests       the release's own objects: missing, changed, applied again without a revision
    payload         pure: Helm's Secret → those objects
    drift           whether an object is as it was applied
    leftovers       what a release left that has no history any more
    metadata        lists of objects without their contents
    holders       ConfigMaps that carry our finalizer
    lease         leader election, with a fence
    inventory     one look at all gateways of the cluster, whoever installed them; by
    survey          an object of it → what it is to its neighbours
    workloads       likewise of what runs: gateways and controllers
    events        what operators see on the objects that they wrote
    finding_events  what the compiler and the source find, as such Events
    execute       a plan's actions, in order; uses
    object_writer   what we apply and delete ourselves, whose it is looked at right before
    present         that look
    finalizers      what keeps a tenant's ConfigMap
    statuses      a tenant's status, as an annotation
    kubeconfig    the cluster, as Helm is told of it

Nothing here serves traffic; it is a process of its own, with rights that the entry must not have. What observes,
carries out and repeats is still to come: no command starts any of this yet.
"""
