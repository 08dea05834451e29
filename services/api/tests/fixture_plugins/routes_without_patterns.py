"""A module that forgets its urlpatterns."""
