"""Everything that can be set; the reference in docs is made from this table."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Key:
    """One thing that can be set, by file key, environment variable or flag."""

    name: str  # dotted, as in the file
    kind: str
    default: str
    help: str
    example: str
    variable: str | None = None
    flag: str | None = None
    in_file: bool = True  # False: whoever looks for it cannot read the file yet


KEYS: tuple[Key, ...] = (
    Key("home", "path", "the XDG state folder + /meter", "Folder of ledger and logs.",
        '"/var/lib/meter"', "METER_HOME", in_file=False),
    Key("socket", "path", "in the runtime folder, one for each home",
        "The agent's Unix socket; at most 107 bytes.", '"/run/meter/agent.sock"',
        "METER_SOCKET", "--socket", in_file=False),
    Key("lease_dir", "path", "/run/lock/meter, else in the runtime folder",
        "Folder of GPU leases, shared by all agents of a node.", '"/run/lock/meter"',
        "METER_LEASE_DIR", in_file=False),
    Key("listen", "host:port", "127.0.0.1:9850", "Where `meter agent` serves HTTP.",
        '"127.0.0.1:9850"', "METER_LISTEN", "--listen"),
    Key("project", "text", "default", "Project of runs that name none.", '"chatbot"',
        "METER_PROJECT", "--project"),
    Key("simulate", "text", "not set", "Simulated GPUs instead of NVML, labelled simulated.",
        '"2xH100"', "METER_SIMULATE"),
    Key("replay", "path", "not set", "A recording played back instead of NVML.",
        '"recording.jsonl"', "METER_REPLAY"),
    Key("host", "true or false", "true", "Meter CPU and RAM too.", "true", "METER_HOST"),
    Key("retention_days", "whole number", "30", "Days that 1 Hz readings are kept.", "30"),
    Key("site.name", "text", "default", "Name of the place where the energy is used.",
        '"basement"'),
    Key("site.zone", "text", "not set: the world's range, labelled assumed",
        "Grid zone of the site: ISO 3166 alpha-3, for some countries with a region.", '"FRA"',
        "METER_ZONE"),
    Key("site.pue", "number >= 1, or a band", "not set: IT energy only",
        "Facility energy over IT energy.", "{ value = 1.2, low = 1.15, high = 1.3 }"),
    Key("electricity.currency", "ISO 4217", "required with a price", "Currency of the tariff.",
        '"EUR"'),
    Key("electricity.price_per_kwh", "number >= 0, or a band", "not set: no electricity cost",
        "Price of a kWh outside the windows.", "0.25"),
    Key("electricity.timezone", "IANA name", "UTC", "Time zone of the windows.",
        '"Europe/Paris"'),
    Key("electricity.valid_from", "date", "always", "First day of this tariff, in its time zone.",
        "2026-01-01"),
    Key("electricity.valid_to", "date", "open",
        "Day from which it does not hold any more, in its time zone.", "2027-01-01"),
    Key("electricity.source", "text", "configuration", "Where the price is from.",
        '"contract 2026-17"'),
    Key("electricity.windows[].days", "list of days", "every day",
        "Days of a time-of-use window: mon ... sun, mon-fri.", '["mon-fri"]'),
    Key("electricity.windows[].season", "MM-DD/MM-DD", "all year",
        "First and last day of the year of the window; may pass the new year.",
        '"04-01/09-30"'),
    Key("electricity.windows[].from", "time on a quarter hour", "required",
        "Start of the window, local time.", '"22:00"'),
    Key("electricity.windows[].to", "time on a quarter hour", "required",
        "End of the window, not included; may pass midnight.", '"06:00"'),
    Key("electricity.windows[].price_per_kwh", "number >= 0, or a band", "required",
        "Price of a kWh in the window.", "0.17"),
    Key("gpu_time.currency", "ISO 4217", "required with a rate", "Currency of the rate.",
        '"USD"'),
    Key("gpu_time.rate_per_hour", "number >= 0, or a band", "not set: no GPU time cost",
        "Price of an hour of one GPU, owned (amortised) or rented.", "2.10"),
    Key("gpu_time.source", "text", "configuration", "Where the rate is from.",
        '"offer of 2026-03-02"'),
    Key("intensity.provider", "electricity-maps, watttime or uk", "not set: nothing is fetched",
        "Where the agent fetches live grid intensity; see docs/live-intensity.md.",
        '"electricity-maps"'),
    Key("intensity.zone", "text", "required; for uk: GB",
        "The provider's own name of the zone; for uk GB or a region from 1 to 17.", '"FR"'),
    Key("intensity.every_minutes", "whole number from 5 to 15", "10",
        "Minutes between two requests.", "10"),
    Key("intensity.signal", "marginal or average", "marginal",
        "Signal of WattTime; a marginal intensity is never in a total.", '"average"'),
    Key("intensity.emissions", "life-cycle or direct", "life-cycle",
        "Emission factors of Electricity Maps.", '"direct"'),
    Key("intensity.url", "https address", "the provider's own",
        "Another address that speaks the same, as a proxy does.",
        '"https://intensity.example.org"'),
    Key("intensity.key", "text", "none", "Key of Electricity Maps.", '"..."',
        "METER_INTENSITY_KEY", in_file=False),
    Key("intensity.key_file", "path", "none", "File with the key alone; mode 0600.",
        '"/etc/meter/intensity.key"'),
    Key("intensity.user", "text", "none", "User of WattTime.", '"lab"', "METER_INTENSITY_USER"),
    Key("intensity.password", "text", "none", "Password of WattTime.", '"..."',
        "METER_INTENSITY_PASSWORD", in_file=False),
    Key("intensity.password_file", "path", "none", "File with the password alone; mode 0600.",
        '"/etc/meter/intensity.password"'),
)  # fmt: skip
"""All keys, in the order of the reference."""
