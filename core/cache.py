"""A cache that may disappear: Valkey wakes, caches and throttles, and nothing may fail because it is away."""

from __future__ import annotations

from typing import Any

import redis
import structlog
from django.core.cache.backends.redis import RedisCache

log = structlog.get_logger()


class ForgivingRedisCache(RedisCache):
    """Django's Redis cache that answers as if empty when the server cannot be reached."""

    def __init__(self, server: str, params: dict[str, Any]) -> None:
        options = params.setdefault("OPTIONS", {})
        options.setdefault("socket_timeout", 1)
        options.setdefault("socket_connect_timeout", 1)
        super().__init__(server, params)

    def get(self, key: str, default: Any = None, version: int | None = None) -> Any:
        try:
            return super().get(key, default, version)
        except redis.RedisError as error:
            log.warning("cache unreachable", operation="get", error=type(error).__name__)
            return default

    def set(self, key: str, value: Any, *args: Any, **kwargs: Any) -> None:
        try:
            super().set(key, value, *args, **kwargs)
        except redis.RedisError as error:
            log.warning("cache unreachable", operation="set", error=type(error).__name__)

    def add(self, key: str, value: Any, *args: Any, **kwargs: Any) -> bool:
        try:
            return bool(super().add(key, value, *args, **kwargs))
        except redis.RedisError as error:
            log.warning("cache unreachable", operation="add", error=type(error).__name__)
            return True

    def delete(self, key: str, version: int | None = None) -> bool:
        try:
            return bool(super().delete(key, version))
        except redis.RedisError as error:
            log.warning("cache unreachable", operation="delete", error=type(error).__name__)
            return False

    def incr(self, key: str, delta: int = 1, version: int | None = None) -> int:
        try:
            return int(super().incr(key, delta, version))
        except redis.RedisError as error:
            log.warning("cache unreachable", operation="incr", error=type(error).__name__)
            return delta
