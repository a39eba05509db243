"""What is measured: a coalition of two nodes and a connector, the app behind them, and the peers beside them.

Everything runs on loopback from one temporary folder, and ends with this process.
"""
import http.client
import http.cookies
import json
import os
import pathlib
import shutil
import signal
import socket
import ssl
import subprocess
import time
import urllib.parse

from figures import children_of, descendants_of

ROOT = pathlib.Path(__file__).resolve().parents[1]
WAIT_S = 60


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Children:
    def __init__(self):
        self.running = []

    def start(self, command, **options):
        child = subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE, **options)
        self.running.append(child)
        return child

    def end(self, child):
        child.send_signal(signal.SIGTERM)
        try:
            child.wait(10)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        self.running.remove(child)

    def end_all(self):
        for child in reversed(list(self.running)):
            self.end(child)


def wait_for_port(port, what):
    end = time.monotonic() + WAIT_S
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise SystemExit(f"bench: {what} does not listen on {port}")


def answers(port, name):
    """Whether something answers a request over TLS there, however it does."""
    anyone = ssl.create_default_context()
    anyone.check_hostname, anyone.verify_mode = False, ssl.CERT_NONE
    try:
        raw = socket.create_connection(("127.0.0.1", port), WAIT_S)
        with anyone.wrap_socket(raw, server_hostname=name) as one:
            one.sendall(f"GET /1k HTTP/1.1\r\nHost: {name}:{port}\r\nConnection: close\r\n\r\n".encode())
            return one.recv(5) == b"HTTP/"
    except OSError:
        return False


class App:
    """bench_app on a Unix socket: where every path ends, ours and the peers'."""

    def __init__(self, children, programs, folder):
        self.socket = folder / "app.sock"
        self.child = children.start([programs / "bench_app", self.socket], stdout=subprocess.PIPE)
        self.child.stdout.readline()
        self.pid = self.child.pid


def planners(people, count):
    """So many of XBB's, like the one there is."""
    like = next(each for each in people["people"] if each["login"] == "ingrid")
    return [like | {"login": f"p{i}", "name": f"Planner {i}", "subject": f"bor-p{i}"} for i in range(count)]


