// Code that verifies a delivery by the guide's own header, in the languages that people use.
export const languages = ['JavaScript', 'Python', 'Go', 'curl'];

export const verify = (language, brand) => code[language].replaceAll('BRAND', brand);

const code = {
	JavaScript: `import { createHmac, timingSafeEqual } from 'node:crypto';
import express from 'express';

const app = express();

app.post('/webhooks', express.raw({ type: '*/*' }), (req, res) => {
  const given = Buffer.from(req.get('X-BRAND-Signature') ?? '', 'hex');
  const made = createHmac('sha256', process.env.SECRET).update(req.body).digest();
  if (given.length !== made.length || !timingSafeEqual(given, made)) {
    return res.sendStatus(401);
  }
  const { event, data } = JSON.parse(req.body);
  console.log(event, req.get('X-BRAND-Event-Id'), data);
  res.sendStatus(200);
});

app.listen(3000);
`,
	Python: `import hashlib, hmac, json, os
from flask import Flask, request

app = Flask(__name__)

@app.post("/webhooks")
def webhook():
    body = request.get_data()
    made = hmac.new(os.environ["SECRET"].encode(), body, hashlib.sha256).hexdigest()
    given = request.headers.get("X-BRAND-Signature", "")
    if not hmac.compare_digest(made.encode(), given.encode()):
        return "", 401
    event = json.loads(body)
    print(event["event"], request.headers.get("X-BRAND-Event-Id"), event["data"])
    return "", 200
`,
	Go: `package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"log"
	"net/http"
	"os"
)

func main() {
	http.HandleFunc("POST /webhooks", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		mac := hmac.New(sha256.New, []byte(os.Getenv("SECRET")))
		mac.Write(body)
		given, err := hex.DecodeString(r.Header.Get("X-BRAND-Signature"))
		if err != nil || !hmac.Equal(mac.Sum(nil), given) {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		log.Println(r.Header.Get("X-BRAND-Event"), r.Header.Get("X-BRAND-Event-Id"))
	})
	log.Fatal(http.ListenAndServe(":3000", nil))
}
`,
	curl: `# A signed request of your own, to try your endpoint out:
body='{"event":"webhook.test","timestamp":"2024-03-31T12:00:00Z","data":{}}'
signature=$(printf %s "$body" | openssl dgst -sha256 -hmac "$SECRET" | sed 's/^.* //')
curl -i http://localhost:3000/webhooks -H 'Content-Type: application/json' \\
  -H "X-BRAND-Event: webhook.test" -H "X-BRAND-Signature: $signature" --data-raw "$body"
`,
};
