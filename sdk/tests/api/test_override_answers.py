from __future__ import annotations

from typing import Any

import pytest

from pagoda_plugin_sdk import (
    accepted_response,
    created_response,
    error_response,
    no_content_response,
    not_found_response,
    permission_denied_response,
    success_response,
    validation_error_response,
)

ANSWERS: dict[str, tuple[Any, int, Any]] = {
    "success_response": (success_response({"a": 1}), 200, {"a": 1}),
    "success_response, bare": (success_response(), 200, {}),
    "success_response, status": (success_response({"a": 1}, status_code=206), 206, {"a": 1}),
    "created_response": (created_response({"a": 1}, entry_id=7), 201, {"a": 1}),
    "created_response, named": (
        created_response(entry_id=7, entry_name="r"),
        201,
        {"id": 7, "name": "r"},
    ),
    "created_response, id": (created_response(entry_id=7), 201, {"id": 7}),
    "accepted_response": (accepted_response(), 202, {"message": "Request accepted for processing"}),
    "accepted_response, message": (accepted_response({"a": 1}, "Later."), 202, {"message": "Later.", "a": 1}),
    "accepted_response, own": (accepted_response({"message": "Mine."}), 202, {"message": "Mine."}),
    "no_content_response": (no_content_response(), 204, None),
    "error_response": (error_response("No."), 400, {"error": "No."}),
    "error_response, details": (
        error_response("No.", status_code=409, details={"a": 1}),
        409,
        {"error": "No.", "details": {"a": 1}},
    ),
    "not_found_response": (not_found_response(), 404, {"error": "Entry not found"}),
    "permission_denied_response": (permission_denied_response(), 403, {"error": "Permission denied"}),
    "permission_denied_response, entries": (
        permission_denied_response("No.", denied_entries=[1, 2]),
        403,
        {"error": "No.", "denied_entries": [1, 2]},
    ),
    "validation_error_response": (validation_error_response({"name": ["no"]}), 400, {"name": ["no"]}),
    "validation_error_response, list": (validation_error_response(["no"]), 400, ["no"]),
    "validation_error_response, text": (validation_error_response("no"), 400, {"detail": "no"}),
}


@pytest.mark.parametrize(("response", "status", "data"), ANSWERS.values(), ids=ANSWERS)
def test_answer_has_its_status_and_data(response: Any, status: int, data: Any) -> None:
    assert (response.status_code, response.data) == (status, data)
