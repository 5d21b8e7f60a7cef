"""A server that speaks docs/api.md over real sockets, and whose jobs do what a test tells them."""

import base64
import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit

NOW = "2026-01-02T03:04:05+00:00"
LATER = "2026-01-02T03:04:19+00:00"
HANG, DROP = "hang", "drop"  # a script that stands still, and one whose connection breaks
TITLES = ("Take a slot on a node", "Create the gear", "Build the release", "Route traffic")


def step(number, state="planned", title=None, **more):
    done = state in ("done", "failed")
    return {
        "number": number, "stage": number, "kind": f"kind-{number}", "state": state,
        "title": title or TITLES[number % len(TITLES)], "tries": 0 if state == "planned" else 1,
        "one_way": False, "begun_at": None if state == "planned" else NOW,
        "ended_at": LATER if done else None, "seconds": 1.2 if done else None,
        "error": None, "due_at": None, **more,
    }  # fmt: skip


def token(number, note, scope="full"):
    return {"id": number, "note": note, "scope": scope, "created_at": NOW, "expires_at": None}


@dataclass
class Peer:
    """Everything the server knows, and what was asked of it."""

    url: str = ""
    jobs: dict = field(default_factory=dict)
    scripts: dict = field(default_factory=dict)
    streams: dict = field(default_factory=dict)
    domains: dict = field(default_factory=dict)
    applications: dict = field(default_factory=dict)
    tokens: dict = field(default_factory=lambda: {"secret": token("1", "test")})
    passwords: dict = field(default_factory=lambda: {"admin": "hunter2"})
    keys: dict = field(default_factory=dict)
    requests: list = field(default_factory=list)
    uploads: list = field(default_factory=list)
    bodies: list = field(default_factory=list)  # of requests that make jobs
    gears: list = field(default_factory=list)  # of every application
    variables: list = field(default_factory=list)  # likewise
    ill: list = field(default_factory=list)  # statuses (or DROP) for the next requests
    next_script: list = field(default_factory=list)
    prefer: bool = True
    released: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add_domain(self, name):
        self.domains[name] = {
            "id": name, "name": name, "owner": "admin", "created_at": NOW,
            "url": f"{self.url}/broker/rest/domains/{name}", "applications": 0,
        }  # fmt: skip

    def add_application(self, domain, name, state="started"):
        self.applications[domain, name] = {
            "id": f"{domain}-{name}", "name": name, "domain": domain, "cartridge": "static",
            "state": state, "url": f"http://{name}-{domain}.localhost:8080", "created_at": NOW,
            "api_url": f"{self.url}/broker/rest/domains/{domain}/applications/{name}",
            "release": 1, "gear_size": "small", "gears": 1, "scales_from": 1, "scales_to": -1,
            "aliases": [], "instances": [], "job": None,
        }  # fmt: skip

    def add_job(self, script=(), operation="create-application", title="Create application blog in demo", **more):  # fmt: skip  # noqa: E501
        """A job, and the messages of its stream; without an end it stands still."""
        number = len(self.jobs) + 41
        self.jobs[number] = {
            "status": "queued", "percent_complete": None, "id": number,
            "url": f"http://elsewhere.invalid/broker/rest/jobs/{number}",
            "operation": operation, "title": title, "phase": "ready", "direction": "do",
            "domain": "demo", "application": "blog", "steps": [], "waiting_for": [],
            "error": None, "result": None, "resource": None, "cancel_asked": False,
            "retry_of": None, "retried_by": None, "owner": "admin",
            "asked": {"by": "admin", "from": "127.0.0.1", "request": "r-1"},
            "created_at": NOW, "started_at": NOW, "ended_at": None, "due_at": None,
            "retry_after": 1, **more,
        }  # fmt: skip
        self.scripts[number] = list(script)
        return self.jobs[number]

    def begin(self, **more):
        """The job that a request makes, with the script that the test laid out for it."""
        return self.add_job(self.next_script or goes_well(), **more)

    def play(self, number, event):
        """Let one message of the script happen to the job, and give what the stream says."""
        kind, change = event
        job = self.jobs[number]
        if kind == "step":
            steps = [one for one in job["steps"] if one["number"] != change["number"]]
            job["steps"] = sorted([*steps, change], key=lambda one: one["number"])
            return {"job": _without_steps(job), "step": change}
        if kind == "log":
            return change
        job.update(change)
        return {"job": _without_steps(job)} if kind == "job" else job


def _without_steps(job):
    return {name: value for name, value in job.items() if name != "steps"}


ENDINGS = {"complete": "complete", "failed": "failed", "cancelled": "failed", "buried": "failed"}


def ends(phase, **more):
    change = {"phase": phase, "status": ENDINGS[phase], "ended_at": LATER, **more}
    return ("end", change)


def elaborated(count=2):
    steps = [step(number) for number in range(count)]
    running = {"phase": "running", "status": "in_progress"}
    return ("snapshot", {**running, "percent_complete": 0.0, "steps": steps})


