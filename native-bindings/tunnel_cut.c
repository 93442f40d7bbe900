#include "tunnel_cut.h"

#include "checksum.h"

#define IPV6_OCTETS 40
#define UDP_OCTETS 8
#define UDP_CHECKSUM 6
#define MAX_IP_OCTETS 65535

bool tunnel_is_udp(const uint8_t *frame, size_t octets)
{
	size_t network = find_network(frame, octets, 0);
	return network != 0 && frame[network + (frame[network] >> 4 == 6 ? 6 : 9)] == IPPROTO_UDP;
}

bool tunnel_cut_begin(struct tunnel_cut *cut, const uint8_t *frame, size_t octets, size_t inner, size_t inner_transport,
		      size_t segment_octets)
{
	cut->done = cut->count = 0;
	cut->network = find_network(frame, octets, 0);
	if (cut->network == 0) return false;
	cut->is_ipv6 = frame[cut->network] >> 4 == 6;
	cut->transport = cut->network + (cut->is_ipv6 ? IPV6_OCTETS : (size_t)(frame[cut->network] & 0x0f) * 4);
	cut->is_udp = tunnel_is_udp(frame, octets);
	cut->payload = cut->transport + (cut->is_udp ? UDP_OCTETS : 0);
	if (cut->payload > inner || cut->payload > CUT_OUTER_OCTETS) return false;
	cut->has_checksum = cut->is_udp && read16(frame + cut->transport + UDP_CHECKSUM) != 0;
	return super_frame_look(&cut->super, frame, octets, inner, inner_transport, segment_octets);
}

bool tunnel_cut_next(struct tunnel_cut *cut)
{
	cut->done += cut->count;
	size_t most = (MAX_IP_OCTETS - (cut->payload - cut->network)) / tunnel_cut_datagram(cut);
	unsigned left = cut->super.segments - cut->done;
	cut->count = left < CUT_SEGMENTS ? left : CUT_SEGMENTS;
	if (cut->count > most) cut->count = (unsigned)most;
	for (unsigned i = 0; i < cut->count; i++) super_frame_cut(&cut->super, cut->done + i, &cut->segments[i]);
	return cut->count > 0;
}

/* Writes the lengths, and the IPv4 checksum, for `octets` behind the IP header. */
static void set_outer(const struct tunnel_cut *cut, uint8_t *headers, size_t octets)
{
	uint8_t *ip = headers + cut->network;
	if (cut->is_ipv6) {
		write16(ip + 4, (uint32_t)octets);
	} else {
		write16(ip + 2, (uint32_t)(cut->transport - cut->network + octets));
		memset(ip + 10, 0, 2);
		uint16_t checksum = (uint16_t)~folded(sum_of(ip, cut->transport - cut->network, 0));
		memcpy(ip + 10, &checksum, 2);
	}
	if (cut->is_udp) write16(headers + cut->transport + 4, (uint32_t)octets);
}

/* The outer checksum. Where the inner one is complete, what it covers adds up to the complement of its pseudo-header's sum, so
 * the payload is not read again. */
static void set_checksum(const struct tunnel_cut *cut, struct segment *segment, size_t octets)
{
	const struct super_frame *super = &cut->super;
	uint8_t *udp = segment->header + cut->transport, *field = udp + UDP_CHECKSUM;
	uint64_t sum = pseudo_sum(segment->header + cut->network, cut->is_ipv6, false, octets);
	memset(field, 0, 2);
	if (super->has_checksum) {
		size_t covered = super->payload - super->transport + segment->octets;
		uint64_t inner = pseudo_sum(segment->header + super->network, super->is_ipv6, super->is_tcp, covered);
		uint16_t rest = (uint16_t)~folded(inner);
		sum = sum_of(udp, super->transport - cut->transport, sum) + rest;
	} else {
		sum = sum_of(udp, super->payload - cut->transport, sum);
		sum = sum_of_payload(segment->payload, segment->octets, sum);
	}
	uint16_t checksum = (uint16_t)~folded(sum);
	if (checksum == 0) checksum = 0xffff;
	memcpy(field, &checksum, 2);
}

void tunnel_cut_finish(struct tunnel_cut *cut, struct iovec *pieces)
{
	for (unsigned i = 0; i < cut->count; i++) {
		struct segment *segment = &cut->segments[i];
		size_t octets = cut->super.payload - cut->transport + segment->octets;
		set_outer(cut, segment->header, octets);
		if (cut->has_checksum) set_checksum(cut, segment, octets);
		*pieces++ = (struct iovec){segment->header, cut->super.payload};
		*pieces++ = (struct iovec){(void *)segment->payload, segment->octets};
	}
}

int tunnel_cut_join(struct tunnel_cut *cut, struct iovec *pieces)
{
	struct iovec *piece = pieces;
	size_t header_octets = cut->super.payload - cut->payload, octets = UDP_OCTETS;
	*piece++ = (struct iovec){cut->outer, cut->payload};
	for (unsigned i = 0; i < cut->count; i++) {
		struct segment *segment = &cut->segments[i];
		*piece++ = (struct iovec){segment->header + cut->payload, header_octets};
		*piece++ = (struct iovec){(void *)segment->payload, segment->octets};
		octets += header_octets + segment->octets;
	}
	memcpy(cut->outer, cut->super.frame, cut->payload);
	set_outer(cut, cut->outer, octets);
	uint16_t sum = folded(pseudo_sum(cut->outer + cut->network, cut->is_ipv6, false, octets));
	memcpy(cut->outer + cut->transport + UDP_CHECKSUM, &sum, 2);
	return (int)(piece - pieces);
}
