import pytest

from peer.scripted import DROP
from windlass.client import Away, Client, Problem


def asked(peer, method):
    return [(path, headers) for verb, path, headers in peer.requests if verb == method]


def test_a_job_is_asked_for_without_waiting_and_with_a_key(client, peer):
    peer.add_domain("demo")
    job = client.create_application("demo", "blog", "static")
    assert job["title"] == "Create application blog in demo"
    [(_, headers)] = asked(peer, "POST")
    assert headers["Prefer"] == "respond-async"
    assert headers["Accept"] == "application/json; version=2.0"
    assert headers["Authorization"] == "Bearer secret"
    assert len(headers["Idempotency-Key"]) == 36


def test_a_post_whose_answer_was_lost_is_sent_again_and_makes_one_job(client, peer):
    peer.add_domain("demo")
    peer.ill = [DROP, 503]
    client.create_application("demo", "blog", "static")
    keys = {headers["Idempotency-Key"] for _, headers in asked(peer, "POST")}
    assert len(asked(peer, "POST")) == 3
    assert len(keys) == 1
    assert len(peer.jobs) == 1


def test_a_post_without_a_key_is_not_sent_again_when_it_may_have_arrived(client, peer):
    peer.ill = [DROP]
    with pytest.raises(Away):
        client.create_domain("demo")
    assert len(asked(peer, "POST")) == 1


def test_a_server_that_stays_ill_is_a_problem_in_the_end(client, peer):
    peer.ill = [503] * 10
    with pytest.raises(Problem) as caught:
        client.user()
    assert caught.value.status == 503
    assert len(peer.requests) == 4


def test_a_server_that_does_not_give_the_preference_gives_its_jobs_url(client, peer):
    peer.add_domain("demo")
    peer.prefer = False
    assert client.create_application("demo", "blog", "static")["id"] == 41


def test_a_release_is_sent_as_the_file_is_and_whole_once_more_after_a_loss(client, peer, tmp_path):
    peer.add_domain("demo")
    peer.add_application("demo", "blog")
    archive = tmp_path / "a.tar.gz"
    archive.write_bytes(b"x" * 1_000_000)
    peer.ill = [DROP]
    client.upload_release("demo", "blog", archive)
    assert peer.uploads == [b"x" * 1_000_000]
    assert asked(peer, "POST")[1][1]["Content-Type"] == "application/octet-stream"


def test_pages_follow_each_other_and_the_token_stays_with_its_server(client, peer):
    for _ in range(450):
        peer.add_job()
    assert [job["id"] for job in client.jobs()] == list(range(490, 40, -1))
    assert len(peer.requests) == 3  # and "next" named another host


def test_filters_go_along_and_missing_ones_do_not(client, peer):
    list(client.jobs("demo", "blog", status="failed", phase=None))
    assert peer.requests[-1][1] == (
        "/broker/rest/domains/demo/applications/blog/jobs?limit=200&status=failed"
    )


def test_a_problem_says_all_that_the_server_said(client, peer):
    peer.add_domain("demo")
    with pytest.raises(Problem) as caught:
        client.create_domain("demo")
    problem = caught.value
    assert (problem.status, problem.field, problem.request_id) == (422, "name", "r-9")
    assert str(problem) == "There is a domain demo already"


@pytest.mark.parametrize("name", ["", ".", ".."])
def test_no_name_leads_out_of_its_place_in_a_url(client, peer, name):
    peer.add_domain("demo")
    with pytest.raises(Problem) as caught:
        client.delete_application("demo", name)
    assert caught.value.status == 404
    assert not peer.requests
    assert "demo" in peer.domains


def test_a_slash_in_a_name_is_part_of_the_name(client, peer):
    with pytest.raises(Problem):
        client.domain("a/b?c")
    assert peer.requests[0][1] == "/broker/rest/domains/a%2Fb%3Fc"


def test_a_password_signs_in_too(peer):
    with Client(peer.url, login="admin", password="hunter2") as client:
        assert client.user()["login"] == "admin"
    with Client(peer.url, login="admin", password="wrong") as client, pytest.raises(Problem) as no:
        client.user()
    assert no.value.status == 401


def test_nobody_there_is_told_in_a_line(short_pauses):
    with Client("http://127.0.0.1:9") as client, pytest.raises(Away) as caught:
        client.service()
    assert str(caught.value) == "http://127.0.0.1:9 does not answer: Connection refused"


def test_a_url_may_name_the_api_itself(peer):
    with Client(f"{peer.url}/broker/rest/", token="secret") as client:
        assert client.url == peer.url
        assert client.user()["login"] == "admin"


def test_what_is_no_windlass_is_told_from_what_is_not_there(peer):
    with Client(f"{peer.url}/elsewhere", token="secret") as client, pytest.raises(Away) as caught:
        client.user()
    assert str(caught.value) == f"{peer.url}/elsewhere answers, but not as windlass does"
