/* What the files of the stand-in share.
 *
 * Times are int64 nanoseconds of trace time (clock minus anchor), power is double mW, energy
 * double mJ. Everything but call counts and draws of probability is a pure function of time, so
 * that all processes that use one script see the same GPUs.
 *
 *   clock.c   what time it is        trace.c   power and energy of a load
 *   script.c  reads the script       sensor.c  what sensors and the counter make of it
 *   faults.c  what goes wrong        call.c    the frame around each call
 *   nvml_*.c  the calls themselves
 */
#ifndef STANDIN_H
#define STANDIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi.h"

typedef int64_t ns_t;

#define NS_PER_S 1000000000LL
#define FOREVER INT64_MAX

enum {
    MAX_GPUS = 64,
    MAX_LAYERS = 16,
    MAX_FAULTS = 64, /* per GPU, and as many of the node */
    MAX_PROCESSES = 64,
    MAX_INSTANCES = 8,
    MAX_SWITCHED_FIELDS = 32,
    MAX_EPOCHS = 8,
    NAME_SIZE = 96,
    RANDOM_CELLS = 1024, /* a random pattern repeats after so many cells */
};

/* ---- load ---- */

typedef enum { LAYER_CONSTANT, LAYER_RAMP, LAYER_SQUARE, LAYER_SINE, LAYER_RANDOM, LAYER_STEPS } LayerKind;

typedef struct {
    ns_t start, duration;
    double from_mw, to_mw;
    double before; /* integral of all earlier steps, mW ns */
} Step;

typedef struct {
    LayerKind kind;
    double low_mw, high_mw; /* constant: low; ramp: low to high; sine: mean and amplitude */
    ns_t period, width, phase;
    ns_t repeat; /* 0: does not */
    bool looped; /* steps start again after the last */
    double probability;
    uint64_t seed;
    Step *steps;
    int step_count;
    int *spikes_before; /* random: spikes in the cells before each, RANDOM_CELLS + 1 entries */
} Layer;

/* ---- sensors ---- */

typedef struct {
    bool present;
    ns_t period, window, phase; /* period 0: continuous; window 0: the instant itself */
    double gain, offset_mw;
} Sensor;

typedef struct {
    bool present;
    bool sampled; /* sums window readings x tick instead of the exact integral */
    ns_t tick, phase, jitter, delay, window;
    double gain;
    int64_t quantum_mj, start_mj;
    uint64_t seed;
} Counter;

/* ---- faults ---- */

typedef enum {
    FAULT_FAIL,
    FAULT_LATENCY,
    FAULT_HANG,
    FAULT_LATE,
    FAULT_NAN,
    FAULT_SPIKE,
    FAULT_RESET,
    FAULT_BACKWARDS,
    FAULT_STUCK,
    FAULT_JITTER,
    FAULT_UUID,
    FAULT_ORDER,
    FAULT_DRIVER,
    FAULT_MIG,
} FaultKind;

typedef struct {
    FaultKind kind;
    ns_t from, until;
    ns_t by; /* latency, hang, late, jitter */
    nvmlReturn_t code;
    double probability;
    double amount;     /* spike mW; backwards and reset mJ */
    bool lost;         /* stuck: what was not counted never comes */
    bool stale;        /* lost: handles from before stay dead */
    bool on;           /* mig */
    int64_t calls;     /* only the first so many matching calls of a process; 0: all */
    uint64_t id;       /* stream of draws */
    int64_t matched;   /* state: calls matched so far */
    double missed_mj;  /* state: stuck and lost, once known */
    bool missed_known;
    char call[NAME_SIZE]; /* comma-separated names or groups */
    char text[NAME_SIZE];
} Fault;

/* ---- a node ---- */

typedef struct {
    char pid[NAME_SIZE];       /* number, self, env:NAME, file:PATH */
    char usage_pid[NAME_SIZE]; /* the same in the utilisation calls, empty: equal */
    char type;                 /* C, G or M */
    unsigned int sm, memory_use;
    uint64_t memory_bytes; /* all ones: not available */
    ns_t from, until;
    unsigned int gpu_instance, compute_instance;
} Process;

typedef struct {
    char uuid[NAME_SIZE];
    unsigned int gpu_instance, compute_instance, slices;
    uint64_t memory_bytes;
} Instance;

typedef struct {
    unsigned int id;
    bool on;
} SwitchedField;

typedef struct {
    int number; /* in the script; the index may differ */
    char name[NAME_SIZE], uuid[NAME_SIZE], serial[NAME_SIZE], bus_id[32];
    unsigned int architecture, brand, capability_major, capability_minor;
    unsigned int limit_mw, min_limit_mw, max_limit_mw, idle_mw;
    uint64_t memory_bytes, reserved_bytes;
    int64_t memory_used_bytes;          /* -1: sum of the processes */
    int utilization, memory_utilization; /* -1: from power */
    int temperature;                    /* -1: from power */
    unsigned int sm_clock_mhz, memory_clock_mhz;
    bool mig, mig_capable;
    ns_t from, until; /* present */
    double time_scale;
    Layer layers[MAX_LAYERS];
    int layer_count;
    Sensor power, instant, average, module;
    Counter counter;
    ns_t sample_period;
    int sample_count;
    SwitchedField fields[MAX_SWITCHED_FIELDS];
    int field_count;
    Process processes[MAX_PROCESSES];
    int process_count;
    Instance instances[MAX_INSTANCES];
    int instance_count;
    Fault faults[MAX_FAULTS];
    int fault_count;
    int64_t summed_tick; /* state of a sampled counter: ticks summed so far, and their sum */
    double summed_mj;
} Gpu;

