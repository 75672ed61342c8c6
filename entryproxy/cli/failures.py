"""What the API server says no with → what an operator can do about it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from entryproxy.cli.output import CommandError
from entryproxy.kubernetes.errors import FORBIDDEN, UNAUTHORIZED, ApiError

NOT_FOUND = 404
_CONFLICT = 409
_ADMISSION = re.compile(r"admission webhook .* denied|ValidatingAdmissionPolicy")
_MISSING = re.compile(r"cannot (?P<verb>[a-z]+) resource")
"""What RBAC misses; it needn't be the action's verb, because an apply takes "patch", and "create" for a new object."""
_TRY_AGAIN = (429, 500, 502, 503, 504)


class Action(msgspec.Struct, frozen=True, kw_only=True):
    """One request as RBAC sees it. resource: "secrets". name: "" for a list. namespace: "" for none, or for all.

    server: the API server's URL.
    """

    verb: str
    resource: str
    server: str
    name: str = ""
    namespace: str = ""
    group: str = ""

    def __str__(self) -> str:
        where = f" in namespace {self.namespace}" if self.namespace else ""
        return f"{self.verb} {self.resource}{f' {self.name}' if self.name else ''}{where}"


@contextmanager
def attempt(action: Action, passed: tuple[int, ...] = ()) -> Iterator[None]:
    """Raises CommandError in place of an ApiError, but for one with a status among `passed`."""
    try:
        yield
    except ApiError as error:
        if error.status in passed:
            raise
        raise CommandError(explain_failure(error, action)) from None


def explain_failure(error: ApiError, action: Action) -> str:
    """What was tried, what the API server says, and what to do, in a line each."""
    what = f"can't {action}: {error.message.rstrip('.')}"
    advice = _advice(error, action)
    return f"{what}\n  {advice}" if advice else what


def _advice(error: ApiError, action: Action) -> str:
    if error.status == 0:
        return f"Is {action.server} the right cluster? --kubeconfig and --context choose another one."
    if error.status == UNAUTHORIZED:
        return f"{action.server} doesn't accept the credentials: log in again, or choose others with --context."
    if error.status == FORBIDDEN and (missing := _MISSING.search(error.message)):
        return _permission(action, missing["verb"])
    if error.status == FORBIDDEN or _ADMISSION.search(error.message):
        return "The cluster's own rules (a webhook, a policy, a quota) refuse it. Nothing of this object was changed."
    if error.status == NOT_FOUND and error.message.startswith("namespaces "):
        return "--namespace names the namespace that the entry runs in."
    if error.status == _CONFLICT and error.message.startswith("Apply failed"):
        return "Somebody else keeps these fields: change them there. Nothing of this object was changed."
    if error.status == _CONFLICT:
        return "Somebody else was quicker. Nothing of this object was changed: look at it, then try again."
    if error.status in _TRY_AGAIN:
        wait = f" in {error.retry_after_seconds:g} s" if error.retry_after_seconds else ""
        return f"The API server can't do it just now: try again{wait}."
    return ""


def _permission(action: Action, verb: str) -> str:
    what = f"{action.resource}.{action.group}" if action.group else action.resource
    scope = f"--namespace {action.namespace}" if action.namespace else "--all-namespaces"
    role = f"a Role in namespace {action.namespace}" if action.namespace else "a ClusterRole"
    return f'It takes {role} with the verb "{verb}" for {what}: kubectl auth can-i {verb} {what} {scope}'
