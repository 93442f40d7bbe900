/* Sending through AF_PACKET or a TAP device, a batch a call, straight from arena memory. */
#include "packet_transmit.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

/* Debian 12's headers are older than the constant (linux/virtio_net.h since 6.2). */
#define GSO_UDP_L4 5

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
	transmitter->joiner.joins_tcp = transmitter->joiner.joins_udp = true;
	return 0;
}

void transmitter_open_tap(struct transmitter *transmitter, int descriptor, bool is_ip)
{
	transmitter->plain_socket = -1;
	transmitter->offload_socket = descriptor;
	transmitter->is_tap = transmitter->joins = true;
	transmitter->joiner.is_ip = is_ip;
	transmitter->joiner.joins_tcp = transmitter->joiner.joins_udp = true;
}

void transmitter_close(struct transmitter *transmitter)
{
	if (transmitter->is_tap) return;
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

/* The virtio header of a frame that came with an offload of its own, or without any. */
static struct virtio_net_hdr offload_of(const uint8_t *frame, const int32_t *descriptor)
{
	struct virtio_net_hdr offload = {.flags = 0};
	if (!needs_offload(descriptor)) return offload;
	uint32_t checksum = (uint32_t)descriptor[WORD_CHECKSUM];
	offload.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	offload.csum_start = (uint16_t)checksum;
	offload.csum_offset = (uint16_t)(checksum >> 16);
	if (descriptor[WORD_FLAGS] & RING_GSO) {
		uint32_t gso = (uint32_t)descriptor[WORD_GSO];
		offload.gso_type = (uint8_t)gso;
		offload.gso_size = (uint16_t)(gso >> 16);
		if (offload.csum_start + 20u <= (size_t)descriptor[WORD_OCTETS])
			offload.hdr_len = (uint16_t)header_octets(frame, offload.csum_start, offload.gso_type);
	}
	return offload;
}

static void refuse(int32_t *descriptor, int error)
{
	descriptor[WORD_FLAGS] = RING_REFUSED;
	descriptor[WORD_GSO] = error;
}

/* A TAP device takes one frame a call. */
static int write_run(int descriptor, const struct mmsghdr *messages, int count, int *error)
{
	for (int sent = 0; sent < count;) {
		const struct msghdr *message = &messages[sent].msg_hdr;
		if (writev(descriptor, message->msg_iov, (int)message->msg_iovlen) >= 0) {
			sent++;
		} else if (errno != EINTR) {
			*error = errno;
			return sent;
		}
	}
	return count;
}

/* Sends messages up to the first that fails; sendmmsg stops short without saying why, asking again for the rest tells. */
static int send_run(const struct transmitter *transmitter, int descriptor, struct mmsghdr *messages, int count, int *error)
{
	if (transmitter->is_tap) return write_run(descriptor, messages, count, error);
	int sent = 0;
	while (sent < count) {
		int more = sendmmsg(descriptor, messages + sent, (unsigned)(count - sent), MSG_DONTWAIT);
		if (more < 0 && errno == EINTR) continue;
		if (more <= 0) {
			*error = errno;
			break;
		}
		sent += more;
	}
	return sent;
}

static int send_separately(struct transmitter *transmitter, uint8_t *base, int32_t *descriptors, int count)
{
	int refused = 0, error = 0;
	for (int first = 0; first < count;) {
		bool offload = needs_offload(descriptors + first * RING_STRIDE);
		struct iovec *piece = transmitter->pieces;
		int run = 0;
		for (int32_t *next = descriptors + first * RING_STRIDE;
		     first + run < count && needs_offload(next) == offload; run++, next += RING_STRIDE) {
			uint8_t *frame = base + (uint32_t)next[WORD_OFFSET];
			struct msghdr *message = &transmitter->messages[run].msg_hdr;
			message->msg_iov = piece;
			message->msg_iovlen = offload ? 2 : 1;
			if (offload) {
				transmitter->offloads[run] = offload_of(frame, next);
				*piece++ = (struct iovec){&transmitter->offloads[run], sizeof *transmitter->offloads};
			}
			*piece++ = (struct iovec){frame, (size_t)next[WORD_OCTETS]};
		}
		int socket = offload ? transmitter->offload_socket : transmitter->plain_socket;
		int sent = send_run(transmitter, socket, transmitter->messages, run, &error);
		first += sent;
		if (sent == run) continue;
		refuse(descriptors + first * RING_STRIDE, error);
		refused++;
		first++;
	}
	return refused;
}

/* A message for each train. */
static void compose(struct transmitter *transmitter, const int32_t *descriptors)
{
	struct joiner *joiner = &transmitter->joiner;
	struct iovec *piece = transmitter->pieces;
	for (int i = 0; i < joiner->count; i++) {
		const struct train *train = &joiner->trains[i];
		struct virtio_net_hdr *offload = &transmitter->offloads[i];
		struct msghdr *message = &transmitter->messages[i].msg_hdr;
		message->msg_iov = piece;
		*piece++ = (struct iovec){offload, sizeof *offload};
		int at = train->first;
		if (train->frames == 1) {
			*offload = offload_of(joiner->frames[at], descriptors + at * RING_STRIDE);
			*piece++ = (struct iovec){(void *)joiner->frames[at], joiner->octets[at]};
		} else {
			unsigned tcp = train->is_ipv6 ? VIRTIO_NET_HDR_GSO_TCPV6 : VIRTIO_NET_HDR_GSO_TCPV4;
			*offload = (struct virtio_net_hdr){
				.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
				.gso_type = (uint8_t)(train->is_tcp ? tcp : GSO_UDP_L4),
				.hdr_len = train->payload,
				.gso_size = train->segment_octets,
				.csum_start = train->transport,
				.csum_offset = train->is_tcp ? 16 : 6,
			};
			*piece++ = (struct iovec){(void *)joiner_render(joiner, i), train->payload};
			for (; at >= 0; at = joiner->next[at])
				*piece++ = (struct iovec){(void *)(joiner->frames[at] + train->payload),
							  joiner->octets[at] - train->payload};
		}
		message->msg_iovlen = (size_t)(piece - message->msg_iov);
	}
}

/* A train that was refused whole, frame by frame: so the frame at fault is the one that is refused. When all pass, the
 * kernel does not know this kind of super-frame (UDP: before 6.2), and none is made again: see send_joined. */
static int send_apart(struct transmitter *transmitter, const struct train *train, int32_t *descriptors, int error)
{
	int refused = 0;
	struct virtio_net_hdr nothing = {.flags = 0};
	for (int at = train->first; at >= 0; at = transmitter->joiner.next[at]) {
		struct iovec pieces[2] = {{&nothing, sizeof nothing},
					  {(void *)transmitter->joiner.frames[at], transmitter->joiner.octets[at]}};
		struct mmsghdr message = {.msg_hdr = {.msg_iov = pieces, .msg_iovlen = 2}};
		if (send_run(transmitter, transmitter->offload_socket, &message, 1, &error) == 1) continue;
		refuse(descriptors + at * RING_STRIDE, error);
		refused++;
	}
	return refused;
}

static int send_joined(struct transmitter *transmitter, uint8_t *base, int32_t *descriptors, int count)
{
	struct joiner *joiner = &transmitter->joiner;
	joiner_clear(joiner);
	for (int i = 0; i < count; i++) {
		const int32_t *descriptor = descriptors + i * RING_STRIDE;
		const uint8_t *frame = base + (uint32_t)descriptor[WORD_OFFSET];
		size_t octets = (size_t)descriptor[WORD_OCTETS];
		if (needs_offload(descriptor)) joiner_add_alone(joiner, frame, octets);
		else joiner_add(joiner, frame, octets, (descriptor[WORD_FLAGS] & RING_OWN_UDP) != 0);
	}
	compose(transmitter, descriptors);
	int refused = 0, error = 0;
	for (int first = 0; first < joiner->count;) {
		first += send_run(transmitter, transmitter->offload_socket, transmitter->messages + first,
				  joiner->count - first, &error);
		if (first == joiner->count) break;
		const struct train *train = &joiner->trains[first++];
		int apart = 1;
		if (train->frames == 1) refuse(descriptors + train->first * RING_STRIDE, error);
		else apart = send_apart(transmitter, train, descriptors, error);
		if (apart == 0 && (error == EINVAL || error == EIO))
			*(train->is_tcp ? &joiner->joins_tcp : &joiner->joins_udp) = false;
		refused += apart;
	}
	return refused;
}

int transmitter_send(struct transmitter *transmitter, uint8_t *base, int32_t *descriptors, int count)
{
	int refused = 0;
	for (int first = 0; first < count; first += TRANSMIT_BATCH) {
		int batch = count - first < TRANSMIT_BATCH ? count - first : TRANSMIT_BATCH;
		int32_t *next = descriptors + first * RING_STRIDE;
		refused += transmitter->joins ? send_joined(transmitter, base, next, batch)
					      : send_separately(transmitter, base, next, batch);
	}
	return refused;
}
