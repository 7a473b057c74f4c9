"""The cluster service outlastd: short loops that read, ask the core, and carry out."""
