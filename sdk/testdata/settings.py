"""Makes a client with each of the settings on standard input, and prints what it says of those that it refuses, else null."""

import json
import sys
import traceback

from videocloud import AsyncVideoCloud, VideoCloud

said = []
for setting in json.load(sys.stdin):
    errors = []
    for client in (VideoCloud, AsyncVideoCloud):
        try:
            client(setting.get('apiKey', 'your_api_key'), setting.get('baseUrl'), account=setting.get('account'))
        except ValueError:
            errors.append(traceback.format_exc())
    assert len(errors) != 1, setting
    said.append('\n'.join(errors) or None)
print(json.dumps(said))
