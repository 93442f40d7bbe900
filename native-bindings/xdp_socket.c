/* Frames of a device through AF_XDP sockets in copy mode, one for each receive queue, without libbpf or libxdp.
 *
 * An XDP program of six instructions redirects what a queue receives into the socket that the map names for it. The kernel
 * copies each frame into a chunk of the socket's memory (UMEM), which lies in the arena; the chunk goes back to the kernel
 * by the next receive. What is sent is copied into a chunk, for frames lie anywhere in the arena and only registered, which
 * is to say pinned, memory can be sent from. The program hangs on a BPF link: it leaves the device when the link's
 * descriptor is closed, also when the process is killed.
 *
 *   UMEM of a queue:  | receive chunks ........................ | transmit chunks (first queue only) |
 *   receive chunk:    | 256 of the kernel | 2 | frame ...
 */
#include "addon.h"
#include "packet_transmit.h"
#include "xdp_transmit.h"

#include <linux/bpf.h>
#include <linux/if_link.h>
#include <linux/if_xdp.h>
#include <net/if.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SOL_XDP
#define SOL_XDP 283
#endif

#define MAX_QUEUES 16
#define MAX_RECEIVE 256
#define CHUNK_OCTETS 4096
#define LINE_OCTETS 64
/* In front of a frame, behind the 256 octets that the kernel keeps there in any case: a frame starts at 2 modulo 4. */
#define CHUNK_HEADROOM 2

struct queue {
	int socket;
	uint8_t *umem;
	size_t umem_octets;
	struct shared_ring fill, completion, receive;
	unsigned held; /* chunks of the last receive */
	uint64_t held_chunks[MAX_RECEIVE];
};

struct xdp {
	struct arena *arena;
	int link, program, map;
	bool is_native;
	unsigned queue_count;
	unsigned next_queue; /* that the next receive begins with */
	uint32_t transmit_chunks;
	struct xdp_transmit transmit; /* by the first queue, of which socket, memory and completions are */
	struct queue queues[MAX_QUEUES];
};

/* Receiving. */

static void give_back(struct queue *queue)
{
	struct shared_ring *fill = &queue->fill;
	uint32_t producer = *fill->producer;
	/* The ring has a place for every chunk. */
	for (unsigned i = 0; i < queue->held; i++)
		((uint64_t *)fill->entries)[producer++ & fill->mask] = queue->held_chunks[i];
	publish(fill->producer, producer);
	queue->held = 0;
}

static int receive_from_queue(struct xdp *xdp, struct queue *queue, int32_t *descriptor, int max)
{
	struct shared_ring *ring = &queue->receive;
	uint32_t consumer = *ring->consumer;
	uint32_t waiting = acquire(ring->producer) - consumer;
	int count = (uint32_t)max < waiting ? max : (int)waiting;
	int32_t base = (int32_t)(queue->umem - xdp->arena->base);
	for (int i = 0; i < count; i++, descriptor += RING_STRIDE) {
		const struct xdp_desc *entry = &((struct xdp_desc *)ring->entries)[consumer++ & ring->mask];
		queue->held_chunks[queue->held++] = entry->addr & ~(uint64_t)(CHUNK_OCTETS - 1);
		descriptor[WORD_OFFSET] = base + (int32_t)entry->addr;
		/* Another core wrote it: its first lines are here by the time that somebody looks at them. */
		__builtin_prefetch(queue->umem + entry->addr, 1);
		__builtin_prefetch(queue->umem + entry->addr + LINE_OCTETS, 1);
		descriptor[WORD_OCTETS] = (int32_t)entry->len;
	}
	publish(ring->consumer, consumer);
	return count;
}

static int receive(struct xdp *xdp, int32_t *descriptors, int max)
{
	int count = 0;
	if (max > MAX_RECEIVE) max = MAX_RECEIVE;
	for (unsigned i = 0; i < xdp->queue_count; i++) give_back(&xdp->queues[i]);
	for (unsigned i = 0; i < xdp->queue_count && count < max; i++) {
		struct queue *queue = &xdp->queues[(xdp->next_queue + i) % xdp->queue_count];
		count += receive_from_queue(xdp, queue, descriptors + count * RING_STRIDE, max - count);
	}
	/* No queue waits for ever behind a busy one. */
	if (++xdp->next_queue >= xdp->queue_count) xdp->next_queue = 0;
	return count;
}

