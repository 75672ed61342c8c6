"""The data plane, one worker: each module with the network played by the test."""
