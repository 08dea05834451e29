"""Each reason code has a meaning and a remedy, in each language."""

from __future__ import annotations

import pytest
from django.utils.translation import override

from pagoda.plugins.meanings import meaning_of
from pagoda.plugins.records import ReasonCode


@pytest.mark.parametrize("code", ReasonCode)
def test_each_code_has_a_meaning_and_a_remedy_in_the_reader_s_language(code: ReasonCode) -> None:
    english = meaning_of(code.value)
    with override("ja"):
        japanese = meaning_of(code.value)
    assert all((english.text, english.remedy, japanese.text, japanese.remedy))
    assert english.text != japanese.text
    assert english.remedy != japanese.remedy


@pytest.mark.parametrize("code", [None, "", "of_another_service"])
def test_a_code_that_the_host_does_not_know_means_nothing(code: str | None) -> None:
    assert meaning_of(code).text == ""
