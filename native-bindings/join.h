/* Which frames of a batch can leave as one super-frame, for the kernel or the device to cut again: generic receive offload
 * at the sending side.
 *
 * Frames are joined when cutting the super-frame gives them back: one flow of TCP or UDP, equal headers but for what counts
 * up, payloads of equal length but for the last, checksums that were right. So whoever receives them sees what was sent,
 * save for the identification of IPv4 packets that cannot be fragmented (RFC 6864, section 4.1, gives it no meaning). A
 * frame with a wrong checksum is never joined, for it would come out with a right one.
 *
 * Not joined: IPv4 with options, IPv6 with extension headers, fragments, more than one VLAN tag, TCP with any flag besides
 * ACK and PSH, datagrams without a checksum unless their sender says that one may be added. */
#ifndef WIDEPLANE_JOIN_H
#define WIDEPLANE_JOIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TRANSMIT_BATCH 256
/* Ethernet with a tag 18, IPv6 40, TCP with options 60. */
#define JOIN_HEADER_OCTETS 120
/* Places for flows that are open to more frames; a power of two. */
#define JOIN_FLOWS 512

/* What the kernel needs to cut a super-frame, offsets from the start of the frame. */
struct train {
	int16_t first, last;	 /* frames by their place in the batch, linked by joiner.next */
	uint16_t frames;
	uint16_t segment_octets; /* payload of each but the last */
	uint32_t payload_octets; /* of all */
	uint16_t network, transport, payload;
	bool is_ipv6, is_tcp, ends_with_push, is_open;
	uint32_t next_sequence;	 /* TCP */
};

struct joiner {
	bool joins_tcp, joins_udp;
	bool is_ip; /* what is joined are packets: they start at the IP header */
	int added; /* frames */
	int count; /* trains */
	struct train trains[TRANSMIT_BATCH]; /* in the order in which their first frames were added */
	int16_t next[TRANSMIT_BATCH];	     /* the frame behind this one in its train; -1: none */
	const uint8_t *frames[TRANSMIT_BATCH];
	uint32_t octets[TRANSMIT_BATCH];
	uint16_t open[JOIN_FLOWS];	     /* by hash of the flow: its open train plus 1, or 0 */
	bool any_open;			     /* false: all of them are 0 */
	uint8_t headers[TRANSMIT_BATCH][JOIN_HEADER_OCTETS]; /* of the super-frames, by train */
};

void joiner_clear(struct joiner *joiner);
/* Adds the next frame of the batch, to the train of its flow where that fits. `own_udp`: its outermost UDP header was
 * written here, with a checksum that is right, or 0 and may be set. */
void joiner_add(struct joiner *joiner, const uint8_t *frame, size_t octets, bool own_udp);
/* Adds a frame as a train of its own, which no other may overtake. */
void joiner_add_alone(struct joiner *joiner, const uint8_t *frame, size_t octets);
/* Renders the headers of the train's super-frame, with the checksum that the kernel finishes; returns them. */
const uint8_t *joiner_render(struct joiner *joiner, int train);

#endif
