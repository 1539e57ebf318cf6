"""Prints the members of the Python SDK's objects and the parameters of its methods, by the API's names, as JSON."""

import dataclasses
import inspect
import json
import re
import sys

import videocloud


def names(what):
    if '.' not in what:
        return [f.name for f in dataclasses.fields(getattr(videocloud, what))]
    owner, method = what.split('.')
    parameters = inspect.signature(getattr(getattr(videocloud.VideoCloud(api_key='none'), owner), method)).parameters
    # update and replay name their webhook in the path
    # The key of a registration is a header.
    return [p for p in parameters if p != 'idempotency_key' and (p != 'id' or what == 'events.publish')]


def camel(name):
    return re.sub('_([a-z])', lambda m: m.group(1).upper(), name)


print(json.dumps({what: [camel(name) for name in names(what)] for what in sys.argv[1:]}))
