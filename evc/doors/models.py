"""A served model's HTTP endpoint."""

from __future__ import annotations

import httpx

from evc.pure.errors import EvcError

MAX_ANSWER_BYTES = 5_000_000


async def post(url: str, data: bytes, timeout: float) -> str:
    """Send `data` and return the answer's text; raises EvcError for anything but a 200."""
    text = b""
    try:
        async with (
            httpx.AsyncClient(trust_env=False, timeout=timeout) as client,
            client.stream("POST", url, content=data) as answer,
        ):
            async for chunk in answer.aiter_bytes():
                text += chunk
                if len(text) > MAX_ANSWER_BYTES:
                    raise EvcError(f"the model's answer is larger than {MAX_ANSWER_BYTES:,} bytes")
    except httpx.HTTPError as error:
        raise EvcError(f"the model does not answer: {error or type(error).__name__}") from None
    if answer.status_code != 200:
        said = text[:300].decode("utf-8", "replace")
        raise EvcError(f"the model answered {answer.status_code}: {said}")
    return text.decode("utf-8", "replace")
