"""Helm as a child process: one per operation, in a process group of its own, never without a deadline.

    command       pure: the arguments and the environment of each operation
    process       one child: started, read up to a cap, ended by force if it must, always reaped
    leash         what the child runs first: it dies with us, then it becomes Helm
    outcome       pure: what Helm says on standard error → a kind of error and a sentence
    driver        all of them together: `Helm`, with a few operations at a time

What Helm prints on standard output holds Secrets and values: it is parsed here and never logged.
"""
