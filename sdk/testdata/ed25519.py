"""Runs the guide's example with the delivery on standard input: python3 ed25519.py <file>"""

import json
import runpy
import sys

from videocloud import WebhookVerificationError

receive = runpy.run_path(sys.argv[1])['receive']
delivery = json.load(sys.stdin)
body, headers, key, other = (delivery[name] for name in ('body', 'headers', 'key', 'otherKey'))
assert receive(body.encode(), headers, key)['event'] == 'video.uploaded'
assert receive(body.encode(), headers, [other, key])['id'] == headers['webhook-id']
for wrong, keys in ((body + ' ', key), (body, [other])):
    try:
        receive(wrong.encode(), headers, keys)
    except WebhookVerificationError:
        continue
    raise AssertionError('a wrong delivery was taken')
