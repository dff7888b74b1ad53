"""A caption provider on loopback: the wire formats of OpenAI and Hugging Face, and fifteen ways to fail."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread
from typing import Any

SENTENCE = "A small dog playing in the grass"
GIGABYTE = 10**9
METADATA_SERVICE = "http://169.254.169.254/latest/meta-data/"


@dataclass(frozen=True)
class Call:
    """One request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def prompt(self) -> str:
        """Return the words that a chat completion was asked with."""
        return str(json.loads(self.body)["messages"][0]["content"][0]["text"])


@dataclass
class Provider:
    """Answer with ``sentence``, or as ``fault`` says; count what is asked.

    ``fault`` is a name of ``FAULTS``. ``unserved``: the task route answers 404, as for a model that is
    not there. ``drip_s``: pause between two bytes of a drip. ``bytes_sent`` is what clients took off a
    body without end, the sockets' buffers included.
    """

    url: str = ""
    sentence: str = SENTENCE
    fault: str = ""
    unserved: bool = False
    drip_s: float = 1.0
    calls: list[Call] = field(default_factory=list)
    bytes_sent: int = 0
    closing: Event = field(default_factory=Event)
    lock: Lock = field(default_factory=Lock)

    @property
    def openai_url(self) -> str:
        return f"{self.url}/v1"

    @property
    def huggingface_url(self) -> str:
        return f"{self.url}/hf-inference/models/Salesforce/blip-image-captioning-large"

    @property
    def posts(self) -> list[Call]:
        return [call for call in self.calls if call.method == "POST"]


@contextmanager
def serve() -> Iterator[Provider]:
    """Run a provider on a free port until the block ends, stuck calls included."""
    provider = Provider()

    class BoundHandler(Handler):
        pass

    BoundHandler.provider = provider
    with Server(("127.0.0.1", 0), BoundHandler) as server:
        provider.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield provider
        finally:
            provider.closing.set()
            server.shutdown()
            thread.join()


