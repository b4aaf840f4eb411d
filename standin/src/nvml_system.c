/* Library, node and handles. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "standin.h"

bool gpu_present(const Gpu *gpu, ns_t at)
{
    return gpu->from <= at && at < gpu->until;
}

bool gpu_mig(const Gpu *gpu, ns_t at)
{
    const Fault *fault = fault_last(gpu->faults, gpu->fault_count, FAULT_MIG, at);
    return fault ? fault->on : gpu->mig;
}

const char *gpu_uuid(const Gpu *gpu, ns_t at)
{
    const Fault *fault = fault_last(gpu->faults, gpu->fault_count, FAULT_UUID, at);
    return fault ? fault->text : gpu->uuid;
}

static int add_gpu(Gpu *order[MAX_GPUS], int count, Gpu *gpu, ns_t at)
{
    if (!gpu_present(gpu, at)) return count;
    for (int i = 0; i < count; i++)
        if (order[i] == gpu) return count;
    order[count] = gpu;
    return count + 1;
}

int gpus_in_order(const Script *script, ns_t at, Gpu *order[MAX_GPUS])
{
    int count = 0;
    const Fault *fault = fault_last(script->faults, script->fault_count, FAULT_ORDER, at);
    const char *word = fault ? fault->text : "";
    while (*word) {
        int number = atoi(word);
        if (number >= 0 && number < script->gpu_count) count = add_gpu(order, count, script->gpus[number], at);
        word += strcspn(word, ",");
        word += *word == ',';
    }
    for (int i = 0; i < script->gpu_count; i++) count = add_gpu(order, count, script->gpus[i], at);
    return count;
}

unsigned int process_pid(const char *text)
{
    if (strcmp(text, "self") == 0) return (unsigned int)getpid();
    if (strncmp(text, "env:", 4) == 0) {
        const char *value = getenv(text + 4);
        return value ? (unsigned int)strtoul(value, NULL, 10) : 0;
    }
    if (strncmp(text, "file:", 5) == 0) {
        unsigned int pid = 0;
        FILE *file = fopen(text + 5, "re");
        if (!file) return 0;
        if (fscanf(file, "%u", &pid) != 1) pid = 0;
        fclose(file);
        return pid;
    }
    return (unsigned int)strtoul(text, NULL, 10);
}

static nvmlReturn_t copy_text(char *out, unsigned int size, const char *text)
{
    if (!out) return NVML_ERROR_INVALID_ARGUMENT;
    if (strlen(text) >= size) return NVML_ERROR_INSUFFICIENT_SIZE;
    strcpy(out, text);
    return NVML_SUCCESS;
}

/* ---- life ---- */

NVML nvmlInitWithFlags(unsigned int flags)
{
    (void)flags;
    BEGIN("init");
    if (rc == NVML_SUCCESS) rc = call_init();
    END;
}

NVML nvmlInit_v2(void)
{
    return nvmlInitWithFlags(0);
}

NVML nvmlInit(void)
{
    return nvmlInitWithFlags(0);
}

NVML nvmlShutdown(void)
{
    BEGIN("shutdown");
    if (rc == NVML_SUCCESS) rc = call_shutdown();
    END;
}

__attribute__((visibility("default"))) const char *nvmlErrorString(nvmlReturn_t code)
{
    return error_text(code);
}

/* ---- versions ---- */

NVML nvmlSystemGetDriverVersion(char *version, unsigned int size)
{
    BEGIN("system");
    if (rc == NVML_SUCCESS) {
        const Fault *fault = fault_last(call.script->faults, call.script->fault_count, FAULT_DRIVER, call.at);
        rc = copy_text(version, size, fault ? fault->text : call.script->driver_version);
    }
    END;
}

NVML nvmlSystemGetNVMLVersion(char *version, unsigned int size)
{
    BEGIN("system");
    if (rc == NVML_SUCCESS) rc = copy_text(version, size, call.script->nvml_version);
    END;
}

NVML nvmlSystemGetCudaDriverVersion_v2(int *version)
{
    BEGIN("system");
    NEED(version, NVML_ERROR_INVALID_ARGUMENT);
    if (rc == NVML_SUCCESS) *version = call.script->cuda_version;
    END;
}

NVML nvmlSystemGetCudaDriverVersion(int *version)
{
    return nvmlSystemGetCudaDriverVersion_v2(version);
}

NVML nvmlSystemGetProcessName(unsigned int pid, char *name, unsigned int size)
{
    BEGIN("system");
    if (rc == NVML_SUCCESS) {
        char path[64], text[256] = "";
        snprintf(path, sizeof path, "/proc/%u/comm", pid);
        FILE *file = fopen(path, "re");
        NEED(file && fgets(text, sizeof text, file), NVML_ERROR_NOT_FOUND);
        if (file) fclose(file);
        text[strcspn(text, "\n")] = 0;
        if (rc == NVML_SUCCESS) rc = copy_text(name, size, text);
    }
    END;
}

/* ---- handles ---- */