/* Transmitting, always by the first queue. */

static int refuse(int32_t *descriptor, int error)
{
	descriptor[WORD_FLAGS] = RING_REFUSED;
	descriptor[WORD_GSO] = error;
	return 1;
}

static int transmit(struct xdp *xdp, int32_t *descriptors, int count)
{
	int refused = 0;
	xdp_transmit_begin(&xdp->transmit);
	for (int i = 0; i < count; i++) {
		int32_t *descriptor = descriptors + i * RING_STRIDE;
		struct iovec frame = {xdp->arena->base + descriptor[WORD_OFFSET], (uint32_t)descriptor[WORD_OCTETS]};
		descriptor[WORD_FLAGS] = 0;
		int error = frame.iov_len == 0 ? EINVAL : frame.iov_len > CHUNK_OCTETS ? EMSGSIZE : 0;
		if (error == 0) error = xdp_transmit_put(&xdp->transmit, &frame, 1);
		if (error != 0) refused += refuse(descriptor, error);
	}
	unsigned untaken = xdp_transmit_end(&xdp->transmit);
	for (int i = count - 1; i >= 0 && untaken > 0; i--) {
		int32_t *descriptor = descriptors + i * RING_STRIDE;
		if (descriptor[WORD_FLAGS] == RING_REFUSED) continue;
		refused += refuse(descriptor, xdp->transmit.error);
		untaken--;
	}
	return refused;
}

/* Opening. */

static int bpf(enum bpf_cmd command, union bpf_attr *attributes)
{
	return (int)syscall(SYS_bpf, command, attributes, sizeof *attributes);
}

/* `receive_chunks` and `transmit_chunks` are powers of two, or 0 for the latter. Returns NULL, or what failed. */
static const char *open_queue(struct queue *queue, int index, unsigned number, uint32_t receive_chunks,
			      uint32_t transmit_chunks, struct shared_ring *transmit)
{
	uint32_t completions = transmit_chunks == 0 ? 1 : transmit_chunks;
	queue->socket = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (queue->socket < 0) return "socket AF_XDP";
	struct xdp_umem_reg umem = {
		.addr = (uint64_t)(uintptr_t)queue->umem,
		.len = queue->umem_octets,
		.chunk_size = CHUNK_OCTETS,
		.headroom = CHUNK_HEADROOM,
	};
	if (setsockopt(queue->socket, SOL_XDP, XDP_UMEM_REG, &umem, sizeof umem) < 0) return "setsockopt XDP_UMEM_REG";
	if (!shared_ring_set(queue->socket, XDP_UMEM_FILL_RING, receive_chunks)) return "setsockopt XDP_UMEM_FILL_RING";
	if (!shared_ring_set(queue->socket, XDP_UMEM_COMPLETION_RING, completions)) return "setsockopt XDP_UMEM_COMPLETION_RING";
	if (!shared_ring_set(queue->socket, XDP_RX_RING, receive_chunks)) return "setsockopt XDP_RX_RING";
	if (transmit_chunks != 0 && !shared_ring_set(queue->socket, XDP_TX_RING, transmit_chunks)) return "setsockopt XDP_TX_RING";
	struct xdp_mmap_offsets offsets;
	if (getsockopt(queue->socket, SOL_XDP, XDP_MMAP_OFFSETS, &offsets, &(socklen_t){sizeof offsets}) < 0)
		return "getsockopt XDP_MMAP_OFFSETS";
	if (!shared_ring_map(queue->socket, &queue->fill, &offsets.fr, receive_chunks, sizeof(uint64_t), (off_t)XDP_UMEM_PGOFF_FILL_RING) ||
	    !shared_ring_map(queue->socket, &queue->completion, &offsets.cr, completions, sizeof(uint64_t),
		      (off_t)XDP_UMEM_PGOFF_COMPLETION_RING) ||
	    !shared_ring_map(queue->socket, &queue->receive, &offsets.rx, receive_chunks, sizeof(struct xdp_desc), XDP_PGOFF_RX_RING))
		return "mmap";
	if (transmit_chunks != 0 && !shared_ring_map(queue->socket, transmit, &offsets.tx, transmit_chunks,
					      sizeof(struct xdp_desc), (off_t)XDP_PGOFF_TX_RING))
		return "mmap";
	for (uint32_t i = 0; i < receive_chunks; i++) ((uint64_t *)queue->fill.entries)[i] = (uint64_t)i * CHUNK_OCTETS;
	publish(queue->fill.producer, receive_chunks);
	if (!xdp_bind(queue->socket, index, number, XDP_BUSY_ATTEMPTS)) return "bind AF_XDP";
	return NULL;
}

