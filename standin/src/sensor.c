/* What the sensors and the energy counter make of the load. */
#include <math.h>

#include "standin.h"

#define ROUNDING_MJ 1e-4 /* what double arithmetic may lose; a whole number stays whole */

static double window_mean_mw(const Gpu *gpu, ns_t at, ns_t window)
{
    if (window == 0) return load_power_mw(gpu, at);
    return (load_energy_mj(gpu, at) - load_energy_mj(gpu, at - window)) * (double)NS_PER_S / (double)window;
}

double sensor_mw(const Gpu *gpu, const Sensor *sensor, ns_t at)
{
    if (sensor->period) at = sensor->phase + floor_div(at - sensor->phase, sensor->period) * sensor->period;
    double value = sensor->gain * window_mean_mw(gpu, at, sensor->window) + sensor->offset_mw;
    return value < 0 ? 0 : value;
}

/* ---- the counter ---- */

static ns_t jitter_at(const Gpu *gpu, ns_t nominal)
{
    const Fault *fault = fault_last(gpu->faults, gpu->fault_count, FAULT_JITTER, nominal);
    return fault ? fault->by : gpu->counter.jitter;
}

static ns_t tick_instant(const Gpu *gpu, int64_t number)
{
    const Counter *counter = &gpu->counter;
    ns_t nominal = counter->phase + number * counter->tick, jitter = jitter_at(gpu, nominal);
    if (jitter * 2 >= counter->tick) jitter = (counter->tick - 1) / 2; /* ticks stay in order */
    if (jitter == 0) return nominal;
    return nominal + (ns_t)(draw(counter->seed, 3, (uint64_t)number) % (uint64_t)(2 * jitter + 1)) - jitter;
}

static int64_t tick_number(const Gpu *gpu, ns_t at)
{
    int64_t number = floor_div(at - gpu->counter.phase, gpu->counter.tick) + 1;
    while (tick_instant(gpu, number) > at) number--;
    return number;
}

/* Sum of window readings x tick from trace time 0 to a tick, kept so that each is made once. */
static double sampled_mj(Gpu *gpu, int64_t number)
{
    const Counter *counter = &gpu->counter;
    double seconds = (double)counter->tick / (double)NS_PER_S;
    while (gpu->summed_tick < number) {
        gpu->summed_tick++;
        gpu->summed_mj += seconds * window_mean_mw(gpu, tick_instant(gpu, gpu->summed_tick), counter->window);
    }
    while (gpu->summed_tick > number) {
        gpu->summed_mj -= seconds * window_mean_mw(gpu, tick_instant(gpu, gpu->summed_tick), counter->window);
        gpu->summed_tick--;
    }
    return gpu->summed_mj;
}

/* Energy that the counter's own integration has seen by the last tick before an instant. */
static double gained_mj(Gpu *gpu, ns_t at)
{
    const Counter *counter = &gpu->counter;
    if (counter->tick == 0) return counter->gain * load_energy_mj(gpu, at - counter->delay);
    int64_t number = tick_number(gpu, at);
    if (counter->sampled) return counter->gain * sampled_mj(gpu, number);
    return counter->gain * load_energy_mj(gpu, tick_instant(gpu, number) - counter->delay);
}

static const Fault *latest_reset(const Script *script, const Gpu *gpu, ns_t at)
{
    const Fault *reset = fault_last(gpu->faults, gpu->fault_count, FAULT_RESET, at);
    const Fault *driver = fault_last(script->faults, script->fault_count, FAULT_DRIVER, at);
    if (!reset || !driver) return reset ? reset : driver;
    return reset->from >= driver->from ? reset : driver;
}

static double base_mj(Gpu *gpu, const Fault *reset, ns_t at)
{
    double value = (double)gpu->counter.start_mj + gained_mj(gpu, at);
    if (reset) {
        /* An exact counter restarts at the instant itself, a sampled one at its last tick. */
        double before = gpu->counter.sampled ? gained_mj(gpu, reset->from)
                                             : gpu->counter.gain * load_energy_mj(gpu, reset->from);
        double since = gained_mj(gpu, at) - before;
        value = reset->amount + (since > 0 ? since : 0);
    }
    return value > 0 ? value : 0;
}

/* The counter's value with the first `count` faults of the GPU applied; a reset forgets earlier ones. */
static double faulty_mj(Gpu *gpu, const Fault *reset, int count, ns_t at)
{
    while (count > 0) {
        Fault *fault = &gpu->faults[count - 1];
        bool concerns = (fault->kind == FAULT_STUCK || fault->kind == FAULT_BACKWARDS) && fault->from <= at &&
                        (!reset || fault->from >= reset->from);
        if (concerns && fault->kind == FAULT_BACKWARDS && at < fault->until) {
            double value = faulty_mj(gpu, reset, count - 1, at) - fault->amount;
            return value > 0 ? value : 0;
        }
        if (concerns && fault->kind == FAULT_STUCK && at < fault->until)
            return faulty_mj(gpu, reset, count - 1, fault->from);
        if (concerns && fault->kind == FAULT_STUCK && fault->lost) {
            if (!fault->missed_known) {
                fault->missed_mj = faulty_mj(gpu, reset, count - 1, fault->until) -
                                   faulty_mj(gpu, reset, count - 1, fault->from);
                fault->missed_known = true;
            }
            return faulty_mj(gpu, reset, count - 1, at) - fault->missed_mj;
        }
        count--;
    }
    return base_mj(gpu, reset, at);
}

uint64_t counter_mj(const Script *script, Gpu *gpu, ns_t at)
{
    double value = faulty_mj(gpu, latest_reset(script, gpu, at), gpu->fault_count, at);
    double quantum = (double)gpu->counter.quantum_mj;
    return (uint64_t)(floor((value + ROUNDING_MJ) / quantum) * quantum);
}
