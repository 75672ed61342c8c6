"""I/O of the configuration: where labelled objects come from, and when something may have changed.

A source has `load()`, which gives all objects there are with findings about what it could not read, and `watch()`, an
async iterator that ticks when it is worth loading again. Sources decode; they never judge what an object means (that
is the compiler's), never drop an object because they can't read it for a moment, and keep nothing in memory that
lacks the label.
"""
