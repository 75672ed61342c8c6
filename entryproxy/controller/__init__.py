"""The I/O of provisioning: what `provision` decides is observed and carried out here. In the order of a tenant's round:

    main          settings → a candidate for the lead, and whoever leads does the work of
    lease           leader election, with a fence
    admin           health, readiness and metrics of a candidate
    kubeconfig      the cluster, as Helm is told of it
    controller      who is due is looked at, a few at a time; uses
    tenants           the tenants in force, by the entry's own source and compiler
    queue             who is due, and never twice at the same time
    reconcile     one round for one tenant: everything from here on
    holders         ConfigMaps that carry our finalizer
    rounds          pure: what one round is about and what it came to
    situation       pure: tenants in force × those → bring it up, take it away, let go, leave alone
    withdrawals     pure: how long entries have had to let go of the tenant
    pacing          when the next round comes
    design          a tenant's document → what it wants of the cluster, judged; uses
    inventory         one look at all gateways of the cluster, whoever installed them; by
    survey            an object of it → what it is to its neighbours
    workloads         likewise of what runs: gateways and controllers
    observe         what there is of the tenant; uses
    metadata          lists of objects without their contents
    own_objects       the namespace and what surrounds the release: ours, changed, deleted
    releases          the release's revisions, by the labels of Helm's own Secrets
    manifests         the release's own objects: missing, changed, applied again without a revision
    payload           pure: Helm's Secret → those objects
    drift             whether an object is as it was applied
    rollout           how far the Deployments have got
    leftovers         what a release left that has no history any more
    execute         a plan's actions, in order; uses
    finalizers        what keeps a tenant's ConfigMap
    replicas          how many pods there are while autoscaling begins
    seal              what was left pending, closed for good
    object_writer     what we apply and delete ourselves
    present           whose an object is, looked at right before it is written
    helm              Helm as a child process, and the charts that it installs
    statuses        how the tenant stands, as an annotation of its ConfigMap
    storyteller     the same as Events, log and metrics; by
    events            what operators see on the objects that they wrote
    finding_events    what the compiler and the source find, as such Events: no part of a round

Nothing here serves traffic: it is a process of its own, with rights that the entry must not have. Nothing is remembered
that isn't in the cluster, but to save work: a successor observes, and goes on.
"""
