#include "datagram_cut.h"

#include "checksum.h"
#include "segment.h"

#define IPV4_OCTETS 20
#define IPV6_OCTETS 40
#define UDP_OCTETS 8
#define UDP_CHECKSUM 6

static void set_ipv4(uint8_t *ip, size_t octets, int number)
{
	write16(ip + 2, (uint32_t)octets);
	write16(ip + 4, (uint32_t)read16(ip + 4) + (uint32_t)number);
	memset(ip + 10, 0, 2);
	uint16_t checksum = (uint16_t)~folded(sum_of(ip, IPV4_OCTETS, 0));
	memcpy(ip + 10, &checksum, 2);
}

static void set_udp(uint8_t *udp, const uint8_t *ip, bool is_ipv6, const uint8_t *payload, size_t payload_octets)
{
	size_t octets = UDP_OCTETS + payload_octets;
	write16(udp + 4, (uint32_t)octets);
	memset(udp + UDP_CHECKSUM, 0, 2);
	if (!is_ipv6) return;
	uint64_t sum = sum_of(udp, UDP_OCTETS, pseudo_sum(ip, true, false, octets));
	uint16_t checksum = (uint16_t)~folded(sum_of_payload(payload, payload_octets, sum));
	if (checksum == 0) checksum = 0xffff;
	memcpy(udp + UDP_CHECKSUM, &checksum, 2);
}

bool datagram_cut(struct datagram_cut *cut, const uint8_t *frame, size_t octets, bool is_ip, size_t transport,
		  size_t payload_octets)
{
	size_t network = is_ip ? 0 : find_network(frame, octets, 0), payload = transport + UDP_OCTETS;
	cut->count = 0;
	if ((network == 0 && !is_ip) || payload >= octets || payload > DATAGRAM_HEADER_OCTETS || payload_octets == 0) return false;
	bool is_ipv6 = frame[network] >> 4 == 6;
	if (transport != network + (is_ipv6 ? IPV6_OCTETS : IPV4_OCTETS)) return false;
	if ((octets - payload + payload_octets - 1) / payload_octets > CUT_DATAGRAMS) return false;
	for (size_t at = payload; at < octets; at += payload_octets, cut->count++) {
		size_t left = octets - at, here = left < payload_octets ? left : payload_octets;
		uint8_t *header = cut->headers[cut->count], *ip = header + network;
		memcpy(header, frame, payload);
		if (is_ipv6) write16(ip + 4, (uint32_t)(UDP_OCTETS + here));
		else set_ipv4(ip, IPV4_OCTETS + UDP_OCTETS + here, cut->count);
		set_udp(header + transport, ip, is_ipv6, frame + at, here);
		cut->pieces[2 * cut->count] = (struct iovec){header, payload};
		cut->pieces[2 * cut->count + 1] = (struct iovec){(void *)(frame + at), here};
	}
	return true;
}
