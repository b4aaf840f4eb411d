/* Lines `power SHAPE …`: the layers of a GPU's load. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "script.h"

static ns_t stretched(const Gpu *gpu, ns_t duration)
{
    return (ns_t)llround((double)duration * gpu->time_scale);
}

static ns_t shape_time(const Gpu *gpu, Line *line, const char *key, ns_t otherwise)
{
    return stretched(gpu, time_option(line, key, otherwise));
}

static void need_period(Line *line, const Layer *layer)
{
    if (layer->period <= 0) line_fail(line, "needs a period above zero");
    if (layer->width < 0 || layer->width > layer->period) line_fail(line, "the width does not fit into the period");
}

static void read_square(const Gpu *gpu, Layer *layer, Line *line)
{
    layer->low_mw = power_option(line, "low", 0);
    layer->high_mw = power_option(line, "high", 0);
    layer->period = shape_time(gpu, line, "period", 0);
    double duty = number_option(line, "duty", 0.5);
    layer->width = shape_time(gpu, line, "width", -1);
    if (!line_option(line, "width")) layer->width = (ns_t)llround(duty * (double)layer->period);
    need_period(line, layer);
}

static void read_spikes(const Gpu *gpu, Layer *layer, Line *line)
{
    layer->high_mw = power_option(line, "height", 0);
    layer->period = shape_time(gpu, line, "period", 0);
    layer->width = shape_time(gpu, line, "width", 0);
    need_period(line, layer);
}

static void read_random(Script *script, const Gpu *gpu, Layer *layer, Line *line)
{
    read_spikes(gpu, layer, line);
    layer->probability = number_option(line, "probability", 1);
    layer->seed = (uint64_t)number_option(line, "seed", 0);
    if (*line->error) return;
    layer->spikes_before = script_alloc(script, (RANDOM_CELLS + 1) * sizeof(int));
    ns_t offset;
    for (int i = 0; i < RANDOM_CELLS; i++)
        layer->spikes_before[i + 1] = layer->spikes_before[i] + random_cell(layer, i, &offset);
}

static void add_step(Layer *layer, ns_t duration, double from_mw, double to_mw)
{
    Step *step = &layer->steps[layer->step_count];
    *step = (Step){.duration = duration, .from_mw = from_mw, .to_mw = to_mw};
    if (layer->step_count++) {
        const Step *before = step - 1;
        step->start = before->start + before->duration;
        step->before = before->before + (before->from_mw + before->to_mw) / 2 * (double)before->duration;
    }
}

static void read_ramp(Script *script, const Gpu *gpu, Layer *layer, Line *line)
{
    ns_t over = shape_time(gpu, line, "over", 0);
    if (over <= 0) line_fail(line, "needs over= above zero");
    layer->steps = script_alloc(script, sizeof(Step));
    add_step(layer, over, power_option(line, "from", 0), power_option(line, "to", 0));
}

/* A step is DURATION:POWER or DURATION:FROM>TO. */
static void read_steps(Script *script, const Gpu *gpu, Layer *layer, Line *line)
{
    layer->steps = script_alloc(script, (size_t)line->count * sizeof(Step));
    for (int i = 1; i < line->count; i++) {
        char *level = strchr(line->words[i], ':');
        if (!level || strchr(line->words[i], '=')) continue;
        line->used[i] = true;
        *level++ = 0;
        char *to = strchr(level, '>');
        if (to) *to++ = 0;
        ns_t duration = stretched(gpu, parse_time(line, line->words[i]));
        double from_mw = parse_power(line, level);
        if (duration <= 0) line_fail(line, "a step needs a duration above zero");
        add_step(layer, duration, from_mw, to ? parse_power(line, to) : from_mw);
    }
    if (!layer->step_count) line_fail(line, "needs steps such as 10s:300W or 2s:100W>300W");
    layer->looped = line_has(line, "loop");
}

void read_layer(Script *script, Gpu *gpu, Line *line)
{
    const char *shape = line_word(line, 0);
    if (gpu->layer_count == MAX_LAYERS) line_fail(line, "more than %d layers", MAX_LAYERS);
    if (!shape) line_fail(line, "needs a shape");
    if (*line->error) return;
    Layer *layer = &gpu->layers[gpu->layer_count++];
    if (strcmp(shape, "constant") == 0) {
        layer->kind = LAYER_CONSTANT;
        layer->low_mw = power_option(line, "level", 0);
    } else if (strcmp(shape, "ramp") == 0) {
        layer->kind = LAYER_RAMP;
        read_ramp(script, gpu, layer, line);
    } else if (strcmp(shape, "square") == 0) {
        layer->kind = LAYER_SQUARE;
        read_square(gpu, layer, line);
    } else if (strcmp(shape, "sine") == 0) {
        layer->kind = LAYER_SINE;
        layer->low_mw = power_option(line, "mean", 0);
        layer->high_mw = power_option(line, "amplitude", 0);
        layer->period = shape_time(gpu, line, "period", 0);
        need_period(line, layer);
    } else if (strcmp(shape, "spikes") == 0) {
        layer->kind = LAYER_SQUARE;
        read_spikes(gpu, layer, line);
    } else if (strcmp(shape, "random") == 0) {
        layer->kind = LAYER_RANDOM;
        read_random(script, gpu, layer, line);
    } else if (strcmp(shape, "steps") == 0) {
        layer->kind = LAYER_STEPS;
        read_steps(script, gpu, layer, line);
    } else {
        line_fail(line, "'%s' is no shape: constant, ramp, square, sine, spikes, random, steps", shape);
    }
    layer->phase = shape_time(gpu, line, "phase", 0);
    layer->repeat = shape_time(gpu, line, "repeat", 0);
    if (layer->repeat < 0) line_fail(line, "repeat= is below zero");
}
