"""Examples of docstrings as code on the site: `Example:` becomes the plural that griffe knows."""

import re

import griffe


class Examples(griffe.Extension):
    """Shows every `Example:` of a docstring as Python and what it prints."""

    def on_instance(self, *, obj: griffe.Object, **_: object) -> None:
        """Rename the section before it is read."""
        if obj.docstring is not None:
            text = re.sub(r"^(\s*)Example:$", r"\1Examples:", obj.docstring.value, flags=re.M)
            obj.docstring.value = re.sub(r"::$", ":", text, flags=re.M)
