import ast
import base64
import hashlib
import hmac
import json
import time
import unittest
from email.message import Message
from pathlib import Path

import videocloud
from videocloud import VideoCloud, WebhookVerificationError, _ed25519, verify, verify_signature

VECTORS = json.loads((Path(__file__).parents[2] / 'testdata' / 'vectors.json').read_text())


class VerifySignature(unittest.TestCase):
    def test_vectors(self):
        webhooks = VideoCloud(api_key='test-key').webhooks
        for v in VECTORS['videocloud']:
            with self.subTest(v['name']):
                body = base64.b64decode(v['body_b64'])
                for payload in (body, bytearray(body), memoryview(body)):
                    self.assertIs(webhooks.verify_signature(payload, v['signature'], v['secret']), v['valid'])
                try:
                    self.assertIs(verify_signature(body.decode(), v['signature'], v['secret']), v['valid'])
                except UnicodeDecodeError:
                    pass

    def test_what_a_framework_may_hand_over_instead_is_false_never_an_exception(self):
        v = VECTORS['videocloud'][0]
        body = base64.b64decode(v['body_b64'])
        self.assertTrue(verify_signature(body, v['signature'], v['secret']))
        for signature in (None, 0, [], [v['signature']], {}, v['signature'].encode(), '\udc80' * 64):
            self.assertFalse(verify_signature(body, signature, v['secret']))
        for payload in (None, {}, {'event': 'video.uploaded'}, [], 7, '\ud800'):
            self.assertFalse(verify_signature(payload, v['signature'], v['secret']))
        for secret in (None, '', b'', 7, [], '\ud800'):
            self.assertFalse(verify_signature(body, v['signature'], secret))


class Verify(unittest.TestCase):
    good = VECTORS['standard'][0]
    body = base64.b64decode(good['body_b64'])

    def test_vectors(self):
        for v in VECTORS['standard']:
            with self.subTest(v['name']):
                body = base64.b64decode(v['body_b64'])
                options = {'tolerance_seconds': v['tolerance_seconds'], 'now': v['now'] + 0.9}
                if v['valid']:
                    event = verify(body, v['headers'], v['secret'], **options)
                    ids = [value for name, value in v['headers'].items() if name.lower() == 'webhook-id']
                    self.assertEqual(event, {**json.loads(body), 'id': ids[0]})
                    continue
                with self.assertRaises(WebhookVerificationError) as caught:
                    verify(body, v['headers'], v['secret'], **options)
                self.assertEqual(caught.exception.code, v['reason'])

    def test_a_header_that_is_there_twice_in_a_multi_dict(self):
        headers = Message()
        for name, value in self.good['headers'].items():
            headers[name] = value
        self.assertEqual(verify(self.body, headers, self.good['secret'], now=self.good['now'])['event'], 'video.uploaded')
        headers['Webhook-Id'] = 'evt_other'
        with self.assertRaises(WebhookVerificationError):
            verify(self.body, headers, self.good['secret'], now=self.good['now'])

    def test_any_of_several_secrets(self):
        verify(self.body, self.good['headers'], ['old_webhook_secret', self.good['secret']], now=self.good['now'])

    def test_judges_by_the_clock(self):
        with self.assertRaises(WebhookVerificationError) as caught:
            VideoCloud(api_key='k').webhooks.verify(self.body, self.good['headers'], self.good['secret'])
        self.assertEqual(caught.exception.code, 'timestamp')
        self.assertGreater(time.time(), self.good['now'])

    def test_a_tolerance_that_is_not_a_number_accepts_nothing(self):
        with self.assertRaises(WebhookVerificationError):
            verify(self.body, self.good['headers'], self.good['secret'], now=self.good['now'], tolerance_seconds=float('nan'))

    def test_a_secret_that_can_verify_nothing_is_a_mistake_to_mend(self):
        for secret in ('', [], ['', self.good['secret']], None, 'whsec_', 'whsec_***', 'whsec_é'):
            with self.subTest(secret), self.assertRaises((ValueError, TypeError)):
                verify(self.body, self.good['headers'], secret, now=self.good['now'])

    def test_a_parsed_body_is_refused(self):
        with self.assertRaises(WebhookVerificationError) as caught:
            verify(json.loads(self.body), self.good['headers'], self.good['secret'], now=self.good['now'])
        self.assertEqual(caught.exception.code, 'invalid_payload')


class Package(unittest.TestCase):
    def test_exports_what_it_says(self):
        for name in videocloud.__all__:
            self.assertTrue(hasattr(videocloud, name), name)

    def test_its_syntax_is_of_python_3_9(self):
        for source in Path(videocloud.__file__).parent.glob('*.py'):
            with self.subTest(source.name):
                ast.parse(source.read_text('utf-8'), feature_version=(3, 9))

    def test_is_typed(self):
        self.assertTrue((Path(videocloud.__file__).parent / 'py.typed').is_file())


class SeveralSecrets(unittest.TestCase):
    def test_the_guide_s_header_while_a_secret_is_rotated(self):
        body = b'{"event":"video.uploaded"}'
        signature = hmac.new(b'old_secret', body, hashlib.sha256).hexdigest()
        for secrets, want in (
            (['new_secret', 'old_secret'], True), (('old_secret',), True), (['new_secret', ''], False), ([], False), (None, False), (b'old_secret', False),
        ):
            self.assertIs(verify_signature(body, signature, secrets), want)


class Ed25519(unittest.TestCase):
    # RFC 8032, section 7.1: public key, message, signature.
    RFC_8032 = (
        (
            'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
            '',
            'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b',
        ),
        (
            '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
            '72',
            '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
        ),
        (
            'fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025',
            'af82',
            '6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a',
        ),
    )

    def test_vectors_of_the_rfc(self):
        for public, message, signature in self.RFC_8032:
            p, m, s = bytes.fromhex(public), bytes.fromhex(message), bytes.fromhex(signature)
            self.assertTrue(_ed25519.verify(p, m, s))
            self.assertFalse(_ed25519.verify(p, m + b'x', s))
            for i in range(64):
                self.assertFalse(_ed25519.verify(p, m, s[:i] + bytes([s[i] ^ 1]) + s[i + 1:]))
            for short in (b'', s[:-1], s + b'x'):
                self.assertFalse(_ed25519.verify(p, m, short))
            self.assertFalse(_ed25519.verify(p[:-1], m, s))
            self.assertFalse(_ed25519.verify(b'\xff' * 32, m, s))

    def test_a_public_key_that_is_none(self):
        for secret in ('whpk_', 'whpk_AAAA', 'whpk_' + 'A' * 43, 'whpk_!'):
            with self.assertRaises(ValueError) as caught:
                verify(b'{}', {}, secret)
            self.assertNotIn('AAAA', str(caught.exception))


if __name__ == '__main__':
    unittest.main()
