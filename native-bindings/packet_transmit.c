/* Sending through AF_PACKET, a batch a call, straight from arena memory. */
#include "packet_ring.h"

#include <arpa/inet.h>
#include <string.h>
#include <unistd.h>

#define MAC_ADDRESSES_OCTETS 12
#define TAG_OCTETS 4

static int open_socket(int index, bool offload, const char **syscall)
{
	/* Protocol 0: this socket receives nothing. */
	int descriptor = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	*syscall = "socket";
	if (descriptor < 0) return -1;
	int on = 1;
	/* Best effort: without them frames pass the queueing discipline, and the kernel's default buffer is smaller. */
	setsockopt(descriptor, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof on);
	int octets = 8 << 20;
	if (setsockopt(descriptor, SOL_SOCKET, SO_SNDBUFFORCE, &octets, sizeof octets) < 0)
		setsockopt(descriptor, SOL_SOCKET, SO_SNDBUF, &octets, sizeof octets);
	struct sockaddr_ll device = {.sll_family = AF_PACKET, .sll_ifindex = index};
	*syscall = "setsockopt PACKET_VNET_HDR";
	if (offload && setsockopt(descriptor, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof on) < 0) goto failed;
	*syscall = "bind";
	if (bind(descriptor, (struct sockaddr *)&device, sizeof device) < 0) goto failed;
	return descriptor;
failed:;
	int error = errno;
	close(descriptor);
	errno = error;
	return -1;
}

int transmitter_open(struct transmitter *transmitter, int index, const char **syscall)
{
	transmitter->plain_socket = open_socket(index, false, syscall);
	if (transmitter->plain_socket < 0) return errno;
	transmitter->offload_socket = open_socket(index, true, syscall);
	if (transmitter->offload_socket < 0) return errno;
	for (int i = 0; i < TRANSMIT_BATCH; i++) {
		transmitter->plain[i].msg_hdr = (struct msghdr){.msg_iov = &transmitter->plain_pieces[i], .msg_iovlen = 1};
		transmitter->gathered[i].msg_hdr = (struct msghdr){.msg_iov = transmitter->gathered_pieces[i]};
	}
	return 0;
}

void transmitter_close(struct transmitter *transmitter)
{
	if (transmitter->plain_socket >= 0) close(transmitter->plain_socket);
	if (transmitter->offload_socket >= 0) close(transmitter->offload_socket);
}

static inline bool needs_gathering(const int32_t *frame)
{
	return (frame[WORD_VLAN] | (frame[WORD_FLAGS] & (RING_CHECKSUM_PARTIAL | RING_GSO))) != 0;
}

/* Number of octets from the start of the frame to its transport payload, as far as the device needs to know for `gso`. */
static uint16_t header_octets(const uint8_t *frame, int checksum_start, unsigned gso)
{
	bool tcp = gso == VIRTIO_NET_HDR_GSO_TCPV4 || gso == VIRTIO_NET_HDR_GSO_TCPV6;
	return (uint16_t)(checksum_start + (tcp ? (frame[checksum_start + 12] >> 4) * 4 : 8));
}

static void gather(struct transmitter *transmitter, int at, uint8_t *base, const int32_t *descriptor)
{
	uint8_t *frame = base + (uint32_t)descriptor[WORD_OFFSET];
	size_t octets = (size_t)descriptor[WORD_OCTETS];
	uint32_t vlan = (uint32_t)descriptor[WORD_VLAN];
	uint32_t tag_octets = vlan != 0 ? TAG_OCTETS : 0;
	struct virtio_net_hdr *offload = &transmitter->offloads[at];
	struct iovec *piece = transmitter->gathered_pieces[at];

	memset(offload, 0, sizeof *offload);
	if (descriptor[WORD_FLAGS] & (RING_CHECKSUM_PARTIAL | RING_GSO)) {
		uint32_t checksum = (uint32_t)descriptor[WORD_CHECKSUM];
		offload->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		offload->csum_start = (uint16_t)((checksum & 0xffff) + tag_octets);
		offload->csum_offset = (uint16_t)(checksum >> 16);
	}
	if (descriptor[WORD_FLAGS] & RING_GSO) {
		uint32_t gso = (uint32_t)descriptor[WORD_GSO];
		offload->gso_type = (uint8_t)gso;
		offload->gso_size = (uint16_t)(gso >> 16);
		int start = descriptor[WORD_CHECKSUM] & 0xffff;
		if ((size_t)start + 20 <= octets)
			offload->hdr_len = (uint16_t)(header_octets(frame, start, offload->gso_type) + tag_octets);
	}
	*piece++ = (struct iovec){offload, sizeof *offload};
	if (vlan != 0 && octets >= MAC_ADDRESSES_OCTETS) {
		uint16_t words[2] = {htons((uint16_t)(vlan >> 16)), htons((uint16_t)vlan)};
		memcpy(transmitter->tags[at], words, TAG_OCTETS);
		*piece++ = (struct iovec){frame, MAC_ADDRESSES_OCTETS};
		*piece++ = (struct iovec){transmitter->tags[at], TAG_OCTETS};
		frame += MAC_ADDRESSES_OCTETS;
		octets -= MAC_ADDRESSES_OCTETS;
	}
	*piece++ = (struct iovec){frame, octets};
	transmitter->gathered[at].msg_hdr.msg_iovlen = (size_t)(piece - transmitter->gathered_pieces[at]);
}

/* sendmmsg stops short without saying why; asking again for the rest tells. */
static int send_all(int descriptor, struct mmsghdr *messages, int count)
{
	int sent = 0;
	while (sent < count) {
		int more = sendmmsg(descriptor, messages + sent, (unsigned)(count - sent), MSG_DONTWAIT);
		if (more < 0 && errno == EINTR) continue;
		if (more <= 0) {
			last_error = errno;
			break;
		}
		sent += more;
	}
	return sent;
}

int transmitter_send(struct transmitter *transmitter, uint8_t *base, const int32_t *descriptors, int count)
{
	int sent = 0;
	while (sent < count) {
		const int32_t *next = descriptors + sent * RING_STRIDE;
		int limit = count - sent < TRANSMIT_BATCH ? count - sent : TRANSMIT_BATCH;
		int run = 0;
		bool gathered = needs_gathering(next);
		if (gathered) {
			for (; run < limit && needs_gathering(next); run++, next += RING_STRIDE)
				gather(transmitter, run, base, next);
		} else {
			for (; run < limit && !needs_gathering(next); run++, next += RING_STRIDE) {
				transmitter->plain_pieces[run].iov_base = base + (uint32_t)next[WORD_OFFSET];
				transmitter->plain_pieces[run].iov_len = (size_t)next[WORD_OCTETS];
			}
		}
		int done = gathered ? send_all(transmitter->offload_socket, transmitter->gathered, run)
				    : send_all(transmitter->plain_socket, transmitter->plain, run);
		sent += done;
		if (done < run) break;
	}
	return sent;
}
