#include "segment.h"

#include "checksum.h"

#define ETHERNET_OCTETS 14
#define TAG_OCTETS 4
#define MAX_TAGS 2
#define IPV4_OCTETS 20
#define IPV6_OCTETS 40
#define UDP_OCTETS 8
#define TCP_OCTETS 20
#define TYPE_IPV4 0x0800
#define TYPE_TAGGED 0x8100
#define TYPE_SERVICE_TAGGED 0x88a8
#define TYPE_IPV6 0x86dd
#define TCP_FLAGS 13
#define TCP_FIN 0x01
#define TCP_PSH 0x08
#define TCP_CWR 0x80
#define TCP_CHECKSUM 16
#define UDP_CHECKSUM 6

size_t find_network(const uint8_t *frame, size_t octets, size_t ethernet)
{
	size_t at = ethernet + ETHERNET_OCTETS;
	for (int tags = 0; tags <= MAX_TAGS; tags++, at += TAG_OCTETS) {
		if (at + IPV4_OCTETS > octets) return 0;
		uint16_t type = read16(frame + at - 2);
		if (type == TYPE_IPV4 || type == TYPE_IPV6) return at;
		if (type != TYPE_TAGGED && type != TYPE_SERVICE_TAGGED) return 0;
	}
	return 0;
}

bool super_frame_look(struct super_frame *super, const uint8_t *frame, size_t octets, size_t inner, size_t transport,
		      size_t segment_octets)
{
	size_t network = find_network(frame, octets, inner);
	if (network == 0 || segment_octets == 0 || transport + UDP_OCTETS > octets) return false;
	const uint8_t *ip = frame + network;
	uint8_t protocol;
	bool is_ipv6 = ip[0] >> 4 == 6;
	size_t end;
	if (is_ipv6) {
		if (transport != network + IPV6_OCTETS) return false;
		end = transport + read16(ip + 4);
		protocol = ip[6];
	} else {
		size_t header_octets = (size_t)(ip[0] & 0x0f) * 4;
		if (ip[0] >> 4 != 4 || header_octets < IPV4_OCTETS || transport != network + header_octets) return false;
		end = network + read16(ip + 2);
		protocol = ip[9];
	}
	bool is_tcp = protocol == IPPROTO_TCP;
	if ((!is_tcp && protocol != IPPROTO_UDP) || end > octets) return false;
	const uint8_t *header = frame + transport;
	size_t payload = transport + UDP_OCTETS;
	if (is_tcp) {
		if (transport + TCP_OCTETS > octets || (header[12] >> 4) * 4 < TCP_OCTETS) return false;
		payload = transport + (size_t)(header[12] >> 4) * 4;
	}
	if (payload >= end || payload > SEGMENT_HEADER_OCTETS) return false;
	*super = (struct super_frame){
		.frame = frame,
		.network = network,
		.transport = transport,
		.payload = payload,
		.end = end,
		.segment_octets = segment_octets,
		.segments = (unsigned)((end - payload + segment_octets - 1) / segment_octets),
		.is_ipv6 = is_ipv6,
		.is_tcp = is_tcp,
		/* The sum of a pseudo-header is not 0, so 0 means that there shall be none. */
		.has_checksum = is_tcp || read16(header + UDP_CHECKSUM) != 0,
	};
	return true;
}

void super_frame_cut(const struct super_frame *super, unsigned number, struct segment *segment)
{
	size_t before = number * super->segment_octets, left = super->end - super->payload - before;
	bool is_last = left <= super->segment_octets;
	segment->octets = is_last ? left : super->segment_octets;
	segment->payload = super->frame + super->payload + before;
	memcpy(segment->header, super->frame, super->payload);

	uint8_t *ip = segment->header + super->network, *transport = segment->header + super->transport;
	size_t header_octets = super->payload - super->transport, covered = header_octets + segment->octets;
	if (super->is_ipv6) {
		write16(ip + 4, (uint32_t)covered);
	} else {
		write16(ip + 2, (uint32_t)(super->transport - super->network + covered));
		write16(ip + 4, read16(ip + 4) + number);
		memset(ip + 10, 0, 2);
		uint16_t checksum = (uint16_t)~folded(sum_of(ip, super->transport - super->network, 0));
		memcpy(ip + 10, &checksum, 2);
	}
	if (super->is_tcp) {
		write32(transport + 4, read32(transport + 4) + (uint32_t)before);
		if (!is_last) transport[TCP_FLAGS] &= (uint8_t) ~(TCP_FIN | TCP_PSH);
		if (number > 0) transport[TCP_FLAGS] &= (uint8_t)~TCP_CWR;
	} else {
		write16(transport + 4, (uint32_t)covered);
	}
	if (!super->has_checksum) return;
	uint8_t *field = transport + (super->is_tcp ? TCP_CHECKSUM : UDP_CHECKSUM);
	memset(field, 0, 2);
	uint64_t sum = sum_of(transport, header_octets, pseudo_sum(ip, super->is_ipv6, super->is_tcp, covered));
	/* The header ends at an even offset, so both sums are of the same octet order. */
	uint16_t checksum = (uint16_t)~folded(sum_of_payload(segment->payload, segment->octets, sum));
	/* For UDP 0 would mean that there is none (RFC 768); TCP has no such meaning, and no other form of it (RFC 1624). */
	if (checksum == 0 && !super->is_tcp) checksum = 0xffff;
	memcpy(field, &checksum, 2);
}
