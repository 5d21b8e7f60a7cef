"""Aliases, and the renaming of a domain."""


def test_an_alias_is_added_listed_and_removed(windlass, peer, demo):
    assert windlass("alias", "list", "hello").out == ""
    assert "windlass alias add hello" in windlass("alias", "list", "hello").err
    added = windlass("alias", "add", "hello", "www.example.com")
    assert (added.code, added.out.split()) == (0, ["ALIAS", "www.example.com"])
    assert peer.bodies == [{"id": "www.example.com"}]
    assert windlass("alias", "list", "hello", "-o", "name").out == "www.example.com\n"
    assert "aliases    www.example.com" in windlass("app", "show", "hello").out
    assert windlass("alias", "remove", "hello", "www.example.com").code == 0
    assert windlass("alias", "list", "hello", "-o", "name").out == ""


def test_a_domain_is_renamed(windlass, peer, demo):
    renamed = windlass("domain", "rename", "demo", "prod", "-o", "name")
    assert (renamed.code, renamed.out) == (0, "prod\n")
    assert peer.bodies == [{"name": "prod"}]


def test_a_renaming_that_nobody_waits_for(windlass, peer, demo):
    begun = windlass("domain", "rename", "demo", "prod", "--no-wait", "-o", "name")
    assert (begun.code, begun.out) == (0, "41\n")
