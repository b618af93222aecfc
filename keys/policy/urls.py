"""Address of the key policy, under /c/<slug>/settings/keys/."""

from django.urls import path

from keys.policy import views

urlpatterns = [path("", views.policy, name="key_policy")]
