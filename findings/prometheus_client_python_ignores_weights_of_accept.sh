#!/usr/bin/env bash
# PyPI prometheus-client 0.26.0 (Python 3.11, seen on 2026-11-27) and the header `Accept` of a scrape:
#
# RFC 9110 12.4.2: of two weights the higher one is preferred, and 0 means "not acceptable". 8.3.1: the case of a media type does not matter. Prometheus itself sends
# weights. Expected: the exposition follows them.
#
# The official client takes the first range that begins with `application/openmetrics-text`, in lower case only, whatever its weight:
#
# - A reader that excludes OpenMetrics with q=0, or prefers the text format with q=1 over q=0.1, gets OpenMetrics.
# - A version that does not exist is served: the answer declares `version=9.9.9`, with the same body as 1.0.0.
# - The same media type with capital letters gets the text format.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check prometheus-client==0.26.0

"$folder/venv/bin/python" - > "$folder/seen" <<'PYTHON'
from prometheus_client import CollectorRegistry, Counter, make_wsgi_app

registry = CollectorRegistry()
Counter("leavers", "People who lost access", registry=registry)
serve = make_wsgi_app(registry, disable_compression=True)

def scraped(accept):
    seen = {}
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/metrics", "QUERY_STRING": "", "HTTP_ACCEPT": accept}
    body = b"".join(serve(environ, lambda status, headers: seen.update(headers))).decode()
    # Only OpenMetrics ends with this line.
    return f"{seen['Content-Type']}; {'' if body.endswith('# EOF' + chr(10)) else 'no '}EOF"

for accept in [
    "application/openmetrics-text;q=0, text/plain",
    "text/plain;version=0.0.4;q=1, application/openmetrics-text;version=1.0.0;q=0.1",
    "application/openmetrics-text;version=9.9.9",
    "Application/OpenMetrics-Text;version=1.0.0",
]:
    print(f"{accept}\n    {scraped(accept)}")
PYTHON

diff - "$folder/seen" <<'EXPECTED' && echo "unchanged" && cat "$folder/seen"
application/openmetrics-text;q=0, text/plain
    application/openmetrics-text; version=1.0.0; charset=utf-8; EOF
text/plain;version=0.0.4;q=1, application/openmetrics-text;version=1.0.0;q=0.1
    application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores; EOF
application/openmetrics-text;version=9.9.9
    application/openmetrics-text; version=9.9.9; charset=utf-8; escaping=underscores; EOF
Application/OpenMetrics-Text;version=1.0.0
    text/plain; version=0.0.4; charset=utf-8; no EOF
EXPECTED
