#define _GNU_SOURCE
#include "dns-frames.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/ether.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "bench.h"

enum { PLACE_OCTETS = 512, PLACES = 1024, BLOCK_OCTETS = 1 << 16, IP = 14, UDP = 34, WAIT_MS = 100, OWN_PORT = 40000 };

static uint8_t head[FRAME_HEADERS];
static int sender, receiver;
static uint8_t *ring;
static unsigned next_place, taken;

static void put16(uint8_t *at, unsigned value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static void read_mac(uint8_t *into, const char *text)
{
	struct ether_addr *address = ether_aton(text);
	if (address == NULL) die(text);
	memcpy(into, address, ETH_ALEN);
}

static void open_receiver(const char *device)
{
	receiver = socket(AF_PACKET, SOCK_RAW, 0);
	int version = TPACKET_V2, on = 1;
	struct tpacket_req places = {
		.tp_block_size = BLOCK_OCTETS,
		.tp_block_nr = PLACE_OCTETS * PLACES / BLOCK_OCTETS,
		.tp_frame_size = PLACE_OCTETS,
		.tp_frame_nr = PLACES,
	};
	if (receiver < 0 || setsockopt(receiver, SOL_PACKET, PACKET_VERSION, &version, sizeof version) < 0 ||
	    setsockopt(receiver, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on) < 0 ||
	    setsockopt(receiver, SOL_PACKET, PACKET_RX_RING, &places, sizeof places) < 0) {
		die("packet ring");
	}
	ring = mmap(NULL, (size_t)PLACE_OCTETS * PLACES, PROT_READ | PROT_WRITE, MAP_SHARED, receiver, 0);
	if (ring == MAP_FAILED) die("mmap");
	struct sockaddr_ll own = {
		.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IP), .sll_ifindex = (int)if_nametoindex(device)};
	if (bind(receiver, (struct sockaddr *)&own, sizeof own) < 0) die(device);
}

void frames_open(const char *device, const char *from_mac, const char *to_mac, const char *from, const char *to, uint16_t port)
{
	read_mac(head, to_mac);
	read_mac(head + ETH_ALEN, from_mac);
	put16(head + 12, ETH_P_IP);
	head[IP] = 0x45;
	head[IP + 8] = 64;
	head[IP + 9] = IPPROTO_UDP;
	if (inet_pton(AF_INET, from, head + IP + 12) != 1 || inet_pton(AF_INET, to, head + IP + 16) != 1) die("addresses");
	put16(head + UDP, OWN_PORT);
	put16(head + UDP + 2, port);
	sender = open_sender(device, 1);
	open_receiver(device);
}

void frames_head(uint8_t *frame, uint16_t message_octets)
{
	memcpy(frame, head, sizeof head);
	put16(frame + IP + 2, 28u + message_octets);
	put16(frame + UDP + 4, 8u + message_octets);
	uint32_t sum = 0;
	for (unsigned at = IP; at < UDP; at += 2) sum += (uint32_t)frame[at] << 8 | frame[at + 1];
	while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
	put16(frame + IP + 10, ~sum & 0xffff);
}

void frames_send(struct mmsghdr *messages, unsigned count)
{
	for (unsigned sent = 0; sent < count;) {
		int done = sendmmsg(sender, messages + sent, count - sent, 0);
		if (done < 0 && errno != EINTR && errno != ENOBUFS && errno != EAGAIN) die("sendmmsg");
		if (done > 0) sent += (unsigned)done;
	}
}

static struct tpacket2_hdr *place(unsigned number) { return (struct tpacket2_hdr *)(ring + (size_t)number * PLACE_OCTETS); }

unsigned frames_take(const uint8_t **messages, unsigned max, int waits)
{
	for (; taken > 0; taken--) {
		__atomic_store_n(&place(next_place)->tp_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
		next_place = next_place + 1 == PLACES ? 0 : next_place + 1;
	}
	if (waits && (__atomic_load_n(&place(next_place)->tp_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER) == 0) {
		poll(&(struct pollfd){.fd = receiver, .events = POLLIN}, 1, WAIT_MS);
	}
	unsigned count = 0;
	for (; count < max && taken < PLACES; taken++) {
		struct tpacket2_hdr *header = place((next_place + taken) % PLACES);
		if ((__atomic_load_n(&header->tp_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER) == 0) break;
		const uint8_t *frame = (const uint8_t *)header + header->tp_mac;
		int is_answer = header->tp_snaplen >= FRAME_HEADERS + 12 && frame[IP + 9] == IPPROTO_UDP &&
				memcmp(frame + UDP, head + UDP + 2, 2) == 0;
		if (is_answer) messages[count++] = frame + FRAME_HEADERS;
	}
	return count;
}
