"""Values to try the chart with."""

from __future__ import annotations

from typing import Any

EVERYTHING: dict[str, Any] = {
    "pluginApi": {"enabled": True},
    "api": {"autoscaling": {"enabled": True}},
    "plugins": {
        "hello-world-plugin": {"autoscaling": {"kind": "cpu"}},
        "inventory": {"autoscaling": {"kind": "queue"}, "secretEnv": {"TOKEN": "x"}, "settings": {"a": 1}},
    },
    "ingress": {"enabled": True, "hosts": ["a.example.org"], "flowerHost": "f.example.org"},
    "httpRoute": {"enabled": True, "parentRefs": [{"name": "gateway"}], "hostnames": ["a.example.org"]},
    "metrics": {"monitors": True},
    "alerts": {"enabled": True},
    "dashboard": {"enabled": True},
}
"""Values with which the chart makes every kind of object that it knows."""
