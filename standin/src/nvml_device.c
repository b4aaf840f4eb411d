/* Power, energy, limits, memory, utilisation and what else a device's gauges show. */
#include <limits.h>
#include <math.h>
#include <string.h>

#include "standin.h"

static nvmlReturn_t energy(Call *call, const CallName *name, unsigned long long *mj)
{
    if (call->instance || !call->gpu->counter.present) return NVML_ERROR_NOT_SUPPORTED;
    const Fault *spike = fault_on_value(call->script, call->gpu, FAULT_SPIKE, name, call->at);
    ns_t late = fault_late(call->script, call->gpu, name, call->at);
    *mj = spike ? (unsigned long long)spike->amount : counter_mj(call->script, call->gpu, call->at - late);
    return NVML_SUCCESS;
}

static nvmlReturn_t power(Call *call, const CallName *name, const Sensor *sensor, unsigned int *mw)
{
    if (call->instance || !sensor->present) return NVML_ERROR_NOT_SUPPORTED;
    const Fault *spike = fault_on_value(call->script, call->gpu, FAULT_SPIKE, name, call->at);
    ns_t late = fault_late(call->script, call->gpu, name, call->at);
    double value = spike ? spike->amount : round(sensor_mw(call->gpu, sensor, call->at - late));
    *mw = value < UINT_MAX ? (unsigned int)value : UINT_MAX;
    return NVML_SUCCESS;
}

NVML nvmlDeviceGetTotalEnergyConsumption(nvmlDevice_t device, unsigned long long *mj)
{
    BEGIN_DEVICE("energy", device);
    NEED(mj, NVML_ERROR_INVALID_ARGUMENT);
    if (rc == NVML_SUCCESS) rc = energy(&call, &call.name, mj);
    END;
}

NVML nvmlDeviceGetPowerUsage(nvmlDevice_t device, unsigned int *mw)
{
    BEGIN_DEVICE("power", device);
    NEED(mw, NVML_ERROR_INVALID_ARGUMENT);
    if (rc == NVML_SUCCESS) rc = power(&call, &call.name, &call.gpu->power, mw);
    END;
}

/* ---- fields ---- */

enum {
    FIELD_ENERGY = 83,
    FIELD_POWER_AVERAGE = 185,
    FIELD_POWER_INSTANT = 186,
    FIELD_LIMIT_MIN = 187,
    FIELD_LIMIT_MAX = 188,
    FIELD_LIMIT_DEFAULT = 189,
    FIELD_LIMIT_CURRENT = 190,
    FIELD_ENERGY_AGAIN = 191,
    FIELD_LIMIT_REQUESTED = 192,
};

enum { SCOPE_GPU = 0, SCOPE_MODULE = 1 };

static bool field_on(const Gpu *gpu, unsigned int id)
{
    for (int i = 0; i < gpu->field_count; i++)
        if (gpu->fields[i].id == id) return gpu->fields[i].on;
    return true;
}

static const char *field_group(unsigned int id)
{
    if (id == FIELD_ENERGY || id == FIELD_ENERGY_AGAIN) return "energy";
    return id == FIELD_POWER_AVERAGE || id == FIELD_POWER_INSTANT ? "power" : "limits";
}

static nvmlReturn_t field_limit(const Gpu *gpu, nvmlFieldValue_t *field)
{
    field->valueType = VALUE_UNSIGNED_INT;
    switch (field->fieldId) {
    case FIELD_LIMIT_MIN:
        field->value.uiVal = gpu->min_limit_mw;
        return NVML_SUCCESS;
    case FIELD_LIMIT_MAX:
        field->value.uiVal = gpu->max_limit_mw;
        return NVML_SUCCESS;
    case FIELD_LIMIT_DEFAULT:
    case FIELD_LIMIT_CURRENT:
    case FIELD_LIMIT_REQUESTED:
        field->value.uiVal = gpu->limit_mw;
        return NVML_SUCCESS;
    default:
        return NVML_ERROR_NOT_SUPPORTED;
    }
}

