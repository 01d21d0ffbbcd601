"""A session sealed at rest: without its key the state directory alone is of no use."""

import secrets
from pathlib import Path

from tests.e2e.site import channel, eventually, site, stop


def test_a_sealed_session_runs_with_its_key_and_not_without(tmp_path: Path) -> None:
    (tmp_path / "session.key").write_text(secrets.token_hex(32))
    (tmp_path / "session.key").chmod(0o600)
    scenario = {"channels": [{"username": "news_one", "posts": 20}]}
    with site(
        tmp_path, scenario, channels=[channel("news_one")], session_key={"file": "session.key"}
    ) as place:
        place.login()
        ((stored,),) = [place.rows("SELECT auth_key FROM sessions")]
        assert stored[0].startswith(b"sealed1:")
        with place.running() as daemon:
            eventually(lambda: place.count() == 21, "the history")
            assert stop(daemon) == 0
        ((stored,),) = [place.rows("SELECT auth_key FROM sessions")]
        assert stored[0].startswith(b"sealed1:")
        (tmp_path / "session.key").write_text(secrets.token_hex(32))
        done = place.monitor("run")
        assert done.returncode == 2
        assert "session_key: does not open" in done.stderr
        assert "Traceback" not in done.stderr
