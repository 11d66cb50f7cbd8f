/*
 * A clock that is OFFSET_SECONDS ahead, for every program that is started with this library preloaded.
 * Wall time only: the monotonic clock, timers and waits stay the machine's. libfaketime shifts the same
 * clocks, but under it the timers of Postgres never fire, and with them no time-out of any statement.
 */
#define _GNU_SOURCE
#include <stddef.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static int real(clockid_t id, struct timespec *at) { return (int)syscall(SYS_clock_gettime, id, at); }

int clock_gettime(clockid_t id, struct timespec *at) {
  int failed = real(id, at);
  if (!failed && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) at->tv_sec += OFFSET_SECONDS;
  return failed;
}

int gettimeofday(struct timeval *restrict at, void *restrict zone) {
  struct timespec now;
  (void)zone;
  if (real(CLOCK_REALTIME, &now)) return -1;
  if (at != NULL) {
    at->tv_sec = now.tv_sec + OFFSET_SECONDS;
    at->tv_usec = now.tv_nsec / 1000;
  }
  return 0;
}

time_t time(time_t *at) {
  struct timespec now;
  if (real(CLOCK_REALTIME, &now)) return (time_t)-1;
  time_t seconds = now.tv_sec + OFFSET_SECONDS;
  if (at != NULL) *at = seconds;
  return seconds;
}