NVML nvmlDeviceGetCount_v2(unsigned int *count)
{
    BEGIN("count");
    NEED(count, NVML_ERROR_INVALID_ARGUMENT);
    Gpu *order[MAX_GPUS];
    if (rc == NVML_SUCCESS) *count = (unsigned int)gpus_in_order(call.script, call.at, order);
    END;
}

NVML nvmlDeviceGetCount(unsigned int *count)
{
    return nvmlDeviceGetCount_v2(count);
}

/* A found GPU may still refuse: faults of the device strike here too. */
static nvmlReturn_t give_handle(Call *call, Gpu *gpu, int instance, nvmlDevice_t *device)
{
    call->name.device = true;
    nvmlReturn_t rc = fault_code(call->script, gpu, &call->name, call->at);
    if (rc == NVML_SUCCESS) *device = handle_of(call, gpu, instance);
    return rc;
}

NVML nvmlDeviceGetHandleByIndex_v2(unsigned int index, nvmlDevice_t *device)
{
    BEGIN("handles");
    NEED(device, NVML_ERROR_INVALID_ARGUMENT);
    if (rc == NVML_SUCCESS) {
        Gpu *order[MAX_GPUS];
        int count = gpus_in_order(call.script, call.at, order);
        NEED(index < (unsigned int)count, NVML_ERROR_INVALID_ARGUMENT);
        if (rc == NVML_SUCCESS) rc = give_handle(&call, order[index], -1, device);
    }
    END;
}

NVML nvmlDeviceGetHandleByIndex(unsigned int index, nvmlDevice_t *device)
{
    return nvmlDeviceGetHandleByIndex_v2(index, device);
}

static nvmlReturn_t find_uuid(Call *call, const char *uuid, nvmlDevice_t *device)
{
    Gpu *order[MAX_GPUS];
    int count = gpus_in_order(call->script, call->at, order);
    for (int i = 0; i < count; i++) {
        if (strcmp(gpu_uuid(order[i], call->at), uuid) == 0) return give_handle(call, order[i], -1, device);
        for (int j = 0; gpu_mig(order[i], call->at) && j < order[i]->instance_count; j++)
            if (strcmp(order[i]->instances[j].uuid, uuid) == 0) return give_handle(call, order[i], j, device);
    }
    return NVML_ERROR_NOT_FOUND;
}

NVML nvmlDeviceGetHandleByUUID(const char *uuid, nvmlDevice_t *device)
{
    BEGIN("handles");
    NEED(device && uuid, NVML_ERROR_INVALID_ARGUMENT);
    if (rc == NVML_SUCCESS) rc = find_uuid(&call, uuid, device);
    END;
}

NVML nvmlDeviceGetHandleBySerial(const char *serial, nvmlDevice_t *device)
{
    BEGIN("handles");
    NEED(device && serial, NVML_ERROR_INVALID_ARGUMENT);
    if (rc == NVML_SUCCESS) {
        Gpu *order[MAX_GPUS], *found = NULL;
        int count = gpus_in_order(call.script, call.at, order);
        for (int i = 0; i < count; i++)
            if (strcmp(order[i]->serial, serial) == 0) found = order[i];
        rc = found ? give_handle(&call, found, -1, device) : NVML_ERROR_NOT_FOUND;
    }
    END;
}

NVML nvmlDeviceGetHandleByPciBusId_v2(const char *bus_id, nvmlDevice_t *device)
{
    BEGIN("handles");
    NEED(device && bus_id, NVML_ERROR_INVALID_ARGUMENT);
    if (rc == NVML_SUCCESS) {
        Gpu *order[MAX_GPUS], *found = NULL;
        int count = gpus_in_order(call.script, call.at, order);
        for (int i = 0; i < count; i++) /* 00000000:01:00.0 and 0000:01:00.0 are the same */
            if (strcasecmp(order[i]->bus_id, bus_id) == 0 || strcasecmp(order[i]->bus_id + 4, bus_id) == 0)
                found = order[i];
        rc = found ? give_handle(&call, found, -1, device) : NVML_ERROR_NOT_FOUND;
    }
    END;
}

NVML nvmlDeviceGetHandleByPciBusId(const char *bus_id, nvmlDevice_t *device)
{
    return nvmlDeviceGetHandleByPciBusId_v2(bus_id, device);
}

/* ---- who a device is ---- */

NVML nvmlDeviceGetName(nvmlDevice_t device, char *name, unsigned int size)
{
    BEGIN_DEVICE("identity", device);
    if (rc == NVML_SUCCESS) {
        char text[NAME_SIZE + 64];
        if (call.instance)
            snprintf(text, sizeof text, "%s MIG %ug.%llugb", call.gpu->name, call.instance->slices,
                     (unsigned long long)(call.instance->memory_bytes >> 30));
        else
            snprintf(text, sizeof text, "%s", call.gpu->name);
        rc = copy_text(name, size, text);
    }
    END;
}

NVML nvmlDeviceGetUUID(nvmlDevice_t device, char *uuid, unsigned int size)
{
    BEGIN_DEVICE("identity", device);
    if (rc == NVML_SUCCESS)
        rc = copy_text(uuid, size, call.instance ? call.instance->uuid : gpu_uuid(call.gpu, call.at));
    END;
}

