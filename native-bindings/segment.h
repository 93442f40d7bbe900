/* Cutting a super-frame that travels behind the header of a tunnel, as a card would: the headers of each segment are made
 * here, its payload stays where it is.
 *
 * Per segment: lengths, the IPv4 identification counting up, the TCP sequence number; FIN and PSH on the last only, CWR on
 * the first only (RFC 3168, section 6.1.2); complete checksums. Not supported: IPv6 extension headers, more than two VLAN
 * tags. src/packet/segment.ts does the same for super-frames that are cut before they are encapsulated, and says beforehand
 * whether one can be cut. */
#ifndef WIDEPLANE_SEGMENT_H
#define WIDEPLANE_SEGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Outer Ethernet with two tags 22, IPv6 40, UDP 8, tunnel header 16; Ethernet with two tags 22, IPv4 with options 60, TCP with
 * options 60. */
#define SEGMENT_HEADER_OCTETS 228

struct super_frame {
	const uint8_t *frame; /* what is in front of its own Ethernet header is repeated in each segment */
	size_t network, transport, payload, end; /* offsets from there */
	size_t segment_octets; /* payload of each segment but the last */
	unsigned segments;
	bool is_ipv6, is_tcp, has_checksum;
};

/* What of the super-frame a segment carries. */
struct segment {
	uint8_t header[SEGMENT_HEADER_OCTETS]; /* super_frame.payload octets of it */
	const uint8_t *payload;
	size_t octets;
};

/* Where the IP header begins behind the Ethernet header at `ethernet`, or 0. */
size_t find_network(const uint8_t *frame, size_t octets, size_t ethernet);
/* `inner`: where its Ethernet header begins, `transport`: its TCP or UDP header, both from the start of the frame.
 * False when it is none that can be cut. */
bool super_frame_look(struct super_frame *super, const uint8_t *frame, size_t octets, size_t inner, size_t transport,
		      size_t segment_octets);
void super_frame_cut(const struct super_frame *super, unsigned number, struct segment *segment);

#endif
