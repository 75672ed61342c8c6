from tests.kubernetes.fixtures import api

__all__ = ["api"]
