"""The ServiceAccount of an entry and what it may do: the chart's own manifests, as helm renders them."""

from __future__ import annotations

import copy
import dataclasses
import subprocess
from pathlib import Path
from typing import Any

import yaml

from tests.cluster.cluster import Cluster
from tests.support import require_tool

CHART = Path(__file__).parents[3] / "deploy" / "chart"
_TEMPLATES = ("templates/serviceaccount.yaml", "templates/rbac.yaml")
_HELM_SECONDS_MAX = 60


@dataclasses.dataclass(frozen=True, slots=True)
class Rights:
    """documents: ServiceAccount, roles and their bindings, for one namespace."""

    documents: tuple[Any, ...]

    @classmethod
    def of_chart(cls, namespace: str) -> Rights:
        """What `helm install entry deploy/chart --namespace …` gives the entry."""
        shown = [option for template in _TEMPLATES for option in ("--show-only", template)]
        rendered = subprocess.run(
            [require_tool("helm"), "template", "entry", str(CHART), "--namespace", namespace, *shown],
            check=True,
            capture_output=True,
            text=True,
            timeout=_HELM_SECONDS_MAX,
        )
        return cls(tuple(document for document in yaml.safe_load_all(rendered.stdout) if document))

    @property
    def account(self) -> str:
        """Name of the ServiceAccount."""
        (name,) = [one["metadata"]["name"] for one in self.documents if one["kind"] == "ServiceAccount"]
        return str(name)

    def named(self, kind: str) -> str:
        """Name of the only document of a kind."""
        (name,) = [one["metadata"]["name"] for one in self.documents if one["kind"] == kind]
        return str(name)

    def granted(self) -> list[tuple[str, str]]:
        """Every (verb, resource)."""
        return [
            (verb, resource)
            for document in self.documents
            for rule in document.get("rules", ())
            for resource in rule["resources"]
            for verb in rule["verbs"]
        ]

    def without(self, verb: str, resource: str) -> Rights:
        """All but this one."""
        assert (verb, resource) in self.granted()
        documents = copy.deepcopy(self.documents)
        for document in documents:
            if "rules" in document:
                document["rules"] = [
                    {**rule, "resources": [one], "verbs": [v for v in rule["verbs"] if (v, one) != (verb, resource)]}
                    for rule in document["rules"]
                    for one in rule["resources"]
                ]
        return Rights(documents)

    def install(self, cluster: Cluster) -> None:
        cluster.apply(yaml.safe_dump_all(self.documents))
