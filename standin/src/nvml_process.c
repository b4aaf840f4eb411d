/* Process lists, their utilisation, and MIG. */
#include <string.h>

#include "standin.h"

/* ---- lists ---- */

static bool listed(const Call *call, const Process *process, const char *types)
{
    if (process->from > call->at || call->at >= process->until || !strchr(types, process->type)) return false;
    if (!call->instance) return true;
    return process->gpu_instance == call->instance->gpu_instance &&
           process->compute_instance == call->instance->compute_instance;
}

static unsigned int instance_id(const Call *call, unsigned int id)
{
    return gpu_mig(call->gpu, call->at) ? id : UINT32_MAX;
}

static nvmlReturn_t list_processes(nvmlDevice_t device, unsigned int *count, nvmlProcessInfo_t *out, const char *types,
                                   Stat *stat, const char *name)
{
    Call call;
    nvmlReturn_t rc = call_open_device(&call, stat, name, "processes", device);
    NEED(count, NVML_ERROR_INVALID_ARGUMENT);
    unsigned int found = 0, room = rc == NVML_SUCCESS && out ? *count : 0;
    for (int i = 0; rc == NVML_SUCCESS && i < call.gpu->process_count; i++) {
        const Process *process = &call.gpu->processes[i];
        unsigned int pid = listed(&call, process, types) ? process_pid(process->pid) : 0;
        if (!pid) continue;
        if (found < room)
            out[found] = (nvmlProcessInfo_t){
                .pid = pid,
                .usedGpuMemory = process->memory_bytes,
                .gpuInstanceId = instance_id(&call, process->gpu_instance),
                .computeInstanceId = instance_id(&call, process->compute_instance),
            };
        found++;
    }
    if (rc == NVML_SUCCESS) {
        *count = found;
        if (found > room) rc = NVML_ERROR_INSUFFICIENT_SIZE;
    }
    END;
}

#define LIST_PROCESSES(function, types)                                                                                \
    NVML function(nvmlDevice_t device, unsigned int *count, nvmlProcessInfo_t *out)                                    \
    {                                                                                                                  \
        static Stat stat;                                                                                              \
        return list_processes(device, count, out, types, &stat, __func__);                                             \
    }

LIST_PROCESSES(nvmlDeviceGetComputeRunningProcesses_v3, "C")
LIST_PROCESSES(nvmlDeviceGetComputeRunningProcesses_v2, "C")
LIST_PROCESSES(nvmlDeviceGetGraphicsRunningProcesses_v3, "G")
LIST_PROCESSES(nvmlDeviceGetGraphicsRunningProcesses_v2, "G")
LIST_PROCESSES(nvmlDeviceGetMPSComputeRunningProcesses_v3, "M")
LIST_PROCESSES(nvmlDeviceGetMPSComputeRunningProcesses_v2, "M")

NVML nvmlDeviceGetRunningProcessDetailList(nvmlDevice_t device, nvmlProcessDetailList_v1_t *list)
{
    static const char *const TYPES[] = {"C", "G", "M", "CGM"};
    BEGIN_DEVICE("processes", device);
    NEED(list && list->mode < 4, NVML_ERROR_INVALID_ARGUMENT);
    NEED(list->version == (sizeof *list | 1U << 24), NVML_ERROR_ARGUMENT_VERSION_MISMATCH);
    unsigned int found = 0, room = rc == NVML_SUCCESS && list->procArray ? list->numProcArrayEntries : 0;
    for (int i = 0; rc == NVML_SUCCESS && i < call.gpu->process_count; i++) {
        const Process *process = &call.gpu->processes[i];
        unsigned int pid = listed(&call, process, TYPES[list->mode]) ? process_pid(process->pid) : 0;
        if (!pid) continue;
        if (found < room)
            list->procArray[found] = (nvmlProcessDetail_v1_t){
                .pid = pid,
                .usedGpuMemory = process->memory_bytes,
                .gpuInstanceId = instance_id(&call, process->gpu_instance),
                .computeInstanceId = instance_id(&call, process->compute_instance),
            };
        found++;
    }
    if (rc == NVML_SUCCESS) {
        list->numProcArrayEntries = found;
        if (found > room) rc = NVML_ERROR_INSUFFICIENT_SIZE;
    }
    END;
}

/* ---- utilisation: the newest sample of each process that did something, ended ones too ---- */

#define SAMPLES_LAST (30 * NS_PER_S)

static unsigned int usage(const Call *call, unsigned long long last_seen, unsigned int room,
                          nvmlProcessUtilizationSample_t *out)
{
    unsigned int found = 0;
    for (int i = 0; i < call->gpu->process_count; i++) {
        const Process *process = &call->gpu->processes[i];
        ns_t last = call->at < process->until ? call->at : process->until - 1;
        ns_t at = floor_div(last, NS_PER_S) * NS_PER_S;
        unsigned long long stamp = (unsigned long long)clock_wall_us(at);
        bool fresh = stamp > last_seen && at + SAMPLES_LAST > call->at;
        bool busy = fresh && process->from <= at && (process->sm || process->memory_use);
        unsigned int pid = busy ? process_pid(*process->usage_pid ? process->usage_pid : process->pid) : 0;
        if (!pid) continue;
        if (found < room)
            out[found] = (nvmlProcessUtilizationSample_t){
                .pid = pid, .timeStamp = stamp, .smUtil = process->sm, .memUtil = process->memory_use};
        found++;
    }
    return found;
}

