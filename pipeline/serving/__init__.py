"""The service: a run answers over HTTP. Only here are fastapi and uvicorn imported."""
