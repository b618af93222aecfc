"""The TypeScript that a server's page shows: it runs, and answers each verdict as it should."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from keys.servers.snippets import protecting
from tests import factories

pytestmark = pytest.mark.django_db
VERDICTS = {
    "good": {"valid": True, "code": "VALID"},
    "narrow": {"valid": False, "code": "INSUFFICIENT_SCOPE", "message": "no", "required_scope": "tool:x"},
    "often": {"valid": False, "code": "RATE_LIMITED", "message": "no", "retry_after": 7},
    "closed": {"valid": False, "code": "COMPANY_INACTIVE", "message": "no"},
    "dead": {"valid": False, "code": "REVOKED", "message": "no"},
}


@pytest.fixture
def portal():
    """Answers as the verify API does, by the name of the key."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def do_POST(self):
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            known = self.headers["Authorization"] == "Bearer lk_srv_x" and asked["key"] in VERDICTS
            body = json.dumps(VERDICTS.get(asked["key"], {})).encode()
            self.send_response(200 if known else 500)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_it_answers_every_verdict_as_it_should(portal, tmp_path, company):
    node = shutil.which("node")
    if node is None:
        pytest.skip("needs Node")
    own = factories.make_server("own", company=company, url="https://own.example/mcp")
    text = next(text for found in protecting(own, "…") for title, text in found.blocks if title.endswith(".ts"))
    # Without its types it is JavaScript: they are few, and each stands here.
    script = text.replace("headers: Headers, tool?: string): Promise<Response | null>", "headers, tool)")
    assert not re.search(r"\w: (string|Headers|Promise)", script)
    asking = """
const all = {};
for (const key of ["good", "narrow", "often", "closed", "dead", "unknown", ""]) {
  const answer = await refusal(new Headers(key ? { "api_key": key } : {}), "x");
  all[key] = answer && [answer.status, answer.headers.get("www-authenticate"), answer.headers.get("retry-after")];
}
console.log(JSON.stringify(all));
"""
    file = tmp_path / "latchkey.mjs"
    file.write_text(script + asking)
    environment = {"LATCHKEY_URL": portal, "LATCHKEY_CREDENTIAL": "lk_srv_x", "PATH": "/usr/bin:/bin"}
    done = subprocess.run([node, str(file)], env=environment, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    metadata = 'Bearer resource_metadata="https://own.example/.well-known/oauth-protected-resource/mcp"'
    assert json.loads(done.stdout) == {
        "good": None,
        "narrow": [403, f'{metadata}, error="insufficient_scope", scope="tool:x"', None],
        "often": [429, None, "7"],
        "closed": [403, None, None],
        "dead": [401, f'{metadata}, error="invalid_token"', None],
        "unknown": [503, None, "5"],
        "": [401, metadata, None],
    }