NVML nvmlDeviceGetSerial(nvmlDevice_t device, char *serial, unsigned int size)
{
    BEGIN_DEVICE("identity", device);
    NEED(!call.instance && *call.gpu->serial, NVML_ERROR_NOT_SUPPORTED);
    if (rc == NVML_SUCCESS) rc = copy_text(serial, size, call.gpu->serial);
    END;
}

NVML nvmlDeviceGetIndex(nvmlDevice_t device, unsigned int *index)
{
    BEGIN_DEVICE("identity", device);
    NEED(index, NVML_ERROR_INVALID_ARGUMENT);
    if (rc == NVML_SUCCESS && call.instance) {
        *index = (unsigned int)(call.instance - call.gpu->instances);
    } else if (rc == NVML_SUCCESS) {
        Gpu *order[MAX_GPUS];
        int count = gpus_in_order(call.script, call.at, order);
        for (int i = 0; i < count; i++)
            if (order[i] == call.gpu) *index = (unsigned int)i;
    }
    END;
}

NVML nvmlDeviceGetMinorNumber(nvmlDevice_t device, unsigned int *minor)
{
    BEGIN_DEVICE("identity", device);
    NEED(minor, NVML_ERROR_INVALID_ARGUMENT);
    if (rc == NVML_SUCCESS) *minor = (unsigned int)call.gpu->number;
    END;
}

NVML nvmlDeviceGetPciInfo_v3(nvmlDevice_t device, nvmlPciInfo_t *pci)
{
    BEGIN_DEVICE("identity", device);
    NEED(pci, NVML_ERROR_INVALID_ARGUMENT);
    if (rc == NVML_SUCCESS) {
        *pci = (nvmlPciInfo_t){.pciDeviceId = 0x233010DE, .pciSubSystemId = 0x16C110DE};
        sscanf(call.gpu->bus_id, "%x:%x:%x", &pci->domain, &pci->bus, &pci->device);
        snprintf(pci->busId, sizeof pci->busId, "%s", call.gpu->bus_id);
        snprintf(pci->busIdLegacy, sizeof pci->busIdLegacy, "%s", call.gpu->bus_id + 4);
    }
    END;
}

#define GET_UNSIGNED(function, group, member)                                                                          \
    NVML function(nvmlDevice_t device, unsigned int *value)                                                            \
    {                                                                                                                  \
        BEGIN_DEVICE(group, device);                                                                                   \
        NEED(value, NVML_ERROR_INVALID_ARGUMENT);                                                                      \
        if (rc == NVML_SUCCESS) *value = (unsigned int)(member);                                                       \
        END;                                                                                                           \
    }

GET_UNSIGNED(nvmlDeviceGetArchitecture, "identity", call.gpu->architecture)
GET_UNSIGNED(nvmlDeviceGetBrand, "identity", call.gpu->brand)
GET_UNSIGNED(nvmlDeviceGetPersistenceMode, "state", 1)
GET_UNSIGNED(nvmlDeviceGetPowerManagementMode, "state", 1)
GET_UNSIGNED(nvmlDeviceGetComputeMode, "state", 0)
GET_UNSIGNED(nvmlDeviceGetMultiGpuBoard, "identity", 0)
GET_UNSIGNED(nvmlDeviceGetBoardId, "identity", 256 * (call.gpu->number + 1))

NVML nvmlDeviceGetCudaComputeCapability(nvmlDevice_t device, int *major, int *minor)
{
    BEGIN_DEVICE("identity", device);
    NEED(major && minor, NVML_ERROR_INVALID_ARGUMENT);
    if (rc == NVML_SUCCESS) {
        *major = (int)call.gpu->capability_major;
        *minor = (int)call.gpu->capability_minor;
    }
    END;
}

/* ---- setters: a meter must not need them ---- */

#define REFUSE(function, ...)                                                                                          \
    NVML function(nvmlDevice_t device, ##__VA_ARGS__)                                                                  \
    {                                                                                                                  \
        BEGIN_DEVICE("setters", device);                                                                               \
        NEED(false, NVML_ERROR_NO_PERMISSION);                                                                         \
        END;                                                                                                           \
    }

#pragma GCC diagnostic ignored "-Wunused-parameter"
REFUSE(nvmlDeviceSetPowerManagementLimit, unsigned int limit)
REFUSE(nvmlDeviceSetPersistenceMode, unsigned int mode)
REFUSE(nvmlDeviceSetComputeMode, unsigned int mode)
REFUSE(nvmlDeviceSetGpuLockedClocks, unsigned int low, unsigned int high)
REFUSE(nvmlDeviceResetGpuLockedClocks)
REFUSE(nvmlDeviceSetMemoryLockedClocks, unsigned int low, unsigned int high)
REFUSE(nvmlDeviceResetMemoryLockedClocks)
REFUSE(nvmlDeviceSetApplicationsClocks, unsigned int memory, unsigned int graphics)
REFUSE(nvmlDeviceSetMigMode, unsigned int mode, nvmlReturn_t *status)
