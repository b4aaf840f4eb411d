/* Lines `fault NAME …`: what goes wrong, when, on which calls. */
#include <string.h>

#include "script.h"

static const struct {
    const char *name;
    FaultKind kind;
    nvmlReturn_t code;
    const char *call; /* what it strikes unless told; empty: all calls of the device */
} FAULTS[] = {
    {"fail", FAULT_FAIL, -1, ""},
    {"lost", FAULT_FAIL, NVML_ERROR_GPU_IS_LOST, ""},
    {"unknown", FAULT_FAIL, NVML_ERROR_UNKNOWN, ""},
    {"not_supported", FAULT_FAIL, NVML_ERROR_NOT_SUPPORTED, "energy"},
    {"no_permission", FAULT_FAIL, NVML_ERROR_NO_PERMISSION, "processes"},
    {"no_data", FAULT_FAIL, NVML_ERROR_NO_DATA, "power,energy,samples"},
    {"init", FAULT_FAIL, NVML_ERROR_DRIVER_NOT_LOADED, "init"},
    {"latency", FAULT_LATENCY, 0, ""},
    {"hang", FAULT_HANG, 0, ""},
    {"late", FAULT_LATE, 0, "power,energy,samples"},
    {"nan", FAULT_NAN, 0, "power"},
    {"spike", FAULT_SPIKE, 0, "power"},
    {"reset", FAULT_RESET, 0, ""},
    {"backwards", FAULT_BACKWARDS, 0, ""},
    {"stuck", FAULT_STUCK, 0, ""},
    {"jitter", FAULT_JITTER, 0, ""},
    {"uuid", FAULT_UUID, 0, ""},
    {"order", FAULT_ORDER, 0, ""},
    {"driver", FAULT_DRIVER, 0, ""},
    {"mig", FAULT_MIG, 0, ""},
};
enum { FAULT_COUNT = sizeof FAULTS / sizeof FAULTS[0] };

static void read_strike(Fault *fault, Line *line)
{
    text_option(line, "call", fault->call, sizeof fault->call);
    fault->probability = number_option(line, "probability", 1);
    fault->calls = (int64_t)number_option(line, "calls", 0);
}

static void read_code(Fault *fault, Line *line)
{
    const char *code = line_option(line, "code");
    if (code) fault->code = error_code(code);
    if (code && fault->code < 0) line_fail(line, "'%s' is no NVML error", code);
    else if (fault->code < 0) line_fail(line, "needs code=");
    fault->stale = line_has(line, "stale");
}

static double spike_amount(Line *line)
{
    const char *text = line_option(line, "value");
    if (!text) return 4e9;
    return strchr(text, 'J') ? parse_energy(line, text) : parse_power(line, text);
}

static void read_text(Fault *fault, Line *line)
{
    text_option(line, "value", fault->text, sizeof fault->text);
    if (!*fault->text) line_fail(line, "needs value=");
}

static void read_details(Fault *fault, Line *line)
{
    switch (fault->kind) {
    case FAULT_FAIL:
        read_code(fault, line);
        read_strike(fault, line);
        break;
    case FAULT_LATENCY:
    case FAULT_LATE:
        fault->by = time_option(line, "by", 0);
        read_strike(fault, line);
        break;
    case FAULT_HANG:
        fault->by = time_option(line, "by", FOREVER);
        read_strike(fault, line);
        break;
    case FAULT_NAN:
        read_strike(fault, line);
        break;
    case FAULT_SPIKE:
        fault->amount = spike_amount(line);
        read_strike(fault, line);
        break;
    case FAULT_RESET:
        fault->amount = energy_option(line, "to", 0);
        fault->until = FOREVER;
        break;
    case FAULT_BACKWARDS:
        fault->amount = energy_option(line, "by", 0);
        break;
    case FAULT_STUCK:
        fault->lost = line_has(line, "lost");
        break;
    case FAULT_JITTER:
        fault->by = time_option(line, "by", 0);
        break;
    case FAULT_UUID:
    case FAULT_ORDER:
    case FAULT_DRIVER:
        read_text(fault, line);
        break;
    case FAULT_MIG:
        fault->on = !line_has(line, "off");
        line_has(line, "on");
        break;
    }
}

static bool of_gpu(FaultKind kind)
{
    return kind == FAULT_RESET || kind == FAULT_BACKWARDS || kind == FAULT_STUCK || kind == FAULT_JITTER ||
           kind == FAULT_UUID || kind == FAULT_MIG;
}

void read_fault(Script *script, Gpu *gpu, Line *line)
{
    const char *name = line_word(line, 0);
    int number = 0;
    while (number < FAULT_COUNT && (!name || strcmp(FAULTS[number].name, name) != 0)) number++;
    if (number == FAULT_COUNT) {
        line_fail(line, "'%s' is no fault", name ? name : "");
        return;
    }
    int *count = gpu ? &gpu->fault_count : &script->fault_count;
    if (*count == MAX_FAULTS) {
        line_fail(line, "more than %d faults", MAX_FAULTS);
        return;
    }
    Fault *fault = gpu ? &gpu->faults[*count] : &script->faults[*count];
    (*count)++;
    *fault = (Fault){.kind = FAULTS[number].kind, .code = FAULTS[number].code, .id = script->next_id++};
    strcpy(fault->call, FAULTS[number].call);
    fault->from = time_option(line, "from", INT64_MIN);
    ns_t duration = time_option(line, "for", FOREVER);
    fault->until = duration == FOREVER ? FOREVER : fault->from + duration;
    if (duration != FOREVER && fault->from == INT64_MIN) fault->until = duration;
    read_details(fault, line);
    if (!gpu && of_gpu(fault->kind)) line_fail(line, "'%s' belongs to a GPU: put it after a gpu line", name);
    if (gpu && (fault->kind == FAULT_ORDER || fault->kind == FAULT_DRIVER || !strcmp(name, "init")))
        line_fail(line, "'%s' belongs to the node: put it before the first gpu line", name);
    if (fault->from == INT64_MIN && (fault->kind == FAULT_RESET || fault->kind == FAULT_STUCK ||
                                     fault->kind == FAULT_DRIVER))
        line_fail(line, "'%s' needs from=", name);
}