class Server(ThreadingHTTPServer):
    daemon_threads = False
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Stay silent: a client that leaves is what the tests are about."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    provider: Provider

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        self._record()
        if self.provider.fault:
            FAULTS[self.provider.fault](self)
        elif self.path.endswith("/models"):
            self.send_json(200, {"object": "list", "data": []})
        else:
            self.send_text(404, "Not Found")

    def do_POST(self) -> None:
        self._record()
        if self.provider.unserved and "/hf-inference/" in self.path:
            self.send_text(404, "Model not supported by provider hf-inference")
        elif self.provider.fault:
            FAULTS[self.provider.fault](self)
        else:
            self.send_caption(self.provider.sentence)

    @property
    def is_chat(self) -> bool:
        return self.path.partition("?")[0].endswith("/chat/completions")

    @property
    def key(self) -> str:
        return self.headers.get("Authorization", "").removeprefix("Bearer ")

    def _record(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        with self.provider.lock:
            self.provider.calls.append(Call(self.command, self.path, dict(self.headers), body))

    def send_caption(self, text: str | None) -> None:
        message = {"role": "assistant", "content": text, "refusal": None}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        chat = {"id": "chatcmpl-1", "object": "chat.completion", "choices": [choice]}
        self.send_json(200, chat if self.is_chat else [{"generated_text": text}])

    def send_choice(self, *finish_reason: str | None, **message: Any) -> None:
        ending = {"finish_reason": finish_reason[0]} if finish_reason else {}
        choice = {"index": 0, "message": {"role": "assistant", **message}, **ending}
        self.send_json(200, {"choices": [choice]})

    def send_error_json(self, status: int, message: str, code: str | None, **headers: str) -> None:
        error = {"message": message, "type": code, "param": None, "code": code}
        self.send_json(status, {"error": error if self.is_chat else message}, **headers)

    def send_json(self, status: int, value: Any, **headers: str) -> None:
        self.send_bytes(status, json.dumps(value).encode(), "application/json", **headers)

    def send_text(self, status: int, text: str, kind: str = "text/plain", **headers: str) -> None:
        self.send_bytes(status, text.encode(), kind, **headers)

    def send_bytes(self, status: int, body: bytes, kind: str, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def hang(self) -> None:
        self.provider.closing.wait()
        self.close_connection = True

    def dawdle(self) -> None:
        while self.provider.fault == "dawdle" and not self.provider.closing.wait(0.02):
            pass
        self.send_caption(self.provider.sentence)

    def drip(self, data: bytes) -> None:
        self.close_connection = True
        for byte in data:
            self.wfile.write(bytes([byte]))
            if self.provider.closing.wait(self.provider.drip_s):
                return

    def drip_body(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.drip(b" " * 1000)

    def flood(self) -> None:
        """Send a gigabyte of valid JSON so far."""
        self.close_connection = True
        self.send_response(200)
        self.send_header("Content-Length", str(GIGABYTE))
        self.end_headers()
        block = b" " * 65536
        while self.provider.bytes_sent < GIGABYTE and not self.provider.closing.is_set():
            self.wfile.write(block)
            self.provider.bytes_sent += len(block)

    def cut_off(self) -> None:
        self.close_connection = True
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b"[{")

    def redirect(self) -> None:
        self.send_bytes(302, b"", "text/plain", Location=METADATA_SERVICE)

    def repeat_key(self) -> None:
        masked = f"{self.key[:5]}***{self.key[-2:]}"
        uri = "data:image/jpeg;base64,/9j/4AAQSkZJRg=="
        said = (
            f"Incorrect API key provided: {self.key}, that is {masked} or {self.key[3:-3]}. You sent {uri}."
        )
        self.send_error_json(401, said, "invalid_api_key")


FAULTS: dict[str, Callable[[Handler], None]] = {
    "hang": Handler.hang,
    "dawdle": Handler.dawdle,  # until it is told otherwise
    "drip_headers": lambda handler: handler.drip(b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 1000),
    "drip_body": Handler.drip_body,
    "cut_off": Handler.cut_off,
    "close": lambda handler: setattr(handler, "close_connection", True),
    "status_500": lambda handler: handler.send_error_json(500, "Something broke", "server_error"),
    "status_503_loading": lambda handler: handler.send_json(
        503, {"error": "Loading", "estimated_time": 20.0}
    ),
    "status_402": lambda handler: handler.send_error_json(402, "Payment required", None),
    "status_403": lambda handler: handler.send_error_json(403, "No permission", None),
    "status_404": lambda handler: handler.send_text(404, "Not Found"),
    "status_410": lambda handler: handler.send_error_json(410, "Gone", None),
    "status_413": lambda handler: handler.send_error_json(413, "Too large", None),
    "status_400": lambda handler: handler.send_error_json(400, "Unknown option", "unknown_parameter"),
    "bad_image": lambda handler: handler.send_error_json(400, "Cannot read this image", "invalid_image"),
    "own_words": lambda handler: handler.send_error_json(400, handler.provider.sentence, "invalid_image"),
    "rate_limit_1": lambda handler: handler.send_error_json(
        429, "Slow down", "rate_limit_exceeded", Retry_After="1"
    ),
    "rate_limit_99999": lambda handler: handler.send_error_json(
        429, "Slow down", "rate_limit_exceeded", Retry_After="99999"
    ),
    "insufficient_quota": lambda handler: handler.send_json(
        429,
        {"error": {"message": "No money left", "type": "insufficient_quota", "code": "insufficient_quota"}},
    ),
    "invalid_json": lambda handler: handler.send_text(200, '{"choices": [', "application/json"),
    "nan": lambda handler: handler.send_text(200, '[{"generated_text": "x", "score": NaN}]'),
    "html": lambda handler: handler.send_text(200, "<html><body>Welcome</body></html>", "text/html"),
    "html_502": lambda handler: handler.send_text(502, "<html><body>Bad Gateway</body></html>", "text/html"),
    "traceback_500": lambda handler: handler.send_text(
        500, 'Traceback (most recent call last):\n  File "/srv/app.py", line 1, in f'
    ),
    "nested": lambda handler: handler.send_text(200, "[" * 100_000),
    "gigabyte": Handler.flood,
    "empty": lambda handler: handler.send_caption(""),
    "blank": lambda handler: handler.send_caption(" \n\u0000"),
    "null_text": lambda handler: handler.send_caption(None),
    "redirect": Handler.redirect,
    "shape_list": lambda handler: handler.send_json(200, []),
    "shape_object": lambda handler: handler.send_json(200, {}),
    "shape_string": lambda handler: handler.send_json(200, "x"),
    "shape_null": lambda handler: handler.send_json(200, None),
    "shape_deep": lambda handler: handler.send_json(200, {"choices": [{"message": "x"}]}),
    "error_200": lambda handler: handler.send_json(200, {"error": "Something broke inside"}),
    "unprintable": lambda handler: handler.send_caption("A\u0000 dog\ud800 runs"),
    "megabyte": lambda handler: handler.send_caption("a" * 1_000_000),
    "script": lambda handler: handler.send_caption("<script>alert(1)</script>"),
    "key_in_caption": lambda handler: handler.send_caption(f"A dog holds {handler.key} in its mouth"),
    "repeat_key": Handler.repeat_key,
    "refusal": lambda handler: handler.send_choice("stop", content=None, refusal="I can't help with that."),
    "content_filter": lambda handler: handler.send_choice("content_filter", content="A"),
    "length": lambda handler: handler.send_choice("length", content="A small dog that"),
    "ends_null": lambda handler: handler.send_choice(None, content=SENTENCE),
    "ends_eos_token": lambda handler: handler.send_choice("eos_token", content=SENTENCE),
    "ends_end": lambda handler: handler.send_choice("end", content=SENTENCE),
    "ends_without_a_word": lambda handler: handler.send_choice(content=SENTENCE),
    "content_list": lambda handler: handler.send_choice("stop", content=[{"type": "text", "text": "A"}]),
}
