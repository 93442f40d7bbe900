/* One device seen through AF_PACKET: two receivers that share its frames. */
#ifndef WIDEPLANE_PACKET_RING_H
#define WIDEPLANE_PACKET_RING_H

#include "addon.h"
#include "packet_transmit.h"

#include <linux/if_packet.h>
#include <pthread.h>

#define MAX_SLOTS 256

struct auxiliary {
	_Alignas(struct cmsghdr) uint8_t octets[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
};

#endif
