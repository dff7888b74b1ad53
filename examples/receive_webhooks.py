"""Print events as they come (needs standardwebhooks): ``receive_webhooks.py SECRET [PORT]``."""

import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

from standardwebhooks import Webhook, WebhookVerificationError


class Receiver(BaseHTTPRequestHandler):
    secret = ""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        try:
            event = Webhook(self.secret).verify(body, dict(self.headers.items()))
        except WebhookVerificationError:
            return self.send_error(401)
        print(self.headers["webhook-id"], event["type"], flush=True)
        self.send_response(204)
        return self.end_headers()


if __name__ == "__main__":
    Receiver.secret = sys.argv[1]
    HTTPServer(("127.0.0.1", int(sys.argv[2]) if len(sys.argv) > 2 else 8000), Receiver).serve_forever()
