/* Reads a script: lines of the node, then blocks of GPUs. docs/stand-in.md is the reference. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "presets.h"
#include "script.h"

struct Block {
    Block *next;
    max_align_t memory[];
};

void *script_alloc(Script *script, size_t size)
{
    Block *block = calloc(1, sizeof(Block) + size);
    if (!block) abort();
    block->next = script->blocks;
    script->blocks = block;
    return block->memory;
}

void script_free(Script *script)
{
    if (!script) return;
    while (script->blocks) {
        Block *next = script->blocks->next;
        free(script->blocks);
        script->blocks = next;
    }
    free(script);
}

/* ---- the node ---- */

static void read_clock(Script *script, Line *line)
{
    script->manual_clock = line_has(line, "manual");
    line_has(line, "real");
    script->has_anchor = line_option(line, "anchor") != NULL;
    script->anchor = time_option(line, "anchor", 0);
    script->wall_us = time_option(line, "wall", script->wall_us * 1000) / 1000;
    text_option(line, "file", script->clock_file, sizeof script->clock_file);
    if (script->manual_clock && !*script->clock_file) line_fail(line, "a manual clock needs file=");
}

static void read_driver(Script *script, Line *line)
{
    text_option(line, "version", script->driver_version, sizeof script->driver_version);
    text_option(line, "nvml", script->nvml_version, sizeof script->nvml_version);
    script->cuda_version = (int)number_option(line, "cuda", script->cuda_version);
}

static void read_seed(Script *script, Line *line)
{
    const char *word = line_word(line, 0);
    script->seed = (uint64_t)parse_number(line, word ? word : "");
}

static Gpu *add_gpu(Script *script, Line *line)
{
    line_word(line, 0); /* the number is for people */
    if (script->gpu_count == MAX_GPUS) {
        line_fail(line, "more than %d GPUs", MAX_GPUS);
        return NULL;
    }
    int number = script->gpu_count++;
    Gpu *gpu = script->gpus[number] = script_alloc(script, sizeof *gpu);
    *gpu = (Gpu){.number = number, .from = INT64_MIN, .until = FOREVER, .time_scale = 1, .memory_used_bytes = -1,
                 .utilization = -1, .memory_utilization = -1, .temperature = -1};
    snprintf(gpu->uuid, sizeof gpu->uuid, "GPU-00000000-0000-4000-8000-%012d", number);
    snprintf(gpu->serial, sizeof gpu->serial, "%013d", number + 1);
    snprintf(gpu->bus_id, sizeof gpu->bus_id, "00000000:%02X:00.0", (number + 1) & 0xFF);
    return gpu;
}

/* ---- what a GPU is ---- */

static void read_name(char *out, size_t size, Line *line)
{
    const char *word = line_word(line, 0);
    if (word) copy_name(line, out, size, word);
    else line_fail(line, "needs a value");
}

static unsigned int read_number(Line *line)
{
    const char *word = line_word(line, 0);
    return (unsigned int)parse_number(line, word ? word : "");
}

static void read_capability(Gpu *gpu, Line *line)
{
    const char *word = line_word(line, 0);
    if (!word || sscanf(word, "%u.%u", &gpu->capability_major, &gpu->capability_minor) != 2)
        line_fail(line, "needs a number such as 9.0");
}

static void read_limit(Gpu *gpu, Line *line)
{
    const char *word = line_word(line, 0);
    gpu->limit_mw = (unsigned int)parse_power(line, word ? word : "");
    gpu->min_limit_mw = (unsigned int)power_option(line, "min", gpu->limit_mw / 2);
    gpu->max_limit_mw = (unsigned int)power_option(line, "max", gpu->limit_mw);
    gpu->idle_mw = (unsigned int)power_option(line, "idle", gpu->limit_mw / 10);
}

static void read_memory(Gpu *gpu, Line *line)
{
    const char *word = line_word(line, 0), *reserved = line_option(line, "reserved"), *used = line_option(line, "used");
    if (word) gpu->memory_bytes = parse_bytes(line, word);
    if (reserved) gpu->reserved_bytes = parse_bytes(line, reserved);
    if (used) gpu->memory_used_bytes = (int64_t)parse_bytes(line, used);
}

