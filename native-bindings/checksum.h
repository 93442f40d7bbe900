/* The Internet checksum (RFC 1071), and fields in network order, for what joins and what cuts super-frames. */
#ifndef WIDEPLANE_CHECKSUM_H
#define WIDEPLANE_CHECKSUM_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint16_t read16(const uint8_t *at) { return (uint16_t)(at[0] << 8 | at[1]); }
static inline uint32_t read32(const uint8_t *at) { return (uint32_t)read16(at) << 16 | read16(at + 2); }

static inline void write16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static inline void write32(uint8_t *at, uint32_t value)
{
	write16(at, value >> 16);
	write16(at + 2, value);
}

/* The same as sum_of, faster for a thousand octets and slower for a few. */
uint64_t sum_of_payload(const uint8_t *at, size_t octets, uint64_t sum);

/* The sum in memory order, not folded (RFC 1071, section 2). */
static inline uint64_t sum_of(const uint8_t *at, size_t octets, uint64_t sum)
{
	for (; octets >= 4; at += 4, octets -= 4) {
		uint32_t word;
		memcpy(&word, at, 4);
		sum += word;
	}
	uint32_t rest = 0;
	memcpy(&rest, at, octets);
	return sum + rest;
}

static inline uint16_t folded(uint64_t sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

/* The sum of the pseudo-header of `octets` of TCP or UDP behind the IP header at `ip`. */
static inline uint64_t pseudo_sum(const uint8_t *ip, bool is_ipv6, bool is_tcp, size_t octets)
{
	uint64_t sum = htons(is_tcp ? IPPROTO_TCP : IPPROTO_UDP) + (uint64_t)htonl((uint32_t)octets);
	return is_ipv6 ? sum_of(ip + 8, 32, sum) : sum_of(ip + 12, 8, sum);
}

#endif
