"""As whom the tests ask the API."""

TOKEN = {"Authorization": "Bearer outlast-api-00"}
