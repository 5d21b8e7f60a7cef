"""Our own client against the real server."""

import asyncio

import pytest

from api.site import Site, archive
from windlass.client import Client, Problem, follow, has_ended


async def test_the_client_and_the_server_understand_each_other(
    site: Site, tmp_path_factory: pytest.TempPathFactory
) -> None:
    source = tmp_path_factory.mktemp("source") / "source.tar.gz"
    source.write_bytes(archive({"app.py": b"print(1)"}))
    token = await site.token(site.users["anna"].id)
    async with site.working():
        await asyncio.to_thread(life, site.url, token, source)


def life(url, token, source):  # type: ignore[no-untyped-def]
    """What a user does in a day, in a thread of its own."""
    with Client(url, token=token) as client:
        assert client.service()["name"] == "windlass"
        assert client.user()["login"] == "anna"
        assert [one["name"] for one in client.domains()] == ["demo"]
        assert watched(client, client.create_application("demo", "blog", "python")) == "complete"
        assert client.application("demo", "blog")["state"] == "started"
        assert watched(client, client.upload_release("demo", "blog", source)) == "complete"
        assert [one["number"] for one in client.releases("demo", "blog")] == [2, 1]
        assert watched(client, client.application_event("demo", "blog", "stop")) == "complete"
        assert watched(client, client.delete_application("demo", "blog")) == "complete"
        assert len(list(client.jobs())) == 4
        assert client.jobs_page(limit=3).next is not None
        with pytest.raises(Problem, match="no application blog"):
            client.application("demo", "blog")
        client.delete_domain("demo")
        client.revoke_token(client.create_token("more", expires_in=60)["id"])


def watched(client, job):  # type: ignore[no-untyped-def]
    """The phase that a job ends in."""
    story = list(follow(client, job["id"]))
    newest, change = story[-1]
    assert change.kind in ("end", "snapshot")  # the latter, if it was over before we looked
    assert has_ended(newest)
    assert all(step["state"] in ("done", "skipped") for step in newest["steps"])
    return newest["phase"]
