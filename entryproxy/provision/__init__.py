"""Pure: what a tenant wants of its gateway × what there is → what to do, in order.

    state         the words: desired, observed, references of objects
    judgement     all that stands in a tenant's way, in one go, before anything is written; uses
    problems        the word for it
    placement       whether the release can go where its tenant says, and whether the entry finds it there
    value_checks    the tenant's own values against the chart's, key by key
    value_ownership   which values aren't a tenant's to set, and why
    requirements    names, quotas and limit ranges against
    footprint         what the pods ask for by their values, and how much more during a rollout
    desired       a document that passed → everything that it wants of the cluster, with digests; uses
    values          the release's values: defaults that don't collide, profile, the tenant's own
    profiles          the environments that operators plan with: gateways, requests, limits, autoscaling
    merging           mappings laid over each other, as Helm does it
    objects         namespace, quota, network policies, roles, as manifests
    access            what a tenant's admins may do there
    digests         fingerprints that don't depend on the order of keys
    inventory     the words for what lives in a cluster that gateways may collide over, whoever installed it
    refusals        one tenant's wishes against that and against older tenants
    collisions      all of it against each other, as findings
    phrases         many things in one sentence
    plan          desired × observed → Plan, and the back-off; uses
    actions         what can be done, as values with one line of description each; the Plan that holds them
    revisions       a release's revisions → the next Helm action, recovery included
    removal         the stages of taking a tenant away
    narrowing     rendered manifests → the same with rights in the release's own namespace, or a refusal; uses
    rendered        the documents that Helm hands to a post-renderer
    rules           RBAC rules inside of a namespace and beyond it
    statuses      what came of a plan, and what is told of it; the count of failures
    conditions      what operators read, from a Plan

Time comes as an argument; nothing here talks to a cluster or to Helm: `controller` does.
"""