static void read_window(ns_t *from, ns_t *until, Line *line)
{
    *from = time_option(line, "from", INT64_MIN);
    ns_t duration = time_option(line, "for", FOREVER);
    *until = duration == FOREVER ? FOREVER : (*from == INT64_MIN ? 0 : *from) + duration;
}

static void read_instance(Gpu *gpu, Line *line)
{
    if (gpu->instance_count == MAX_INSTANCES) {
        line_fail(line, "more than %d instances", MAX_INSTANCES);
        return;
    }
    int number = gpu->instance_count++;
    Instance *instance = &gpu->instances[number];
    snprintf(instance->uuid, sizeof instance->uuid, "MIG-00000000-0000-4000-8%03d-%012d", number, gpu->number);
    text_option(line, "uuid", instance->uuid, sizeof instance->uuid);
    instance->gpu_instance = (unsigned int)number_option(line, "gi", number + 1);
    instance->compute_instance = (unsigned int)number_option(line, "ci", 0);
    instance->slices = (unsigned int)number_option(line, "slices", 1);
    const char *memory = line_option(line, "memory");
    instance->memory_bytes = memory ? parse_bytes(line, memory) : gpu->memory_bytes / 8 * instance->slices;
    gpu->mig_capable = true;
}

static void read_mig(Gpu *gpu, Line *line)
{
    gpu->mig_capable = !line_has(line, "none");
    gpu->mig = line_has(line, "on");
    line_has(line, "off");
}

static void read_process(Gpu *gpu, Line *line)
{
    if (gpu->process_count == MAX_PROCESSES) {
        line_fail(line, "more than %d processes", MAX_PROCESSES);
        return;
    }
    Process *process = &gpu->processes[gpu->process_count++];
    text_option(line, "pid", process->pid, sizeof process->pid);
    text_option(line, "usage_pid", process->usage_pid, sizeof process->usage_pid);
    const char *type = line_option(line, "type"), *memory = line_option(line, "memory");
    process->type = type ? *type : 'C';
    if (!*process->pid) line_fail(line, "needs pid=");
    if (!strchr("CGM", process->type)) line_fail(line, "type is C, G or M");
    process->memory_bytes = memory && strcmp(memory, "na") != 0 ? parse_bytes(line, memory) : UINT64_MAX;
    process->sm = (unsigned int)number_option(line, "sm", 0);
    process->memory_use = (unsigned int)number_option(line, "memory_use", 0);
    process->gpu_instance = (unsigned int)number_option(line, "gi", 0);
    process->compute_instance = (unsigned int)number_option(line, "ci", 0);
    read_window(&process->from, &process->until, line);
}

static void read_field(Gpu *gpu, Line *line)
{
    if (gpu->field_count == MAX_SWITCHED_FIELDS) {
        line_fail(line, "more than %d fields", MAX_SWITCHED_FIELDS);
        return;
    }
    bool on = !line_has(line, "off");
    unsigned int id = read_number(line);
    line_has(line, "on");
    gpu->fields[gpu->field_count++] = (SwitchedField){.id = id, .on = on};
}

static void read_gauges(Gpu *gpu, Line *line)
{
    gpu->utilization = (int)number_option(line, "gpu", gpu->utilization);
    gpu->memory_utilization = (int)number_option(line, "memory", gpu->memory_utilization);
    gpu->temperature = (int)number_option(line, "temperature", gpu->temperature);
    gpu->sm_clock_mhz = (unsigned int)number_option(line, "sm_clock", gpu->sm_clock_mhz);
    gpu->memory_clock_mhz = (unsigned int)number_option(line, "memory_clock", gpu->memory_clock_mhz);
}

/* ---- sensors ---- */

