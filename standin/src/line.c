/* Words, options and quantities with units. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "script.h"

void line_fail(Line *line, const char *format, ...)
{
    if (*line->error) return; /* the first error counts */
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line->error, sizeof line->error, format, arguments);
    va_end(arguments);
}

/* Splits at blanks; "..." keeps blanks, # starts a comment. */
void line_split(Line *line, char *text)
{
    char *out = text;
    line->count = 0;
    line->error[0] = 0;
    while (*text && line->count < MAX_WORDS) {
        while (*text == ' ' || *text == '\t' || *text == '\n' || *text == '\r') text++;
        if (!*text || *text == '#') return;
        line->used[line->count] = false;
        line->words[line->count++] = out;
        bool quoted = false, ended = false;
        while (*text && !ended) {
            if (*text == '"') quoted = !quoted;
            else if (!quoted && strchr(" \t\r\n", *text)) ended = true;
            else *out++ = *text;
            text++;
        }
        *out++ = 0;
        if (quoted) line_fail(line, "a quote is not closed");
    }
    if (line->count == MAX_WORDS) line_fail(line, "more than %d words", MAX_WORDS - 1);
}

const char *line_word(Line *line, int number)
{
    for (int i = 1, seen = 0; i < line->count; i++) {
        if (strchr(line->words[i], '=')) continue;
        if (seen++ == number) {
            line->used[i] = true;
            return line->words[i];
        }
    }
    return NULL;
}

const char *line_option(Line *line, const char *key)
{
    size_t length = strlen(key);
    for (int i = 1; i < line->count; i++)
        if (strncmp(line->words[i], key, length) == 0 && line->words[i][length] == '=') {
            line->used[i] = true;
            return line->words[i] + length + 1;
        }
    return NULL;
}

bool line_has(Line *line, const char *word)
{
    for (int i = 1; i < line->count; i++)
        if (strcmp(line->words[i], word) == 0) {
            line->used[i] = true;
            return true;
        }
    return false;
}

void line_finish(Line *line)
{
    for (int i = 1; i < line->count; i++)
        if (!line->used[i]) line_fail(line, "'%s' means nothing in '%s'", line->words[i], line->words[0]);
}

/* ---- quantities ---- */

typedef struct {
    const char *unit;
    double factor;
} Unit;

static double quantity(Line *line, const char *text, const Unit *units, const char *what)
{
    char *end;
    double value = strtod(text, &end);
    if (end == text || !isfinite(value)) {
        line_fail(line, "'%s' is not a %s", text, what);
        return 0;
    }
    if (value == 0 && !*end) return 0;
    for (; units->unit; units++)
        if (strcmp(units->unit, end) == 0) return value * units->factor;
    line_fail(line, "'%s' lacks a unit of %s", text, what);
    return 0;
}

ns_t parse_time(Line *line, const char *text)
{
    static const Unit UNITS[] = {{"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"min", 60e9}, {"h", 3600e9}, {0}};
    char *end;
    long long whole = strtoll(text, &end, 10);
    if (end != text && strcmp(end, "ns") == 0) return whole; /* exact, however large */
    return (ns_t)llround(quantity(line, text, UNITS, "time"));
}

double parse_power(Line *line, const char *text)
{
    static const Unit UNITS[] = {{"mW", 1}, {"W", 1e3}, {"kW", 1e6}, {0}};
    return quantity(line, text, UNITS, "power");
}

double parse_energy(Line *line, const char *text)
{
    static const Unit UNITS[] = {{"mJ", 1}, {"J", 1e3}, {"kJ", 1e6}, {"Wh", 3.6e6}, {"kWh", 3.6e9}, {0}};
    return quantity(line, text, UNITS, "energy");
}

uint64_t parse_bytes(Line *line, const char *text)
{
    static const Unit UNITS[] = {{"B", 1}, {"KiB", 1024}, {"MiB", 1048576}, {"GiB", 1073741824}, {0}};
    double value = quantity(line, text, UNITS, "size");
    return value < 0 ? 0 : (uint64_t)value;
}

double parse_number(Line *line, const char *text)
{
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end || !isfinite(value)) line_fail(line, "'%s' is not a number", text);
    return value;
}

ns_t time_option(Line *line, const char *key, ns_t otherwise)
{
    const char *text = line_option(line, key);
    return text ? parse_time(line, text) : otherwise;
}

double power_option(Line *line, const char *key, double otherwise)
{
    const char *text = line_option(line, key);
    return text ? parse_power(line, text) : otherwise;
}

double energy_option(Line *line, const char *key, double otherwise)
{
    const char *text = line_option(line, key);
    return text ? parse_energy(line, text) : otherwise;
}

double number_option(Line *line, const char *key, double otherwise)
{
    const char *text = line_option(line, key);
    return text ? parse_number(line, text) : otherwise;
}

void copy_name(Line *line, char *out, size_t size, const char *text)
{
    if ((size_t)snprintf(out, size, "%s", text) >= size) line_fail(line, "'%s' is too long", text);
}

void text_option(Line *line, const char *key, char *out, size_t size)
{
    const char *text = line_option(line, key);
    if (text) copy_name(line, out, size, text);
}
