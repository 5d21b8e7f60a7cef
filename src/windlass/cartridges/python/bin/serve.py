"""Serve the application in the current folder: find it by convention, WSGI or ASGI.

asgi.py, wsgi.py, app.py, main.py, application.py: the first that is there, and in it
`application` or `app`.
"""

# ruff: noqa: PTH109, PTH113, PTH118
# Written for any Python from 3.9 on, and to start fast.
import importlib
import inspect
import os
import sys

NAMES = ("asgi", "wsgi", "app", "main", "application")
GRACE = 9  # seconds for requests in flight; windlass kills after 10
THREADS = 8


def main():
    """Serve until SIGTERM."""
    folder = os.getcwd()
    sys.path[0] = folder  # instead of this file's own folder
    # Last, so that whatever versions the application has installed come before ours.
    sys.path.append(os.path.join(os.environ["WINDLASS_SHARED"], "python"))
    name = find(folder)
    if name == "asgi" or (name != "wsgi" and is_asgi(name)):
        serve_asgi(name)
    else:
        serve_wsgi(name)


def find(folder):
    """The module with the application; ends with advice if there is none."""
    for name in NAMES:
        file = os.path.join(folder, name + ".py")
        if os.path.isfile(file) or os.path.isfile(os.path.join(folder, name, "__init__.py")):
            return name
    files = ", ".join(name + ".py" for name in NAMES)
    sys.exit(
        "There is no application here. One of these must hold `application` or `app`: " + files
    )


def load(name):
    """The application in a module; ends with advice if it has none."""
    module = importlib.import_module(name)
    for attribute in ("application", "app"):
        if callable(getattr(module, attribute, None)):
            return getattr(module, attribute)
    sys.exit(name + ".py has neither `application` nor `app` that can be called.")


def is_asgi(name):
    """Whether the application is asynchronous, seen in a process of its own.

    Imported here, its threads and connections would be torn when the server forks.
    """
    child = os.fork()
    if child == 0:
        try:
            app = load(name)
            called = type(app).__call__  # of an object like FastAPI's
            yes = inspect.iscoroutinefunction(app) or inspect.iscoroutinefunction(called)
        except BaseException:  # also SystemExit, which must not end in the parent's name
            yes = False  # the server will fail in the same way, and say how
        os._exit(1 if yes else 0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1


def serve_asgi(name):
    """uvicorn in this process."""
    import uvicorn

    uvicorn.run(
        load(name),
        host=os.environ["HOST"],
        port=int(os.environ["PORT"]),
        access_log=False,
        proxy_headers=True,
        forwarded_allow_ips="127.0.0.1",
        timeout_graceful_shutdown=GRACE,
    )


def serve_wsgi(name):
    """gunicorn; WEB_CONCURRENCY says how many processes."""
    from gunicorn.app.base import BaseApplication

    class Server(BaseApplication):
        def load_config(self):
            self.cfg.set("bind", os.environ["HOST"] + ":" + os.environ["PORT"])
            self.cfg.set("worker_class", "gthread")
            self.cfg.set("workers", int(os.environ.get("WEB_CONCURRENCY") or 1))
            self.cfg.set("threads", THREADS)
            self.cfg.set("graceful_timeout", GRACE)
            self.cfg.set("timeout", 0 if self.cfg.workers == 1 else 60)
            self.cfg.set("worker_tmp_dir", "/tmp")

        def load(self):
            return load(name)

    Server().run()


if __name__ == "__main__":
    main()
