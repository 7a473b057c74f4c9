"""What the tests of the console's pages for administrators have in common."""

from playwright.sync_api import Locator, Page

from browser import PASSWORD

ASK = "async ([method, path, body]) => (await import('/console/connection.js')).ask(method, path, body ?? undefined)"


def ask(page: Page, method: str, path: str, body: object = None) -> object:
    """As whoever is signed in on that page."""
    answer: object = page.evaluate(ASK, [method, path, body])
    return answer


def user(page: Page, name: str, role: str = "viewer", **more: object) -> None:
    ask(page, "POST", "/users", {"name": name, "role": role, "password": PASSWORD, **more})


def row(page: Page, table: str, name: str) -> Locator:
    return page.get_by_role("table", name=table).locator(f'tr[data-key="{name}"]')


def home(page: Page) -> str:
    return page.url.partition("#")[0]


def open_by_hand(page: Page, path: str) -> None:
    page.evaluate("hash => { location.hash = hash; }", f"#/{path}")


def change_setting(page: Page, name: str) -> Locator:
    page.get_by_role("button", name=f"Change {name}", exact=True).click()
    return page.get_by_role("dialog", name=f"Change {name}?")
