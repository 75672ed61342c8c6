"""The part of the page that explains a host."""

from __future__ import annotations

from entryproxy.console.html import Html, element, joined
from entryproxy.console.paging import QueryError
from entryproxy.console.state import PodState
from entryproxy.model.tenant import Limits, Timeouts
from entryproxy.routing.explain import CertificateView, Explanation, GatewayView, explain

HOST_CHARACTERS_MAX = 255
_PROVISIONING = {
    "pending": "The gateway has not served yet: 503 until it answers.",
    "failed": "The gateway has not served yet, and the last attempt failed: 503.",
}
_OUTCOMES = {
    "served": ("good", "Served"),
    "refusedAtTls": ("bad", "Refused in the TLS handshake"),
    "refusedAtHttp": ("bad", "Refused"),
}


def explain_section(state: PodState, host: str) -> Html:
    """A form to ask about a host, and the answer if one was asked about. Raises QueryError."""
    if len(host) > HOST_CHARACTERS_MAX:
        raise QueryError("that host is too long to be one")
    form = element(
        "form",
        element(
            "input", name="host", value=host, placeholder="app.customer.com", aria_label="Host", spellcheck="false"
        ),
        element("button", "Explain"),
        method="get",
        action="./",
    )
    title = element(
        "div", element("h2", "Explain a host"), element("span", "certificate, tenant, gateway, limits", class_="soft"),
        class_="title",
    )  # fmt: skip
    answer = None
    if host and state.snapshot is None:
        answer = element("p", "No configuration is in force yet.", class_="soft")
    elif host and state.snapshot is not None:
        answer = _answer(explain(state.snapshot, state.findings, host, state.now))
    return element("section", title, form, answer)


def _answer(explanation: Explanation) -> Html:
    kind, outcome = _OUTCOMES[explanation.outcome]
    status = f" with {explanation.status}" if explanation.status else ""
    why = f"{explanation.detail} [{explanation.reason}]" if explanation.reason else None
    rows: list[tuple[str, str | None]] = [
        ("Host", explanation.host),
        ("Outcome", joined(element("span", outcome + status, class_=f"chip {kind}"), " ", why)),
        ("Tenant", explanation.tenant or None),
        ("Service", explanation.service or None),
        ("Domain", explanation.domain_type or None),
        ("Certificate", _certificate(explanation.certificate)),
        ("Gateway", _gateway(explanation.gateway)),
        ("Release", _PROVISIONING.get(explanation.provisioning)),
        ("Limits", _limits(explanation.limits)),
        ("Timeouts", _timeouts(explanation.timeouts)),
        ("Port 80", _redirect(explanation.https_redirect)),
        ("HSTS", explanation.hsts or None),
        ("Findings", joined(*map(str, explanation.findings), separator="; ") or None),
    ]
    return element("dl", *(joined(element("dt", term), element("dd", text)) for term, text in rows if text is not None))


def _certificate(certificate: CertificateView | None) -> str | None:
    if certificate is None:
        return None
    names = ", ".join(certificate.names)
    uncovered = None if certificate.covered else element("span", "does not cover this host", class_="chip warn")
    return joined(f"{certificate.source} for {names}, until {certificate.not_after[:10]} ", uncovered)


def _gateway(gateway: GatewayView | None) -> str | None:
    return None if gateway is None else f"{gateway.protocol} to {', '.join(gateway.addresses)}"


def _limits(limits: Limits | None) -> str | None:
    if limits is None:
        return None
    parts = (
        (limits.request_body_bytes, "bytes a request"),
        (limits.requests_per_second, "requests a second"),
        (limits.connections, "requests at a time"),
    )
    return ", ".join(f"{value} {unit}" for value, unit in parts if value) or "none"


def _timeouts(timeouts: Timeouts | None) -> str | None:
    if timeouts is None:
        return None
    return f"connect {timeouts.connect:g} s, first byte {timeouts.first_byte:g} s, idle {timeouts.idle:g} s"


def _redirect(https_redirect: bool | None) -> str | None:
    if https_redirect is None:
        return None
    return "answers 308 to https" if https_redirect else "is served"
