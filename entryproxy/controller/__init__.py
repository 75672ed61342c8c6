"""The I/O of provisioning: what `provision` decides is observed and carried out here.

    helm          Helm as a child process: one per operation, with a deadline
    releases      what is deployed, read from the labels of Helm's own Secrets
    lease         leader election, with a fence
    events        what operators see on the objects that they wrote

Nothing here serves traffic; it is a process of its own, with rights that the entry must not have. What observes,
carries out and repeats is still to come: no command starts any of this yet.
"""
