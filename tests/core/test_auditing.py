"""What is written down of a request: nothing secret, nothing long."""

from outlast.core.access.auditing import HIDDEN, told, tries_only


def test_passwords_and_words_of_tokens_are_hidden() -> None:
    assert told("user.create", {"name": "anna", "password": "x", "role": "viewer"}) == {
        "name": "anna",
        "password": HIDDEN,
        "role": "viewer",
    }
    assert told("user.passwd", {"name": "anna", "password": "x", "current": "y"})["current"] == HIDDEN


def test_nothing_that_a_fence_device_is_given_is_shown() -> None:
    asked = {"node": "n1", "parameters": {"ip": "10.0.0.1", "passwd": "x"}}
    assert told("fence.add", asked)["parameters"] == {"ip": HIDDEN, "passwd": HIDDEN}


def test_secrets_are_hidden_at_any_depth() -> None:
    asked = {"properties": {"share": {"password": "x"}, "path": "/srv"}, "list": [{"api_token": "y"}]}
    assert told("resource.create", asked) == {
        "properties": {"share": {"password": HIDDEN}, "path": "/srv"},
        "list": [{"api_token": HIDDEN}],
    }


def test_of_a_joining_token_only_its_id_is_kept() -> None:
    assert told("cluster.revoke", {"token": "3f2a91bcdeadbeef"}) == {"token": "3f2a91bc"}


def test_a_definition_is_cut_short() -> None:
    (shown,) = told("vm.protect", {"definition": "<domain>" + "x" * 5000}).values()
    assert shown.startswith("<domain>")
    assert shown.endswith("(5008 characters)")


def test_trying_out_changes_nothing() -> None:
    assert tries_only({"what_if": True})
    assert not tries_only({"what_if": False})
