/* Receiving through AF_PACKET: a TPACKET_V3 ring for load, a plain socket for latency, and the switch between them.
 *
 * The ring hands over whole blocks, when they are full or when a timer of a millisecond retires them: the cheapest way to
 * take millions of frames a second, and half a millisecond of delay for one. The plain socket wakes the reader for each
 * frame. Both join one fanout group whose classic BPF program returns the index of the member that gets the next frame,
 * so each frame goes to exactly one of them, and replacing the program is the switch.
 *
 * Order at a switch. The old receiver may still hold frames when the new one gets its first, so as long as the switch is
 * young, the new one's frames are handed over only after the old one was seen empty later than they were seen to be
 * there. Young means: until the kernel call that replaced the program returns, for it returns when no processor can still
 * be acting on the old one. That takes tens of milliseconds, so a helper thread makes the call. */
#include "packet_ring.h"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <net/if.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef PACKET_FANOUT_FLAG_IGNORE_OUTGOING
#define PACKET_FANOUT_FLAG_IGNORE_OUTGOING 0x4000
#endif

#define VNET_OCTETS sizeof(struct virtio_net_hdr)
/* Indices in the fanout group: the order in which the sockets were made, also after the device went down and up. */
enum receiver { BULK, LOW_LATENCY };
/* TPACKET3_HDRLEN and 16 octets of link layer rounded up, the virtio header, less the MAC header: af_packet.c. */
#define RING_FRAME_OFFSET (TPACKET_ALIGN(TPACKET3_HDRLEN + 16) + VNET_OCTETS - ETH_HLEN)

struct ring {
	struct arena *arena;
	uint8_t *blocks;
	size_t block_octets;
	unsigned block_count;
	unsigned next_block;	 /* the one to read when the current is done */
	unsigned first_held;	 /* the oldest that was read and not yet given back */
	unsigned held;		 /* how many, the current included */
	unsigned packets_left;	 /* in the current block */
	uint8_t *packet;	 /* the next of them */
	int ring_socket;
	int slot_socket;

	uint8_t *slots;
	size_t slot_octets;
	unsigned slot_count;
	unsigned slot_frame_offset;
	struct mmsghdr slot_messages[MAX_SLOTS];
	struct iovec slot_pieces[MAX_SLOTS];
	struct auxiliary slot_auxiliary[MAX_SLOTS];
	unsigned slots_filled;	 /* by the last read, of which the first slots_taken were handed over */
	unsigned slots_taken;

	enum receiver wanted;	 /* as the last ringSetLowLatency asked */
	enum receiver directed;	 /* as the last program directs */
	bool young;		 /* frames may still come, or lie, where they were directed before */
	pthread_t helper;
	bool helper_runs;
	_Atomic bool helper_done;

	_Atomic uint64_t lost;
	pthread_mutex_t statistics_lock;
	struct transmitter transmitter;
};

static inline struct tpacket_hdr_v1 *block_header(struct ring *ring, unsigned block)
{
	return &((struct tpacket_block_desc *)(ring->blocks + block * ring->block_octets))->hdr.bh1;
}

