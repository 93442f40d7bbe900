/* Cutting a super-frame of UDP that was written here (sealed packets of IPsec) into its datagrams, where nobody behind the
 * socket may or can: the headers of each are made here, its payload stays where it is. */
#ifndef WIDEPLANE_DATAGRAM_CUT_H
#define WIDEPLANE_DATAGRAM_CUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#define CUT_DATAGRAMS 64
/* Ethernet with a tag 18, IPv6 40, UDP 8. */
#define DATAGRAM_HEADER_OCTETS 72

struct datagram_cut {
	uint8_t headers[CUT_DATAGRAMS][DATAGRAM_HEADER_OCTETS];
	struct iovec pieces[2 * CUT_DATAGRAMS]; /* of each datagram its headers and its payload */
	int count;
};

/* `is_ip`: the frame starts at its IP header, `transport`: where UDP begins, from the start of the frame. Over IPv4 a datagram has
 * no checksum, over IPv6 it has one. False when it is none that can be cut. */
bool datagram_cut(struct datagram_cut *cut, const uint8_t *frame, size_t octets, bool is_ip, size_t transport,
		  size_t payload_octets);

#endif
