/* What goes wrong, and when. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "standin.h"

static const struct {
    nvmlReturn_t code;
    const char *name, *text;
} ERRORS[] = {
    {0, "SUCCESS", "The operation was successful"},
    {1, "UNINITIALIZED", "Uninitialized"},
    {2, "INVALID_ARGUMENT", "Invalid Argument"},
    {3, "NOT_SUPPORTED", "Not Supported"},
    {4, "NO_PERMISSION", "Insufficient Permissions"},
    {5, "ALREADY_INITIALIZED", "Already Initialized"},
    {6, "NOT_FOUND", "Not Found"},
    {7, "INSUFFICIENT_SIZE", "Insufficient Size"},
    {8, "INSUFFICIENT_POWER", "Insufficient External Power"},
    {9, "DRIVER_NOT_LOADED", "Driver Not Loaded"},
    {10, "TIMEOUT", "Timeout"},
    {11, "IRQ_ISSUE", "Interrupt Request Issue"},
    {12, "LIBRARY_NOT_FOUND", "NVML Shared Library Not Found"},
    {13, "FUNCTION_NOT_FOUND", "Function Not Found"},
    {14, "CORRUPTED_INFOROM", "Corrupted infoROM"},
    {15, "GPU_IS_LOST", "GPU is lost"},
    {16, "RESET_REQUIRED", "GPU requires reset"},
    {17, "OPERATING_SYSTEM", "GPU access blocked by the operating system"},
    {18, "LIB_RM_VERSION_MISMATCH", "Driver/library version mismatch"},
    {19, "IN_USE", "In use by another client"},
    {20, "MEMORY", "Insufficient Memory"},
    {21, "NO_DATA", "No data"},
    {22, "VGPU_ECC_NOT_SUPPORTED", "vGPU ECC not supported"},
    {23, "INSUFFICIENT_RESOURCES", "Insufficient resources"},
    {24, "FREQ_NOT_SUPPORTED", "Frequency not supported"},
    {25, "ARGUMENT_VERSION_MISMATCH", "Argument version mismatch"},
    {26, "DEPRECATED", "Deprecated"},
    {27, "NOT_READY", "Not ready"},
    {28, "GPU_NOT_FOUND", "GPU not found"},
    {29, "INVALID_STATE", "Invalid state"},
    {999, "UNKNOWN", "Unknown Error"},
};
enum { ERROR_COUNT = sizeof ERRORS / sizeof ERRORS[0] };

int error_code(const char *name)
{
    char *end;
    long number = strtol(name, &end, 10);
    if (*name && !*end) return (int)number;
    for (int i = 0; i < ERROR_COUNT; i++)
        if (strcmp(ERRORS[i].name, name) == 0) return ERRORS[i].code;
    return -1;
}

const char *error_text(nvmlReturn_t code)
{
    for (int i = 0; i < ERROR_COUNT; i++)
        if (ERRORS[i].code == code) return ERRORS[i].text;
    return "Unknown Error";
}

bool fault_active(const Fault *fault, ns_t at)
{
    return fault->from <= at && at < fault->until;
}

const Fault *fault_last(const Fault *faults, int count, FaultKind kind, ns_t at)
{
    const Fault *last = NULL;
    for (int i = 0; i < count; i++)
        if (faults[i].kind == kind && fault_active(&faults[i], at) && (!last || faults[i].from >= last->from))
            last = &faults[i];
    return last;
}

int fault_epoch(const Gpu *gpu, ns_t at)
{
    int epoch = 0;
    for (int i = 0; i < gpu->fault_count; i++)
        if (gpu->faults[i].stale && gpu->faults[i].from <= at) epoch++;
    return epoch < MAX_EPOCHS ? epoch : MAX_EPOCHS - 1;
}

/* Does one word of a fault's `call=` mean this call? */
static bool word_means(const char *word, size_t length, const CallName *call)
{
    const char *candidates[] = {call->name, call->group, "any", call->device ? "device" : NULL};
    for (int i = 0; i < 4; i++)
        if (candidates[i] && strlen(candidates[i]) == length && strncmp(candidates[i], word, length) == 0)
            return true;
    return false;
}

static bool concerns(const Fault *fault, const CallName *call)
{
    const char *word = fault->call;
    if (!*word) return call->device;
    while (*word) {
        size_t length = strcspn(word, ",");
        if (word_means(word, length, call)) return true;
        word += length + (word[length] == ',');
    }
    return false;
}

/* A fault strikes by its time, its call, its first `calls` calls, and its probability, in this order. */
static bool strikes(const Script *script, Fault *fault, const CallName *call, ns_t at)
{
    if (!fault_active(fault, at) || !concerns(fault, call)) return false;
    fault->matched++;
    if (fault->calls && fault->matched > fault->calls) return false;
    if (fault->probability >= 1) return true;
    uint64_t number = draw(script->seed, fault->id, (uint64_t)fault->matched);
    return (double)number < fault->probability * 9007199254740992.0;
}

static Fault *find(const Script *script, Gpu *gpu, FaultKind kind, const CallName *call, ns_t at)
{
    for (int i = 0; gpu && i < gpu->fault_count; i++)
        if (gpu->faults[i].kind == kind && strikes(script, &gpu->faults[i], call, at)) return &gpu->faults[i];
    Fault *faults = ((Script *)script)->faults;
    for (int i = 0; i < script->fault_count; i++)
        if (faults[i].kind == kind && strikes(script, &faults[i], call, at)) return &faults[i];
    return NULL;
}

nvmlReturn_t fault_code(const Script *script, Gpu *gpu, const CallName *call, ns_t at)
{
    const Fault *fault = find(script, gpu, FAULT_FAIL, call, at);
    return fault ? fault->code : NVML_SUCCESS;
}

bool fault_delay(const Script *script, Gpu *gpu, const CallName *call, ns_t at, bool hang, ns_t *by)
{
    const Fault *fault = find(script, gpu, hang ? FAULT_HANG : FAULT_LATENCY, call, at);
    if (fault) *by = fault->by;
    return fault != NULL;
}

ns_t fault_late(const Script *script, Gpu *gpu, const CallName *call, ns_t at)
{
    const Fault *fault = find(script, gpu, FAULT_LATE, call, at);
    return fault ? fault->by : 0;
}

const Fault *fault_on_value(const Script *script, Gpu *gpu, FaultKind kind, const CallName *call, ns_t at)
{
    return find(script, gpu, kind, call, at);
}
