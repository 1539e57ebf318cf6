from videocloud import VideoCloud
from flask import Flask, request, jsonify
import hmac
import hashlib

app = Flask(__name__)
client = VideoCloud(api_key='your_api_key')

# Register webhook
webhook = client.webhooks.register(
    url='https://your-server.com/webhooks',
    events=['video.uploaded', 'video.processed'],
    secret='your_webhook_secret'
)
print(webhook.id)

# Handle webhook
@app.route('/webhooks', methods=['POST'])
def handle_webhook():
    signature = request.headers.get('X-VideoCloud-Signature')
    payload = request.get_data()
    
    # Verify signature
    if not client.webhooks.verify_signature(
        payload,
        signature,
        'your_webhook_secret'
    ):
        return jsonify({'error': 'Invalid signature'}), 401
    
    event = request.json
    print(f"Received {event['event']} event")
    
    # Process webhook asynchronously
    process_webhook.delay(event)
    
    return jsonify({'status': 'OK'})
