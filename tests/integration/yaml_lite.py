"""Writes plain dictionaries as YAML; JSON is YAML, but people read the logs."""

import json


def dump(value, indent=0):
    """Dictionaries and lists of plain values, in block style."""
    pad = "  " * indent
    lines = []
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in items:
        head = f"{pad}{key}:" if isinstance(value, dict) else f"{pad}-"
        if isinstance(item, (dict, list)) and item:
            lines.append(head)
            lines.append(dump(item, indent + 1).rstrip("\n"))
        else:
            lines.append(f"{head} {json.dumps(item)}")
    return "\n".join(lines) + "\n"