class Coalition:
    """The demonstration's two nations, with the bench's app behind the connector and limits that suit a crowd."""

    # One loop, as the peers have one worker. `people`: so many more planners of XBB.
    def __init__(self, children, entente, node, folder, app, loops=1, people=0):
        self.children, self.folder = children, folder / "demo"
        definition = folder / "coalition"
        shutil.copytree(ROOT / "demo/coalition", definition)
        subprocess.run([node, ROOT / "demo/smaller.mjs", definition, "XAA,XBB", "cop-1"], check=True)
        self._change(definition / "connector-cop-1.json", lambda text: text["targets"][0].update(socket=str(app.socket)))
        self._change(definition / "people.json", lambda text: text["people"].extend(planners(text, people)))
        for code in ("xaa", "xbb"):
            limits = {"idle_timeout_s": 3600, "connections_max": 9000, "half_open_max": 2000,
                      "connections_per_source_max": 9000, "half_open_per_source_max": 2000,
                      "sign_ins_per_s": 10000, "sign_ins_per_source_per_s": 10000}
            limits["requests_per_partner_per_s"] = 1000000  # what is measured is the path, not its cap
            self._change(definition / f"node-{code}.json", lambda text: text.update(limits=limits, loops=loops))
        command = [node, ROOT / "demo/launch.mjs", "--json", "--steer", "--entente", entente, "--coalition", definition]
        self.launcher = children.start([*command, "--keep", self.folder], stdout=subprocess.PIPE)
        said = self.launcher.stdout.readline()
        if not said:
            raise SystemExit("bench: the coalition did not start")
        self.demo = json.loads(pathlib.Path(json.loads(said)["demo"]).read_text())
        self.people = {each["login"]: each for each in self.demo["people"]}
        self.trust = ssl.create_default_context(cafile=self.demo["authority"])
        self.xaa, self.xbb = self._process("node-xaa.json"), self._process("node-xbb.json")
        self.connector = self._process("connector-cop-1.json")

    def kill(self, name):
        """Ends one of its processes as a power cut would."""
        self._steer({"stop": name, "signal": "SIGKILL"})

    def order_start(self, name):
        """Has it started again; started() waits until it says that it is."""
        self.launcher.stdin.write(json.dumps({"start": name}).encode() + b"\n")
        self.launcher.stdin.flush()

    def started(self):
        answer = json.loads(self.launcher.stdout.readline())
        if "error" in answer:
            raise SystemExit(f"bench: {answer['error']}")

    def _steer(self, order):
        self.launcher.stdin.write(json.dumps(order).encode() + b"\n")
        self.launcher.stdin.flush()
        self.started()

    @staticmethod
    def _change(path, change):
        value = json.loads(path.read_text())
        change(value)
        path.write_text(json.dumps(value))

    def _process(self, config):
        for pid in children_of(self.launcher.pid):
            words = pathlib.Path(f"/proc/{pid}/cmdline").read_text().split("\0")
            if any(word.endswith(config) for word in words) and "run" in words:
                return pid
        raise SystemExit(f"bench: no process runs {config}")

    def app_name(self, nation):
        return urllib.parse.urlsplit(self.demo["nations"][nation]["app"]).hostname

    def port(self, nation):
        return int(self.demo["nations"][nation]["port"])

    def person(self, login):
        return self.people[login]

    def enter(self, login):
        """Signs a person in afresh; answers their browser, which stands in the lobby."""
        person = self.person(login)
        nation = self.demo["nations"][person["nation"]]
        browser = Browser(self.trust)
        browser.go(nation["lobby"] + "/sign-in")
        form = urllib.parse.urlencode({"login": login, "passphrase": person["passphrase"]})
        browser.go(browser.at, form)
        if not browser.at.startswith(nation["lobby"]):
            raise SystemExit(f"bench: {login} ended at {browser.at}, not in the lobby")
        return browser

    def sign_in(self, login):
        """Signs a person in afresh and opens the app; answers the Cookie header for the app's own name."""
        browser = self.enter(login)
        nation = self.demo["nations"][self.person(login)["nation"]]
        browser.go(nation["app"] + "/1k")
        if browser.status != 200 or not browser.at.startswith(nation["app"]):
            raise SystemExit(f"bench: {login} does not reach the app: {browser.status} at {browser.at}")
        return browser.cookies_for(nation["app"])

    def operators(self, nation, method, path, body=None):
        """Calls the operators' API of a node on its local socket."""
        connection = http.client.HTTPConnection("localhost", timeout=WAIT_S)
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(str(self.folder / f"operators-{nation.lower()}.sock"))
        connection.request(method, path, json.dumps(body) if body else None, {"Content-Type": "application/json"})
        answer = json.loads(connection.getresponse().read())
        connection.close()
        return answer


class Browser:
    """As much of one as signing in takes: cookies by host, redirects, no scripts."""

    def __init__(self, trust):
        self.trust, self.jars, self.at, self.status = trust, {}, "", 0

    def cookies_for(self, url):
        jar = self.jars.get(urllib.parse.urlsplit(url).netloc, {})
        return "; ".join(f"{name}={value}" for name, value in jar.items())

    def go(self, url, form=None):
        for _ in range(20):
            parts = urllib.parse.urlsplit(url)
            context = self.trust
            connection = http.client.HTTPSConnection("127.0.0.1", parts.port, timeout=WAIT_S, context=context)
            raw = socket.create_connection(("127.0.0.1", parts.port), WAIT_S)
            connection.sock = context.wrap_socket(raw, server_hostname=parts.hostname)
            headers = {"Host": parts.netloc, "Cookie": self.cookies_for(url)}
            if form is not None:
                headers |= {"Content-Type": "application/x-www-form-urlencoded"}
                headers |= {"Origin": f"{parts.scheme}://{parts.netloc}"}
            path = urllib.parse.urlunsplit(("", "", parts.path or "/", parts.query, ""))
            connection.request("POST" if form is not None else "GET", path, form, headers)
            answer = connection.getresponse()
            answer.read()
            jar = self.jars.setdefault(parts.netloc, {})
            for line in answer.headers.get_all("Set-Cookie", []):
                for name, morsel in http.cookies.SimpleCookie(line).items():
                    if morsel.value and morsel["max-age"] != "0":
                        jar[name] = morsel.value
                    else:
                        jar.pop(name, None)
            connection.close()
            self.at, self.status = url, answer.status
            if answer.status not in (301, 302, 303, 307):
                return
            url, form = urllib.parse.urljoin(url, answer.headers["Location"]), None
        raise SystemExit(f"bench: too many redirects at {self.at}")


