from __future__ import annotations

import pytest

from pagoda_plugin_sdk.cli.naming import names_of
from pagoda_plugin_sdk.exceptions import PluginValidationError


@pytest.mark.parametrize(
    ("name", "plugin_id", "package", "class_name"),
    [
        ("demo", "demo", "pagoda_demo_plugin", "DemoPlugin"),
        ("My-Plugin_2", "my-plugin-2", "pagoda_my_plugin_2_plugin", "MyPlugin2Plugin"),
        ("rack power", "rack-power", "pagoda_rack_power_plugin", "RackPowerPlugin"),
        ("plugins/rack.power", "rack-power", "pagoda_rack_power_plugin", "RackPowerPlugin"),
        ("pagoda-demo-plugin", "demo", "pagoda_demo_plugin", "DemoPlugin"),
        ("2fast", "2fast", "pagoda_2fast_plugin", "The2fastPlugin"),
        ("class", "class", "pagoda_class_plugin", "ClassPlugin"),
        ("django", "django", "pagoda_django_plugin", "DjangoPlugin"),
    ],
)
def test_a_name_gives_all_names(name: str, plugin_id: str, package: str, class_name: str) -> None:
    names = names_of(name)
    assert (names.id, names.package, names.class_name) == (plugin_id, package, class_name)
    assert names.package.isidentifier()
    assert names.class_name.isidentifier()


@pytest.mark.parametrize(
    "name", ["", " ", ".", "..", "-demo", "demo-", "naïve", "a/b!", "a\nb", "x" * 41, "core", "Health"]
)
def test_other_names_are_refused_with_a_remedy(name: str) -> None:
    with pytest.raises(PluginValidationError, match=r"such as|Choose"):
        names_of(name)
