"""Provisioning on a real API server: the controller as a process, real Helm, and a kubelet that is played."""