NGINX = """
daemon off; master_process off; worker_processes 1; worker_rlimit_nofile 19000;
pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 9000; }}
http {{
  access_log off; keepalive_requests 100000000; keepalive_timeout 3600; client_header_timeout 3600;
  client_max_body_size 0; proxy_request_buffering off; proxy_max_temp_file_size 0; proxy_http_version 1.1;
  proxy_read_timeout 3600; proxy_send_timeout 3600; {buffers}
  client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
  uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
  map $http_upgrade $connection_upgrade {{ default upgrade; "" ""; }}
  upstream next {{ server {next}; keepalive 256; keepalive_requests 100000000; keepalive_timeout 3600; }}
  server {{
    listen 127.0.0.1:{port} ssl http2 backlog=4096; ssl_protocols TLSv1.3;
    ssl_certificate {certificate}; ssl_certificate_key {key}; ssl_session_cache off; ssl_session_tickets off;
    location / {{
      proxy_pass {scheme}://next; proxy_set_header Host $http_host; proxy_set_header Connection $connection_upgrade;
      proxy_set_header Upgrade $http_upgrade; proxy_ssl_protocols TLSv1.3; proxy_ssl_session_reuse on;
    }}
  }}
}}
"""

HAPROXY = """
global
  nbthread 1
  maxconn 9000
  stats socket {folder}/admin.sock level admin
  tune.ssl.cachesize 0
  ssl-default-bind-options ssl-min-ver TLSv1.3 no-tls-tickets
defaults
  mode http
  timeout connect 5s
  timeout client 3600s
  timeout server 3600s
  timeout tunnel 3600s
frontend door
  bind 127.0.0.1:{port} ssl crt {pem} alpn h2,http/1.1 backlog 4096
  default_backend app
backend app
  http-reuse always
  server app unix@{socket}
"""


class Nginx:
    """TLS in front, the app (or the next nginx, over TLS) behind. One process without a master, as ours is."""

    def __init__(self, children, folder, name, certificate, key, following, tuned=False):
        self.port, own = free_port(), folder / f"nginx-{name}"
        own.mkdir()
        tls = isinstance(following, Nginx)
        buffers = "proxy_buffer_size 64k; proxy_buffers 8 64k; proxy_busy_buffers_size 128k;" if tuned else ""
        (own / "nginx.conf").write_text(
            NGINX.format(
                folder=own, port=self.port, certificate=certificate, key=key, buffers=buffers,
                scheme="https" if tls else "http",
                next=f"127.0.0.1:{following.port}" if tls else f"unix:{following.socket}",
            )
        )
        program = shutil.which("nginx") or "/usr/sbin/nginx"
        self.child = children.start([program, "-c", own / "nginx.conf", "-p", own], stderr=subprocess.DEVNULL)
        wait_for_port(self.port, f"nginx {name}")
        self.pids = [self.child.pid]
        self.all_pids = self.pids + (following.all_pids if tls else [])