static nvmlReturn_t field_value(Call *call, const CallName *name, nvmlFieldValue_t *field)
{
    const Gpu *gpu = call->gpu;
    if (!field_on(gpu, field->fieldId) || call->instance) return NVML_ERROR_NOT_SUPPORTED;
    bool module = field->scopeId == SCOPE_MODULE;
    switch (field->fieldId) {
    case FIELD_ENERGY:
    case FIELD_ENERGY_AGAIN:
        field->valueType = VALUE_UNSIGNED_LONG_LONG;
        return module ? NVML_ERROR_NOT_SUPPORTED : energy(call, name, &field->value.ullVal);
    case FIELD_POWER_AVERAGE:
    case FIELD_POWER_INSTANT: {
        const Sensor *own = field->fieldId == FIELD_POWER_AVERAGE ? &gpu->average : &gpu->instant;
        field->valueType = VALUE_UNSIGNED_INT;
        return power(call, name, module ? &gpu->module : own, &field->value.uiVal);
    }
    default:
        return field_limit(gpu, field);
    }
}

/* One field fails alone, as with the driver; its faults are those of `field:ID` and of its group. */
static bool fill_field(Call *call, nvmlFieldValue_t *field)
{
    static const char NAMES[][12] = {"field:83", "field:185", "field:186", "field:187", "field:188",
                                     "field:189", "field:190", "field:191", "field:192"};
    static const unsigned int IDS[] = {83, 185, 186, 187, 188, 189, 190, 191, 192};
    CallName name = {.name = "field:other", .group = field_group(field->fieldId), .device = false};
    for (size_t i = 0; i < sizeof IDS / sizeof IDS[0]; i++)
        if (IDS[i] == field->fieldId) name.name = NAMES[i];
    field->value.ullVal = 0;
    field->timestamp = clock_wall_us(call->at);
    field->latencyUsec = 0;
    field->nvmlReturn = fault_code(call->script, call->gpu, &name, call->at);
    if (field->nvmlReturn == NVML_SUCCESS) field->nvmlReturn = field_value(call, &name, field);
    if (field->nvmlReturn == NVML_SUCCESS && fault_on_value(call->script, call->gpu, FAULT_NAN, &name, call->at)) {
        field->valueType = VALUE_DOUBLE;
        field->value.dVal = NAN;
    }
    return field->nvmlReturn == NVML_SUCCESS;
}

NVML nvmlDeviceGetFieldValues(nvmlDevice_t device, int count, nvmlFieldValue_t *values)
{
    BEGIN_DEVICE("fields", device);
    NEED(values && count > 0, NVML_ERROR_INVALID_ARGUMENT);
    if (rc == NVML_SUCCESS)
        for (int i = 0; i < count; i++) fill_field(&call, &values[i]);
    END;
}

/* ---- the driver's buffer of samples ---- */

enum { SAMPLES_TOTAL_POWER = 0, SAMPLES_MODULE_POWER = 7 };

static nvmlReturn_t samples(Call *call, const Sensor *sensor, unsigned long long last_seen, unsigned int *type,
                            unsigned int *count, nvmlSample_t *out)
{
    const Gpu *gpu = call->gpu;
    if (call->instance || !gpu->sample_count || !sensor->present) return NVML_ERROR_NOT_SUPPORTED;
    *type = VALUE_UNSIGNED_INT;
    if (!out) {
        *count = (unsigned int)gpu->sample_count;
        return NVML_SUCCESS;
    }
    ns_t at = call->at - fault_late(call->script, call->gpu, &call->name, call->at);
    int64_t newest = floor_div(at, gpu->sample_period);
    unsigned int filled = 0;
    for (int64_t number = newest - gpu->sample_count + 1; number <= newest; number++) {
        ns_t instant = number * gpu->sample_period;
        unsigned long long stamp = (unsigned long long)clock_wall_us(instant);
        if (stamp <= last_seen) continue;
        if (filled == *count) return NVML_ERROR_INSUFFICIENT_SIZE;
        out[filled].timeStamp = stamp;
        out[filled].sampleValue.ullVal = 0;
        out[filled++].sampleValue.uiVal = (unsigned int)round(sensor_mw(gpu, sensor, instant));
    }
    *count = filled;
    return filled ? NVML_SUCCESS : NVML_ERROR_NOT_FOUND;
}

