"""Depth logs: the list, a CSV in, and what is wrong with one."""

import re
from pathlib import Path

from playwright.sync_api import expect

from tests.browser.acts import PHONE, axe_faults, drop
from tests.browser.conftest import REFUSAL, Visit
from tests.servers import Server

GOOD = b"depth,a,b\n10.5,1,2\n10.0,3,4\n11.0,5,6\n"
BAD = b"depth,a,b\n1,2,3\n2,300,4\n3,5,x\n"


def test_a_csv_that_is_chosen_appears_in_the_list(server: Server, visit: Visit, tmp_path: Path) -> None:
    (tmp_path / "north well.csv").write_bytes(GOOD)
    page = visit(f"{server.url}/#/logs")
    page.set_input_files("#csv", tmp_path / "north well.csv")
    expect(page.get_by_role("status").filter(has_text="north well: 3 rows from 10 to 11.")).to_be_visible()
    expect(page.get_by_role("row", name="north well 10 to 11 0.5 3 2")).to_be_visible()


def test_a_csv_that_is_dropped_takes_the_name_in_the_field(server: Server, visit: Visit) -> None:
    page = visit(f"{server.url}/#/logs")
    page.get_by_label("Name of the log").fill("south well")
    drop(page, {"anything.csv": GOOD})
    page.get_by_role("link", name="south well").click()
    expect(page.get_by_role("heading", name="south well")).to_be_visible()


def test_the_faults_of_a_csv_are_told_by_line_and_column(server: Server, visit: Visit) -> None:
    page = visit(f"{server.url}/#/logs", tolerated=REFUSAL)
    page.get_by_label("Name of the log").fill("broken")
    drop(page, {"broken.csv": BAD})
    faults = page.get_by_role("group", name="Faults in the file")
    expect(faults.get_by_role("row", name="3 a 300")).to_be_visible()
    expect(faults.get_by_role("row", name="4 b x")).to_be_visible()
    expect(page.get_by_role("link", name="broken")).to_have_count(0)


def test_a_log_is_deleted_after_a_question(server: Server, visit: Visit) -> None:
    page = visit(f"{server.url}/#/logs")
    page.get_by_label("Name of the log").fill("short-lived")
    drop(page, {"short.csv": GOOD})
    page.get_by_role("button", name="Delete short-lived").click()
    page.locator("#confirm").get_by_role("button", name="Delete").click()
    expect(page.get_by_role("link", name="short-lived")).to_have_count(0)


def test_hostile_log_names_stay_text(server: Server, visit: Visit) -> None:
    page = visit(f"{server.url}/#/logs")
    name = "<img src=x onerror=alert(1)> & 100% #?"
    page.get_by_label("Name of the log").fill(name)
    drop(page, {"hostile.csv": GOOD})
    page.get_by_role("button", name=f"Delete {name}").click()
    expect(page.locator("#confirm h2")).to_have_text(f"Delete the log {name}?")
    page.get_by_role("button", name="Keep").click()
    page.get_by_role("link", name=name).click()
    expect(page.get_by_role("heading", name=name)).to_be_visible()
    expect(page.get_by_role("slider")).to_have_attribute("aria-valuetext", "10.0 to 11.0")


def test_hostile_cells_and_file_names_stay_text(server: Server, visit: Visit) -> None:
    page = visit(f"{server.url}/#/logs", tolerated=REFUSAL)
    hostile = "<img src=x onerror=alert(1)>"
    drop(page, {f"{hostile}.csv": f"depth,a\n1,{hostile}\n".encode()})
    expect(page.locator(".faults li b")).to_have_text(f"{hostile}.csv")
    expect(page.get_by_role("cell", name=hostile, exact=True)).to_be_visible()


def test_depths_in_half_feet_keep_their_digits(server: Server, visit: Visit) -> None:
    page = visit(f"{server.url}/#/logs")
    page.get_by_label("Name of the log").fill("half feet")
    drop(page, {"half feet.csv": b"depth,a\n0.1524,1\n0.3048,2\n0.4572,3\n"})
    page.get_by_role("link", name="half feet").click()
    expect(page.get_by_role("slider")).to_have_attribute("aria-busy", "false")
    page.get_by_role("slider").hover()
    expect(page.locator("output")).to_have_text(re.compile(r"depth 0\.3048, column \d+, value 2"))


def test_the_list_fits_a_phone_and_axe_finds_nothing(server: Server, visit: Visit) -> None:
    page = visit(f"{server.url}/#/logs", **PHONE)
    drop(page, {"on a phone.csv": GOOD})
    expect(page.get_by_role("link", name="on a phone")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert axe_faults(page) == []


def test_a_log_that_is_not_there_says_so(server: Server, visit: Visit) -> None:
    page = visit(f"{server.url}/#/logs/atlantis", tolerated=REFUSAL)
    expect(page.get_by_role("status").last).to_have_text("There is no depth log of this name.")
