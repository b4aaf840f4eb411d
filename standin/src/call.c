/* The frame around each call: script and clock kept fresh, faults, handles, call counts. */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "standin.h"

#define RELOAD_PERIOD 10000000LL /* a real clock looks for a new script every 10 ms */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
    Script *script;
    struct stat file; /* what the script was read from */
    ns_t looked;
    int users; /* nvmlInit minus nvmlShutdown */
    Stat *stats;
} state;
static struct Handle handles[MAX_GPUS][MAX_INSTANCES + 1][MAX_EPOCHS];

static ns_t monotonic(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * NS_PER_S + now.tv_nsec;
}

/* ---- script ---- */

static bool same_file(const struct stat *a, const struct stat *b)
{
    return a->st_ino == b->st_ino && a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
           a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static void load(const char *path)
{
    char error[1024];
    Script *script = script_read(path, error, sizeof error);
    if (script && !clock_use(script, error, sizeof error)) {
        script_free(script);
        script = NULL;
    }
    if (!script) {
        fprintf(stderr, "standin: %s%s\n", error, state.script ? "; the script before stays in force" : "");
        return;
    }
    script_free(state.script);
    state.script = script;
}

static void refresh(void)
{
    ns_t now = monotonic();
    if (state.script && !state.script->manual_clock && now - state.looked < RELOAD_PERIOD) return;
    state.looked = now;
    const char *path = getenv("METER_STANDIN_SCRIPT");
    struct stat file;
    if (!path || stat(path, &file) != 0) {
        if (!state.script) fprintf(stderr, "standin: METER_STANDIN_SCRIPT names no readable file\n");
        return;
    }
    if (same_file(&file, &state.file)) return;
    state.file = file;
    load(path);
}

/* ---- handles ---- */

nvmlDevice_t handle_of(const Call *call, const Gpu *gpu, int instance)
{
    int epoch = fault_epoch(gpu, call->at);
    struct Handle *handle = &handles[gpu->number][instance + 1][epoch];
    *handle = (struct Handle){.gpu = gpu->number, .instance = instance, .epoch = epoch};
    return handle;
}

static nvmlReturn_t resolve(Call *call, nvmlDevice_t device)
{
    uintptr_t first = (uintptr_t)&handles[0][0][0], place = (uintptr_t)device;
    bool ours = place >= first && place < first + sizeof handles && (place - first) % sizeof(struct Handle) == 0;
    if (!ours || device->gpu >= call->script->gpu_count) return NVML_ERROR_INVALID_ARGUMENT;
    Gpu *gpu = call->script->gpus[device->gpu];
    call->gpu = gpu;
    if (!gpu_present(gpu, call->at)) return NVML_ERROR_GPU_IS_LOST;
    if (device->epoch != fault_epoch(gpu, call->at)) return NVML_ERROR_INVALID_ARGUMENT;
    if (device->instance < 0) return NVML_SUCCESS;
    if (device->instance >= gpu->instance_count || !gpu_mig(gpu, call->at)) return NVML_ERROR_INVALID_ARGUMENT;
    call->instance = &gpu->instances[device->instance];
    return NVML_SUCCESS;
}

/* ---- the frame ---- */

static void start(Call *call, Stat *stat, const char *name, const char *group, bool device)
{
    *call = (Call){.stat = stat, .name = {.name = name, .group = group, .device = device}, .began = monotonic()};
    pthread_mutex_lock(&lock);
    if (!stat->name) {
        stat->name = name;
        stat->next = state.stats;
        state.stats = stat;
    }
    refresh();
    call->script = state.script;
    if (call->script) call->at = clock_now();
}

/* Waits out latencies and hangs without the lock, so that other GPUs can be asked meanwhile. */
static void delay(Call *call)
{
    ns_t latency = 0, hang = 0;
    bool late = fault_delay(call->script, call->gpu, &call->name, call->at, false, &latency);
    bool hangs = fault_delay(call->script, call->gpu, &call->name, call->at, true, &hang);
    if (!late && !hangs) return;
    int number = call->gpu ? call->gpu->number : -1;
    pthread_mutex_unlock(&lock);
    if (hangs && hang == FOREVER) clock_stop();
    clock_pass(latency + hang);
    pthread_mutex_lock(&lock);
    call->script = state.script; /* it may have been read anew */
    call->gpu = number >= 0 && number < state.script->gpu_count ? state.script->gpus[number] : NULL;
    call->at = clock_now();
}

nvmlReturn_t call_open(Call *call, Stat *stat, const char *name, const char *group)
{
    start(call, stat, name, group, false);
    if (!call->script) return NVML_ERROR_DRIVER_NOT_LOADED;
    if (!state.users && strcmp(group, "init") != 0) return NVML_ERROR_UNINITIALIZED;
    delay(call);
    return fault_code(call->script, NULL, &call->name, call->at);
}

nvmlReturn_t call_open_device(Call *call, Stat *stat, const char *name, const char *group, nvmlDevice_t device)
{
    start(call, stat, name, group, true);
    if (!call->script) return NVML_ERROR_DRIVER_NOT_LOADED;
    if (!state.users) return NVML_ERROR_UNINITIALIZED;
    nvmlReturn_t rc = resolve(call, device);
    if (rc != NVML_SUCCESS) return rc;
    delay(call);
    rc = call->gpu ? resolve(call, device) : NVML_ERROR_GPU_IS_LOST;
    return rc == NVML_SUCCESS ? fault_code(call->script, call->gpu, &call->name, call->at) : rc;
}

nvmlReturn_t call_close(Call *call, nvmlReturn_t code)
{
    uint64_t took = (uint64_t)(monotonic() - call->began);
    Stat *stat = call->stat;
    stat->count++;
    stat->failed += code != NVML_SUCCESS && code != NVML_ERROR_INSUFFICIENT_SIZE;
    stat->total_ns += took;
    if (took > stat->max_ns) stat->max_ns = took;
    pthread_mutex_unlock(&lock);
    return code;
}

/* ---- life of the library ---- */

static void write_calls(void)
{
    const char *path = getenv("METER_STANDIN_CALLS");
    if (!path || !state.stats) return;
    char line[65536];
    size_t used = (size_t)snprintf(line, sizeof line, "{\"pid\": %d, \"calls\": {", (int)getpid());
    const char *comma = "";
    for (Stat *stat = state.stats; stat && used < sizeof line - 512; stat = stat->next) {
        if (!stat->count) continue;
        used += (size_t)snprintf(line + used, sizeof line - used,
                                 "%s\"%s\": {\"count\": %llu, \"failed\": %llu, \"total_ns\": %llu, \"max_ns\": %llu}",
                                 comma, stat->name, (unsigned long long)stat->count,
                                 (unsigned long long)stat->failed, (unsigned long long)stat->total_ns,
                                 (unsigned long long)stat->max_ns);
        comma = ", ";
    }
    used += (size_t)snprintf(line + used, sizeof line - used, "}}\n");
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0 || write(fd, line, used) != (ssize_t)used) fprintf(stderr, "standin: cannot write %s\n", path);
    if (fd >= 0) close(fd);
}

static void forget_after_fork(void)
{
    pthread_mutex_init(&lock, NULL);
    state.users = 0;
    for (Stat *stat = state.stats; stat; stat = stat->next)
        stat->count = stat->failed = stat->total_ns = stat->max_ns = 0;
}

__attribute__((constructor)) static void enter(void)
{
    pthread_atfork(NULL, NULL, forget_after_fork);
}

__attribute__((destructor)) static void leave(void)
{
    write_calls();
}

nvmlReturn_t call_init(void)
{
    state.users++;
    return NVML_SUCCESS;
}

nvmlReturn_t call_shutdown(void)
{
    if (--state.users == 0) write_calls();
    return NVML_SUCCESS;
}
