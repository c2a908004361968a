"""The settings of design 6.1, read once from the environment; every fault is reported together."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from environs import Env, EnvValidationError

from lti_server.errors import ConfigurationError

PREFIX = "LTI_SERVER_"
SECRET_KEY_CHARACTERS = 32
MOST_BACKUP_DAYS = 3_650
COUNTRY = re.compile("(?:[A-Z]{2})?")
SECRET_KEY_FILE = "secret-keys"  # noqa: S105 - the name of a file, not a secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the operator decided. Times in seconds; `secret_keys` first is current.

    `country` is where data are kept, in two letters (ISO 3166-1); empty where the operator has not said.
    """

    database_url: str | None = None
    database_owner_url: str | None = None
    data_dir: Path = Path("var")
    base_url: str = "http://127.0.0.1:8000"
    secret_keys: tuple[str, ...] = field(default=(), repr=False)
    providers: tuple[str, ...] | None = None
    insecure_hosts: frozenset[str] = frozenset()
    trusted_proxies: int = 0
    backup_days: int | None = None
    redis_url: str | None = field(default=None, repr=False)
    smtp_url: str | None = field(default=None, repr=False)
    mail_from: str = "lti-server@localhost"
    country: str = ""
    lessons_file: Path | None = None
    metrics_token: str | None = field(default=None, repr=False)
    otel_exporter_otlp_endpoint: str | None = None
    log_level: str = "INFO"
    locales: tuple[str, ...] = ("en", "fr")

    @property
    def https(self) -> bool:
        return self.base_url.startswith("https://")

    @property
    def keys_from_disk(self) -> Path:
        """Where `demo` keeps the secret key that it makes, and where the CLI finds it."""
        return self.data_dir / SECRET_KEY_FILE

    @classmethod
    def from_env(cls) -> Settings:
        """Read `LTI_SERVER_…` from the environment.

        Raises:
            ConfigurationError: with one sentence for each setting that is wrong.
        """
        problems: list[str] = [
            f"{name} is not a setting of lti-server; check its spelling (docs/reference/settings.md)."
            for name in sorted(os.environ)
            if name.startswith(PREFIX)
            and name.removeprefix(PREFIX).lower() not in _KNOWN
            and not name.startswith(f"{PREFIX}TEST_")
        ]
        values = _parsed(problems)
        problems += _faults(values)
        if problems:
            raise ConfigurationError(problems)
        return cls(**values)  # type: ignore[arg-type]  # each value was parsed to its field's type above

    def with_secret_keys_from_disk(self) -> Settings:
        """These settings with the key file of `data_dir` where the environment names no key."""
        if self.secret_keys or not self.keys_from_disk.exists():
            return self
        keys = tuple(self.keys_from_disk.read_text(encoding="utf-8").split())
        return _replaced(self, secret_keys=keys)

    def with_made_secret_key(self) -> Settings:
        """These settings with a secret key, made and kept in `data_dir` if there was none (demo alone)."""
        found = self.with_secret_keys_from_disk()
        if found.secret_keys:
            return found
        self.data_dir.mkdir(parents=True, exist_ok=True)
        made = secrets.token_urlsafe(48)
        descriptor = os.open(self.keys_from_disk, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(made + "\n")
        return _replaced(self, secret_keys=(made,))


def _replaced(settings: Settings, **changes: object) -> Settings:
    import dataclasses

    return dataclasses.replace(settings, **changes)  # type: ignore[arg-type]  # callers pass typed fields


_KNOWN = frozenset(name for name in Settings.__dataclass_fields__)


def _parsed(problems: list[str]) -> dict[str, object]:
    env = Env(eager=False, prefix=PREFIX)
    values: dict[str, object] = {
        "database_url": env.str("DATABASE_URL", None),
        "database_owner_url": env.str("DATABASE_OWNER_URL", None),
        "data_dir": Path(env.str("DATA_DIR", "var") or "var"),
        "base_url": (env.str("BASE_URL", "http://127.0.0.1:8000") or "").rstrip("/"),
        "secret_keys": tuple(_listed(env.str("SECRET_KEYS", ""))),
        "providers": _optional_list(env.str("PROVIDERS", None)),
        "insecure_hosts": frozenset(_listed(env.str("INSECURE_HOSTS", ""))),
        "trusted_proxies": env.int("TRUSTED_PROXIES", 0),
        "backup_days": env.int("BACKUP_DAYS", None),
        "redis_url": env.str("REDIS_URL", None),
        "smtp_url": env.str("SMTP_URL", None),
        "mail_from": env.str("MAIL_FROM", "lti-server@localhost"),
        "country": (env.str("COUNTRY", "") or "").upper(),
        "lessons_file": _optional_path(env.str("LESSONS_FILE", None)),
        "metrics_token": env.str("METRICS_TOKEN", None),
        "otel_exporter_otlp_endpoint": env.str("OTEL_EXPORTER_OTLP_ENDPOINT", None),
        "log_level": (env.str("LOG_LEVEL", "INFO") or "INFO").upper(),
        "locales": tuple(_listed(env.str("LOCALES", "en,fr"))),
    }
    try:
        env.seal()
    except EnvValidationError as error:
        messages: Any = error.error_messages
        problems += [f"{name}: {' '.join(map(str, faults))}" for name, faults in messages.items()]
    return values


def _listed(text: str | None) -> list[str]:
    return [part.strip() for part in (text or "").split(",") if part.strip()]


def _optional_list(text: str | None) -> tuple[str, ...] | None:
    return None if text is None else tuple(_listed(text))


def _optional_path(text: str | None) -> Path | None:
    return Path(text) if text else None


def _faults(values: Mapping[str, object]) -> list[str]:
    faults: list[str] = []
    for key in ("database_url", "database_owner_url"):
        url = values[key]
        if url and not str(url).startswith("postgresql://"):
            faults.append(f"{PREFIX}{key.upper()} must begin with postgresql:// (PostgreSQL 15 or newer).")
    if values["smtp_url"] and not str(values["smtp_url"]).startswith(("smtp://", "smtps://")):
        faults.append(f"{PREFIX}SMTP_URL must begin with smtp:// (encrypted by STARTTLS) or smtps://.")
    faults += _base_url_faults(str(values["base_url"])) + _country_faults(str(values["country"]))
    keys = values["secret_keys"]
    assert isinstance(keys, tuple)
    if any(len(key) < SECRET_KEY_CHARACTERS for key in keys):
        faults.append(
            f"{PREFIX}SECRET_KEYS: every key needs at least {SECRET_KEY_CHARACTERS} characters; "
            "make one with: python -c 'import secrets; print(secrets.token_urlsafe(48))'"
        )
    proxies = values["trusted_proxies"]
    if isinstance(proxies, int) and not 0 <= proxies <= 10:
        faults.append(f"{PREFIX}TRUSTED_PROXIES is the number of proxies in front of this server: 0 to 10.")
    days = values["backup_days"]
    if isinstance(days, int) and not 0 <= days <= MOST_BACKUP_DAYS:
        faults.append(
            f"{PREFIX}BACKUP_DAYS is after how many days a backup is gone, wherever it lies: 0 to {MOST_BACKUP_DAYS}."
        )
    if values["log_level"] not in ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"):
        faults.append(f"{PREFIX}LOG_LEVEL must be DEBUG, INFO, WARNING, ERROR or CRITICAL.")
    unknown = sorted(set(values["locales"]) - {"en", "fr"})  # type: ignore[call-overload]  # a tuple of str
    if unknown or not values["locales"]:
        faults.append(f"{PREFIX}LOCALES may name en and fr; it does not have {', '.join(unknown) or 'any'}.")
    lessons = values["lessons_file"]
    if isinstance(lessons, Path) and not lessons.is_file():
        faults.append(f"{PREFIX}LESSONS_FILE: there is no file at {lessons}.")
    return faults


def _country_faults(country: str) -> list[str]:
    if COUNTRY.fullmatch(country):
        return []
    return [f"{PREFIX}COUNTRY is the country in which data are kept, in two letters: US, FR."]


def _base_url_faults(url: str) -> list[str]:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        return [f"{PREFIX}BASE_URL must be the address that browsers use, such as https://lessons.example."]
    loopback = parts.hostname in ("127.0.0.1", "localhost", "::1")
    if parts.scheme == "http" and not loopback:
        return [f"{PREFIX}BASE_URL must be https, unless the host is 127.0.0.1 or localhost."]
    return []
