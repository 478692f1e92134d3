"""Claims of drivers in a real PostgreSQL: each piece once, also while the server is killed and restarted."""

import threading
from collections import Counter

import pytest

from tlbench.contracts.errors import UsageError
from tlbench.running.sharing import claims_database
from tlbench.running.sharing.claims_database import ClaimsDatabase, DatabaseLost, shown_url


def test_each_piece_has_one_driver_although_the_server_is_killed(database):
    items = [f"fit {number}" for number in range(120)]
    done, reached = [], threading.Event()

    def work(place):
        mine = ClaimsDatabase(database.url, place)
        with mine.alive():
            for item in items:
                if mine.claim("study", item):
                    assert mine.finish("study", item, place.encode())
                    done.append(item)
                if len(done) >= 30:
                    reached.set()

    drivers = [threading.Thread(target=work, args=(f"machine:{number}",), daemon=True) for number in range(3)]
    for driver in drivers:
        driver.start()
    assert reached.wait(60)
    database.kill()
    assert database.start() == 0
    for driver in drivers:
        driver.join(120)
    assert Counter(done) == Counter(items)
    with (last := ClaimsDatabase(database.url, "elsewhere")).alive():
        assert {claim.item for claim in last.claims("study") if claim.outcome} == set(items)
        assert not any(last.claim("study", item) for item in items)


def test_a_late_outcome_is_refused(database, monkeypatch):
    slow, quick = ClaimsDatabase(database.url, "a:1"), ClaimsDatabase(database.url, "b:1")
    with slow.alive(), quick.alive():
        assert slow.claim("study", "fit 0")
        assert not quick.claim("study", "fit 0")
        # The first driver is not heard of for longer than is allowed.
        monkeypatch.setattr(claims_database, "SILENT_SECONDS", 0.0)
        assert quick.claim("study", "fit 0")
        assert quick.finish("study", "fit 0", b"quick")
        for _ in range(100):
            assert not slow.finish("study", "fit 0", b"slow")
        assert [claim.outcome for claim in quick.claims("study")] == [b"quick"]
        # An outcome that was stored may be stored again, by one who did not hear of the first success.
        assert quick.finish("study", "fit 0", b"quick")
        assert not quick.finish("study", "fit 0", b"another")


def test_pieces_of_a_driver_that_has_ended_are_free_and_those_at_its_place_at_once(database):
    with (first := ClaimsDatabase(database.url, "a:1")).alive():
        assert first.claim("study", "fit 0")
        with (again := ClaimsDatabase(database.url, "a:1")).alive():
            assert again.claim("study", "fit 0")
            assert not first.finish("study", "fit 0", b"late")
    with (other := ClaimsDatabase(database.url, "b:1")).alive():
        assert other.claim("study", "fit 0")


def test_a_server_that_stays_away_ends_the_wait_with_one_line(database, monkeypatch):
    monkeypatch.setattr(claims_database, "PATIENCE_SECONDS", 0.2)
    driver = ClaimsDatabase(database.url, "a:1")
    database.kill()
    try:
        with pytest.raises(DatabaseLost, match="nothing finished is lost") as lost:
            driver.claim("study", "fit 0")
        assert "a-secret-word" not in str(lost.value)
    finally:
        assert database.start() == 0


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://tlbench:a-wrong-word@127.0.0.1:{port}/postgres",
        "postgresql://127.0.0.1:{port}/postgres?user=tlbench&password=a-wrong-word",
        "postgresql://tlbench:a-wrong-word@127.0.0.1:1/postgres",
        "postgresql://tlbench:a-wrong-word@[::1/postgres",
    ],
)
def test_the_password_is_in_no_message(database, url):
    with pytest.raises(UsageError) as refused:
        ClaimsDatabase(url.format(port=database.port), "a:1")
    assert "a-wrong-word" not in str(refused.value)
    assert "\n" not in str(refused.value)


def test_shown_url_has_neither_user_nor_password():
    assert shown_url("postgresql://me:word@db.lab:5433/zoo?sslmode=require") == "db.lab:5433/zoo"


def test_tables_that_are_dropped_end_the_run_and_blame_no_cell(database):
    import psycopg

    driver = ClaimsDatabase(database.url, "a:1")
    with psycopg.connect(database.url, autocommit=True) as connection:
        connection.execute("DROP TABLE tlbench_claims, tlbench_drivers")
    with pytest.raises(DatabaseLost, match="does not exist"):
        driver.claim("study", "fit 0")