def goes_well():
    return [
        elaborated(),
        ("step", step(0, "running")),
        ("step", step(0, "done")),
        ("job", {"percent_complete": 50.0}),
        ("step", step(1, "running")),
        ("log", {"step": 1, "text": "Collecting flask"}),
        ("step", step(1, "retrying", error={"code": None, "text": "connection refused"})),
        ("step", step(1, "done", tries=2)),
        ends("complete", percent_complete=100.0),
    ]


def goes_wrong(phase="failed"):
    error = {"code": 141, "text": "pip found no flask", "step": 1}
    return [
        elaborated(),
        ("step", step(0, "done")),
        ("log", {"step": 1, "text": "\x1b[31mERROR\x1b[0m: no matching distribution"}),
        ("step", step(1, "failed", tries=3, error=error)),
        ends(phase, error=error),
    ]


def stands_still():
    return [elaborated(), ("step", step(0, "running")), (HANG, None)]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    @property
    def peer(self):
        return self.server.peer

    def do_GET(self):
        self.handle_one("GET")

    def do_POST(self):
        self.handle_one("POST")

    def do_PUT(self):
        self.handle_one("PUT")

    def do_PATCH(self):
        self.handle_one("PATCH")

    def do_DELETE(self):
        self.handle_one("DELETE")

    def handle_one(self, method):
        split = urlsplit(self.path)
        self.query = {name: values[0] for name, values in parse_qs(split.query).items()}
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        with self.peer.lock:
            self.peer.requests.append((method, self.path, dict(self.headers)))
            ill = self.peer.ill.pop(0) if self.peer.ill else None
        if ill == DROP:
            self.close_connection = True
            return
        if ill is not None:
            self.problem(ill, "not now", {"Retry-After": "0"})
            return
        if not split.path.startswith("/broker/rest"):
            self.send(404, b"<h1>Not Found</h1>", {"Content-Type": "text/html"})
            return
        parts = [part for part in split.path.removeprefix("/broker/rest").split("/") if part]
        if parts != ["api"] and not self.signed_in():
            self.problem(401, "sign in")
            return
        self.route(method, parts)

    def signed_in(self):
        kind, _, value = self.headers.get("Authorization", "").partition(" ")
        if kind == "Bearer":
            return value in self.peer.tokens
        login, _, password = base64.b64decode(value).decode().partition(":")
        return kind == "Basic" and self.peer.passwords.get(login) == password

    def route(self, method, parts):
        peer = self.peer
        match method, parts:
            case "GET", ["api"]:
                self.answer(200, {"name": "windlass", "version": "0.1.0", "api_versions": ["2.0"], "links": {}})  # fmt: skip  # noqa: E501
            case "GET", ["user"]:
                self.answer(200, {"id": "1", "login": "admin", "admin": True, "limits": {"domains": 3, "gears": None, "storage": 9}, "used": {"domains": 1, "gears": 2, "storage": 4}})  # fmt: skip  # noqa: E501
            case "GET", ["user", "tokens"]:
                self.page(list(peer.tokens.values()))
            case "POST", ["user", "tokens"]:
                self.make_token()
            case "DELETE", ["user", "tokens", token]:
                secret = next((s for s, one in peer.tokens.items() if one["id"] == token), None)
                if secret is None:
                    self.problem(404, f"There is no token {token}")
                else:
                    del peer.tokens[secret]
                    self.answer(204)
            case "GET", ["jobs", number]:
                self.job(int(number))
            case "POST", ["jobs", number, "events"]:
                self.job_event(int(number))
            case _, ["jobs"] | ["domains", _, "jobs"] | ["domains", _, "applications", _, "jobs"]:
                self.jobs()
            case _:
                self.route_names(method, parts)

    def route_names(self, method, parts):
        peer = self.peer
        match method, parts:
            case "GET", ["domains"]:
                self.page(list(peer.domains.values()))
            case "POST", ["domains"]:
                name = json.loads(self.body)["name"]
                if name in peer.domains:
                    self.problem(422, f"There is a domain {name} already", field="name")
                    return
                peer.add_domain(name)
                self.answer(201, peer.domains[name])
            case _, ["domains", domain, *_] if domain not in peer.domains:
                self.problem(404, f"There is no domain {domain}")
            case "GET", ["domains", domain]:
                self.answer(200, peer.domains[domain])
            case "PUT", ["domains", domain]:
                peer.bodies.append(json.loads(self.body))
                peer.domains[peer.bodies[-1]["name"]] = {**peer.domains.pop(domain), **peer.bodies[-1]}  # fmt: skip  # noqa: E501
                self.begun()
            case "DELETE", ["domains", domain]:
                del peer.domains[domain]
                self.answer(204)
            case "GET", ["applications"]:
                self.page(list(peer.applications.values()))
            case "GET", ["domains", domain, "applications"]:
                self.page([one for (d, _), one in peer.applications.items() if d == domain])
            case "POST", ["domains", domain, "applications"]:
                name = json.loads(self.body)["name"]
                if (domain, name) in peer.applications:
                    job = f"{peer.url}/broker/rest/jobs/41"
                    self.problem(409, f"{name} is being made", job=job)
                    return
                peer.bodies.append(json.loads(self.body))
                peer.add_application(domain, name)
                self.begun()
            case _, ["domains", domain, "applications", name, *rest]:
                if (domain, name) not in peer.applications:
                    self.problem(404, f"There is no application {name} in {domain}")
                elif method == "GET" and not rest:
                    self.answer(200, peer.applications[domain, name])
                elif rest[:1] == ["aliases"]:
                    self.aliases(peer.applications[domain, name]["aliases"], method, rest[1:])
                elif rest == ["gear_groups"]:
                    self.page([{"id": f"{domain}-{name}", "gears": peer.gears}])
                elif method == "GET" and rest == ["environment-variables"]:
                    self.page(peer.variables)
                elif method == "GET":
                    self.page([{"id": "1", "number": 1, "state": "ready", "active": True, "created_at": NOW}])  # fmt: skip  # noqa: E501
                else:
                    if rest == ["releases"]:
                        peer.uploads.append(self.body)
                    else:
                        peer.bodies.append(json.loads(self.body or "null"))
                    self.begun()
            case _:
                self.problem(404, "Nothing is here")

    def aliases(self, there, method, rest):
        if method == "GET":
            self.page([{"id": one} for one in there])
            return
        if method == "POST":
            self.peer.bodies.append(json.loads(self.body))
            there.append(self.peer.bodies[-1]["id"])
        else:
            there.remove(rest[0])
        self.begun()

    def make_token(self):
        wish, number = json.loads(self.body), str(len(self.peer.tokens) + 1)
        made = token(number, wish["note"], wish.get("scope", "full"))
        self.peer.tokens[f"made-{number}"] = made
        self.answer(201, {**made, "token": f"made-{number}"})

    def job_event(self, number):
        wish, job = json.loads(self.body), self.peer.jobs[number]
        if wish["event"] == "retry":
            self.begun(retry_of=job["url"])
            return
        if job["phase"] == "complete":
            self.problem(409, f"Job {number} has ended")
            return
        if wish["event"] == "cancel":
            job["cancel_asked"] = True
        else:
            job["phase"] = "ready"
        self.answer(200, job)

    def begun(self, **more):
        key = self.headers.get("Idempotency-Key")
        job = self.peer.keys.get(key) or self.peer.begin(**more)
        self.peer.keys[key] = job
        if self.peer.prefer:
            self.answer(202, job, {"Location": job["url"], "Preference-Applied": "respond-async"})
        else:
            self.send(307, job["url"].encode(), {"Content-Type": "text/plain"})

    def jobs(self):
        known = [
            job
            for job in sorted(self.peer.jobs.values(), key=lambda job: -job["id"])
            if all(
                job[name] == self.query[name] for name in ("phase", "status") if name in self.query
            )
        ]
        self.page(known)

    def page(self, items):
        limit, start = int(self.query.get("limit", 50)), int(self.query.get("after", 0))
        more = {**self.query, "after": str(start + limit)}
        path = urlsplit(self.path).path
        there = f"http://elsewhere.invalid{path}?{urlencode(more)}"
        after = there if start + limit < len(items) else None
        self.answer(200, {"items": items[start : start + limit], "next": after})

    def job(self, number):
        if number not in self.peer.jobs:
            self.problem(404, f"There is no job {number}")
        elif self.headers.get("Accept") == "text/event-stream":
            self.stream(number)
        else:
            self.answer(200, self.peer.jobs[number])

    def stream(self, number):
        """The whole story, or what comes after Last-Event-ID; the number is the place in it."""
        peer, script = self.peer, self.peer.scripts[number]
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        last = int(self.headers.get("Last-Event-ID") or 0)
        if not script or script[0][0] != "snapshot":
            self.tell("snapshot", peer.jobs[number], 0)
        while last < len(script):
            kind, change = script[last]
            last += 1
            if kind == HANG:
                self.wfile.write(b": still here\n\n")
                peer.released.wait(60)
                return
            if kind == DROP:
                script[last - 1] = ("job", {})  # it breaks only once
                return
            self.tell(kind, peer.play(number, (kind, change)), last)
        if not script:
            self.tell("end", peer.jobs[number], 1)

    def tell(self, kind, data, number):
        text = json.dumps(data, ensure_ascii=False)
        self.wfile.write(f"event: {kind}\nid: {number}\ndata: {text}\n\n".encode())
        self.wfile.flush()

    def problem(self, status, detail, headers=None, **more):
        document = {"type": "about:blank", "title": "No", "status": status, "detail": detail, "request_id": "r-9", **more}  # fmt: skip  # noqa: E501
        self.answer(
            status, document, {"Content-Type": "application/problem+json", **(headers or {})}
        )

    def answer(self, status, document=None, headers=None):
        body = b"" if document is None else json.dumps(document).encode()
        self.send(status, body, {"Content-Type": "application/json", **(headers or {})})

    def send(self, status, body, headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request, client_address):
        """A client that went away is no news."""


def start_peer():
    server = Server(("127.0.0.1", 0), Handler)
    server.peer = Peer(url=f"http://127.0.0.1:{server.server_address[1]}")
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    return server


def stop_peer(server):
    server.peer.released.set()
    server.shutdown()
    server.server_close()
