"""Loaded by children that nobody waits for, so that to load a function is not the first time."""

import json
import os


def handler(event, context):
    return {"event": json.dumps(event), "name": os.environ.get("NAME"), "list": [number for number in range(3)]}


class Example(object):
    names = ("a", "b")

    def __init__(self, value=None):
        self.value = value

    def text(self):
        return "{}".format(self.value) if self.value else ""
