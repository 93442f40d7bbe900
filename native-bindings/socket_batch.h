/* What sockets of the kernel's IP stack have in common, UDP and raw: packets received in batches into slots of the arena, and
 * sent in batches from where they lie. */
#ifndef WIDEPLANE_SOCKET_BATCH_H
#define WIDEPLANE_SOCKET_BATCH_H

#include "addon.h"

#include <netinet/in.h>
#include <netinet/ip.h>
#include <sys/socket.h>

/* The first words of a descriptor: src/native/addon.ts. */
enum { WORD_OFFSET, WORD_OCTETS, WORD_SEGMENT, WORD_OTHER, WORD_ADDRESS, RAW_STRIDE = 8 };

#define MAX_SLOTS 256

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};
struct receive_control {
	/* UDP_GRO, TOS or traffic class, TTL or hop limit: an int each. */
	_Alignas(struct cmsghdr) uint8_t octets[3 * CMSG_SPACE(sizeof(int))];
};

struct receive_batch {
	int family;
	uint8_t *slots;
	size_t slot_octets;
	unsigned slot_count;
	unsigned slots_used; /* by the last receive */
	struct mmsghdr messages[MAX_SLOTS];
	struct iovec pieces[MAX_SLOTS];
	union address senders[MAX_SLOTS];
	struct receive_control controls[MAX_SLOTS];
};

/* `options`: slotsOffset, slotOctets, slots. What is received lies `offset` octets behind the start of its slot. */
void receive_batch_open(struct receive_batch *batch, int family, const struct arena *arena, napi_env env,
			napi_value options, size_t offset);
/* Receives into the slots from the first on; returns how many were filled. */
int receive_batch_take(struct receive_batch *batch, int descriptor, int max);
/* Describes what is in a slot: all words up to RAW_STRIDE. */
void receive_batch_describe(const struct receive_batch *batch, unsigned at, const struct arena *arena, int32_t *descriptor);
void receive_batch_close(struct receive_batch *batch);

socklen_t address_octets(int family);
/* Reads the text of an address; one that means something on one link only gets the index of `device`. 0, or an errno. */
int address_read(union address *into, int family, const char *text, uint16_t port, const char *device);
/* Where a descriptor shall be sent to. */
void address_of_words(union address *into, int family, const int32_t *descriptor);

/* A socket that is closed when a program is executed, and never blocks; -1, and in `syscall` what failed. */
int socket_open(int family, int type, int protocol, const char *device, const char **syscall);
/* Best effort: what a kernel does not know, it does without. */
void socket_set(int descriptor, int level, int option, int value);
void socket_set_receive_buffer(int descriptor, int octets);
void socket_set_send_buffer(int descriptor, int octets);
/* Joins a group on a device: only what was sent to it there arrives, when the socket is bound to the group. Returns what
 * failed, or NULL. */
const char *socket_join_group(int descriptor, int family, const union address *group, const char *device);
/* TTL (0: the kernel's) and DF of what is sent; a packet that is larger than the MTU of its way is refused then. */
void socket_configure_sending(int descriptor, int family, int ttl, bool dont_fragment);
/* Multicast leaves by the device (empty: as the routes have it), as far as the TTL goes, and does not come back to us. */
void socket_configure_multicast(int descriptor, int family, int ttl, const char *device);
/* Adds TOS or traffic class to the control octets of a message, behind `used` of them; returns how many are used then. */
size_t control_add_tos(uint8_t *control, size_t used, int family, int tos);
/* Sends messages up to the first that fails, and says in last_error why that one did; returns how many were sent. */
unsigned socket_send(int descriptor, struct mmsghdr *messages, unsigned count);
/* Packets that the kernel dropped at the socket: its buffer was full, or the checksum was wrong. */
uint32_t socket_overruns(int descriptor);

#endif
