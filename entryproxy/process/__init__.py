"""The processes of one pod: who starts whom, and what they tell each other.

supervisor  a plain process without a loop or threads: opens the sockets, forks, restarts, passes signals on
control     watches the configuration, compiles it, publishes changes to the workers, serves the admin port
worker      one per core: nothing but traffic, with the snapshot that control sent last

`link` carries file descriptors from the supervisor to a child; its end tells the child that the supervisor is gone.
`channel` carries `messages` between control and one worker. `ledger` is what survives a crash of the control process.
"""
