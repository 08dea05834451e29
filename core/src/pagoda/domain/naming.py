"""The column of a name, which holds it as `clean_name` makes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import models

from pagoda_plugin_sdk.rules.text import MAX_NAME_LENGTH, clean_name, validate_name

if TYPE_CHECKING:
    _Text = models.CharField[str, str]
else:
    _Text = models.CharField


class NameField(_Text):
    """A name: clean once it was checked or is new, whoever saves it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # Any: Django's options
        kwargs.setdefault("max_length", MAX_NAME_LENGTH)
        kwargs.setdefault("validators", [validate_name])
        super().__init__(*args, **kwargs)

    def deconstruct(self) -> tuple[str, str, Any, Any]:  # Any: Django's options
        """Return it as a migration has it: to the database it is text."""
        name, _path, args, kwargs = super().deconstruct()
        return name, "django.db.models.CharField", args, kwargs

    def clean(self, value: Any, model_instance: models.Model | None) -> Any:
        """Return the checked name, clean."""
        return super().clean(clean_name(value), model_instance)

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        """Put the clean name on a new object; one that is stored may have a name of an earlier release."""
        if add:
            setattr(model_instance, self.attname, clean_name(getattr(model_instance, self.attname)))
        return super().pre_save(model_instance, add)
