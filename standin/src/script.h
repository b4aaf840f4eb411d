/* One line of a script: a keyword, bare words, and key=value options. */
#ifndef STANDIN_SCRIPT_H
#define STANDIN_SCRIPT_H

#include "standin.h"

enum { MAX_WORDS = 1024 };

typedef struct {
    char *words[MAX_WORDS];
    bool used[MAX_WORDS];
    int count;
    char error[512]; /* empty: none so far */
} Line;

void line_split(Line *line, char *text);
void line_fail(Line *line, const char *format, ...) __attribute__((format(printf, 2, 3)));
const char *line_word(Line *line, int number); /* bare word after the keyword, NULL if none */
const char *line_option(Line *line, const char *key);
bool line_has(Line *line, const char *word);
void line_finish(Line *line); /* complains of what nobody asked for */

ns_t parse_time(Line *line, const char *text);
double parse_power(Line *line, const char *text);
double parse_energy(Line *line, const char *text);
double parse_number(Line *line, const char *text);
uint64_t parse_bytes(Line *line, const char *text);

ns_t time_option(Line *line, const char *key, ns_t otherwise);
double power_option(Line *line, const char *key, double otherwise);
double energy_option(Line *line, const char *key, double otherwise);
double number_option(Line *line, const char *key, double otherwise);
void text_option(Line *line, const char *key, char *out, size_t size);
void copy_name(Line *line, char *out, size_t size, const char *text);

void *script_alloc(Script *script, size_t size);

/* script_shape.c */
void read_layer(Script *script, Gpu *gpu, Line *line);

/* script_fault.c */
void read_fault(Script *script, Gpu *gpu, Line *line);

#endif
