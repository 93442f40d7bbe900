/* Cutting a super-frame that has the outer headers of a tunnel: each segment with its own lengths and checksums, outer and inner,
 * or, where the outer headers are UDP, as many of them as one datagram of UDP segmentation offload takes, with the outer headers
 * once. What follows the outer IP header of another tunnel (GRE, EtherIP) is the same in front of each segment. */
#ifndef WIDEPLANE_TUNNEL_CUT_H
#define WIDEPLANE_TUNNEL_CUT_H

#include "segment.h"

#include <sys/uio.h>

#define CUT_SEGMENTS 64
/* Outer Ethernet with two tags 22, IPv6 40, UDP 8. */
#define CUT_OUTER_OCTETS 70

struct tunnel_cut {
	struct super_frame super;
	size_t network, transport, payload; /* of the outer headers; the payload begins with the tunnel header */
	bool is_ipv6, is_udp, has_checksum; /* outer */
	unsigned done;			    /* segments that were taken before */
	unsigned count;			    /* and those of the last tunnel_cut_next */
	struct segment segments[CUT_SEGMENTS];
	uint8_t outer[CUT_OUTER_OCTETS];
};

/* `inner`, `inner_transport`: offsets of its own Ethernet header and of its TCP or UDP header; false when it is none that can
 * be cut. An outer checksum of 0 stays 0. */
bool tunnel_cut_begin(struct tunnel_cut *cut, const uint8_t *frame, size_t octets, size_t inner, size_t inner_transport,
		      size_t segment_octets);
/* Takes as many of the next segments as fit; false when there are none. */
bool tunnel_cut_next(struct tunnel_cut *cut);
/* Finishes the outer headers in front of each segment taken: two pieces a frame. */
void tunnel_cut_finish(struct tunnel_cut *cut, struct iovec *pieces);
/* The segments taken as one datagram whose outer headers are rendered once, with the checksum that the kernel finishes: its
 * pieces, and how many they are. Octets of payload that each datagram but the last shall have: `tunnel_cut_datagram`. */
int tunnel_cut_join(struct tunnel_cut *cut, struct iovec *pieces);
/* Whether the outer headers of a frame are UDP. */
bool tunnel_is_udp(const uint8_t *frame, size_t octets);
static inline size_t tunnel_cut_datagram(const struct tunnel_cut *cut)
{
	return cut->super.payload - cut->payload + cut->super.segment_octets;
}

#endif