NVML nvmlDeviceGetSamples(nvmlDevice_t device, unsigned int type, unsigned long long last_seen, unsigned int *value_type,
                          unsigned int *count, nvmlSample_t *out)
{
    BEGIN_DEVICE("samples", device);
    NEED(value_type && count, NVML_ERROR_INVALID_ARGUMENT);
    NEED(type == SAMPLES_TOTAL_POWER || type == SAMPLES_MODULE_POWER, NVML_ERROR_NOT_SUPPORTED);
    if (rc == NVML_SUCCESS) {
        const Sensor *sensor = type == SAMPLES_MODULE_POWER ? &call.gpu->module : &call.gpu->instant;
        if (type == SAMPLES_TOTAL_POWER && !sensor->present) sensor = &call.gpu->power;
        rc = samples(&call, sensor, last_seen, value_type, count, out);
    }
    END;
}

/* ---- limits ---- */

#define GET_LIMIT(function)                                                                                            \
    NVML function(nvmlDevice_t device, unsigned int *mw)                                                               \
    {                                                                                                                  \
        BEGIN_DEVICE("limits", device);                                                                                \
        NEED(mw, NVML_ERROR_INVALID_ARGUMENT);                                                                         \
        NEED(!call.instance, NVML_ERROR_NOT_SUPPORTED);                                                                \
        if (rc == NVML_SUCCESS) *mw = call.gpu->limit_mw;                                                              \
        END;                                                                                                           \
    }

GET_LIMIT(nvmlDeviceGetPowerManagementLimit)
GET_LIMIT(nvmlDeviceGetPowerManagementDefaultLimit)
GET_LIMIT(nvmlDeviceGetEnforcedPowerLimit)

NVML nvmlDeviceGetPowerManagementLimitConstraints(nvmlDevice_t device, unsigned int *low, unsigned int *high)
{
    BEGIN_DEVICE("limits", device);
    NEED(low && high, NVML_ERROR_INVALID_ARGUMENT);
    NEED(!call.instance, NVML_ERROR_NOT_SUPPORTED);
    if (rc == NVML_SUCCESS) {
        *low = call.gpu->min_limit_mw;
        *high = call.gpu->max_limit_mw;
    }
    END;
}

/* ---- memory ---- */

static uint64_t memory_used(const Call *call)
{
    const Gpu *gpu = call->gpu;
    if (!call->instance && gpu->memory_used_bytes >= 0) return (uint64_t)gpu->memory_used_bytes;
    uint64_t used = 0, total = call->instance ? call->instance->memory_bytes : gpu->memory_bytes;
    for (int i = 0; i < gpu->process_count; i++) {
        const Process *process = &gpu->processes[i];
        bool here = !call->instance || (process->gpu_instance == call->instance->gpu_instance &&
                                        process->compute_instance == call->instance->compute_instance);
        if (here && process->memory_bytes != UINT64_MAX && process->from <= call->at && call->at < process->until)
            used += process->memory_bytes;
    }
    return used < total ? used : total;
}

NVML nvmlDeviceGetMemoryInfo(nvmlDevice_t device, nvmlMemory_t *memory)
{
    BEGIN_DEVICE("memory", device);
    NEED(memory, NVML_ERROR_INVALID_ARGUMENT);
    if (rc == NVML_SUCCESS) { /* v1 counts what the driver reserves as used */
        memory->total = call.instance ? call.instance->memory_bytes : call.gpu->memory_bytes;
        memory->used = memory_used(&call) + (call.instance ? 0 : call.gpu->reserved_bytes);
        if (memory->used > memory->total) memory->used = memory->total;
        memory->free = memory->total - memory->used;
    }
    END;
}

NVML nvmlDeviceGetMemoryInfo_v2(nvmlDevice_t device, nvmlMemory_v2_t *memory)
{
    BEGIN_DEVICE("memory", device);
    NEED(memory, NVML_ERROR_INVALID_ARGUMENT);
    NEED(memory->version == (sizeof *memory | 2U << 24), NVML_ERROR_ARGUMENT_VERSION_MISMATCH);
    if (rc == NVML_SUCCESS) {
        memory->total = call.instance ? call.instance->memory_bytes : call.gpu->memory_bytes;
        memory->reserved = call.instance ? 0 : call.gpu->reserved_bytes;
        memory->used = memory_used(&call);
        if (memory->used > memory->total - memory->reserved) memory->used = memory->total - memory->reserved;
        memory->free = memory->total - memory->reserved - memory->used;
    }
    END;
}

/* ---- gauges ---- */