static void read_sensor(Gpu *gpu, Line *line)
{
    const char *which = line_word(line, 0);
    Sensor *sensor = !which                             ? NULL
                     : strcmp(which, "power") == 0   ? &gpu->power
                     : strcmp(which, "instant") == 0 ? &gpu->instant
                     : strcmp(which, "average") == 0 ? &gpu->average
                     : strcmp(which, "module") == 0  ? &gpu->module
                                                     : NULL;
    if (!sensor) {
        line_fail(line, "a sensor is power, instant, average or module");
        return;
    }
    Sensor old = sensor->present ? *sensor : (Sensor){.gain = 1};
    *sensor = (Sensor){
        .present = !line_has(line, "off"),
        .period = time_option(line, "period", old.period),
        .window = time_option(line, "window", old.window),
        .phase = time_option(line, "phase", old.phase),
        .gain = number_option(line, "gain", old.gain),
        .offset_mw = power_option(line, "offset", old.offset_mw),
    };
    if (sensor->period < 0 || sensor->window < 0) line_fail(line, "a time is below zero");
}

static void read_counter(Gpu *gpu, Line *line)
{
    Counter old = gpu->counter.present ? gpu->counter : (Counter){.gain = 1, .quantum_mj = 1};
    const char *mode = line_option(line, "mode");
    if (mode && strcmp(mode, "exact") != 0 && strcmp(mode, "sampled") != 0)
        line_fail(line, "mode is exact or sampled");
    gpu->counter = (Counter){
        .present = !line_has(line, "off"),
        .sampled = mode ? strcmp(mode, "sampled") == 0 : old.sampled,
        .tick = time_option(line, "tick", old.tick),
        .phase = time_option(line, "phase", old.phase),
        .jitter = time_option(line, "jitter", old.jitter),
        .delay = time_option(line, "delay", old.delay),
        .window = time_option(line, "window", old.window),
        .gain = number_option(line, "gain", old.gain),
        .quantum_mj = (int64_t)energy_option(line, "quantum", (double)old.quantum_mj),
        .start_mj = (int64_t)energy_option(line, "start", (double)old.start_mj),
        .seed = (uint64_t)number_option(line, "seed", (double)old.seed),
    };
    if (gpu->counter.tick < 0 || gpu->counter.window < 0 || gpu->counter.delay < 0)
        line_fail(line, "a time is below zero");
    if (gpu->counter.sampled && !gpu->counter.tick) line_fail(line, "a sampled counter needs tick=");
    if (gpu->counter.quantum_mj < 1) line_fail(line, "quantum= is below 1mJ");
}

static void read_samples(Gpu *gpu, Line *line)
{
    gpu->sample_period = time_option(line, "period", 20000000);
    gpu->sample_count = line_has(line, "off") ? 0 : (int)number_option(line, "length", 100);
    if (gpu->sample_period <= 0) line_fail(line, "needs a period above zero");
}

/* ---- lines ---- */

static void read_text(Script *script, Gpu **gpu, Line *line, char *text);

static void read_preset(Script *script, Gpu *gpu, Line *line)
{
    const char *name = line_word(line, 0);
    for (int i = 0; name && PRESETS[i].name; i++) {
        if (strcmp(PRESETS[i].name, name) != 0) continue;
        char text[sizeof PRESETS[0].lines];
        memcpy(text, PRESETS[i].lines, sizeof text);
        Line *inner = calloc(1, sizeof *inner);
        if (!inner) abort();
        for (char *rest = text, *end; *rest && !*inner->error; rest = end) {
            end = rest + strcspn(rest, "\n");
            if (*end) *end++ = 0;
            read_text(script, &gpu, inner, rest);
        }
        if (*inner->error) line_fail(line, "%.400s", inner->error);
        free(inner);
        return;
    }
    line_fail(line, "'%s' is no preset", name ? name : "");
}