/* The program that redirects all of a queue that has a socket. */
static const struct bpf_insn redirect_all[] = {
	/* r2 = context->rx_queue_index */
	{BPF_LDX | BPF_MEM | BPF_W, BPF_REG_2, BPF_REG_1, offsetof(struct xdp_md, rx_queue_index), 0},
	/* r1 = map, in two words */
	{BPF_LD | BPF_IMM | BPF_DW, BPF_REG_1, BPF_PSEUDO_MAP_FD, 0, 0},
	{0, 0, 0, 0, 0},
	/* r3 = the verdict for a queue without a socket */
	{BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_3, 0, 0, XDP_PASS},
	/* return bpf_redirect_map(r1, r2, r3) */
	{BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_redirect_map},
	{BPF_JMP | BPF_EXIT, 0, 0, 0, 0},
};

/* A map from queue to socket, and the program that redirects by it; what has no entry goes on to the kernel. The program may be
 * the caller's own: where it loads a map, it gets this one. */
static const char *load_program(struct xdp *xdp, struct span own)
{
	const struct bpf_insn *given = own.count == 0 ? redirect_all : own.data;
	size_t count = own.count == 0 ? sizeof redirect_all / sizeof redirect_all[0] : own.count / sizeof *given;
	struct bpf_insn code[BPF_MAXINSNS];
	if (count > BPF_MAXINSNS) return errno = E2BIG, "bpf BPF_PROG_LOAD";
	memcpy(code, given, count * sizeof *code);
	union bpf_attr map = {
		.map_type = BPF_MAP_TYPE_XSKMAP,
		.key_size = sizeof(uint32_t),
		.value_size = sizeof(uint32_t),
		.max_entries = xdp->queue_count,
	};
	xdp->map = bpf(BPF_MAP_CREATE, &map);
	if (xdp->map < 0) return "bpf BPF_MAP_CREATE";
	for (uint32_t i = 0; i < xdp->queue_count; i++) {
		union bpf_attr element = {
			.map_fd = (uint32_t)xdp->map,
			.key = (uint64_t)(uintptr_t)&i,
			.value = (uint64_t)(uintptr_t)&xdp->queues[i].socket,
		};
		if (bpf(BPF_MAP_UPDATE_ELEM, &element) < 0) return "bpf BPF_MAP_UPDATE_ELEM";
	}
	for (size_t i = 0; i < count; i++) {
		bool loads_map = code[i].code == (BPF_LD | BPF_IMM | BPF_DW) && code[i].src_reg == BPF_PSEUDO_MAP_FD;
		if (loads_map) code[i].imm = xdp->map;
	}
	union bpf_attr program = {
		.prog_type = BPF_PROG_TYPE_XDP,
		.insn_cnt = (uint32_t)count,
		.insns = (uint64_t)(uintptr_t)code,
		.license = (uint64_t)(uintptr_t) "MIT",
		.expected_attach_type = BPF_XDP,
		.prog_name = "wideplane",
	};
	xdp->program = bpf(BPF_PROG_LOAD, &program);
	return xdp->program < 0 ? "bpf BPF_PROG_LOAD" : NULL;
}

/* In the driver where it can and shall, otherwise in the kernel's generic code. */
static const char *attach(struct xdp *xdp, int index, bool may_be_native)
{
	for (int attempt = 0;; attempt++) {
		int error = 0;
		for (int native = may_be_native; native >= 0; native--) {
			union bpf_attr link = {.link_create = {
				.prog_fd = (uint32_t)xdp->program,
				.target_ifindex = (uint32_t)index,
				.attach_type = BPF_XDP,
				.flags = native ? XDP_FLAGS_DRV_MODE : XDP_FLAGS_SKB_MODE,
			}};
			xdp->link = bpf(BPF_LINK_CREATE, &link);
			xdp->is_native = native != 0;
			if (xdp->link >= 0) return NULL;
			error = errno;
			/* Somebody has the device: ourselves a moment ago, or another program for good. */
			if (error == EBUSY || error == EEXIST) break;
		}
		errno = error;
		if ((error != EBUSY && error != EEXIST) || attempt == XDP_BUSY_ATTEMPTS) return "bpf BPF_LINK_CREATE";
		usleep(XDP_BUSY_PAUSE_US);
	}
}

