/* Sending through AF_PACKET or a TAP device, a batch a call, straight from arena memory. */
#include "packet_transmit.h"

#include "datagram_cut.h"
#include "segment.h"

#include <endian.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

/* Debian 12's headers are older than the constant (linux/virtio_net.h since 6.2). */
#define GSO_UDP_L4 5
/* Nor do they have these (since 6.17). */
#define GSO_TUNNEL_IPV4 0x20
#define GSO_TUNNEL_IPV6 0x40
#define F_TUNNEL_CHECKSUM 8
/* A page holds two; twice as many as a batch, for a receiver on another core may be behind with the last one. */
#define XDP_CHUNK_OCTETS 2048
#define XDP_CHUNKS 512
/* Fewer frames in a row are not worth a call of their own. */
#define XDP_RUN 4

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

void transmitter_init(struct transmitter *transmitter)
{
	transmitter->plain_socket = transmitter->offload_socket = transmitter->underlay_tap = transmitter->xdp.socket = -1;
}

int transmitter_open(struct transmitter *transmitter, int index, const char **syscall)
{
	transmitter_init(transmitter);
	transmitter->plain_socket = open_socket(index, false, syscall);
	if (transmitter->plain_socket < 0) return errno;
	transmitter->offload_socket = open_socket(index, true, syscall);
	if (transmitter->offload_socket < 0) return errno;
	transmitter->joiner.joins_tcp = transmitter->joiner.joins_udp = true;
	return 0;
}

const char *transmitter_add_xdp(struct transmitter *transmitter, int index)
{
	const char *failed = xdp_transmit_open(&transmitter->xdp, index, XDP_CHUNKS, XDP_CHUNK_OCTETS);
	if (failed == NULL) return NULL;
	int error = errno;
	xdp_transmit_close(&transmitter->xdp);
	transmitter->xdp = (struct xdp_transmit){.socket = -1};
	errno = error;
	return failed;
}

void transmitter_limit(struct transmitter *transmitter, size_t octets)
{
	if (transmitter->xdp.socket < 0) return;
	transmitter->xdp_octets = octets < XDP_CHUNK_OCTETS ? octets : XDP_CHUNK_OCTETS;
}

void transmitter_open_tap(struct transmitter *transmitter, int descriptor, bool is_ip)
{
	transmitter_init(transmitter);
	transmitter->offload_socket = descriptor;
	transmitter->is_tap = transmitter->joins = true;
	transmitter->joiner.is_ip = is_ip;
	transmitter->joiner.joins_tcp = transmitter->joiner.joins_udp = true;
}

void transmitter_close(struct transmitter *transmitter)
{
	if (transmitter->is_tap) return;
	if (transmitter->xdp.socket >= 0) xdp_transmit_close(&transmitter->xdp);
	if (transmitter->plain_socket >= 0) close(transmitter->plain_socket);
	if (transmitter->offload_socket >= 0) close(transmitter->offload_socket);
	if (transmitter->underlay_tap >= 0) close(transmitter->underlay_tap);
}

/* By which way a frame leaves. */
enum way { PLAIN, OFFLOAD, TUNNELLED };

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

/* The header of a super-frame with the outer headers of a tunnel; an outer checksum of 0 stays 0, any other is that of the
 * pseudo-header, and finished in each segment. False when it is none that the device can cut. */
static bool tunnel_offload_of(struct offload *offload, const uint8_t *frame, const int32_t *descriptor)
{
	*offload = (struct offload){.header = offload_of(frame, descriptor)};
	size_t octets = (size_t)descriptor[WORD_OCTETS];
	size_t outer = find_network(frame, octets, 0), inner = find_network(frame, octets, (size_t)descriptor[WORD_VLAN]);
	if (outer == 0 || inner == 0) return false;
	bool is_ipv6 = frame[outer] >> 4 == 6;
	size_t transport = outer + (is_ipv6 ? 40 : (size_t)(frame[outer] & 0x0f) * 4);
	if (transport + 8 > inner) return false;
	offload->header.gso_type |= is_ipv6 ? GSO_TUNNEL_IPV6 : GSO_TUNNEL_IPV4;
	if ((frame[transport + 6] | frame[transport + 7]) != 0) offload->header.flags |= F_TUNNEL_CHECKSUM;
	offload->outer_transport = htole16((uint16_t)transport);
	offload->inner_network = htole16((uint16_t)inner);
	return true;
}

