"""A receiver of webhooks: it verifies each by the library of the scheme, and can be told to fail."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook

WORKED = 502  # what a proxy says when a receiver has done its work and died over the answer
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@dataclass
class Receiver:
    """What came in: ids in the order in which they were worked on, and how to answer the next ones."""

    url: str
    seen: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    tries: list[str] = field(default_factory=list)
    answer: Callable[[int], int] = lambda _number: 204
    unsigned: list[str] = field(default_factory=list)

    def kinds(self) -> list[str]:
        """Name the events taken, in their order."""
        return [event["type"] for _, event in self.seen]


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Run a receiver for the length of a block."""
    gate = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            message_id = self.headers["webhook-id"]
            with gate:
                receiver.tries.append(message_id)
                status = receiver.answer(len(receiver.tries))
                try:
                    Webhook(SECRET).verify(body, dict(self.headers.items()))
                except Exception as error:
                    receiver.unsigned.append(str(error))
                if 200 <= status < 300 or status == WORKED:
                    receiver.seen.append((message_id, json.loads(body)))
            self.send_response(status)
            self.send_header("Location", "http://127.0.0.1:9/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        receiver = Receiver(f"http://127.0.0.1:{server.server_address[1]}/hook?token=hunter2")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield receiver
        server.shutdown()
        thread.join()