NVML nvmlDeviceGetProcessUtilization(nvmlDevice_t device, nvmlProcessUtilizationSample_t *out, unsigned int *count,
                                     unsigned long long last_seen)
{
    BEGIN_DEVICE("utilization", device);
    NEED(count, NVML_ERROR_INVALID_ARGUMENT);
    NEED(!call.instance && !gpu_mig(call.gpu, call.at), NVML_ERROR_NOT_SUPPORTED);
    if (rc == NVML_SUCCESS) {
        unsigned int room = out ? *count : 0, found = usage(&call, last_seen, room, out);
        *count = found;
        if (!found) rc = NVML_ERROR_NOT_FOUND;
        else if (found > room) rc = NVML_ERROR_INSUFFICIENT_SIZE;
    }
    END;
}

NVML nvmlDeviceGetProcessesUtilizationInfo(nvmlDevice_t device, nvmlProcessesUtilizationInfo_v1_t *info)
{
    BEGIN_DEVICE("utilization", device);
    NEED(info, NVML_ERROR_INVALID_ARGUMENT);
    NEED(info->version == (sizeof *info | 1U << 24), NVML_ERROR_ARGUMENT_VERSION_MISMATCH);
    NEED(!call.instance && !gpu_mig(call.gpu, call.at), NVML_ERROR_NOT_SUPPORTED);
    if (rc == NVML_SUCCESS) {
        nvmlProcessUtilizationSample_t samples[MAX_PROCESSES];
        unsigned int room = info->procUtilArray ? info->processSamplesCount : 0;
        unsigned int found = usage(&call, info->lastSeenTimeStamp, MAX_PROCESSES, samples);
        for (unsigned int i = 0; i < found && i < room; i++)
            info->procUtilArray[i] = (nvmlProcessUtilizationInfo_v1_t){.timeStamp = samples[i].timeStamp,
                                                                       .pid = samples[i].pid,
                                                                       .smUtil = samples[i].smUtil,
                                                                       .memUtil = samples[i].memUtil};
        info->processSamplesCount = found;
        if (!found) rc = NVML_ERROR_NOT_FOUND;
        else if (found > room) rc = NVML_ERROR_INSUFFICIENT_SIZE;
    }
    END;
}

/* ---- MIG ---- */

NVML nvmlDeviceGetMigMode(nvmlDevice_t device, unsigned int *current, unsigned int *pending)
{
    BEGIN_DEVICE("mig", device);
    NEED(current && pending, NVML_ERROR_INVALID_ARGUMENT);
    NEED(!call.instance && call.gpu->mig_capable, NVML_ERROR_NOT_SUPPORTED);
    if (rc == NVML_SUCCESS) *current = *pending = gpu_mig(call.gpu, call.at);
    END;
}

NVML nvmlDeviceGetMaxMigDeviceCount(nvmlDevice_t device, unsigned int *count)
{
    BEGIN_DEVICE("mig", device);
    NEED(count, NVML_ERROR_INVALID_ARGUMENT);
    if (rc == NVML_SUCCESS) *count = call.gpu->mig_capable ? 7 : 0;
    END;
}

NVML nvmlDeviceGetMigDeviceHandleByIndex(nvmlDevice_t device, unsigned int index, nvmlDevice_t *instance)
{
    BEGIN_DEVICE("mig", device);
    NEED(instance && !call.instance, NVML_ERROR_INVALID_ARGUMENT);
    NEED(call.gpu->mig_capable, NVML_ERROR_NOT_SUPPORTED);
    NEED(gpu_mig(call.gpu, call.at) && index < (unsigned int)call.gpu->instance_count, NVML_ERROR_NOT_FOUND);
    if (rc == NVML_SUCCESS) *instance = handle_of(&call, call.gpu, (int)index);
    END;
}

NVML nvmlDeviceGetDeviceHandleFromMigDeviceHandle(nvmlDevice_t device, nvmlDevice_t *board)
{
    BEGIN_DEVICE("mig", device);
    NEED(board && call.instance, NVML_ERROR_INVALID_ARGUMENT);
    if (rc == NVML_SUCCESS) *board = handle_of(&call, call.gpu, -1);
    END;
}

NVML nvmlDeviceIsMigDeviceHandle(nvmlDevice_t device, unsigned int *is)
{
    BEGIN_DEVICE("mig", device);
    NEED(is, NVML_ERROR_INVALID_ARGUMENT);
    if (rc == NVML_SUCCESS) *is = call.instance != NULL;
    END;
}

NVML nvmlDeviceGetGpuInstanceId(nvmlDevice_t device, unsigned int *id)
{
    BEGIN_DEVICE("mig", device);
    NEED(id, NVML_ERROR_INVALID_ARGUMENT);
    NEED(call.instance, NVML_ERROR_NOT_SUPPORTED);
    if (rc == NVML_SUCCESS) *id = call.instance->gpu_instance;
    END;
}

NVML nvmlDeviceGetComputeInstanceId(nvmlDevice_t device, unsigned int *id)
{
    BEGIN_DEVICE("mig", device);
    NEED(id, NVML_ERROR_INVALID_ARGUMENT);
    NEED(call.instance, NVML_ERROR_NOT_SUPPORTED);
    if (rc == NVML_SUCCESS) *id = call.instance->compute_instance;
    END;
}

NVML nvmlDeviceGetAttributes_v2(nvmlDevice_t device, nvmlDeviceAttributes_t *attributes)
{
    BEGIN_DEVICE("mig", device);
    NEED(attributes, NVML_ERROR_INVALID_ARGUMENT);
    NEED(call.instance, NVML_ERROR_NOT_SUPPORTED);
    if (rc == NVML_SUCCESS)
        *attributes = (nvmlDeviceAttributes_t){
            .multiprocessorCount = call.instance->slices * 16,
            .gpuInstanceSliceCount = call.instance->slices,
            .computeInstanceSliceCount = call.instance->slices,
            .memorySizeMB = call.instance->memory_bytes >> 20,
        };
    END;
}
