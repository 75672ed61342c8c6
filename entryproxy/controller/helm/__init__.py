"""Helm as a child process: one per operation, in a process group of its own, never without a deadline.

    command       pure: the arguments and the environment of each operation
    process       one child: started, read up to a cap, ended by force if it must, always reaped
    leash         what the child runs first: it dies with us, then it becomes Helm
    postrender    what Helm runs between rendering and applying: rights are narrowed, strangers refused
    outcome       pure: what Helm says on standard error → a kind of error and a sentence
    driver        all of them together: `Helm`, with a few operations at a time
    charts        `ChartStore`: a chart by what a document calls it, found or fetched once, checked and kept, with
    chart           what is known of one, and why it can't be had
    chart_archive   pure: a packed chart → its files, within bounds
    chart_contents  pure: its files → name, version, values, custom resources
    chart_repository  pure: an HTTP repository's configuration and index
    chart_folder    charts that lie beside us, and whether they have changed
    chart_shelf     packed charts in a folder of ours, named by their contents

What Helm prints on standard output holds Secrets and values: it is parsed here and never logged.
"""
