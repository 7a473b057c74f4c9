"""The command line: one file per noun; `lab`, the noun with the most verbs, has a folder."""