static void refuse(int32_t *descriptor, int error)
{
	descriptor[WORD_FLAGS] = RING_REFUSED;
	descriptor[WORD_GSO] = error;
}

/* A TAP device takes one frame a call. One without pieces is none that it could cut, which it would say itself if it looked. */
static int write_run(int descriptor, const struct mmsghdr *messages, int count, int *error)
{
	for (int sent = 0; sent < count;) {
		const struct msghdr *message = &messages[sent].msg_hdr;
		if (message->msg_iovlen == 0) {
			*error = EINVAL;
			return sent;
		}
		if (writev(descriptor, message->msg_iov, (int)message->msg_iovlen) >= 0) {
			sent++;
		} else if (errno != EINTR) {
			*error = errno;
			return sent;
		}
	}
	return count;
}

/* A frame as it lies, which AF_XDP takes. */
static inline bool fits_xdp(const struct transmitter *transmitter, enum way way, const struct msghdr *message)
{
	const struct iovec *piece = message->msg_iov, *end = piece + message->msg_iovlen;
	size_t octets = 0;
	if (way == OFFLOAD) {
		const struct virtio_net_hdr *offload = piece++->iov_base;
		if ((offload->flags | offload->gso_type) != 0) return false;
	}
	for (; piece < end; piece++) octets += piece->iov_len;
	return octets >= ETH_HLEN && octets <= transmitter->xdp_octets;
}

/* How many of the next messages leave the same way. */
static int next_run(const struct transmitter *transmitter, enum way way, const struct mmsghdr *messages, int count, bool *by_xdp)
{
	*by_xdp = false;
	if (transmitter->xdp_octets == 0) return count;
	int at = 0, row = 0;
	while (at < count && fits_xdp(transmitter, way, &messages[at].msg_hdr)) at++;
	*by_xdp = at >= XDP_RUN;
	if (*by_xdp) return at;
	for (; at < count && row < XDP_RUN; at++) row = fits_xdp(transmitter, way, &messages[at].msg_hdr) ? row + 1 : 0;
	return row < XDP_RUN ? count : at - row;
}

/* Sends messages by AF_XDP up to the first that fails. */
static int send_by_xdp(struct transmitter *transmitter, enum way way, const struct mmsghdr *messages, int count, int *error)
{
	struct xdp_transmit *xdp = &transmitter->xdp;
	size_t skipped = way == OFFLOAD ? 1 : 0; /* the virtio header */
	int put = 0;
	*error = 0;
	xdp_transmit_begin(xdp);
	for (; put < count && *error == 0; put += *error == 0) {
		const struct msghdr *message = &messages[put].msg_hdr;
		*error = xdp_transmit_put(xdp, message->msg_iov + skipped, message->msg_iovlen - skipped);
	}
	put -= (int)xdp_transmit_end(xdp);
	if (xdp->error != 0) *error = xdp->error;
	return put;
}

