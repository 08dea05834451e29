"""What `make zoo` concludes from how much slower a host is with the zoo."""

from __future__ import annotations

import pytest

from tools.zoo import judged


@pytest.mark.parametrize(
    ("p95", "cpu", "busy", "missed"),
    [
        (1.0, 1.0, 0, []),
        (1.3, 1.3, 0, []),
        (1.4, 1.0, 0, ["1.40 times as slow"]),
        (1.4, 1.0, 80, []),
        (1.4, 1.4, 80, ["1.40 times the CPU"]),
        (1.0, 1.4, 0, ["1.40 times the CPU"]),
    ],
)
def test_times_count_on_an_idle_machine_and_cpu_on_any(
    p95: float, cpu: float, busy: float, missed: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    found = judged(p95, cpu, busy)
    assert [part in text for part, text in zip(missed, found, strict=True)] == [True] * len(missed)
    assert ("unsure" in capsys.readouterr().out) is (p95 > 1.3 and busy > 25)
