from __future__ import annotations

from entryproxy.migrate.text import WIDTH, render
from tests.migrate.builders import DOMAIN, ingress, plan


def test_lines_are_no_wider_than_a_terminal() -> None:
    hosts = [f"host-{number}.customer.example.com" for number in range(20)]
    settings = {"configuration-snippet": "return 200;" * 50, "auth-url": "https://auth.example.com/verify?" + "x" * 40}
    text = render(plan(ingress(*hosts, settings=settings, paths=tuple(f"/p{n}" for n in range(30)))).report)
    assert max(len(line) for line in text.splitlines()) <= WIDTH
    assert all(line == line.rstrip() for line in text.splitlines())


def test_names_are_never_broken() -> None:
    host = "-".join(["long"] * 12) + ".example.com"
    assert host in render(plan(ingress(host, name="-".join(["name"] * 20))).report)


def test_what_is_urgent_comes_first() -> None:
    settings = {"app-root": "/x", "auth-url": "http://x", "proxy-buffering": "off", "ssl-ciphers": "x", "zzz": "x"}
    lines = render(plan(ingress("a.com", settings=settings)).report).splitlines()
    verdicts = [line.split()[0] for line in lines if line.startswith("  ") and line.split()[1:2] != [] and ": " in line]
    order = [one for one in verdicts if one in ("unsupported", "unknown", "differs", "gateway", "default")]
    assert order == ["unsupported", "unknown", "differs", "gateway", "default"]


def test_the_last_word() -> None:
    clean = ingress(f"a.acme.{DOMAIN}", tls=())
    assert render(plan(clean).report).endswith("  Everything maps.\n")
    todo = ingress(f"a.acme.{DOMAIN}", tls=(), settings={"mirror-target": "http://x"})
    assert render(plan(todo).report).endswith("  Everything maps, with 1 thing to do.\n")
    broken = ingress(f"a.acme.{DOMAIN}", tls=(), settings={"auth-url": "http://x"})
    assert "  Not everything maps:" in render(plan(broken).report)


def test_skipped_ones_are_named() -> None:
    text = render(plan(ingress("a.com"), ingress("b.com", name="b", ingress_class="alb")).report)
    assert "SKIPPED, because not of class nginx\n  Ingress acme-gateway/b: its class is alb\n" in text


def test_annotations_say_nothing_to_the_terminal() -> None:
    """Whoever may write an Ingress writes them."""
    evil = "\x1b]0;x\x07\x1b[2J\u202e"
    settings = {"app-root": evil, "server-alias": f"x{evil}\n\nSUMMARY\n  Everything maps.", f"{evil}\n": "x"}
    text = render(plan(ingress(f"a{evil}.com", settings=settings, paths=(f"/{evil}",))).report)
    assert text.count(r"\x1b[2J\u202e") >= 5
    assert all(line.isprintable() for line in text.splitlines())
    assert [line for line in text.splitlines() if line.startswith("SUMMARY")] == ["SUMMARY"]