/* Sends messages up to the first that fails; sendmmsg stops short without saying why, asking again for the rest tells. */
static int send_by_socket(const struct transmitter *transmitter, enum way way, struct mmsghdr *messages, int count, int *error)
{
	int descriptor = way == PLAIN ? transmitter->plain_socket : transmitter->offload_socket;
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

/* Sends messages up to the first that fails. */
static int send_run(struct transmitter *transmitter, enum way way, struct mmsghdr *messages, int count, int *error)
{
	if (way == TUNNELLED) return write_run(transmitter->underlay_tap, messages, count, error);
	if (transmitter->is_tap) return write_run(transmitter->offload_socket, messages, count, error);
	for (int sent = 0; sent < count;) {
		bool by_xdp;
		int run = next_run(transmitter, way, messages + sent, count - sent, &by_xdp), done = 0;
		if (by_xdp) {
			done = send_by_xdp(transmitter, way, messages + sent, run, error);
			sent += done;
			if (done == run) continue;
			if (*error == ENETDOWN) return sent;
			/* All chunks are on their way, or it is of no more use: the sockets take what is left. */
			if (*error != EAGAIN) transmitter->xdp_octets = 0;
			run -= done;
		}
		done = send_by_socket(transmitter, way, messages + sent, run, error);
		sent += done;
		if (done < run) return sent;
	}
	return count;
}

static inline enum way way_of(const int32_t *descriptor)
{
	if (!needs_offload(descriptor)) return PLAIN;
	return (descriptor[WORD_FLAGS] & RING_TUNNELLED) != 0 ? TUNNELLED : OFFLOAD;
}

/* Composes the message of a frame that leaves alone, into two pieces. */
static void compose_alone(struct msghdr *message, struct iovec *pieces, struct offload *offload, enum way way,
			  const uint8_t *frame, const int32_t *descriptor)
{
	pieces[0] = (struct iovec){offload, way == TUNNELLED ? sizeof *offload : sizeof offload->header};
	pieces[1] = (struct iovec){(void *)frame, (size_t)descriptor[WORD_OCTETS]};
	message->msg_iov = way == PLAIN ? pieces + 1 : pieces;
	message->msg_iovlen = way == PLAIN ? 1 : 2;
	if (way == OFFLOAD) offload->header = offload_of(frame, descriptor);
	if (way == TUNNELLED && !tunnel_offload_of(offload, frame, descriptor)) message->msg_iovlen = 0; /* see write_run */
}

static int send_separately(struct transmitter *transmitter, uint8_t *base, int32_t *descriptors, int count)
{
	int refused = 0, error = 0;
	for (int first = 0; first < count;) {
		enum way way = way_of(descriptors + first * RING_STRIDE);
		int run = 0;
		for (int32_t *next = descriptors + first * RING_STRIDE; first + run < count && way_of(next) == way;
		     run++, next += RING_STRIDE) {
			compose_alone(&transmitter->messages[run].msg_hdr, transmitter->pieces + 2 * run,
				      &transmitter->offloads[run], way, base + (uint32_t)next[WORD_OFFSET], next);
		}
		int sent = send_run(transmitter, way, transmitter->messages, run, &error);
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
		struct offload *offload = &transmitter->offloads[i];
		struct msghdr *message = &transmitter->messages[i].msg_hdr;
		int at = train->first;
		if (train->frames == 1) {
			const int32_t *descriptor = descriptors + at * RING_STRIDE;
			compose_alone(message, piece, offload, OFFLOAD, joiner->frames[at], descriptor);
			piece += 2;
		} else {
			message->msg_iov = piece;
			*piece++ = (struct iovec){offload, sizeof offload->header};
			unsigned tcp = train->is_ipv6 ? VIRTIO_NET_HDR_GSO_TCPV6 : VIRTIO_NET_HDR_GSO_TCPV4;
			offload->header = (struct virtio_net_hdr){
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
			message->msg_iovlen = (size_t)(piece - message->msg_iov);
		}
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
		if (send_run(transmitter, OFFLOAD, &message, 1, &error) == 1) continue;
		refuse(descriptors + at * RING_STRIDE, error);
		refused++;
	}
	return refused;
}

/* A super-frame of datagrams that were written here: it may leave whole where frames may be joined. */
static inline bool is_own_datagrams(const int32_t *descriptor)
{
	uint32_t wanted = RING_GSO | RING_OWN_UDP;
	return ((uint32_t)descriptor[WORD_FLAGS] & (wanted | RING_TUNNELLED)) == wanted;
}

static inline bool has_to_cut(const struct transmitter *transmitter, const int32_t *descriptor)
{
	return is_own_datagrams(descriptor) && !(transmitter->joins && transmitter->joiner.joins_udp);
}

/* Sends its datagrams one by one. Returns 0, or the errno of the first that was refused; those behind it are not sent. */
static int send_datagrams(struct transmitter *transmitter, const uint8_t *frame, const int32_t *descriptor)
{
	static struct virtio_net_hdr nothing;
	struct datagram_cut cut;
	struct iovec pieces[3 * CUT_DATAGRAMS], *piece = pieces;
	struct mmsghdr messages[CUT_DATAGRAMS];
	enum way way = transmitter->joins ? OFFLOAD : PLAIN;
	size_t transport = (uint16_t)descriptor[WORD_CHECKSUM], payload_octets = (uint32_t)descriptor[WORD_GSO] >> 16;
	if (!datagram_cut(&cut, frame, (size_t)descriptor[WORD_OCTETS], transmitter->joiner.is_ip, transport, payload_octets))
		return EINVAL;
	for (int i = 0; i < cut.count; i++) {
		messages[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = piece, .msg_iovlen = way == OFFLOAD ? 3 : 2}};
		if (way == OFFLOAD) *piece++ = (struct iovec){&nothing, sizeof nothing};
		*piece++ = cut.pieces[2 * i];
		*piece++ = cut.pieces[2 * i + 1];
	}
	int error = 0;
	return send_run(transmitter, way, messages, cut.count, &error) == cut.count ? 0 : error;
}

/* A frame that was refused alone: where it is a super-frame of datagrams that all pass alone, the kernel does not know such
 * super-frames, and gets no other. Returns how many were refused. */
static int send_refused(struct transmitter *transmitter, uint8_t *base, int32_t *descriptor, int error)
{
	if (is_own_datagrams(descriptor) && (error == EINVAL || error == EIO)) {
		error = send_datagrams(transmitter, base + (uint32_t)descriptor[WORD_OFFSET], descriptor);
		if (error == 0) transmitter->joiner.joins_udp = false;
	}
	if (error == 0) return 0;
	refuse(descriptor, error);
	return 1;
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
		first += send_run(transmitter, OFFLOAD, transmitter->messages + first, joiner->count - first, &error);
		if (first == joiner->count) break;
		const struct train *train = &joiner->trains[first++];
		if (train->frames == 1) {
			refused += send_refused(transmitter, base, descriptors + train->first * RING_STRIDE, error);
			continue;
		}
		int apart = send_apart(transmitter, train, descriptors, error);
		if (apart == 0 && (error == EINVAL || error == EIO))
			*(train->is_tcp ? &joiner->joins_tcp : &joiner->joins_udp) = false;
		refused += apart;
	}
	return refused;
}

