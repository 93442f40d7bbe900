// A round trip over UDP at a steady, low rate.
//
//   echo --serve PORT [--core C]                                   answers every datagram; prints "ready"; ends by SIGTERM
//   echo --to ADDRESS --port P --rate R --count N [--core C]       asks, R a second, each one after the last is back
//
// The client prints the percentiles of the round trip in nanoseconds and how many requests had no answer within 1 s.

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "bench.h"

#define REQUEST_OCTETS 64

static int udp_socket(void) {
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  if (fd < 0) die("socket");
  return fd;
}

static _Noreturn void serve(uint16_t port) {
  int fd = udp_socket();
  struct sockaddr_in local = {.sin_family = AF_INET, .sin_port = htons(port)};
  if (bind(fd, (struct sockaddr *)&local, sizeof local)) die("bind");
  puts("ready");
  fflush(stdout);
  for (;;) {
    uint8_t datagram[2048];
    struct sockaddr_in from;
    socklen_t from_octets = sizeof from;
    ssize_t octets = recvfrom(fd, datagram, sizeof datagram, 0, (struct sockaddr *)&from, &from_octets);
    if (octets >= 0) sendto(fd, datagram, (size_t)octets, 0, (struct sockaddr *)&from, from_octets);
  }
}

static int by_value(const void *a, const void *b) {
  int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
  return (x > y) - (x < y);
}

/** One request and its answer; nanoseconds, or -1 when it is lost. Answers to earlier requests are passed over. */
static int64_t round_trip(int fd, uint64_t sequence) {
  uint8_t datagram[REQUEST_OCTETS] = {0};
  memcpy(datagram, &sequence, sizeof sequence);
  int64_t sent = now_ns();
  if (send(fd, datagram, sizeof datagram, 0) < 0) return -1;
  for (;;) {
    ssize_t octets = recv(fd, datagram, sizeof datagram, 0);
    if (octets < 0 && errno == EINTR) continue;
    if (octets < 0) return -1;
    uint64_t answered;
    memcpy(&answered, datagram, sizeof answered);
    if (answered == sequence) return now_ns() - sent;
  }
}

int main(int argc, char **argv) {
  pin((int)number_option(argc, argv, "core", -1));
  long long port = number_option(argc, argv, "serve", 0);
  if (port > 0) serve((uint16_t)port);

  struct sockaddr_in remote = {.sin_family = AF_INET,
                               .sin_port = htons((uint16_t)number_option(argc, argv, "port", 7))};
  if (inet_pton(AF_INET, option(argc, argv, "to", NULL), &remote.sin_addr) != 1) die("--to");
  long long rate = number_option(argc, argv, "rate", 1000), count = number_option(argc, argv, "count", 1000);
  int fd = udp_socket();
  struct timeval patience = {.tv_sec = 1};
  if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience)) die("SO_RCVTIMEO");
  if (connect(fd, (struct sockaddr *)&remote, sizeof remote)) die("connect");

  int64_t *times = calloc((size_t)count, sizeof *times);
  if (times == NULL) die("calloc");
  size_t answered = 0;
  int64_t next = now_ns();
  for (long long i = 0; i < count; i++) {
    sleep_until_ns(next);
    int64_t elapsed = round_trip(fd, (uint64_t)i);
    if (elapsed >= 0) times[answered++] = elapsed;
    // A late answer moves the schedule: this is a steady trickle, never a burst.
    next = (next > now_ns() ? next : now_ns()) + 1000000000LL / rate;
  }
  if (answered == 0) {
    fprintf(stderr, "echo: no answer\n");
    return 1;
  }
  qsort(times, answered, sizeof *times, by_value);
  printf("{\"answered\":%zu,\"lost\":%lld,\"p50\":%lld,\"p90\":%lld,\"p99\":%lld}\n", answered,
         count - (long long)answered, (long long)times[answered / 2], (long long)times[answered * 9 / 10],
         (long long)times[answered * 99 / 100]);
  return 0;
}
