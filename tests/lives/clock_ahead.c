/* Preloaded into a process, puts its time of day ahead by CLOCK_AHEAD_SECONDS. Clocks that measure how long
 * something takes run as ever. So a process that takes over after a crash need not be waited for. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static time_t ahead;

__attribute__((constructor)) static void read_ahead(void) {
    const char *seconds = getenv("CLOCK_AHEAD_SECONDS");
    ahead = seconds ? atol(seconds) : 0;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    int status = (int)syscall(SYS_clock_gettime, clock, now);
    if (status == 0 && clock == CLOCK_REALTIME) {
        now->tv_sec += ahead;
    }
    return status;
}
