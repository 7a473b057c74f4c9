"""`outlast-web`: the HTTP API of the cluster, as a process without privileges.

It knows no more than what it is told on a socket of the cluster service, and may do nothing that the one who asks may
not do: the service itself looks who that is.
"""
