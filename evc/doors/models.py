"""A served model's HTTP endpoint."""

from __future__ import annotations

import asyncio

import httpx

from evc.pure.errors import EvcError

MAX_ANSWER_BYTES = 5_000_000


async def post(url: str, data: bytes, timeout: float) -> str:
    """Send `data` and return the answer's text; raises EvcError for anything but a 200.

    `timeout` seconds are for the whole of it: a model may drip.
    """
    text = b""
    try:
        async with (
            asyncio.timeout(timeout),
            httpx.AsyncClient(trust_env=False, timeout=timeout) as client,
            client.stream("POST", url, content=data) as answer,
        ):
            async for chunk in answer.aiter_bytes():
                text += chunk
                if len(text) > MAX_ANSWER_BYTES:
                    raise EvcError(f"the model's answer is larger than {MAX_ANSWER_BYTES:,} bytes")
    except TimeoutError:
        raise EvcError(f"the model did not answer within {timeout:.0f} s") from None
    except httpx.HTTPError as error:
        raise EvcError(f"the model does not answer: {error or type(error).__name__}") from None
    if answer.status_code != 200:
        said = text[:300].decode("utf-8", "replace")
        raise EvcError(f"the model answered {answer.status_code}: {said}")
    return text.decode("utf-8", "replace")
