/* Sending through AF_PACKET, a batch a call, straight from arena memory. */
#include "packet_ring.h"

#include <string.h>
#include <unistd.h>

static int open_socket(int index, bool offload, const char **syscall)
{
	/* Protocol 0: this socket receives nothing. */
	int descriptor = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	*syscall = "socket";
	if (descriptor < 0) return -1;
	int on = 1;
	/* Best effort: without them frames pass the queueing discipline, and the kernel's default buffer is smaller. The
	 * bypass drops what the kernel must segment itself, for a device that does not: not for the offload socket. */
	if (!offload) setsockopt(descriptor, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof on);
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
		transmitter->offloaded[i].msg_hdr =
			(struct msghdr){.msg_iov = transmitter->offloaded_pieces[i], .msg_iovlen = 2};
		transmitter->offloaded_pieces[i][0] =
			(struct iovec){&transmitter->offloads[i], sizeof transmitter->offloads[i]};
	}
	return 0;
}

void transmitter_close(struct transmitter *transmitter)
{
	if (transmitter->plain_socket >= 0) close(transmitter->plain_socket);
	if (transmitter->offload_socket >= 0) close(transmitter->offload_socket);
}

static inline bool needs_offload(const int32_t *frame)
{
	return (frame[WORD_FLAGS] & (RING_CHECKSUM_PARTIAL | RING_GSO)) != 0;
}

/* Octets from the start of the frame to the end of its transport header, which every segment repeats. */
static size_t header_octets(const uint8_t *frame, size_t transport, unsigned gso)
{
	bool tcp = gso == VIRTIO_NET_HDR_GSO_TCPV4 || gso == VIRTIO_NET_HDR_GSO_TCPV6;
	return transport + (tcp ? (size_t)(frame[transport + 12] >> 4) * 4 : 8);
}

static void compose(struct transmitter *transmitter, int at, uint8_t *base, const int32_t *descriptor)
{
	uint8_t *frame = base + (uint32_t)descriptor[WORD_OFFSET];
	size_t octets = (size_t)descriptor[WORD_OCTETS];
	uint32_t checksum = (uint32_t)descriptor[WORD_CHECKSUM];
	struct virtio_net_hdr *offload = &transmitter->offloads[at];
	transmitter->offloaded_pieces[at][1] = (struct iovec){frame, octets};
	*offload = (struct virtio_net_hdr){
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.csum_start = (uint16_t)checksum,
		.csum_offset = (uint16_t)(checksum >> 16),
	};
	if (descriptor[WORD_FLAGS] & RING_GSO) {
		uint32_t gso = (uint32_t)descriptor[WORD_GSO];
		offload->gso_type = (uint8_t)gso;
		offload->gso_size = (uint16_t)(gso >> 16);
		if (offload->csum_start + 20u <= octets)
			offload->hdr_len = (uint16_t)header_octets(frame, offload->csum_start, offload->gso_type);
	}
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
		bool offload = needs_offload(next);
		if (offload) {
			for (; run < limit && needs_offload(next); run++, next += RING_STRIDE)
				compose(transmitter, run, base, next);
		} else {
			for (; run < limit && !needs_offload(next); run++, next += RING_STRIDE) {
				transmitter->plain_pieces[run].iov_base = base + (uint32_t)next[WORD_OFFSET];
				transmitter->plain_pieces[run].iov_len = (size_t)next[WORD_OCTETS];
			}
		}
		int done = offload ? send_all(transmitter->offload_socket, transmitter->offloaded, run)
				   : send_all(transmitter->plain_socket, transmitter->plain, run);
		sent += done;
		if (done < run) break;
	}
	return sent;
}
