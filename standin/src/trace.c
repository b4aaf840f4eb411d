/* Power of a load as a function of time, and its integral in closed form.
 *
 * A load is the sum of its layers. Each layer has an antiderivative F in mW ns; energy since
 * trace time 0 is F(t) - F(0). Edges belong to what follows them.
 */
#include <math.h>

#include "standin.h"

static uint64_t mix(uint64_t x) /* splitmix64 */
{
    x += 0x9E3779B97F4A7C15ULL;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ULL;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBULL;
    return x ^ (x >> 31);
}

/* A number below 2^53, the same for the same arguments in every process. */
uint64_t draw(uint64_t seed, uint64_t stream, uint64_t number)
{
    return mix(mix(mix(seed) ^ stream) ^ number) >> 11;
}

int64_t floor_div(int64_t value, int64_t by)
{
    int64_t quotient = value / by;
    return quotient - (value % by < 0);
}

bool random_cell(const Layer *layer, int64_t cell, ns_t *offset)
{
    *offset = (ns_t)(draw(layer->seed, 2, (uint64_t)cell) % (uint64_t)(layer->period - layer->width + 1));
    return (double)draw(layer->seed, 1, (uint64_t)cell) < layer->probability * 9007199254740992.0;
}

static const Step *step_at(const Layer *layer, ns_t at)
{
    int low = 0, high = layer->step_count - 1;
    while (low < high) {
        int middle = (low + high + 1) / 2;
        if (layer->steps[middle].start <= at) low = middle;
        else high = middle - 1;
    }
    return &layer->steps[low];
}

static double step_power(const Step *step, ns_t at)
{
    ns_t inside = at - step->start;
    if (inside <= 0) return step->from_mw;
    if (inside >= step->duration) return step->to_mw;
    return step->from_mw + (step->to_mw - step->from_mw) * (double)inside / (double)step->duration;
}

static double step_integral(const Step *step, ns_t at)
{
    ns_t inside = at - step->start;
    if (inside <= 0) return step->before + step->from_mw * (double)inside;
    ns_t ramped = inside < step->duration ? inside : step->duration;
    double slope = (step->to_mw - step->from_mw) / (double)step->duration;
    return step->before + step->from_mw * (double)ramped + slope * (double)ramped * (double)ramped / 2 +
           step->to_mw * (double)(inside - ramped);
}

static double random_power(const Layer *layer, ns_t at)
{
    int64_t cell = floor_div(at, layer->period), number = cell - floor_div(cell, RANDOM_CELLS) * RANDOM_CELLS;
    ns_t offset, inside = at - cell * layer->period;
    bool spike = random_cell(layer, number, &offset);
    return spike && inside >= offset && inside < offset + layer->width ? layer->high_mw : 0;
}

static double random_integral(const Layer *layer, ns_t at)
{
    int64_t cell = floor_div(at, layer->period), block = floor_div(cell, RANDOM_CELLS);
    int64_t number = cell - block * RANDOM_CELLS;
    ns_t offset, partial = 0, inside = at - cell * layer->period;
    if (random_cell(layer, number, &offset) && inside > offset)
        partial = inside - offset < layer->width ? inside - offset : layer->width;
    double whole = (double)block * layer->spikes_before[RANDOM_CELLS] + layer->spikes_before[number];
    return layer->high_mw * (whole * (double)layer->width + (double)partial);
}

static double shape_power(const Layer *layer, ns_t at)
{
    switch (layer->kind) {
    case LAYER_CONSTANT:
        return layer->low_mw;
    case LAYER_SQUARE: {
        ns_t inside = at - floor_div(at, layer->period) * layer->period;
        return inside < layer->width ? layer->high_mw : layer->low_mw;
    }
    case LAYER_SINE: {
        ns_t inside = at - floor_div(at, layer->period) * layer->period;
        return layer->low_mw + layer->high_mw * sin(2 * M_PI * (double)inside / (double)layer->period);
    }
    case LAYER_RANDOM:
        return random_power(layer, at);
    case LAYER_RAMP:
    case LAYER_STEPS:
        return step_power(step_at(layer, at), at);
    }
    return 0;
}

static double shape_integral(const Layer *layer, ns_t at)
{
    switch (layer->kind) {
    case LAYER_CONSTANT:
        return layer->low_mw * (double)at;
    case LAYER_SQUARE: {
        int64_t periods = floor_div(at, layer->period);
        ns_t inside = at - periods * layer->period;
        ns_t high = inside < layer->width ? inside : layer->width;
        double whole = layer->high_mw * (double)layer->width + layer->low_mw * (double)(layer->period - layer->width);
        return (double)periods * whole + layer->high_mw * (double)high + layer->low_mw * (double)(inside - high);
    }
    case LAYER_SINE: {
        ns_t inside = at - floor_div(at, layer->period) * layer->period;
        double turn = 2 * M_PI / (double)layer->period;
        return layer->low_mw * (double)at + layer->high_mw * (1 - cos(turn * (double)inside)) / turn;
    }
    case LAYER_RANDOM:
        return random_integral(layer, at);
    case LAYER_RAMP:
    case LAYER_STEPS:
        return step_integral(step_at(layer, at), at);
    }
    return 0;
}

static ns_t repeat_of(const Layer *layer)
{
    const Step *last = layer->step_count ? &layer->steps[layer->step_count - 1] : NULL;
    return layer->looped ? last->start + last->duration : layer->repeat;
}

static double layer_power(const Layer *layer, ns_t at)
{
    ns_t inside = at - layer->phase, repeat = repeat_of(layer);
    if (repeat) inside -= floor_div(inside, repeat) * repeat;
    return shape_power(layer, inside);
}

static double layer_integral(const Layer *layer, ns_t at)
{
    ns_t inside = at - layer->phase, repeat = repeat_of(layer);
    if (!repeat) return shape_integral(layer, inside);
    int64_t rounds = floor_div(inside, repeat);
    double origin = shape_integral(layer, 0);
    return (double)rounds * (shape_integral(layer, repeat) - origin) +
           shape_integral(layer, inside - rounds * repeat) - origin;
}

double load_power_mw(const Gpu *gpu, ns_t at)
{
    double sum = 0;
    for (int i = 0; i < gpu->layer_count; i++) sum += layer_power(&gpu->layers[i], at);
    return sum;
}

double load_energy_mj(const Gpu *gpu, ns_t at)
{
    double sum = 0;
    for (int i = 0; i < gpu->layer_count; i++)
        sum += layer_integral(&gpu->layers[i], at) - layer_integral(&gpu->layers[i], 0);
    return sum / (double)NS_PER_S;
}