typedef struct Block Block;

typedef struct {
    char driver_version[NAME_SIZE], nvml_version[NAME_SIZE];
    int cuda_version;
    uint64_t seed;
    bool manual_clock;
    bool has_anchor;
    ns_t anchor;
    int64_t wall_us; /* wall time of trace time 0, manual clock only */
    char clock_file[512];
    Gpu *gpus[MAX_GPUS];
    int gpu_count;
    Fault faults[MAX_FAULTS];
    int fault_count;
    uint64_t next_id;
    Block *blocks;
} Script;

/* ---- clock.c ---- */
bool clock_use(const Script *script, char *error, size_t size);
ns_t clock_now(void);
int64_t clock_wall_us(ns_t at);
void clock_pass(ns_t duration); /* sleeps, or advances a manual clock */
void clock_stop(void);          /* never returns: the call hangs for ever */

/* ---- trace.c ---- */
uint64_t draw(uint64_t seed, uint64_t stream, uint64_t number);
int64_t floor_div(int64_t value, int64_t by);
bool random_cell(const Layer *layer, int64_t cell, ns_t *offset);
double load_power_mw(const Gpu *gpu, ns_t at);
double load_energy_mj(const Gpu *gpu, ns_t at); /* since trace time 0 */

/* ---- sensor.c ---- */
double sensor_mw(const Gpu *gpu, const Sensor *sensor, ns_t at);
uint64_t counter_mj(const Script *script, Gpu *gpu, ns_t at);

/* ---- script.c ---- */
Script *script_read(const char *path, char *error, size_t size);
void script_free(Script *script);

/* ---- faults.c ---- */
typedef struct {
    const char *name;  /* nvmlDeviceGetPowerUsage, field:186 */
    const char *group; /* power */
    bool device;
} CallName;

bool fault_active(const Fault *fault, ns_t at);
nvmlReturn_t fault_code(const Script *script, Gpu *gpu, const CallName *call, ns_t at);
bool fault_delay(const Script *script, Gpu *gpu, const CallName *call, ns_t at, bool hang, ns_t *by);
ns_t fault_late(const Script *script, Gpu *gpu, const CallName *call, ns_t at);
const Fault *fault_on_value(const Script *script, Gpu *gpu, FaultKind kind, const CallName *call, ns_t at);
const Fault *fault_last(const Fault *faults, int count, FaultKind kind, ns_t at);
int fault_epoch(const Gpu *gpu, ns_t at);
int error_code(const char *name);
const char *error_text(nvmlReturn_t code);

/* ---- call.c ---- */
struct Handle {
    int gpu;
    int instance; /* -1: the board */
    int epoch;
};

typedef struct Stat {
    const char *name;
    uint64_t count, failed, total_ns, max_ns;
    struct Stat *next;
} Stat;

typedef struct {
    Stat *stat;
    CallName name;
    ns_t began; /* CLOCK_MONOTONIC */
    Script *script;
    Gpu *gpu;
    const Instance *instance; /* of a MIG handle */
    ns_t at;
} Call;

nvmlReturn_t call_open(Call *call, Stat *stat, const char *name, const char *group);
nvmlReturn_t call_open_device(Call *call, Stat *stat, const char *name, const char *group, nvmlDevice_t device);
nvmlReturn_t call_close(Call *call, nvmlReturn_t code);
nvmlReturn_t call_init(void);
nvmlReturn_t call_shutdown(void);
nvmlDevice_t handle_of(const Call *call, const Gpu *gpu, int instance);

/* ---- nvml_system.c ---- */
bool gpu_present(const Gpu *gpu, ns_t at);
bool gpu_mig(const Gpu *gpu, ns_t at);
const char *gpu_uuid(const Gpu *gpu, ns_t at);
int gpus_in_order(const Script *script, ns_t at, Gpu *order[MAX_GPUS]);
unsigned int process_pid(const char *text);

/* ---- nvml_device.c ---- */
int device_busy_percent(const Gpu *gpu, ns_t at);

#define NVML __attribute__((visibility("default"))) nvmlReturn_t

/* The frame of each call: BEGIN ... END, with `rc` and `call` between. */
#define BEGIN(group)                                                                               \
    static Stat stat_;                                                                             \
    Call call;                                                                                     \
    nvmlReturn_t rc = call_open(&call, &stat_, __func__, group)
#define BEGIN_DEVICE(group, device)                                                                \
    static Stat stat_;                                                                             \
    Call call;                                                                                     \
    nvmlReturn_t rc = call_open_device(&call, &stat_, __func__, group, device)
#define NEED(condition, code)                                                                      \
    if (rc == NVML_SUCCESS && !(condition)) rc = (code)
#define END return call_close(&call, rc)

#endif
