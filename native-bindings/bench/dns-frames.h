// Questions and answers as frames of a device, for servers that are faster than the sockets of whoever asks them.

#ifndef WIDEPLANE_DNS_FRAMES_H
#define WIDEPLANE_DNS_FRAMES_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/** Octets of Ethernet, IPv4 and UDP in front of a message. */
enum { FRAME_HEADERS = 42 };

/** Opens a device for both ways; the ends are texts: MAC and IPv4 addresses, and the port that is asked. Dies when it cannot. */
void frames_open(const char *device, const char *from_mac, const char *to_mac, const char *from, const char *to, uint16_t port);

/** Writes the headers in front of a message of so many octets, which stands FRAME_HEADERS behind `frame`. */
void frames_head(uint8_t *frame, uint16_t message_octets);

/** Sends frames. */
void frames_send(struct mmsghdr *messages, unsigned count);

/** The messages of answers that have come, up to `max`; waits up to 100 ms for one if `waits`. They are there until the next call. */
unsigned frames_take(const uint8_t **messages, unsigned max, int waits);

#endif
