// What the programs of the benchmark share; the contracts are in bench.h.

#define _GNU_SOURCE
#include "bench.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

void die(const char *what) {
  fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what, strerror(errno));
  exit(1);
}

const char *option(int argc, char **argv, const char *name, const char *fallback) {
  for (int i = 1; i + 1 < argc; i += 2)
    if (!strncmp(argv[i], "--", 2) && !strcmp(argv[i] + 2, name)) return argv[i + 1];
  if (fallback == NULL) {
    fprintf(stderr, "%s: --%s is missing\n", program_invocation_short_name, name);
    exit(1);
  }
  return fallback;
}

long long number_option(int argc, char **argv, const char *name, long long fallback) {
  const char *text = option(argc, argv, name, "");
  if (*text == 0) return fallback;
  char *end;
  long long value = strtoll(text, &end, 0);
  if (*end != 0) {
    fprintf(stderr, "%s: --%s %s: not a number\n", program_invocation_short_name, name, text);
    exit(1);
  }
  return value;
}

void pin(int core) {
  if (core < 0) return;
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(core, &set);
  if (sched_setaffinity(0, sizeof set, &set)) die("sched_setaffinity");
}

int64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

void sleep_until_ns(int64_t deadline) {
  struct timespec t = {deadline / 1000000000LL, deadline % 1000000000LL};
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR) {
  }
}

int open_sender(const char *device, int bypass_queue) {
  // Protocol 0: the socket receives nothing, so nobody's frame is copied for it.
  int fd = socket(AF_PACKET, SOCK_RAW, 0);
  if (fd < 0) die("socket AF_PACKET");
  struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex(device)};
  if (address.sll_ifindex == 0) die(device);
  if (bind(fd, (struct sockaddr *)&address, sizeof address)) die("bind");
  if (setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &bypass_queue, sizeof bypass_queue)) die("PACKET_QDISC_BYPASS");
  return fd;
}
