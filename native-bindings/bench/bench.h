// What the programs of the benchmark share: arguments, clock, core, packet socket.
//
// Each program takes `--name value` pairs, runs for a fixed time, prints one line of JSON on standard output and exits 0,
// or prints why it could not on standard error and exits 1.

#ifndef WIDEPLANE_BENCH_H
#define WIDEPLANE_BENCH_H

#include <stddef.h>
#include <stdint.h>

/** Prints `what` and the text of errno on standard error, exits 1. */
_Noreturn void die(const char *what);

/** The value of `--name`, or `fallback`; dies when `fallback` is NULL and it is missing. */
const char *option(int argc, char **argv, const char *name, const char *fallback);
long long number_option(int argc, char **argv, const char *name, long long fallback);

/** Runs this process on one core; a negative core leaves it free. */
void pin(int core);

int64_t now_ns(void);
void sleep_until_ns(int64_t deadline);

/** A packet socket for sending only, bound to the device. */
int open_sender(const char *device, int bypass_queue);

#endif
