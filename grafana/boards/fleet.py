"""All GPUs: what they draw, whether they work, who holds them, what is not known of them."""

from grafana.boards.parts import (
    INSTANCE,
    JOB,
    PROJECT,
    REPORT_HOP,
    RUN_HOP,
    Ask,
    Board,
    Column,
    Look,
    Row,
    bars,
    figures,
    lines,
    listing,
)
from grafana.boards.questions import WITH_REACH, starts_and_ends

GPU = "{{instance}} GPU {{gpu}}"
WORKING = "(meter_gpu_utilization_ratio > bool 0.05)"
OF_PROJECT = 'and on (job, instance, run) meter_run_info{project=~"$project"}'
HELD = f"max by (job, instance, uuid) (meter_run_gpu_info {OF_PROJECT})"

NOW = Row(
    "Now",
    (
        figures(
            "GPUs",
            "GPUs that are metered.",
            "none",
            Ask("count(meter_gpu_info)", "GPUs"),
            look=Look(w=4, h=4),
        ),
        figures(
            "Held",
            "Part of the GPUs that a run of the chosen projects holds.",
            "percentunit",
            Ask(f"(count({HELD}) or vector(0)) / count(meter_gpu_info)", "held"),
            look=Look(w=4, h=4, decimals=0, high=1),
        ),
        figures(
            "Working",
            "Part of the GPUs on which a kernel ran more than 5 % of the last second.",
            "percentunit",
            Ask(f"avg({WORKING})", "working"),
            look=Look(w=4, h=4, decimals=0, high=1),
        ),
        figures(
            "Held and idle",
            "GPUs that a run holds and on which hardly a kernel runs: they cost as if they worked.",
            "none",
            Ask(
                f"count(meter_gpu_utilization_ratio < 0.05 and on (job, instance, uuid) {HELD}) or vector(0)",
                "GPUs",
            ),
            look=Look(w=4, h=4, limits=((1, "yellow"), (8, "red"))),
        ),
        figures(
            "Power",
            "Power of all GPUs.",
            "watt",
            Ask("sum(instance:meter_gpu_power_watts:sum)", "power"),
            look=Look(w=4, h=4),
        ),
        figures(
            "Hottest",
            "Temperature of the hottest GPU.",
            "celsius",
            Ask("max(meter_gpu_temperature_celsius)", "hottest"),
            look=Look(w=4, h=4, decimals=0, limits=((80, "yellow"), (87, "red"))),
        ),
    ),
)

COURSE = Row(
    "Over time",
    (
        lines(
            "Power by node",
            "Power of each node's GPUs.",
            "watt",
            Ask("instance:meter_gpu_power_watts:sum", "{{instance}}"),
            look=Look(stacked=True),
        ),
        lines(
            "Power by GPU",
            "Power of each GPU when it was last looked at.",
            "watt",
            Ask("max by (instance, gpu, uuid) (meter_gpu_power_watts)", GPU),
        ),
        lines(
            "Utilisation",
            "Part of the time in which a kernel ran on the GPU; it says nothing of how much of the GPU worked.",
            "percentunit",
            Ask("max by (instance, gpu, uuid) (meter_gpu_utilization_ratio)", GPU),
            look=Look(high=1),
        ),
        lines(
            "Memory in use",
            "Memory of each GPU that is in use.",
            "bytes",
            Ask("max by (instance, gpu, uuid) (meter_gpu_memory_used_bytes)", GPU),
        ),
        lines(
            "Temperature",
            "Temperature of each GPU.",
            "celsius",
            Ask("max by (instance, gpu, uuid) (meter_gpu_temperature_celsius)", GPU),
            look=Look(limits=((80, "yellow"), (87, "red")), low=20),
        ),
        lines(
            "Power of hosts",
            "Processors and memory of the hosts, measured or modelled as the legend says.",
            "watt",
            Ask(
                "sum by (instance, component, method) (rate(meter_host_energy_joules_total[$__rate_interval]))",
                "{{instance}} {{component}}, {{method}}",
            ),
            look=Look(stacked=True),
        ),
    ),
)

RANGE = Row(
    "In this range",
    (
        bars(
            "Energy by GPU",
            "Energy of each GPU in the range, whoever used it.",
            "kwatth",
            Ask(
                "topk(16, sum by (instance, gpu, uuid) (increase(meter_gpu_energy_joules_total[$__range]))) / 3.6e6",
                GPU,
            ),
            look=Look(w=6, decimals=2),
        ),
        bars(
            "Mean utilisation by GPU",
            "Mean over the range, the least first: what stands here on top could be given back.",
            "percentunit",
            Ask(
                "sort(bottomk(16, max by (instance, gpu, uuid) (avg_over_time(meter_gpu_utilization_ratio[$__range]))))",
                GPU,
            ),
            look=Look(
                w=6, high=1, decimals=0, first="red", limits=((0.2, "yellow"), (0.5, "green"))
            ),
        ),
        listing(
            "Gaps by device",
            "Time in the range for which nothing is known of a device's power.",
            (("instance", "instance"), ("uuid", "device")),
            (
                Column(
                    "topk(16, sum by (instance, uuid) (increase(meter_energy_gap_seconds_total[$__range])))",
                    "unknown for",
                    "s",
                    limits=((30, "yellow"), (300, "red")),
                    decimals=0,
                ),
            ),
            look=Look(w=12),
        ),
    ),
)

WHO = Row(
    "Which they are",
    (
        listing(
            "GPUs",
            "Every GPU that tells its power, and how its energy is known at best.",
            (
                ("instance", "instance"), ("gpu", "GPU"), ("name", "model"), ("method", "method"), ("simulated", "simulated"),
                ("driver_version", "driver"), ("pci_bus_id", "PCI bus"), ("uuid", "UUID"),
            ),
            (
                Column(
                    "max by (job, instance, uuid) (meter_gpu_power_watts) * on (job, instance, uuid)"
                    " group_right () meter_gpu_info",
                    "power", "watt", decimals=0,
                ),
            ),
            look=Look(w=24, h=9),
        ),
        listing(
            "Who holds them",
            "Live runs and the GPUs that they hold. The name leads to the run's dashboard, its id to its report at the agent.",
            (
                ("instance", "instance"), ("gpu", "GPU"), ("name", "name"), ("project", "project"),
                ("run", "run"), ("job", "job"), ("scheme", "scheme"), ("at", "at"),
            ),
            (
                Column(
                    "max by (job, instance, run, gpu, uuid) (meter_run_gpu_info)"
                    " * on (job, instance, run) group_left () meter_run_start_timestamp_seconds * 1000"
                    ' * on (job, instance, run) group_left (name, project) meter_run_info{project=~"$project"}'
                    f" {WITH_REACH}",
                    "run began", "dateTimeFromNow",
                ),
            ),
            hops=(("name", RUN_HOP), ("run", REPORT_HOP)),
            look=Look(w=24, h=7),
            whose=5,
        ),
    ),
)  # fmt: skip

BOARD = Board(
    uid="meter-fleet",
    title="meter: GPU fleet",
    text="Power, use, temperature and holders of every GPU.",
    rows=(NOW, COURSE, RANGE, WHO),
    variables=(JOB, INSTANCE, PROJECT),
    notes=starts_and_ends('project=~"$project"'),
)
