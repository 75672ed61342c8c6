from __future__ import annotations

from collections.abc import Iterator

import pytest

from entryproxy.config.yaml import parse_yaml
from entryproxy.provision.rendered import Documents, RenderedObject, RenderingError

OBJECT = """\
# Source: core/templates/x.yaml
apiVersion: v1
kind: ConfigMap
metadata: {name: "x", annotations: {mode: 0644}}
data:
  on: yes
  text: |
    ---- not a separator
     ---
"""


def test_what_a_document_says() -> None:
    role = "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: y, namespace: own}\n"
    [first, second] = Documents(f"{OBJECT}---\n# nothing but this\n---\n{role}", parse_yaml).objects
    assert (first.group, first.kind, first.namespace, first.name) == ("", "ConfigMap", "", "x")
    assert (second.group, second.kind, second.namespace, second.name) == (
        "rbac.authorization.k8s.io",
        "Role",
        "own",
        "y",
    )
    assert first.text == OBJECT
    assert str(second.refuse("no")) == "Role y: no"


@pytest.mark.parametrize("separator", ["---\n", "---  \n", "--- # next\n", "---\r\n"])
@pytest.mark.parametrize("first", ["", "---\n", "# nothing but this\n---\n"])
def test_documents_that_stay_keep_their_bytes(first: str, separator: str) -> None:
    text = f"{first}{OBJECT}{separator}{OBJECT}{separator}{OBJECT}"
    documents = Documents(text, parse_yaml)
    assert documents.rewritten(lambda one: [one.text]) == text
    middle = documents.objects[1]

    def change(one: RenderedObject) -> Iterator[str]:
        yield from ["a: 1\n", "b: 2\n"] if one is middle else [one.text]

    made = documents.rewritten(change)
    assert made == f"{first}{OBJECT}{separator}a: 1\n---\nb: 2\n{separator}{OBJECT}"
    assert documents.rewritten(lambda one: [] if one is middle else [one.text]) == f"{first}{OBJECT}{separator}{OBJECT}"


@pytest.mark.parametrize(
    "text",
    [
        "kind: ConfigMap\nkind: ClusterRole\n",
        "a: &a {}\nb: *a\n",
        "kind: !!str ClusterRole\n",
        "a: 1\n...\nkind: ClusterRole\n",
        "a: 1\n--- {kind: ClusterRole}\n",
        "a: 1\n---kind: ClusterRole\n",
    ],
)
def test_what_two_readers_may_understand_differently(text: str) -> None:
    with pytest.raises(RenderingError, match=r"document 2 of the rendered chart can't be read: (a )?line"):
        Documents(f"---\n{text}", parse_yaml)


@pytest.mark.parametrize(
    "text",
    ["kind: ConfigMap", "{apiVersion: v1, kind: ConfigMap, metadata: {generateName: x}}", "[]", "text"],
)
def test_what_is_not_an_object(text: str) -> None:
    with pytest.raises(RenderingError, match="document 2 of the rendered chart is not an object"):
        Documents(f"{OBJECT}---\n{text}\n", parse_yaml)
