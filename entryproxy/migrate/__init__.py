"""Pure: ingress-nginx's objects in, what becomes of each of their hosts and annotations out.

`plan.make_plan` is the only entrance: an `inventory.Inventory` and what the operator said → a `report.Plan`, which
`text` prints and `manifests` turns into labelled objects. The steps, each in its own module:

1. `decode`: one Kubernetes object → the inventory; `selection`: the Ingresses that ingress-nginx serves.
2. `tenants`: namespace, labels and system hosts → tenant ids; `claims`: who claims which host, and who loses.
3. `wishes` and `documents`: annotations → `tenant.yaml`; `settings`: the controller's ConfigMap → `settings.yaml`.
4. `judge`: each annotation by the tables in `annotations`, and in `options` for the ConfigMap.
5. `certificates`: `spec.tls` → labelled Secrets.

The tables hold facts about ingress-nginx 1.15 and Higress 2.2, as their documentation and sources say.
"""
