from __future__ import annotations

from entryproxy.migrate.selection import effective_classes, select
from tests.migrate.builders import ingress


def test_classes() -> None:
    ours = ingress("a.example.com", name="b")
    older = ingress("a.example.com", name="a", ingress_class="internal")
    classless = ingress("a.example.com", name="c", ingress_class="")
    other = ingress("a.example.com", name="d", ingress_class="alb")
    kept, skipped = select([other, classless, ours, older], ("internal", "nginx"))
    assert kept == [older, ours]
    assert [(one.ingress, one.reason.partition(";")[0]) for one in skipped] == [
        ("Ingress acme-gateway/c", "it has no class"),
        ("Ingress acme-gateway/d", "its class is alb"),
    ]
    assert select([ours, classless], ("nginx", ""))[0] == [ours, classless]


def test_which_classes() -> None:
    assert effective_classes((), ()) == ("nginx",)
    assert effective_classes((), {"public", "inner"}) == ("inner", "nginx", "public")
    assert effective_classes(("a", ""), {"public"}) == ("a", "")
