"""Addresses of the pages of access reviews."""

from django.urls import path

from keys.reviews import views

app_name = "reviews"
urlpatterns = [
    path("c/<slug:slug>/reviews/", views.review_list, name="list"),
    path("c/<slug:slug>/reviews/<str:review_id>/", views.review, name="one"),
    path("c/<slug:slug>/reviews/<str:review_id>/print/", views.printed, name="print"),
    path("c/<slug:slug>/reviews/<str:review_id>/export.csv", views.export, name="export"),
    path("staff/reviews/", views.staff_reviews, name="staff"),
]
