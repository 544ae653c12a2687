"""A project as text: configurations and orchestrations written to YAML, and brought back from it.

`documents` builds what is exported, `writing` and `reading` are the two ways between it and YAML,
`checking` finds what is wrong in a file, `secrets` keeps secrets out of it, `applying` makes an
installation what files say.
"""
