"""A page in the browser that shows what linear networks do: `linearizer app`.

Needs the extra `app`; nothing here is imported before the command is given.
"""
