"""Make the release's own account, or set its password to that of its Secret."""

import os

from django.contrib.auth import get_user_model

User = get_user_model()
user, is_new = User.objects.get_or_create(
    username=os.environ["ADMIN_USERNAME"], defaults={"email": os.environ["ADMIN_EMAIL"]}
)
user.is_active = user.is_staff = user.is_superuser = True
if not user.check_password(os.environ["ADMIN_PASSWORD"]):  # else its sessions would end with every release
    user.set_password(os.environ["ADMIN_PASSWORD"])
user.save()
print(f"account {user.username!r} {'made' if is_new else 'is there'}")
