/* One device seen through AF_PACKET: two receivers that share its frames, and the sockets that send. */
#ifndef WIDEPLANE_PACKET_RING_H
#define WIDEPLANE_PACKET_RING_H

#include "addon.h"

#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <pthread.h>
#include <sys/socket.h>

/* Words of a descriptor, and their flags: src/native/addon.ts. */
enum { WORD_OFFSET, WORD_OCTETS, WORD_VLAN, WORD_FLAGS, WORD_CHECKSUM, WORD_GSO, RING_STRIDE };
enum { RING_CHECKSUM_PARTIAL = 1, RING_CHECKSUM_VERIFIED = 2, RING_GSO = 4, RING_TRUNCATED = 8 };

#define TRANSMIT_BATCH 256
#define MAX_SLOTS 256

struct auxiliary {
	_Alignas(struct cmsghdr) uint8_t octets[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
};

/* Sending. A frame with an unfinished checksum or segmentation goes out behind a virtio header that says so, by a socket
 * that asks for one; every other frame goes out as it lies. */
struct transmitter {
	int plain_socket;
	int offload_socket;
	struct mmsghdr plain[TRANSMIT_BATCH];
	struct iovec plain_pieces[TRANSMIT_BATCH];
	struct mmsghdr offloaded[TRANSMIT_BATCH];
	struct iovec offloaded_pieces[TRANSMIT_BATCH][2];
	struct virtio_net_hdr offloads[TRANSMIT_BATCH];
};

/* Both sockets of the device `index`; returns 0, or the errno and in `syscall` what failed. */
int transmitter_open(struct transmitter *transmitter, int index, const char **syscall);
/* Sends in order, stops at the first failure, returns how many were sent. */
int transmitter_send(struct transmitter *transmitter, uint8_t *base, const int32_t *descriptors, int count);
void transmitter_close(struct transmitter *transmitter);

#endif
