from tests.kubernetes.fixtures import api, client

__all__ = ["api", "client"]