/* Sends the segments that were taken, joined by their outer headers. Returns 0 or the errno. */
static int send_cut_joined(struct transmitter *transmitter)
{
	struct tunnel_cut *cut = &transmitter->cut;
	struct iovec *pieces = transmitter->pieces;
	struct virtio_net_hdr offload = {
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_type = GSO_UDP_L4,
		.hdr_len = (uint16_t)cut->payload,
		.gso_size = (uint16_t)tunnel_cut_datagram(cut),
		.csum_start = (uint16_t)cut->transport,
		.csum_offset = 6,
	};
	pieces[0] = (struct iovec){&offload, sizeof offload};
	struct mmsghdr message = {.msg_hdr = {.msg_iov = pieces}};
	message.msg_hdr.msg_iovlen = 1 + (size_t)tunnel_cut_join(cut, pieces + 1);
	int error = 0;
	return send_run(transmitter, OFFLOAD, &message, 1, &error) == 1 ? 0 : error;
}

/* Sends them one by one. */
static int send_cut_apart(struct transmitter *transmitter)
{
	static const struct virtio_net_hdr nothing;
	struct tunnel_cut *cut = &transmitter->cut;
	/* A transmitter that joins sends nothing the plain way. */
	enum way way = transmitter->joins ? OFFLOAD : PLAIN;
	struct iovec parts[2 * CUT_SEGMENTS], *piece = transmitter->pieces;
	tunnel_cut_finish(cut, parts);
	for (unsigned i = 0; i < cut->count; i++) {
		struct msghdr *message = &transmitter->messages[i].msg_hdr;
		message->msg_iov = piece;
		if (way == OFFLOAD) *piece++ = (struct iovec){(void *)&nothing, sizeof nothing};
		*piece++ = parts[2 * i];
		*piece++ = parts[2 * i + 1];
		message->msg_iovlen = (size_t)(piece - message->msg_iov);
	}
	int error = 0;
	return send_run(transmitter, way, transmitter->messages, (int)cut->count, &error) == (int)cut->count ? 0 : error;
}