static inline bool block_is_ours(struct tpacket_hdr_v1 *block)
{
	return (__atomic_load_n(&block->block_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER) != 0;
}

/* Whether the ring holds a frame that was not handed over: the kernel counts in the header of the block that it fills. */
static bool ring_has_frames(struct ring *ring)
{
	if (ring->packets_left != 0) return true;
	struct tpacket_hdr_v1 *block = block_header(ring, ring->next_block);
	return block_is_ours(block) || __atomic_load_n(&block->num_pkts, __ATOMIC_RELAXED) != 0;
}

/* Blocks whose frames have all been handed over, and used, for this is the next call. */
static inline void give_back(struct ring *ring)
{
	unsigned keep = ring->packets_left != 0 ? 1 : 0;
	while (ring->held > keep) {
		struct tpacket_hdr_v1 *block = block_header(ring, ring->first_held);
		block->num_pkts = 0; /* stale until the kernel opens the block: see ring_has_frames */
		__atomic_store_n(&block->block_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
		if (++ring->first_held == ring->block_count) ring->first_held = 0;
		ring->held--;
	}
}

/* Words 2 to 5 of a frame with anything worth telling. */
static inline void describe(int32_t *descriptor, const struct virtio_net_hdr *offload, uint32_t status, uint32_t length,
			    uint32_t tci, uint32_t tpid)
{
	uint32_t flags = 0;
	descriptor[WORD_VLAN] = 0;
	if (status & TP_STATUS_VLAN_VALID) {
		if ((status & TP_STATUS_VLAN_TPID_VALID) == 0) tpid = ETH_P_8021Q;
		descriptor[WORD_VLAN] = (int32_t)(tci | tpid << 16);
	}
	if (offload->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) {
		flags |= RING_CHECKSUM_PARTIAL;
		descriptor[WORD_CHECKSUM] = (int32_t)(offload->csum_start | (uint32_t)offload->csum_offset << 16);
	} else if (offload->flags & VIRTIO_NET_HDR_F_DATA_VALID) {
		flags |= RING_CHECKSUM_VERIFIED;
	}
	if (offload->gso_type != VIRTIO_NET_HDR_GSO_NONE) {
		flags |= RING_GSO;
		descriptor[WORD_GSO] = (int32_t)((offload->gso_type & ~VIRTIO_NET_HDR_GSO_ECN) | (uint32_t)offload->gso_size << 16);
	}
	if ((uint32_t)descriptor[WORD_OCTETS] < length) {
		flags = (flags & ~(uint32_t)RING_GSO) | RING_TRUNCATED;
		descriptor[WORD_GSO] = (int32_t)length;
	}
	descriptor[WORD_FLAGS] = (int32_t)flags;
}

static int receive_from_ring(struct ring *ring, int32_t *descriptor, int max)
{
	int count = 0;
	uint8_t *base = ring->arena->base;
	while (count < max) {
		if (ring->packets_left == 0) {
			if (ring->held == ring->block_count) break;
			struct tpacket_hdr_v1 *block = block_header(ring, ring->next_block);
			if (!block_is_ours(block)) break;
			ring->packets_left = block->num_pkts;
			ring->packet = ring->blocks + ring->next_block * ring->block_octets + block->offset_to_first_pkt;
			if (++ring->next_block == ring->block_count) ring->next_block = 0;
			ring->held++;
			continue;
		}
		unsigned run = (unsigned)(max - count) < ring->packets_left ? (unsigned)(max - count) : ring->packets_left;
		uint8_t *packet = ring->packet;
		ring->packets_left -= run;
		count += (int)run;
		for (; run > 0; run--, descriptor += RING_STRIDE) {
			struct tpacket3_hdr *header = (struct tpacket3_hdr *)packet;
			uint8_t *next = packet + header->tp_next_offset;
			/* Its header, and its virtio header just in front of the frame. */
			__builtin_prefetch(next);
			__builtin_prefetch(next + 128);
			const struct virtio_net_hdr *offload = (void *)(packet + header->tp_mac - VNET_OCTETS);
			descriptor[WORD_OFFSET] = (int32_t)(packet + header->tp_mac - base);
			descriptor[WORD_OCTETS] = (int32_t)header->tp_snaplen;
			if ((header->tp_status & TP_STATUS_VLAN_VALID) | offload->flags | offload->gso_type |
			    (header->tp_len ^ header->tp_snaplen)) {
				describe(descriptor, offload, header->tp_status, header->tp_len, header->hv1.tp_vlan_tci,
					 header->hv1.tp_vlan_tpid);
			} else {
				descriptor[WORD_VLAN] = 0;
				descriptor[WORD_FLAGS] = 0;
			}
			packet = next;
		}
		ring->packet = packet;
	}
	return count;
}

/* Fills free slots. Nothing may be waiting in them: their octets are overwritten. */
static void read_slots(struct ring *ring, int max)
{
	unsigned limit = (unsigned)max < ring->slot_count ? (unsigned)max : ring->slot_count;
	for (unsigned i = 0; i < ring->slots_filled; i++)
		ring->slot_messages[i].msg_hdr.msg_controllen = sizeof ring->slot_auxiliary[i];
	ring->slots_filled = ring->slots_taken = 0;
	for (int attempt = 0; attempt < 2; attempt++) {
		/* MSG_TRUNC: the length of the frame, not of what fitted. */
		int count = recvmmsg(ring->slot_socket, ring->slot_messages, limit, MSG_DONTWAIT | MSG_TRUNC, NULL);
		if (count >= 0) {
			ring->slots_filled = (unsigned)count;
			return;
		}
		if (errno == EAGAIN) return;
		/* EINVAL: a super-frame of a kind that the virtio header cannot express was taken from the queue and lost.
		 * ENETDOWN, once: the device went down. */
		if (errno == EINVAL) atomic_fetch_add_explicit(&ring->lost, 1, memory_order_relaxed);
	}
}

static int take_slots(struct ring *ring, int32_t *descriptor, int max)
{
	int count = 0;
	for (; count < max && ring->slots_taken < ring->slots_filled; count++, descriptor += RING_STRIDE) {
		unsigned at = ring->slots_taken++;
		struct mmsghdr *message = &ring->slot_messages[at];
		struct iovec *piece = &ring->slot_pieces[at];
		struct cmsghdr *control = CMSG_FIRSTHDR(&message->msg_hdr);
		struct tpacket_auxdata auxiliary = {.tp_status = 0};
		if (control != NULL && control->cmsg_level == SOL_PACKET && control->cmsg_type == PACKET_AUXDATA)
			memcpy(&auxiliary, CMSG_DATA(control), sizeof auxiliary);
		uint8_t *frame = (uint8_t *)piece->iov_base + VNET_OCTETS;
		size_t octets = message->msg_len < piece->iov_len ? message->msg_len : piece->iov_len;
		descriptor[WORD_OFFSET] = (int32_t)(frame - ring->arena->base);
		descriptor[WORD_OCTETS] = (int32_t)(octets - VNET_OCTETS);
		describe(descriptor, piece->iov_base, auxiliary.tp_status, (uint32_t)(message->msg_len - VNET_OCTETS),
			 auxiliary.tp_vlan_tci, auxiliary.tp_vlan_tpid);
	}
	return count;
}

static int set_program(struct ring *ring)
{
	struct sock_filter code = BPF_STMT(BPF_RET | BPF_K, (uint32_t)ring->directed);
	struct sock_fprog program = {.len = 1, .filter = &code};
	return setsockopt(ring->ring_socket, SOL_PACKET, PACKET_FANOUT_DATA, &program, sizeof program);
}

static void *replace_program(void *argument)
{
	struct ring *ring = argument;
	/* It fails only for a socket that has left its group, and then there is nothing to direct. */
	set_program(ring);
	atomic_store_explicit(&ring->helper_done, true, memory_order_release);
	return NULL;
}

/* Starts the switch that was asked for, once the one before it has settled. */
static void start_switch(struct ring *ring)
{
	enum receiver before = ring->directed;
	ring->directed = ring->wanted;
	atomic_store_explicit(&ring->helper_done, false, memory_order_relaxed);
	ring->helper_runs = ring->young = pthread_create(&ring->helper, NULL, replace_program, ring) == 0;
	if (!ring->helper_runs) ring->wanted = ring->directed = before;
}

/* True when nothing more can arrive by the old way; what lies there already may still be waiting. */
static bool helper_has_finished(struct ring *ring)
{
	if (!ring->helper_runs) return true;
	if (!atomic_load_explicit(&ring->helper_done, memory_order_acquire)) return false;
	pthread_join(ring->helper, NULL);
	ring->helper_runs = false;
	return true;
}

static int receive_low_latency(struct ring *ring, int32_t *descriptors, int max)
{
	bool finished = helper_has_finished(ring);
	/* A frame of the ring is older than what the plain socket holds, or of no flow in it: the device came up and the
	 * plain socket had not joined again. */
	if (ring_has_frames(ring)) return receive_from_ring(ring, descriptors, max);
	if (ring->slots_taken == ring->slots_filled) read_slots(ring, max);
	if (ring->young) {
		if (ring_has_frames(ring)) return receive_from_ring(ring, descriptors, max);
		ring->young = !finished;
	}
	return take_slots(ring, descriptors, max);
}

static int receive_bulk(struct ring *ring, int32_t *descriptors, int max)
{
	bool finished = helper_has_finished(ring);
	if (ring->slots_taken < ring->slots_filled) return take_slots(ring, descriptors, max);
	/* The block is seen first, the plain socket found empty second. */
	bool block = ring->packets_left != 0 || block_is_ours(block_header(ring, ring->next_block));
	if (ring->young || !block) {
		read_slots(ring, max);
		if (ring->slots_filled != 0) return take_slots(ring, descriptors, max);
		ring->young = !finished;
	}
	return block ? receive_from_ring(ring, descriptors, max) : 0;
}

static int receive(struct ring *ring, int32_t *descriptors, int max)
{
	give_back(ring);
	if (ring->wanted != ring->directed && !ring->young) start_switch(ring);
	return ring->directed == LOW_LATENCY ? receive_low_latency(ring, descriptors, max)
					     : receive_bulk(ring, descriptors, max);
}

/* Opening. */

static int set(int descriptor, int option, int value)
{
	return setsockopt(descriptor, SOL_PACKET, option, &value, sizeof value);
}

static int bind_to(int descriptor, int index)
{
	struct sockaddr_ll device = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = index};
	return bind(descriptor, (struct sockaddr *)&device, sizeof device);
}

static int filter_all(int descriptor, struct sock_filter *code, unsigned short length)
{
	struct sock_fprog program = {.len = length, .filter = code};
	return setsockopt(descriptor, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
}

static void *close_sockets(void *argument)
{
	struct ring *ring = argument;
	if (ring->helper_runs) pthread_join(ring->helper, NULL);
	transmitter_close(&ring->transmitter);
	if (ring->ring_socket >= 0) close(ring->ring_socket);
	if (ring->slot_socket >= 0) close(ring->slot_socket);
	pthread_mutex_destroy(&ring->statistics_lock);
	free(ring);
	return NULL;
}

/* The memory is free at once. The sockets close in a thread of their own: for each the kernel waits until no processor
 * can still be using it, sixty milliseconds together, in which the caller's other ports would stand still. */
static void close_ring(struct ring *ring)
{
	pthread_t closer;
	if (ring->blocks != NULL)
		mmap(ring->blocks, ring->block_octets * ring->block_count, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
	if (ring->slots != NULL) madvise(ring->slots, ring->slot_octets * ring->slot_count, MADV_DONTNEED);
	if (pthread_create(&closer, NULL, close_sockets, ring) == 0) pthread_detach(closer);
	else close_sockets(ring);
}

/* Makes the members of the group. Until they share the frames, the second drops what it sees. Returns NULL, or what
 * failed, with errno. */
static const char *join_group(struct ring *ring, int index)
{
	struct sock_filter none[] = {BPF_STMT(BPF_RET | BPF_K, 0)};
	if (filter_all(ring->slot_socket, none, 1) < 0) return "setsockopt SO_ATTACH_FILTER";
	if (bind_to(ring->ring_socket, index) < 0 || bind_to(ring->slot_socket, index) < 0) return "bind";

	uint32_t type = PACKET_FANOUT_CBPF | PACKET_FANOUT_FLAG_IGNORE_OUTGOING;
	uint32_t group = (type | PACKET_FANOUT_FLAG_UNIQUEID) << 16;
	bool filters_outgoing = true;
	if (setsockopt(ring->ring_socket, SOL_PACKET, PACKET_FANOUT, &group, sizeof group) < 0) {
		/* Before Linux 6.7 a group could not ignore what the host sends: each member's own filter does. */
		if (errno != EINVAL) return "setsockopt PACKET_FANOUT";
		type = PACKET_FANOUT_CBPF;
		group = (type | PACKET_FANOUT_FLAG_UNIQUEID) << 16;
		if (setsockopt(ring->ring_socket, SOL_PACKET, PACKET_FANOUT, &group, sizeof group) < 0)
			return "setsockopt PACKET_FANOUT";
		filters_outgoing = false;
	}
	if (getsockopt(ring->ring_socket, SOL_PACKET, PACKET_FANOUT, &group, &(socklen_t){sizeof group}) < 0)
		return "getsockopt PACKET_FANOUT";
	group = (group & 0xffff) | type << 16;
	if (setsockopt(ring->slot_socket, SOL_PACKET, PACKET_FANOUT, &group, sizeof group) < 0)
		return "setsockopt PACKET_FANOUT";

	struct sock_filter incoming[] = {
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_PKTTYPE)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PACKET_OUTGOING, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
	};
	if (filters_outgoing) {
		if (setsockopt(ring->slot_socket, SOL_SOCKET, SO_DETACH_FILTER, &(int){0}, sizeof(int)) < 0)
			return "setsockopt SO_DETACH_FILTER";
	} else if (filter_all(ring->ring_socket, incoming, 4) < 0 || filter_all(ring->slot_socket, incoming, 4) < 0) {
		return "setsockopt SO_ATTACH_FILTER";
	}
	/* Where its reader takes its time to begin, the plain socket has room for seconds, the ring for a millisecond a block. There
	 * is no program yet whose end the kernel would wait for; frames that came before lie in the ring and are read first. */
	ring->wanted = ring->directed = ring->slot_count > 0 ? LOW_LATENCY : BULK;
	ring->young = true;
	if (set_program(ring) < 0) return "setsockopt PACKET_FANOUT_DATA";
	return NULL;
}

static const char *open_receivers(struct ring *ring, int index, size_t headroom_octets, bool promiscuous)
{
	ring->ring_socket = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	ring->slot_socket = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (ring->ring_socket < 0 || ring->slot_socket < 0) return "socket";

	/* Everything from the frame's ring header on is headroom: the header has been read before anyone writes there. */
	size_t reserve = headroom_octets > RING_FRAME_OFFSET ? headroom_octets - RING_FRAME_OFFSET : 0;
	while ((RING_FRAME_OFFSET + reserve) % 4 != 2) reserve++;
	if (set(ring->ring_socket, PACKET_VERSION, TPACKET_V3) < 0) return "setsockopt PACKET_VERSION";
	if (set(ring->ring_socket, PACKET_RESERVE, (int)reserve) < 0) return "setsockopt PACKET_RESERVE";
	for (enum receiver receiver = BULK; receiver <= LOW_LATENCY; receiver++) {
		int descriptor = receiver == BULK ? ring->ring_socket : ring->slot_socket;
		if (set(descriptor, PACKET_VNET_HDR, 1) < 0) return "setsockopt PACKET_VNET_HDR";
		if (set(descriptor, PACKET_IGNORE_OUTGOING, 1) < 0) return "setsockopt PACKET_IGNORE_OUTGOING";
	}
	struct tpacket_req3 request = {
		.tp_block_size = (unsigned)ring->block_octets,
		.tp_block_nr = ring->block_count,
		.tp_frame_size = 2048,
		.tp_frame_nr = (unsigned)(ring->block_octets / 2048 * ring->block_count),
		.tp_retire_blk_tov = 1,
	};
	if (setsockopt(ring->ring_socket, SOL_PACKET, PACKET_RX_RING, &request, sizeof request) < 0)
		return "setsockopt PACKET_RX_RING";
	if (mmap(ring->blocks, ring->block_octets * ring->block_count, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
		 ring->ring_socket, 0) == MAP_FAILED)
		return "mmap";

	if (set(ring->slot_socket, PACKET_AUXDATA, 1) < 0) return "setsockopt PACKET_AUXDATA";
	/* What arrives between the first frames of a burst and the switch to the ring. */
	int octets = 16 << 20;
	if (setsockopt(ring->slot_socket, SOL_SOCKET, SO_RCVBUFFORCE, &octets, sizeof octets) < 0)
		setsockopt(ring->slot_socket, SOL_SOCKET, SO_RCVBUF, &octets, sizeof octets);
	for (unsigned i = 0; i < ring->slot_count; i++) {
		uint8_t *start = ring->slots + i * ring->slot_octets + ring->slot_frame_offset - VNET_OCTETS;
		ring->slot_pieces[i] = (struct iovec){start, ring->slot_octets - ring->slot_frame_offset + VNET_OCTETS};
		ring->slot_messages[i].msg_hdr = (struct msghdr){
			.msg_iov = &ring->slot_pieces[i],
			.msg_iovlen = 1,
			.msg_control = &ring->slot_auxiliary[i],
			.msg_controllen = sizeof ring->slot_auxiliary[i],
		};
	}
	if (promiscuous) {
		struct packet_mreq membership = {.mr_ifindex = index, .mr_type = PACKET_MR_PROMISC};
		if (setsockopt(ring->ring_socket, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &membership, sizeof membership) < 0)
			return "setsockopt PACKET_ADD_MEMBERSHIP";
	}
	return join_group(ring, index);
}

static napi_value ring_open(napi_env env, napi_callback_info info)
{
	struct arguments arguments = arguments_of(env, info);
	napi_value options = arguments.values[1];
	struct arena *arena = handle_find(HANDLE_ARENA, argument_integer(&arguments, 0));
	char device[IF_NAMESIZE];
	option_text(env, options, "device", device, sizeof device);
	if (arena == NULL) return throw_errno(env, device, "arena", EBADF);
	int index = (int)if_nametoindex(device);
	if (index == 0) return throw_errno(env, device, "if_nametoindex", errno);

	struct ring *ring = calloc(1, sizeof *ring);
	if (ring == NULL) return throw_errno(env, device, "calloc", ENOMEM);
	ring->ring_socket = ring->slot_socket = -1;
	transmitter_init(&ring->transmitter);
	pthread_mutex_init(&ring->statistics_lock, NULL);
	ring->arena = arena;
	ring->blocks = arena->base + (size_t)option_number(env, options, "offset");
	ring->block_octets = (size_t)option_number(env, options, "blockOctets");
	ring->block_count = (unsigned)option_number(env, options, "blocks");
	ring->slots = arena->base + (size_t)option_number(env, options, "slotsOffset");
	ring->slot_octets = (size_t)option_number(env, options, "slotOctets");
	ring->slot_count = (unsigned)option_number(env, options, "slots");
	if (ring->slot_count > MAX_SLOTS) ring->slot_count = MAX_SLOTS;
	size_t headroom_octets = (size_t)option_number(env, options, "headroomOctets");
	ring->slot_frame_offset = (unsigned)frame_offset(headroom_octets + VNET_OCTETS);

	const char *syscall =
		open_receivers(ring, index, headroom_octets, option_boolean(env, options, "promiscuous"));
	ring->transmitter.joins = option_boolean(env, options, "joins");
	int error = syscall == NULL ? transmitter_open(&ring->transmitter, index, &syscall) : errno;
	int handle = error != 0 ? -1 : handle_add(HANDLE_RING, ring);
	if (error == 0 && handle < 0) error = EMFILE, syscall = "handle";
	if (error != 0) {
		close_ring(ring);
		return throw_errno(env, device, syscall, error);
	}
	return integer_value(env, handle);
}

/* The functions of a ring that is open. */

static struct ring *ring_of(const struct arguments *arguments)
{
	struct ring *ring = handle_find(HANDLE_RING, argument_integer(arguments, 0));
	if (ring == NULL) throw_errno(arguments->env, "ring", "handle", EBADF);
	return ring;
}

static napi_value ring_receive(napi_env env, napi_callback_info info)
{
	struct arguments arguments = arguments_of(env, info);
	struct ring *ring = ring_of(&arguments);
	if (ring == NULL) return NULL;
	struct span descriptors = argument_array(&arguments, 1);
	int max = argument_integer(&arguments, 2);
	if (max > (int)(descriptors.count / RING_STRIDE)) max = (int)(descriptors.count / RING_STRIDE);
	return integer_value(env, receive(ring, descriptors.data, max));
}

static napi_value ring_transmit(napi_env env, napi_callback_info info)
{
	struct arguments arguments = arguments_of(env, info);
	struct ring *ring = ring_of(&arguments);
	if (ring == NULL) return NULL;
	int32_t *descriptors = argument_array(&arguments, 1).data;
	int count = argument_integer(&arguments, 2);
	return integer_value(env, transmitter_send(&ring->transmitter, ring->arena->base, descriptors, count));
}

static napi_value ring_set_joins(napi_env env, napi_callback_info info)
{
	struct arguments arguments = arguments_of(env, info);
	struct ring *ring = ring_of(&arguments);
	if (ring == NULL) return NULL;
	napi_get_value_bool(env, arguments.values[1], &ring->transmitter.joins);
	return undefined_value(env);
}

static napi_value ring_set_underlay_tap(napi_env env, napi_callback_info info)
{
	struct arguments arguments = arguments_of(env, info);
	struct ring *ring = ring_of(&arguments);
	if (ring == NULL) return NULL;
	if (ring->transmitter.underlay_tap >= 0) return throw_errno(env, "ring", "underlay TAP", EBUSY);
	ring->transmitter.underlay_tap = argument_integer(&arguments, 1);
	return undefined_value(env);
}

static napi_value ring_use_underlay_tap(napi_env env, napi_callback_info info)
{
	struct arguments arguments = arguments_of(env, info);
	struct ring *ring = ring_of(&arguments);
	if (ring == NULL) return NULL;
	napi_get_value_bool(env, arguments.values[1], &ring->transmitter.uses_tap);
	return undefined_value(env);
}

/* Throws what the kernel says where it has no such socket for the device. */
static napi_value ring_add_xdp(napi_env env, napi_callback_info info)
{
	struct arguments arguments = arguments_of(env, info);
	struct ring *ring = ring_of(&arguments);
	if (ring == NULL) return NULL;
	const char *failed = transmitter_add_xdp(&ring->transmitter, argument_integer(&arguments, 1));
	return failed == NULL ? undefined_value(env) : throw_errno(env, "ring", failed, errno);
}

static napi_value ring_limit(napi_env env, napi_callback_info info)
{
	struct arguments arguments = arguments_of(env, info);
	struct ring *ring = ring_of(&arguments);
	if (ring == NULL) return NULL;
	transmitter_limit(&ring->transmitter, (size_t)argument_integer(&arguments, 1));
	return undefined_value(env);
}

static napi_value ring_set_low_latency(napi_env env, napi_callback_info info)
{
	struct arguments arguments = arguments_of(env, info);
	struct ring *ring = ring_of(&arguments);
	if (ring == NULL) return NULL;
	bool low_latency = false;
	napi_get_value_bool(env, arguments.values[1], &low_latency);
	ring->wanted = low_latency && ring->slot_count > 0 ? LOW_LATENCY : BULK;
	return undefined_value(env);
}

/* Reading the kernel's counters sets them to zero, so two threads that ask must not read at once. */
static napi_value ring_overruns(napi_env env, napi_callback_info info)
{
	struct arguments arguments = arguments_of(env, info);
	struct ring *ring = ring_of(&arguments);
	if (ring == NULL) return NULL;
	pthread_mutex_lock(&ring->statistics_lock);
	struct tpacket_stats_v3 bulk = {.tp_drops = 0};
	struct tpacket_stats low_latency = {.tp_drops = 0};
	getsockopt(ring->ring_socket, SOL_PACKET, PACKET_STATISTICS, &bulk, &(socklen_t){sizeof bulk});
	getsockopt(ring->slot_socket, SOL_PACKET, PACKET_STATISTICS, &low_latency, &(socklen_t){sizeof low_latency});
	uint64_t lost = atomic_fetch_add(&ring->lost, bulk.tp_drops + low_latency.tp_drops);
	lost += bulk.tp_drops + low_latency.tp_drops;
	pthread_mutex_unlock(&ring->statistics_lock);
	napi_value result;
	napi_create_double(env, (double)lost, &result);
	return result;
}

static napi_value ring_descriptors(napi_env env, napi_callback_info info)
{
	struct arguments arguments = arguments_of(env, info);
	struct ring *ring = ring_of(&arguments);
	if (ring == NULL) return NULL;
	return integers_value(env, (int[]){ring->ring_socket, ring->slot_socket}, 2);
}

static napi_value ring_close(napi_env env, napi_callback_info info)
{
	struct arguments arguments = arguments_of(env, info);
	struct ring *ring = handle_remove(HANDLE_RING, argument_integer(&arguments, 0));
	if (ring == NULL) return throw_errno(env, "ring", "handle", EBADF);
	close_ring(ring);
	return undefined_value(env);
}

static const struct function_entry functions[] = {
	{"ringOpen", ring_open},		  {"ringReceive", ring_receive},
	{"ringTransmit", ring_transmit},	  {"ringSetLowLatency", ring_set_low_latency},
	{"ringOverruns", ring_overruns},	  {"ringDescriptors", ring_descriptors},
	{"ringSetJoins", ring_set_joins},	  {"ringSetUnderlayTap", ring_set_underlay_tap},
	{"ringUseUnderlayTap", ring_use_underlay_tap}, {"ringAddXdp", ring_add_xdp},
	{"ringLimit", ring_limit},		  {"ringClose", ring_close},
};

void packet_ring_register(napi_env env, napi_value exports) { export_functions(env, exports, ENTRIES(functions)); }
