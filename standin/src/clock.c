/* What time it is: CLOCK_BOOTTIME, or a file that a test moves. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "standin.h"

static struct {
    ns_t anchor;
    int64_t wall_us;
    ns_t wall_offset; /* of CLOCK_REALTIME to CLOCK_BOOTTIME; taken once, so that a stamp stays what it is */
    volatile int64_t *manual; /* NULL: the real clock */
    char file[512];
} clock_state;

static ns_t read_clock(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return now.tv_sec * NS_PER_S + now.tv_nsec;
}

static volatile int64_t *map_clock(const char *path, char *error, size_t size)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);
    struct stat status;
    if (fd < 0 || fstat(fd, &status) != 0 || status.st_size < (off_t)sizeof(int64_t)) {
        snprintf(error, size, "manual clock %s: %s", path, fd < 0 ? strerror(errno) : "not 8 bytes long");
        if (fd >= 0) close(fd);
        return NULL;
    }
    void *page = mmap(NULL, sizeof(int64_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (page == MAP_FAILED) {
        snprintf(error, size, "manual clock %s: %s", path, strerror(errno));
        return NULL;
    }
    return page;
}

bool clock_use(const Script *script, char *error, size_t size)
{
    volatile int64_t *manual = NULL;
    if (script->manual_clock) {
        bool same = clock_state.manual && strcmp(clock_state.file, script->clock_file) == 0;
        manual = same ? clock_state.manual : map_clock(script->clock_file, error, size);
        if (!manual) return false;
        snprintf(clock_state.file, sizeof clock_state.file, "%s", script->clock_file);
    }
    if (!clock_state.wall_offset) clock_state.wall_offset = read_clock(CLOCK_REALTIME) - read_clock(CLOCK_BOOTTIME);
    clock_state.manual = manual; /* an earlier mapping stays: another thread may be reading it */
    clock_state.anchor = script->anchor;
    clock_state.wall_us = script->wall_us;
    return true;
}

ns_t clock_now(void)
{
    ns_t now = clock_state.manual ? __atomic_load_n(clock_state.manual, __ATOMIC_SEQ_CST)
                                  : read_clock(CLOCK_BOOTTIME);
    return now - clock_state.anchor;
}

int64_t clock_wall_us(ns_t at)
{
    if (clock_state.manual) return clock_state.wall_us + floor_div(at, 1000);
    return floor_div(clock_state.wall_offset + clock_state.anchor + at, 1000);
}

void clock_pass(ns_t duration)
{
    if (clock_state.manual) {
        __atomic_add_fetch(clock_state.manual, duration, __ATOMIC_SEQ_CST);
        return;
    }
    ns_t until = read_clock(CLOCK_MONOTONIC) + duration;
    struct timespec wake = {.tv_sec = until / NS_PER_S, .tv_nsec = until % NS_PER_S};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &wake, NULL) == EINTR) {
    }
}

void clock_stop(void)
{
    /* A driver that hangs does not listen to signals; only SIGKILL gets through here. */
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    for (;;) pause();
}
