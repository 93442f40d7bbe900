// Counts what arrives at a device, from the device's own counters: nothing is copied and no frame is looked at.
//
//   sink --device DEV --settle-ms N --measure-ms N [--core C]
//
// Waits `settle-ms`, then measures for `measure-ms`. Whoever starts it lets the kernel drop the frames early.

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "bench.h"

typedef struct {
  unsigned long long octets, packets;
} counters;

static counters read_counters(const char *device) {
  FILE *file = fopen("/proc/self/net/dev", "r");
  if (file == NULL) die("/proc/self/net/dev");
  char line[512];
  counters c;
  size_t length = strlen(device);
  while (fgets(line, sizeof line, file) != NULL) {
    char *name = line + strspn(line, " ");
    if (strncmp(name, device, length) || name[length] != ':') continue;
    if (sscanf(name + length + 1, "%llu %llu", &c.octets, &c.packets) != 2) break;
    fclose(file);
    return c;
  }
  errno = ENODEV;
  die(device);
}

int main(int argc, char **argv) {
  const char *device = option(argc, argv, "device", NULL);
  int64_t settle = number_option(argc, argv, "settle-ms", 500) * 1000000LL;
  int64_t measure = number_option(argc, argv, "measure-ms", 1000) * 1000000LL;
  pin((int)number_option(argc, argv, "core", -1));
  sleep_until_ns(now_ns() + settle);
  int64_t start = now_ns();
  counters before = read_counters(device);
  sleep_until_ns(start + measure);
  counters after = read_counters(device);
  double seconds = (double)(now_ns() - start) / 1e9;
  printf("{\"packets\":%llu,\"octets\":%llu,\"seconds\":%.6f,\"packetsPerSecond\":%.0f}\n",
         after.packets - before.packets, after.octets - before.octets, seconds,
         (double)(after.packets - before.packets) / seconds);
  return 0;
}
