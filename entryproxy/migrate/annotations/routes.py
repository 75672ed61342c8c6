"""Where a request goes and what it looks like then: hosts, paths, redirects, headers, canaries, errors."""

from __future__ import annotations

from collections.abc import Mapping

from entryproxy.migrate.verdicts import FALSE, OFF, TRUE, Known, default, differs, entry, gateway, unsupported

_SNIPPET = (
    "Raw nginx configuration means nothing to the entry or to Higress.",
    "Say what it does with Higress's annotations or plugins",
)
_NO_PUSH = "Browsers and nginx have given up server push; nothing is pushed."

ROUTES: Mapping[str, Known] = {
    # -- hosts
    "server-alias": entry(
        "Each alias becomes a domain of the tenant.",
        "Repeat the Ingress's rules for the aliases, because Higress doesn't read this annotation",
    ),
    "from-to-www-redirect": unsupported(
        "Neither the entry nor Higress redirects between a name and its www.",
        "Claim the other name too, with a certificate, and give it an Ingress with permanent-redirect",
        on={FALSE: OFF},
    ),
    "upstream-vhost": gateway("Higress sets Host for the pods; the entry passes Host as the client sent it."),
    # -- paths
    "app-root": gateway("Higress redirects / with 302."),
    "rewrite-target": gateway(
        "Higress rewrites by RE2 instead of PCRE: groups work, look-around and back references don't."
    ),
    "use-regex": gateway(
        "Higress matches this Ingress's paths by RE2, anchored in front, with case; nginx does it without case and "
        "for all paths of the host.",
        on={FALSE: default("Plain paths, as they are without the annotation.")},
    ),
    # -- redirects
    "permanent-redirect": gateway(
        "Higress redirects with 301 to the scheme, host and path of the URL.",
        on={r".*[$?].*": differs("Higress keeps no nginx variables and no query of the URL.", "Write a plain URL")},
    ),
    "permanent-redirect-code": gateway("Higress takes 300 to 308."),
    "temporal-redirect": gateway(
        "Higress redirects with 302 to the scheme, host and path of the URL.",
        on={r".*[$?].*": differs("Higress keeps no nginx variables and no query of the URL.", "Write a plain URL")},
    ),
    "temporal-redirect-code": differs(
        "Higress always answers temporal-redirect with 302.",
        on={"302": default("302 is what Higress answers.")},
    ),
    "relative-redirects": differs(
        "Redirects of Higress and of the entry are absolute.", on={FALSE: default("Redirects are absolute.")}
    ),
    "use-port-in-redirects": differs(
        "The entry's redirect to https names no port.", on={FALSE: default("Redirects name no port.")}
    ),
    "proxy-redirect-from": unsupported(
        "Location and Refresh pass as the application sent them.",
        "Let the application build its URLs from X-Forwarded-Proto and X-Forwarded-Host",
        on={"off": OFF, "default": default("Location passes as the application sent it, which knows the outer host.")},
    ),
    "proxy-redirect-to": unsupported(
        "Location and Refresh pass as the application sent them.",
        "Let the application build its URLs from X-Forwarded-Proto and X-Forwarded-Host",
        on={"off": OFF},
    ),
    # -- fields
    "custom-headers": gateway(
        "Higress sets response fields from the annotation itself, not from a ConfigMap.",
        "Write the ConfigMap's lines into higress.io/response-header-control-update",
    ),
    "x-forwarded-prefix": gateway(
        "The entry drops every X-Forwarded-* that it doesn't set; Higress can add it.",
        "Write higress.io/request-header-control-update: X-Forwarded-Prefix <path>",
    ),
    "connection-proxy-header": differs("Connection belongs to each hop; the entry and Higress set their own."),
    "proxy-cookie-domain": unsupported(
        "Set-Cookie passes as the application sent it.", "Let the application set the domain", on={"off": OFF}
    ),
    "proxy-cookie-path": unsupported(
        "Set-Cookie passes as the application sent it.", "Let the application set the path", on={"off": OFF}
    ),
    "http2-push-preload": differs(_NO_PUSH, on={FALSE: OFF}),
    # -- canaries
    "canary": gateway("Higress reads canaries as pairs of Ingresses; keep both in the tenant's class."),
    "canary-by-header": gateway("Higress takes `always` for the canary and everything else for the main one."),
    "canary-by-header-value": gateway("Higress reads the value as an RE2 expression; `always` matches too."),
    "canary-by-header-pattern": gateway("Higress searches by RE2 instead of PCRE."),
    "canary-by-cookie": gateway("Higress takes `always` for the canary and everything else for the main one."),
    "canary-weight": gateway("Higress splits by weight."),
    "canary-weight-total": gateway("Higress reads it with canary-weight."),
    # -- errors
    "default-backend": gateway("Higress sends requests there that the Service has no endpoints for."),
    "custom-http-errors": gateway("Higress lets the default-backend answer these statuses."),
    "disable-proxy-intercept-errors": default(
        "Higress intercepts errors only where the Ingress itself has custom-http-errors."
    ),
    # -- raw configuration
    "configuration-snippet": unsupported(*_SNIPPET),
    "server-snippet": unsupported(*_SNIPPET),
    "stream-snippet": unsupported(
        "The entry speaks HTTP only; streams are nobody's here.",
        "Give the stream's Service a LoadBalancer of its own",
    ),
    # -- copies
    "mirror-target": gateway(
        "Higress mirrors to a Service or a host name, not to a URL.",
        "Write higress.io/mirror-target-service: <service>:<port>, or higress.io/mirror-target-fqdn",
    ),
    "mirror-request-body": differs("Higress mirrors bodies always.", on={"on": default("Higress mirrors bodies.")}),
    "mirror-host": differs("Higress mirrors with the request's Host and `-shadow` behind it."),
    "preserve-trailing-slash": default(
        "The entry's redirect keeps the target as it is; ingress-nginx drops a trailing slash unless told."
    ),
    # -- backends
    "backend-protocol": gateway(
        "How Higress talks to the pods.",
        on={
            "https?": gateway("How Higress talks to the pods; between entry and gateway it makes no difference."),
            "grpcs?": unsupported(
                "gRPC needs HTTP/2 all the way; this version of the entry speaks HTTP/1.1.",
                "Leave this host where it is, or give the tenant's gateway a LoadBalancer of its own for it",
            ),
            "auto_http": differs("Higress doesn't guess; it takes HTTP.", "Write HTTP or HTTPS"),
            "fcgi": unsupported(
                "Neither the entry nor Higress speaks FastCGI.", "Put an HTTP server such as nginx into the pod"
            ),
        },
    ),
    "fastcgi-index": unsupported("Neither the entry nor Higress speaks FastCGI.", "Put an HTTP server into the pod"),
    "fastcgi-params-configmap": unsupported(
        "Neither the entry nor Higress speaks FastCGI.", "Put an HTTP server into the pod"
    ),
    # -- the redirect to https
    "ssl-redirect": entry(
        "The tenant's httpsRedirect: 308 for all of its hosts.",
        on={
            TRUE: entry(
                "The tenant's httpsRedirect: 308 for all of its hosts.",
                "Leave it out of the Ingress for Higress: the entry comes to port 80, where Higress would redirect "
                "everything for ever",
            ),
            FALSE: entry("The tenant's httpsRedirect, which holds for all of its hosts."),
        },
    ),
    "force-ssl-redirect": entry(
        "The tenant's httpsRedirect: 308 for all of its hosts, unless a trusted proxy says X-Forwarded-Proto: https.",
        "Leave it out of the Ingress for Higress: the entry comes to port 80, where Higress would redirect everything "
        "for ever",
        on={FALSE: OFF},
    ),
}
