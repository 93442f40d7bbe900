/* Sending Ethernet frames by a packet socket or a TAP device: no more than that, so that other programs can send in the same
 * way. */
#ifndef WIDEPLANE_PACKET_TRANSMIT_H
#define WIDEPLANE_PACKET_TRANSMIT_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "join.h"
#include "tunnel_cut.h"
#include "xdp_transmit.h"

#include <linux/virtio_net.h>
#include <sys/socket.h>

/* Words of a descriptor, and their flags: src/native/addon.ts. */
enum { WORD_OFFSET, WORD_OCTETS, WORD_VLAN, WORD_FLAGS, WORD_CHECKSUM, WORD_GSO, RING_STRIDE };
enum {
	RING_CHECKSUM_PARTIAL = 1,
	RING_CHECKSUM_VERIFIED = 2,
	RING_GSO = 4,
	RING_TRUNCATED = 8,
	RING_OWN_UDP = 16,
	RING_REFUSED = 32,
	RING_TUNNELLED = 64,
};

/* What stands in front of a frame that is sent with offloads: of a packet socket and of an ordinary TAP device the first part
 * only, of an underlay TAP all of it (struct virtio_net_hdr_v1_hash_tunnel of Linux 6.17, which Debian 12's headers lack). */
struct offload {
	struct virtio_net_hdr header;
	uint16_t buffers, hash[4];		 /* not used */
	uint16_t outer_transport, inner_network; /* offsets from the start of the frame, little-endian */
};

/* A frame with an unfinished checksum or segmentation goes out behind a virtio header that says so, by a socket that asks
 * for one; every other frame goes out as it lies. A transmitter that joins sends everything by the former, for the two
 * may overtake each other. Where they cannot, several finished frames in a row leave by an AF_XDP socket, which takes
 * less time for each. */
struct transmitter {
	int plain_socket;
	int offload_socket;
	int underlay_tap;	/* takes super-frames with the outer headers of a tunnel, closed with the rest; -1: none */
	_Bool uses_tap;		/* otherwise they are cut here */
	struct xdp_transmit xdp;
	size_t xdp_octets;	/* the largest frame that leaves by it; 0: none does */
	_Bool is_tap;		/* offload_socket is a TAP or TUN device, and there is no other */
	_Bool joins;		/* frames of one flow leave as one super-frame */
	struct joiner joiner;
	struct mmsghdr messages[TRANSMIT_BATCH];
	struct iovec pieces[3 * TRANSMIT_BATCH]; /* of a message: virtio header, header, a payload for each frame */
	struct offload offloads[TRANSMIT_BATCH];
	struct tunnel_cut cut;	/* of the super-frame that is being cut */
};

/* Closes the same. */
void transmitter_init(struct transmitter *transmitter);
/* Both packet sockets of the device `index`, and no more. Returns 0, or the errno and in `syscall` what failed. */
int transmitter_open(struct transmitter *transmitter, int index, const char **syscall);
/* Adds an AF_XDP socket; only for a device that hands over each frame within the call, so that none overtakes another.
 * Returns NULL, or what failed, with errno: everything leaves by the packet sockets then. */
const char *transmitter_add_xdp(struct transmitter *transmitter, int index);
/* The largest frame that the device takes. */
void transmitter_limit(struct transmitter *transmitter, size_t octets);
/* Sends by an open TAP device (or TUN device: `is_ip`) with virtio headers, which stays the caller's, and joins: its other
 * end is a kernel. */
void transmitter_open_tap(struct transmitter *transmitter, int descriptor, _Bool is_ip);
/* Sends all frames, those of a flow in order. Returns how many were refused: each of them has RING_REFUSED as its flags and
 * the errno in WORD_GSO. */
int transmitter_send(struct transmitter *transmitter, uint8_t *base, int32_t *descriptors, int count);
void transmitter_close(struct transmitter *transmitter);

#endif
