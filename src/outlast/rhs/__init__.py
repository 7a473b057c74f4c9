"""The resource host outlast-rhs: the process in which plugins run."""
