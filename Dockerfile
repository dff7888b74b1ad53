# Build:  docker build -t imgpipe .
# Run:    docker run -p 5000:5000 -v imgpipe:/data imgpipe
FROM python:3.11-slim AS build
COPY requirements.txt /
RUN python -m venv /venv && /venv/bin/pip install --no-cache-dir -r /requirements.txt

FROM python:3.11-slim
RUN useradd --system --uid 1000 --home-dir /app imgpipe && install -d -o imgpipe /data
COPY --from=build /venv /venv
WORKDIR /app
COPY imgpipe imgpipe
COPY static static
COPY wsgi.py init_db.py gunicorn.conf.py ./
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    HOST=0.0.0.0 PORT=5000 IMGPIPE_DATA_DIR=/data
USER imgpipe
VOLUME /data
EXPOSE 5000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s CMD ["python", "-c", \
    "import urllib.request; urllib.request.urlopen('http://127.0.0.1:5000/api/health/ready', timeout=4)"]
CMD ["gunicorn", "wsgi:app"]
