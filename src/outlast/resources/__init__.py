"""Resource types that ship with Outlast: one module or package per type, found by entry point."""
