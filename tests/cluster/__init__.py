"""A real Kubernetes control plane, see `control_plane`, and tests against it; the fixtures are in tests/conftest."""