static void *close_descriptors(void *argument)
{
	struct xdp *xdp = argument;
	if (xdp->link >= 0) close(xdp->link);
	if (xdp->program >= 0) close(xdp->program);
	if (xdp->map >= 0) close(xdp->map);
	for (unsigned i = 0; i < xdp->queue_count; i++) {
		struct queue *queue = &xdp->queues[i];
		shared_ring_unmap(&queue->fill);
		shared_ring_unmap(&queue->completion);
		shared_ring_unmap(&queue->receive);
		if (queue->socket >= 0) close(queue->socket);
	}
	shared_ring_unmap(&xdp->transmit.ring);
	free(xdp->transmit.free_chunks);
	free(xdp);
	return NULL;
}

/* The memory is free at once: what the kernel has pinned is no longer in the arena. The descriptors close in a thread of
 * their own, for taking a program from a device takes tens of milliseconds. */
static void close_xdp(struct xdp *xdp)
{
	pthread_t closer;
	for (unsigned i = 0; i < xdp->queue_count; i++)
		mmap(xdp->queues[i].umem, xdp->queues[i].umem_octets, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
	if (pthread_create(&closer, NULL, close_descriptors, xdp) == 0) pthread_detach(closer);
	else close_descriptors(xdp);
}

static const char *open_all(struct xdp *xdp, int index, uint32_t receive_chunks, struct span program, bool may_be_native)
{
	struct xdp_transmit *transmit = &xdp->transmit;
	for (uint32_t i = 0; i < xdp->transmit_chunks; i++)
		transmit->free_chunks[transmit->free_count++] = (uint64_t)(receive_chunks + i) * CHUNK_OCTETS;
	for (unsigned i = 0; i < xdp->queue_count; i++) {
		const char *failed = open_queue(&xdp->queues[i], index, i, receive_chunks, i == 0 ? xdp->transmit_chunks : 0,
						&transmit->ring);
		if (failed != NULL) return failed;
	}
	transmit->socket = xdp->queues[0].socket;
	transmit->umem = xdp->queues[0].umem;
	transmit->chunk_octets = CHUNK_OCTETS;
	transmit->completion = xdp->queues[0].completion;
	const char *failed = load_program(xdp, program);
	return failed != NULL ? failed : attach(xdp, index, may_be_native);
}

static napi_value xdp_open(napi_env env, napi_callback_info info)
{
	struct arguments arguments = arguments_of(env, info);
	napi_value options = arguments.values[1];
	struct arena *arena = handle_find(HANDLE_ARENA, argument_integer(&arguments, 0));
	char device[IF_NAMESIZE];
	option_text(env, options, "device", device, sizeof device);
	if (arena == NULL) return throw_errno(env, device, "arena", EBADF);
	int index = (int)if_nametoindex(device);
	if (index == 0) return throw_errno(env, device, "if_nametoindex", errno);

	struct xdp *xdp = calloc(1, sizeof *xdp);
	if (xdp == NULL) return throw_errno(env, device, "calloc", ENOMEM);
	xdp->arena = arena;
	xdp->link = xdp->program = xdp->map = -1;
	xdp->queue_count = (unsigned)option_number(env, options, "queues");
	if (xdp->queue_count > MAX_QUEUES) xdp->queue_count = MAX_QUEUES;
	uint32_t receive_chunks = (uint32_t)option_number(env, options, "receiveChunks");
	xdp->transmit_chunks = (uint32_t)option_number(env, options, "transmitChunks");
	uint8_t *umem = arena->base + (size_t)option_number(env, options, "offset");
	for (unsigned i = 0; i < xdp->queue_count; i++) {
		uint32_t chunks = receive_chunks + (i == 0 ? xdp->transmit_chunks : 0);
		xdp->queues[i].socket = -1;
		xdp->queues[i].umem = umem;
		xdp->queues[i].umem_octets = (size_t)chunks * CHUNK_OCTETS;
		umem += xdp->queues[i].umem_octets;
	}
	xdp->transmit.free_chunks = malloc(xdp->transmit_chunks * sizeof *xdp->transmit.free_chunks);

	const char *failed = xdp->transmit.free_chunks == NULL ? "malloc"
								    : open_all(xdp, index, receive_chunks, argument_array(&arguments, 2),
									       !option_boolean(env, options, "isGeneric"));
	int error = failed == NULL ? 0 : errno;
	int handle = error != 0 ? -1 : handle_add(HANDLE_XDP, xdp);
	if (error == 0 && handle < 0) error = EMFILE, failed = "handle";
	if (error != 0) {
		close_xdp(xdp);
		return throw_errno(env, device, failed, error);
	}
	return integer_value(env, handle);
}

/* The functions of a socket that is open. */

static struct xdp *xdp_of(const struct arguments *arguments)
{
	struct xdp *xdp = handle_find(HANDLE_XDP, argument_integer(arguments, 0));
	if (xdp == NULL) throw_errno(arguments->env, "xdp", "handle", EBADF);
	return xdp;
}

static napi_value xdp_receive(napi_env env, napi_callback_info info)
{
	struct arguments arguments = arguments_of(env, info);
	struct xdp *xdp = xdp_of(&arguments);
	if (xdp == NULL) return NULL;
	struct span descriptors = argument_array(&arguments, 1);
	int max = argument_integer(&arguments, 2);
	if (max > (int)(descriptors.count / RING_STRIDE)) max = (int)(descriptors.count / RING_STRIDE);
	/* What could not leave yet. */
	xdp_transmit_begin(&xdp->transmit);
	return integer_value(env, receive(xdp, descriptors.data, max));
}

static napi_value xdp_transmit(napi_env env, napi_callback_info info)
{
	struct arguments arguments = arguments_of(env, info);
	struct xdp *xdp = xdp_of(&arguments);
	if (xdp == NULL) return NULL;
	int32_t *descriptors = argument_array(&arguments, 1).data;
	return integer_value(env, transmit(xdp, descriptors, argument_integer(&arguments, 2)));
}

static napi_value xdp_overruns(napi_env env, napi_callback_info info)
{
	struct arguments arguments = arguments_of(env, info);
	struct xdp *xdp = xdp_of(&arguments);
	if (xdp == NULL) return NULL;
	uint64_t lost = 0;
	for (unsigned i = 0; i < xdp->queue_count; i++) {
		struct xdp_statistics statistics = {.rx_dropped = 0};
		getsockopt(xdp->queues[i].socket, SOL_XDP, XDP_STATISTICS, &statistics, &(socklen_t){sizeof statistics});
		lost += statistics.rx_dropped + statistics.rx_ring_full;
	}
	napi_value result;
	napi_create_double(env, (double)lost, &result);
	return result;
}

static napi_value xdp_is_native(napi_env env, napi_callback_info info)
{
	struct arguments arguments = arguments_of(env, info);
	struct xdp *xdp = xdp_of(&arguments);
	if (xdp == NULL) return NULL;
	napi_value result;
	napi_get_boolean(env, xdp->is_native, &result);
	return result;
}

static napi_value xdp_descriptors(napi_env env, napi_callback_info info)
{
	struct arguments arguments = arguments_of(env, info);
	struct xdp *xdp = xdp_of(&arguments);
	if (xdp == NULL) return NULL;
	int sockets[MAX_QUEUES];
	for (unsigned i = 0; i < xdp->queue_count; i++) sockets[i] = xdp->queues[i].socket;
	return integers_value(env, sockets, xdp->queue_count);
}

static napi_value xdp_close(napi_env env, napi_callback_info info)
{
	struct arguments arguments = arguments_of(env, info);
	struct xdp *xdp = handle_remove(HANDLE_XDP, argument_integer(&arguments, 0));
	if (xdp == NULL) return throw_errno(env, "xdp", "handle", EBADF);
	close_xdp(xdp);
	return undefined_value(env);
}

static const struct function_entry functions[] = {
	{"xdpOpen", xdp_open},		    {"xdpReceive", xdp_receive},
	{"xdpTransmit", xdp_transmit},	    {"xdpOverruns", xdp_overruns},
	{"xdpIsNative", xdp_is_native},	    {"xdpDescriptors", xdp_descriptors},
	{"xdpClose", xdp_close},
};

void xdp_socket_register(napi_env env, napi_value exports) { export_functions(env, exports, ENTRIES(functions)); }
