# docker build -t imgpipe .                                                    one machine
# docker build -t imgpipe --build-arg LOCK=requirements-scale.lock .           many; compose.yaml does it
# docker build -t imgpipe --build-arg LOCK=requirements-blip.lock .            BLIP inside (IMGPIPE_CAPTIONER=blip)
# docker run -p 127.0.0.1:5000:5000 -v imgpipe:/data imgpipe                   without nginx, to try it
FROM python:3.11-slim-bookworm AS build
ARG LOCK=requirements.lock
COPY requirements.lock requirements-scale.lock requirements-blip.lock /
RUN python -m venv /venv && /venv/bin/pip install --no-cache-dir --require-hashes -r "/$LOCK"

FROM python:3.11-slim-bookworm
RUN useradd --system --uid 1000 --home-dir /app imgpipe && install -d -o imgpipe /data
COPY --from=build /venv /venv
WORKDIR /app
COPY imgpipe imgpipe
COPY static static
COPY wsgi.py init_db.py gunicorn.conf.py ./
RUN python -m compileall -q imgpipe wsgi.py
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 HOST=0.0.0.0 PORT=5000 IMGPIPE_DATA_DIR=/data
USER imgpipe
VOLUME /data
EXPOSE 5000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s CMD ["python", "-c", \
    "import os, urllib.request as r; r.urlopen(f'http://127.0.0.1:{os.environ[\"PORT\"]}/api/health/ready', timeout=4)"]
CMD ["gunicorn", "wsgi:app"]
