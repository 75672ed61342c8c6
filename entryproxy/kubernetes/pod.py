"""What a pod is given to reach its own API server: environment variables and the files of its service account.

https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/ – so little that no library is needed, which
would cost every pod 40 MB and a third of a second at its start.
"""

from __future__ import annotations

from pathlib import Path

from entryproxy.kubernetes.errors import CredentialsError

_BEARER = "BearerToken"


class PodConfiguration:
    """The part of kubernetes_asyncio's Configuration that credentials are read from; made anew it reads the files anew.

    Raises CredentialsError without a token or a certificate.
    """

    verify_ssl = True
    cert_file = key_file = proxy = tls_server_name = None

    def __init__(self, server: str, service_account: Path) -> None:
        self.host = server
        self._token_file = service_account / "token"
        certificate = service_account / "ca.crt"
        self.ssl_ca_cert = str(certificate)
        for file in (self._token_file, certificate):
            if not file.is_file():
                raise CredentialsError(f"The service account's {file} does not exist")
            if not file.read_bytes().strip():
                raise CredentialsError(f"The service account's {file} is empty")
        self.api_key = {_BEARER: self._read_token()}

    async def get_api_key_with_prefix(self, _: str) -> None:
        """Kubelets rotate the token in place; one that is empty or away for a moment raises OSError or ValueError."""
        self.api_key[_BEARER] = self._read_token()

    def _read_token(self) -> str:
        token = self._token_file.read_text().strip()
        if not token:
            raise ValueError(f"{self._token_file} is empty")
        return f"Bearer {token}"
