"""Pure: what a tenant wants of its gateway × what there is → what to do, in order.

    state         the words: desired, observed, references of objects
    desired       a tenant's document → everything that it wants of the cluster, with digests; uses
    values          the release's values: defaults that don't collide, profile, the tenant's own
    merging         mappings laid over each other, as Helm does it
    objects         namespace, quota, network policies, roles, as manifests
    access          what a tenant's admins may do there
    digests         fingerprints that don't depend on the order of keys
    placement     whether a release can go where its tenant says, and whether the entry finds it there
    value_checks  a tenant's own values against the chart's, key by key
    value_ownership  which values aren't a tenant's to set, and why
    problems      what stands in the way, found before anything is written
    profiles      the environments that operators plan with: gateways, requests, limits, autoscaling
    footprint     the chart's values → what its pods ask for, and how much more during a rollout
    requirements  names, quotas and limit ranges against that
    judgement     all of these checks in one go
    narrowing     rendered manifests → the same with rights in the release's own namespace, or a refusal; uses
    rules           RBAC rules inside of a namespace and beyond it
    actions       what can be done, as values with one line of description each; the Plan that holds them
    plan          desired × observed → Plan, and the back-off; uses
    revisions       a release's revisions → the next Helm action, recovery included
    removal         the stages of taking a tenant away
    conditions    what operators read, from a Plan
    statuses      what came of a plan, and what is told of it; the count of failures
    inventory     the words for what lives in a cluster that gateways may collide over, whoever installed it
    refusals        one tenant's wishes against that and against older tenants
    collisions      all of it against each other, as findings
    phrases         many things in one sentence

Time comes as an argument; nothing here talks to a cluster or to Helm. No command uses it yet, see `controller`.
"""
