"""Parse multipart forms as their senders meant them: a file's name never refuses an upload."""

import io
import re
from collections.abc import Iterator
from typing import IO

from werkzeug.datastructures import FileStorage, Headers, MultiDict
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.formparser import FormDataParser, MultiPartParser
from werkzeug.http import parse_options_header
from werkzeug.sansio.multipart import Data, Epilogue, Event, Field, File, MultipartDecoder, NeedData

from imgpipe.errors import TooLarge

# gunicorn holds so much of a body; of smaller reads each would copy all the rest of it.
READ_BYTES = 1 << 20
_FILENAME = re.compile(r";\s*filename\s*=(.*)", re.IGNORECASE | re.DOTALL)
Parsed = tuple[MultiDict[str, str], MultiDict[str, FileStorage]]


class _Boundary:
    """Find what ends a part, by looking where its text stands alone.

    The pattern begins with a line break, and would be tried at each of the thousands that a picture has.
    """

    def __init__(self, pattern: re.Pattern[bytes], text: bytes) -> None:
        self._pattern = pattern
        self._text = text

    def search(self, data: bytearray) -> re.Match[bytes] | None:
        """Return the first match of the pattern, or None."""
        found = data.find(self._text)
        return None if found < 0 else self._pattern.search(data, max(found - len(b"\r\n"), 0))


class _Decoder(MultipartDecoder):
    """Take the headers of a part that are not UTF-8 for Latin-1, which older clients send."""

    def __init__(self, boundary: bytes, max_form_memory_size: int | None = None) -> None:
        super().__init__(boundary, max_form_memory_size)
        self._end = b"--" + boundary
        self.boundary_re = _Boundary(self.boundary_re, self._end)  # type: ignore[assignment]

    def _parse_data(self, data: bytes | bytearray, *, start: bool) -> tuple[bytes, int, bool]:
        """Copy what lies inside a part once; werkzeug would do so three times."""
        if start or self._end in data:
            return super()._parse_data(data, start=start)
        end = self._last_partial_boundary_index(data)
        return bytes(memoryview(data)[:end]), end, True

    def _parse_headers(self, data: bytes | bytearray) -> Headers:
        try:
            headers = super()._parse_headers(data)
        except UnicodeDecodeError:
            headers = super()._parse_headers(data.decode("latin-1").encode())
        if disposition := headers.get("Content-Disposition"):
            headers["Content-Disposition"] = _with_a_name(disposition)
        return headers


def _with_a_name(disposition: str) -> str:
    """Quote a file's name that can't be read as it was sent, as where a last backslash hides the quote."""
    spelled = _FILENAME.search(disposition)
    if spelled is None or "filename" in parse_options_header(disposition)[1]:
        return disposition
    name = spelled[1].strip().removeprefix('"').removesuffix('"')
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'{disposition[: spelled.start()]}; filename="{escaped}"'


class _PartsParser(MultiPartParser):
    """Read the parts of a form by our decoder, which werkzeug's parser cannot be told to use."""

    def parse(self, stream: IO[bytes], boundary: bytes, content_length: int | None) -> Parsed:
        limit = self.max_form_memory_size  # of a field; the decoder holds what was just read besides
        decoder = _Decoder(boundary, None if limit is None else limit + self.buffer_size)
        form: list[tuple[str, str]] = []
        files: list[tuple[str, FileStorage]] = []
        part: Field | File
        content: IO[bytes]
        for event in self._events(decoder, stream):
            if isinstance(event, File):
                part, content = event, self.start_file_streaming(event, content_length)
            elif isinstance(event, Field):
                part, content = event, io.BytesIO()
            elif isinstance(event, Data):
                content.write(event.data)
                if isinstance(part, Field):
                    self._check_length(content)
                if event.more_data:
                    continue
                content.seek(0)
                if isinstance(part, File):
                    file = FileStorage(content, part.filename, part.name, headers=part.headers)
                    files.append((part.name, file))
                else:
                    text = content.read().decode(self.get_part_charset(part.headers), "replace")
                    form.append((part.name, text))
        return self.cls(form), self.cls(files)

    def _events(self, decoder: MultipartDecoder, stream: IO[bytes]) -> Iterator[Event]:
        data: bytes | None = b""
        parts = 0
        while data is not None:
            data = stream.read(self.buffer_size) or None
            decoder.receive_data(data)
            while not isinstance(event := decoder.next_event(), Epilogue | NeedData):
                parts += isinstance(event, File | Field)
                if self.max_form_parts is not None and parts > self.max_form_parts:
                    raise TooLarge(self.max_form_parts, unit="parts")
                yield event

    def _check_length(self, text: IO[bytes]) -> None:
        if self.max_form_memory_size is not None and text.tell() > self.max_form_memory_size:
            raise RequestEntityTooLarge


class FormParser(FormDataParser):
    """Read forms as werkzeug does, their parts by the parser above."""

    def _parse_multipart(
        self, stream: IO[bytes], mimetype: str, content_length: int | None, options: dict[str, str]
    ) -> tuple[IO[bytes], MultiDict[str, str], MultiDict[str, FileStorage]]:
        boundary = options.get("boundary", "").encode("ascii")
        if not boundary:
            raise ValueError("a form without boundary")
        parser = _PartsParser(
            self.stream_factory, self.max_form_memory_size, self.cls, READ_BYTES, self.max_form_parts
        )
        return stream, *parser.parse(stream, boundary, content_length)
