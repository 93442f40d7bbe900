#include "xdp_transmit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef SOL_XDP
#define SOL_XDP 283
#endif
/* Calls that send nothing, in a row, before the rest is left to the next one. */
#define MAX_STALLS 16
#define SEND_BUFFER_OCTETS (16 << 20)

bool shared_ring_set(int socket, int option, uint32_t entries)
{
	return setsockopt(socket, SOL_XDP, option, &entries, sizeof entries) == 0;
}

bool shared_ring_map(int socket, struct shared_ring *ring, const struct xdp_ring_offset *offset, uint32_t entries,
		     size_t entry_octets, off_t page)
{
	ring->map_octets = offset->desc + entries * entry_octets;
	ring->map = mmap(NULL, ring->map_octets, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, socket, page);
	if (ring->map == MAP_FAILED) {
		ring->map = NULL;
		return false;
	}
	ring->producer = (uint32_t *)((uint8_t *)ring->map + offset->producer);
	ring->consumer = (uint32_t *)((uint8_t *)ring->map + offset->consumer);
	ring->entries = (uint8_t *)ring->map + offset->desc;
	ring->mask = entries - 1;
	return true;
}

void shared_ring_unmap(struct shared_ring *ring)
{
	if (ring->map != NULL) munmap(ring->map, ring->map_octets);
	ring->map = NULL;
}

bool xdp_bind(int socket, int index, unsigned number, int attempts)
{
	int octets = SEND_BUFFER_OCTETS;
	if (setsockopt(socket, SOL_SOCKET, SO_SNDBUFFORCE, &octets, sizeof octets) < 0)
		setsockopt(socket, SOL_SOCKET, SO_SNDBUF, &octets, sizeof octets);
	struct sockaddr_xdp address = {
		.sxdp_family = AF_XDP,
		.sxdp_flags = XDP_COPY,
		.sxdp_ifindex = (uint32_t)index,
		.sxdp_queue_id = number,
	};
	while (bind(socket, (struct sockaddr *)&address, sizeof address) < 0) {
		if (errno != EBUSY || attempts-- == 0) return false;
		usleep(XDP_BUSY_PAUSE_US);
	}
	return true;
}

const char *xdp_transmit_open(struct xdp_transmit *transmit, int index, uint32_t chunks, uint32_t chunk_octets)
{
	*transmit = (struct xdp_transmit){.socket = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0), .chunk_octets = chunk_octets};
	if (transmit->socket < 0) return "socket AF_XDP";
	transmit->umem_octets = (size_t)chunks * chunk_octets;
	transmit->free_chunks = malloc(chunks * sizeof *transmit->free_chunks);
	void *umem = mmap(NULL, transmit->umem_octets, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (umem != MAP_FAILED) transmit->umem = umem;
	if (transmit->free_chunks == NULL || transmit->umem == NULL) return "mmap";
	struct xdp_umem_reg registration = {
		.addr = (uint64_t)(uintptr_t)umem,
		.len = transmit->umem_octets,
		.chunk_size = chunk_octets,
	};
	struct xdp_mmap_offsets offsets;
	int socket = transmit->socket;
	if (setsockopt(socket, SOL_XDP, XDP_UMEM_REG, &registration, sizeof registration) < 0) return "setsockopt XDP_UMEM_REG";
	if (!shared_ring_set(socket, XDP_UMEM_FILL_RING, 1)) return "setsockopt XDP_UMEM_FILL_RING";
	if (!shared_ring_set(socket, XDP_UMEM_COMPLETION_RING, chunks)) return "setsockopt XDP_UMEM_COMPLETION_RING";
	if (!shared_ring_set(socket, XDP_TX_RING, chunks)) return "setsockopt XDP_TX_RING";
	if (getsockopt(socket, SOL_XDP, XDP_MMAP_OFFSETS, &offsets, &(socklen_t){sizeof offsets}) < 0)
		return "getsockopt XDP_MMAP_OFFSETS";
	if (!shared_ring_map(socket, &transmit->completion, &offsets.cr, chunks, sizeof(uint64_t),
			     (off_t)XDP_UMEM_PGOFF_COMPLETION_RING) ||
	    !shared_ring_map(socket, &transmit->ring, &offsets.tx, chunks, sizeof(struct xdp_desc), (off_t)XDP_PGOFF_TX_RING))
		return "mmap";
	for (uint32_t i = 0; i < chunks; i++) transmit->free_chunks[transmit->free_count++] = (uint64_t)i * chunk_octets;
	return xdp_bind(socket, index, 0, 0) ? NULL : "bind AF_XDP";
}

