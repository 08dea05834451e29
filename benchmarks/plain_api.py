"""The peer of `bench_api.py`: what Django and DRF take for the same five columns in a flat table.

A model, a viewset, a token and pages of 100, as DRF's documentation has them; gunicorn serves it. Run as a
script it makes the table, and a token that it prints.
"""

import os

import dj_database_url
import django
from django.conf import settings

settings.configure(
    DATABASES={"default": dj_database_url.parse(os.environ["DATABASE_URL"], conn_max_age=None)},
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "rest_framework",
        "rest_framework.authtoken",
    ],
    MIDDLEWARE=["django.middleware.security.SecurityMiddleware", "django.middleware.common.CommonMiddleware"],
    ROOT_URLCONF=__name__,
    ALLOWED_HOSTS=["127.0.0.1"],
    USE_TZ=True,
    SECRET_KEY="of a benchmark",  # noqa: S106
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    REST_FRAMEWORK={
        "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework.authentication.TokenAuthentication"],
        "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
        "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
        "DEFAULT_PAGINATION_CLASS": "rest_framework.pagination.LimitOffsetPagination",
        "PAGE_SIZE": 100,
    },
)
django.setup()

from django.db import models  # noqa: E402
from rest_framework import routers, serializers, viewsets  # noqa: E402


class FlatHost(models.Model):
    """A row of the flat table."""

    name = models.CharField(max_length=200, unique=True)
    note = models.TextField(blank=True, default="")
    created_time = models.DateTimeField(auto_now_add=True)
    updated_time = models.DateTimeField(auto_now=True)
    address = models.CharField(max_length=200)
    os = models.CharField(max_length=200)
    ram = models.IntegerField()
    is_virtual = models.BooleanField()
    bought = models.DateField()

    class Meta:
        app_label = "auth"  # any that is installed
        db_table = "plain_host"

    def __str__(self) -> str:
        return self.name


class FlatHostSerializer(serializers.ModelSerializer[FlatHost]):
    """All of it."""

    class Meta:
        model = FlatHost
        fields = "__all__"


class FlatHostViewSet(viewsets.ModelViewSet[FlatHost]):
    """The usual endpoints."""

    queryset = FlatHost._default_manager.order_by("id")
    serializer_class = FlatHostSerializer


router = routers.DefaultRouter()
router.register("hosts", FlatHostViewSet)
urlpatterns = router.urls


def main() -> None:
    """Make the tables and a user, and print a token."""
    from django.contrib.auth.models import User
    from django.core.management import call_command
    from django.db import connection
    from rest_framework.authtoken.models import Token

    call_command("migrate", verbosity=0)
    with connection.schema_editor() as editor:
        editor.create_model(FlatHost)
    print(Token.objects.create(user=User.objects.create_superuser("plain")).key)


if __name__ == "__main__":
    main()
else:
    from django.core.wsgi import get_wsgi_application

    application = get_wsgi_application()