/* Cuts and sends a super-frame that no underlay TAP takes. Returns 0, or the errno of the first segment that was refused; those
 * behind it are not sent. */
static int send_cut(struct transmitter *transmitter, const uint8_t *frame, const int32_t *descriptor)
{
	struct tunnel_cut *cut = &transmitter->cut;
	if (!tunnel_cut_begin(cut, frame, (size_t)descriptor[WORD_OCTETS], (size_t)descriptor[WORD_VLAN],
			      (uint16_t)descriptor[WORD_CHECKSUM], (uint32_t)descriptor[WORD_GSO] >> 16))
		return EINVAL;
	bool may_join = transmitter->joins && cut->is_udp && (descriptor[WORD_FLAGS] & RING_OWN_UDP) != 0;
	while (tunnel_cut_next(cut)) {
		bool joined = may_join && transmitter->joiner.joins_udp && cut->count > 1;
		int error = joined ? send_cut_joined(transmitter) : send_cut_apart(transmitter);
		if (joined && (error == EINVAL || error == EIO)) {
			/* As in send_joined: where all pass alone, it is the kernel that does not know super-frames of UDP. */
			error = send_cut_apart(transmitter);
			if (error == 0) transmitter->joiner.joins_udp = false;
		}
		if (error != 0) return error;
	}
	return 0;
}

/* Sends a super-frame with outer headers. A kernel that refuses one gets no other, and what it refused is cut here. */
static int send_tunnelled(struct transmitter *transmitter, const uint8_t *frame, const int32_t *descriptor)
{
	/* The device cuts behind UDP alone. */
	bool is_udp = tunnel_is_udp(frame, (size_t)descriptor[WORD_OCTETS]);
	if (is_udp && transmitter->underlay_tap >= 0 && transmitter->uses_tap) {
		int error = 0;
		struct mmsghdr message;
		compose_alone(&message.msg_hdr, transmitter->pieces, transmitter->offloads, TUNNELLED, frame, descriptor);
		if (send_run(transmitter, TUNNELLED, &message, 1, &error) == 1) return 0;
		if (error != EINVAL) return error;
		transmitter->uses_tap = false;
	}
	return send_cut(transmitter, frame, descriptor);
}

int transmitter_send(struct transmitter *transmitter, uint8_t *base, int32_t *descriptors, int count)
{
	int refused = 0;
	for (int first = 0; first < count;) {
		int32_t *next = descriptors + first * RING_STRIDE;
		if (way_of(next) == TUNNELLED || has_to_cut(transmitter, next)) {
			const uint8_t *frame = base + (uint32_t)next[WORD_OFFSET];
			int error = way_of(next) == TUNNELLED ? send_tunnelled(transmitter, frame, next)
							      : send_datagrams(transmitter, frame, next);
			if (error != 0) {
				refuse(next, error);
				refused++;
			}
			first++;
			continue;
		}
		int batch = 1;
		for (; batch < TRANSMIT_BATCH && first + batch < count; batch++) {
			const int32_t *other = next + batch * RING_STRIDE;
			if (way_of(other) == TUNNELLED || has_to_cut(transmitter, other)) break;
		}
		refused += transmitter->joins ? send_joined(transmitter, base, next, batch)
					      : send_separately(transmitter, base, next, batch);
		first += batch;
	}
	return refused;
}