void xdp_transmit_close(struct xdp_transmit *transmit)
{
	shared_ring_unmap(&transmit->ring);
	shared_ring_unmap(&transmit->completion);
	if (transmit->socket >= 0) close(transmit->socket);
	if (transmit->umem != NULL) munmap(transmit->umem, transmit->umem_octets);
	free(transmit->free_chunks);
}

/* Takes back the chunks of frames that have left. */
static void reap(struct xdp_transmit *transmit)
{
	struct shared_ring *ring = &transmit->completion;
	uint32_t consumer = *ring->consumer;
	uint32_t producer = acquire(ring->producer);
	while (consumer != producer)
		transmit->free_chunks[transmit->free_count++] = ((uint64_t *)ring->entries)[consumer++ & ring->mask];
	publish(ring->consumer, consumer);
}

/* Makes the kernel send what is in the ring, which it does within the call. Returns 0, also when it could not take all of
 * it now, or the errno of a device that takes nothing. */
static int kick(struct xdp_transmit *transmit)
{
	const struct shared_ring *ring = &transmit->ring;
	uint32_t producer = *ring->producer;
	int stalls = 0;
	do {
		uint32_t before = acquire(ring->consumer);
		if (sendto(transmit->socket, NULL, 0, MSG_DONTWAIT, NULL, 0) < 0) {
			int error = errno;
			if (error != EAGAIN && error != EBUSY && error != ENOBUFS && error != EINTR) return error;
		}
		reap(transmit);
		if (acquire(ring->consumer) == before) stalls++;
	} while (acquire(ring->consumer) != producer && stalls < MAX_STALLS);
	return 0;
}

void xdp_transmit_begin(struct xdp_transmit *transmit)
{
	transmit->first = transmit->next = *transmit->ring.producer;
	transmit->error = 0;
	if (acquire(transmit->ring.consumer) != transmit->first) transmit->error = kick(transmit);
	else reap(transmit);
}

int xdp_transmit_put(struct xdp_transmit *transmit, const struct iovec *pieces, size_t count)
{
	struct shared_ring *ring = &transmit->ring;
	if (transmit->error == 0 && transmit->free_count == 0) {
		publish(ring->producer, transmit->next);
		transmit->error = kick(transmit);
	}
	if (transmit->error != 0) return transmit->error;
	if (transmit->free_count == 0) return EAGAIN;
	uint64_t chunk = transmit->free_chunks[--transmit->free_count];
	uint8_t *at = transmit->umem + chunk;
	for (; count > 0; pieces++, count--) at = (uint8_t *)mempcpy(at, pieces->iov_base, pieces->iov_len);
	((struct xdp_desc *)ring->entries)[transmit->next++ & ring->mask] =
		(struct xdp_desc){.addr = chunk, .len = (uint32_t)(at - (transmit->umem + chunk))};
	return 0;
}

unsigned xdp_transmit_end(struct xdp_transmit *transmit)
{
	struct shared_ring *ring = &transmit->ring;
	publish(ring->producer, transmit->next);
	if (transmit->next != transmit->first && transmit->error == 0) transmit->error = kick(transmit);
	if (transmit->error == 0) return 0;
	uint32_t taken = acquire(ring->consumer);
	/* A kernel that has taken some has read how many there are, and sends the rest when the device is back. */
	if (taken != transmit->first && transmit->error == ENETDOWN) return 0;
	unsigned untaken = 0;
	for (; transmit->next != taken && transmit->next != transmit->first; untaken++) {
		transmit->next--;
		transmit->free_chunks[transmit->free_count++] =
			((struct xdp_desc *)ring->entries)[transmit->next & ring->mask].addr;
	}
	publish(ring->producer, transmit->next);
	return untaken;
}