/* How far the load is between idle and limit, in percent; a stand-in for what no script says. */
int device_busy_percent(const Gpu *gpu, ns_t at)
{
    double span = (double)gpu->limit_mw - gpu->idle_mw;
    double busy = span > 0 ? (load_power_mw(gpu, at) - gpu->idle_mw) / span : 0;
    return busy <= 0 ? 0 : busy >= 1 ? 100 : (int)round(100 * busy);
}

NVML nvmlDeviceGetUtilizationRates(nvmlDevice_t device, nvmlUtilization_t *rates)
{
    BEGIN_DEVICE("utilization", device);
    NEED(rates, NVML_ERROR_INVALID_ARGUMENT);
    NEED(!call.instance && !gpu_mig(call.gpu, call.at), NVML_ERROR_NOT_SUPPORTED);
    if (rc == NVML_SUCCESS) {
        const Gpu *gpu = call.gpu;
        int busy = gpu->utilization >= 0 ? gpu->utilization : device_busy_percent(gpu, call.at);
        rates->gpu = (unsigned int)busy;
        rates->memory = (unsigned int)(gpu->memory_utilization >= 0 ? gpu->memory_utilization : busy / 2);
    }
    END;
}

static unsigned int temperature(const Call *call)
{
    if (call->gpu->temperature >= 0) return (unsigned int)call->gpu->temperature;
    return 30U + (unsigned int)device_busy_percent(call->gpu, call->at) * 4 / 10;
}

NVML nvmlDeviceGetTemperature(nvmlDevice_t device, unsigned int sensor, unsigned int *celsius)
{
    BEGIN_DEVICE("temperature", device);
    NEED(celsius && sensor == 0, NVML_ERROR_INVALID_ARGUMENT);
    if (rc == NVML_SUCCESS) *celsius = temperature(&call);
    END;
}

NVML nvmlDeviceGetTemperatureV(nvmlDevice_t device, nvmlTemperature_v1_t *value)
{
    BEGIN_DEVICE("temperature", device);
    NEED(value && value->sensorType == 0, NVML_ERROR_INVALID_ARGUMENT);
    NEED(value->version == (sizeof *value | 1U << 24), NVML_ERROR_ARGUMENT_VERSION_MISMATCH);
    if (rc == NVML_SUCCESS) value->temperature = (int)temperature(&call);
    END;
}

enum { CLOCK_GRAPHICS = 0, CLOCK_SM = 1, CLOCK_MEMORY = 2, CLOCK_VIDEO = 3 };

static nvmlReturn_t clock_mhz(Call *call, unsigned int type, unsigned int *mhz)
{
    if (type > CLOCK_VIDEO) return NVML_ERROR_INVALID_ARGUMENT;
    *mhz = type == CLOCK_MEMORY ? call->gpu->memory_clock_mhz : call->gpu->sm_clock_mhz;
    return NVML_SUCCESS;
}

NVML nvmlDeviceGetClockInfo(nvmlDevice_t device, unsigned int type, unsigned int *mhz)
{
    BEGIN_DEVICE("clocks", device);
    NEED(mhz, NVML_ERROR_INVALID_ARGUMENT);
    if (rc == NVML_SUCCESS) rc = clock_mhz(&call, type, mhz);
    END;
}

NVML nvmlDeviceGetMaxClockInfo(nvmlDevice_t device, unsigned int type, unsigned int *mhz)
{
    BEGIN_DEVICE("clocks", device);
    NEED(mhz, NVML_ERROR_INVALID_ARGUMENT);
    if (rc == NVML_SUCCESS) rc = clock_mhz(&call, type, mhz);
    END;
}

static nvmlReturn_t performance_state(nvmlDevice_t device, unsigned int *state, Stat *stat, const char *name)
{
    Call call;
    nvmlReturn_t rc = call_open_device(&call, stat, name, "state", device);
    NEED(state, NVML_ERROR_INVALID_ARGUMENT);
    if (rc == NVML_SUCCESS) *state = device_busy_percent(call.gpu, call.at) ? 0 : 8;
    END;
}

NVML nvmlDeviceGetPerformanceState(nvmlDevice_t device, unsigned int *state)
{
    static Stat stat;
    return performance_state(device, state, &stat, __func__);
}

NVML nvmlDeviceGetPowerState(nvmlDevice_t device, unsigned int *state)
{
    static Stat stat;
    return performance_state(device, state, &stat, __func__);
}
