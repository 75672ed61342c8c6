"""The running product in front of a real control plane, with exactly the rights that the chart gives it."""