static bool read_gpu_line(Script *script, Gpu *gpu, Line *line)
{
    const char *keyword = line->words[0];
    if (strcmp(keyword, "preset") == 0) read_preset(script, gpu, line);
    else if (strcmp(keyword, "power") == 0) read_layer(script, gpu, line);
    else if (strcmp(keyword, "sensor") == 0) read_sensor(gpu, line);
    else if (strcmp(keyword, "counter") == 0) read_counter(gpu, line);
    else if (strcmp(keyword, "samples") == 0) read_samples(gpu, line);
    else if (strcmp(keyword, "field") == 0) read_field(gpu, line);
    else if (strcmp(keyword, "process") == 0) read_process(gpu, line);
    else if (strcmp(keyword, "instance") == 0) read_instance(gpu, line);
    else if (strcmp(keyword, "mig") == 0) read_mig(gpu, line);
    else if (strcmp(keyword, "present") == 0) read_window(&gpu->from, &gpu->until, line);
    else if (strcmp(keyword, "name") == 0) read_name(gpu->name, sizeof gpu->name, line);
    else if (strcmp(keyword, "uuid") == 0) read_name(gpu->uuid, sizeof gpu->uuid, line);
    else if (strcmp(keyword, "serial") == 0) read_name(gpu->serial, sizeof gpu->serial, line);
    else if (strcmp(keyword, "pci") == 0) read_name(gpu->bus_id, sizeof gpu->bus_id, line);
    else if (strcmp(keyword, "architecture") == 0) gpu->architecture = read_number(line);
    else if (strcmp(keyword, "brand") == 0) gpu->brand = read_number(line);
    else if (strcmp(keyword, "capability") == 0) read_capability(gpu, line);
    else if (strcmp(keyword, "limit") == 0) read_limit(gpu, line);
    else if (strcmp(keyword, "memory") == 0) read_memory(gpu, line);
    else if (strcmp(keyword, "gauges") == 0) read_gauges(gpu, line);
    else if (strcmp(keyword, "timescale") == 0) {
        const char *word = line_word(line, 0);
        gpu->time_scale = parse_number(line, word ? word : "");
        if (gpu->time_scale <= 0) line_fail(line, "needs a number above zero");
    } else return false;
    return true;
}

static bool read_node_line(Script *script, Gpu **gpu, Line *line)
{
    const char *keyword = line->words[0];
    if (strcmp(keyword, "gpu") == 0) *gpu = add_gpu(script, line);
    else if (strcmp(keyword, "fault") == 0) read_fault(script, *gpu, line);
    else if (strcmp(keyword, "clock") == 0) read_clock(script, line);
    else if (strcmp(keyword, "driver") == 0) read_driver(script, line);
    else if (strcmp(keyword, "seed") == 0) read_seed(script, line);
    else return false;
    return true;
}

static void read_text(Script *script, Gpu **gpu, Line *line, char *text)
{
    line_split(line, text);
    if (!line->count || *line->error) return;
    if (!read_node_line(script, gpu, line)) {
        if (!*gpu) line_fail(line, "'%s' is unknown, or belongs after a gpu line", line->words[0]);
        else if (!read_gpu_line(script, *gpu, line)) line_fail(line, "'%s' is unknown", line->words[0]);
    }
    if (!*line->error) line_finish(line);
}

/* ---- the whole ---- */

static void use_environment(Script *script)
{
    const char *anchor = getenv("METER_STANDIN_ANCHOR"), *file = getenv("METER_STANDIN_CLOCK");
    if (anchor && !script->has_anchor) script->anchor = strtoll(anchor, NULL, 10);
    if (file && !script->manual_clock) {
        script->manual_clock = true;
        snprintf(script->clock_file, sizeof script->clock_file, "%s", file);
    }
}

Script *script_read(const char *path, char *error, size_t size)
{
    FILE *file = fopen(path, "re");
    if (!file) {
        snprintf(error, size, "%s: %s", path, strerror(errno));
        return NULL;
    }
    Script *script = calloc(1, sizeof *script);
    Line *line = calloc(1, sizeof *line);
    if (!script || !line) abort();
    script->cuda_version = 13000;
    script->wall_us = 1767225600000000; /* 2026-01-01 */
    strcpy(script->driver_version, "580.65.06");
    strcpy(script->nvml_version, "13.580.65.06");
    Gpu *gpu = NULL;
    char *text = NULL;
    size_t room = 0;
    int number = 0;
    while (!*line->error && getline(&text, &room, file) >= 0) {
        number++;
        read_text(script, &gpu, line, text);
    }
    bool failed = *line->error;
    if (failed) snprintf(error, size, "%s:%d: %s", path, number, line->error);
    free(text);
    free(line);
    fclose(file);
    if (failed) {
        script_free(script);
        return NULL;
    }
    use_environment(script);
    return script;
}
