"""What nodes ask of nodes."""

from collections.abc import Mapping
from typing import Any

import pytest
import pytest_twisted

from calserver.cluster.calls import TABLES, Declined, alike
from calserver.store import REVISION


@pytest_twisted.ensureDeferred
async def test_rows_are_given_and_taken_only_between_tables_that_are_alike() -> None:
    asked: list[Mapping[str, Any]] = []

    async def act(what: Mapping[str, Any]) -> Mapping[str, Any]:
        asked.append(what)
        return {"rows": []}

    assert await alike(act)({TABLES: REVISION, "principals": [1]}) == {"rows": []}
    for other in ({TABLES: "0001"}, {}):
        with pytest.raises(Declined, match=f"not those of {REVISION}"):
            await alike(act)(other)
    assert len(asked) == 1