class Haproxy:
    def __init__(self, children, folder, certificate, key, app):
        self.port, own = free_port(), folder / "haproxy"
        own.mkdir()
        pem = own / "server.pem"
        pem.write_text(pathlib.Path(certificate).read_text() + pathlib.Path(key).read_text())
        pem.chmod(0o600)
        (own / "haproxy.cfg").write_text(HAPROXY.format(folder=own, port=self.port, pem=pem, socket=app.socket))
        program = shutil.which("haproxy") or "/usr/sbin/haproxy"
        self.child = children.start([program, "-db", "-f", own / "haproxy.cfg"], stderr=subprocess.DEVNULL)
        wait_for_port(self.port, "haproxy")
        self.pids = [self.child.pid]
        self.admin = own / "admin.sock"

    def command(self, text):
        with socket.socket(socket.AF_UNIX) as admin:
            admin.settimeout(WAIT_S)
            admin.connect(str(self.admin))
            admin.sendall(text.encode() + b"\n")
            answer = b""
            while part := admin.recv(65536):
                answer += part
            return answer.decode()


class Ssh:
    """ssh -R: the app's side dials out, and one connection carries everybody to the app; no TLS in front."""

    PROGRAM = shutil.which("sshd") or "/usr/sbin/sshd"  # never installed for this: Debian's would listen at once

    @staticmethod
    def is_here():
        return pathlib.Path(Ssh.PROGRAM).exists() and os.geteuid() == 0

    def __init__(self, children, folder, app):
        self.port, own = free_port(), folder / "ssh"
        listening = free_port()
        own.mkdir(mode=0o700)
        for name in ("host", "guest"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", own / name], check=True)
        (own / "keys").write_text((own / "guest.pub").read_text())
        config = {"Port": listening, "ListenAddress": "127.0.0.1", "HostKey": own / "host", "StrictModes": "no",
                  "AuthorizedKeysFile": own / "keys", "PidFile": "none", "UsePAM": "no"}
        (own / "sshd").write_text("".join(f"{name} {value}\n" for name, value in config.items()))
        pathlib.Path("/run/sshd").mkdir(exist_ok=True)
        self.server = children.start([Ssh.PROGRAM, "-D", "-f", own / "sshd"], stderr=subprocess.DEVNULL)
        wait_for_port(listening, "sshd")
        known = ["-o", "StrictHostKeyChecking=no", "-o", f"UserKnownHostsFile={own}/known", "-o", "BatchMode=yes"]
        there = f"127.0.0.1:{self.port}:{app.socket}"
        self.child = children.start(["ssh", "-F", "none", "-i", own / "guest", *known, "-N", "-R", there,
                                     "-p", listening, "127.0.0.1"], stderr=subprocess.DEVNULL)
        wait_for_port(self.port, "ssh -R")

    @property
    def pids(self):
        return [self.child.pid, *descendants_of(self.server.pid)]


class Crowd:
    """Many connections of bench_crowd; `leave` ends it and answers what reached it."""

    def __init__(self, children, programs, folder, port, name, count, cookies, kind):
        self.children = children
        lines = folder / f"cookies-{time.monotonic_ns()}"
        lines.write_text("".join(cookie + "\n" for cookie in cookies))
        lines.chmod(0o600)
        command = [programs / "bench_crowd", port, name, count, lines, {"h1": "0", "live": "1", "h2": "2"}[kind]]
        self.child = children.start(command, stdout=subprocess.PIPE)
        self.ready = json.loads(self.child.stdout.readline())
        lines.unlink()
        if self.ready["failed"]:
            print(f"  note: {self.ready['failed']} of {count} did not stand ({self.ready['complaint']})")

    def leave(self):
        """Ends it, and answers what reached it."""
        self.child.stdin.close()
        said = json.loads(self.child.stdout.readline())
        self.child.wait()
        self.children.running.remove(self.child)
        return said


def raise_file_limit():
    import resource

    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard < 9500:
        raise SystemExit(f"bench: 9500 open files are needed, {hard} are allowed")


def node_program():
    return subprocess.check_output([ROOT / "demo/node22.sh", "--path"], text=True).strip()
