/* Replies of a batch that go to the same client and are of the same size leave as one message, which the kernel cuts into datagrams
 * (UDP_SEGMENT, Linux 4.18): what a datagram costs on its way through the kernel is paid once for all of them. A resolver or a
 * balancer in front has many questions on its way by one socket. */
#ifndef WIDEPLANE_REPLY_GROUPS_H
#define WIDEPLANE_REPLY_GROUPS_H

#include "socket_batch.h"

struct reply_control {
	/* The local address and the interface; the size of segments (16 bits). */
	_Alignas(struct cmsghdr) uint8_t octets[CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(uint16_t))];
};

struct reply_groups {
	bool is_off;	      /* the kernel does not cut */
	unsigned refusals;    /* groups in a row that it did not take */
	unsigned count;	      /* of messages to be sent */
	unsigned pieces_used; /* of all of them */
	struct mmsghdr messages[MAX_SLOTS];
	struct reply_control controls[MAX_SLOTS];
	struct iovec pieces[MAX_SLOTS];
	/* Of each message: the first reply, and how many there are. */
	unsigned firsts[MAX_SLOTS];
	unsigned sizes[MAX_SLOTS];
	/* Of each reply its message. */
	uint16_t message_of[MAX_SLOTS];
};

/* A reply: `header` has the client's address, and the local one where that has to be said. */
struct reply_datagram {
	const struct msghdr *header;
	void *start;
	size_t octets;
};

/* Puts replies into messages, in the order of the first reply of each. */
void reply_groups_fill(struct reply_groups *groups, const struct reply_datagram *replies, unsigned count);
/* Sends all of them; returns how many replies the kernel did not take. */
unsigned reply_groups_send(struct reply_groups *groups, int descriptor);

#endif
