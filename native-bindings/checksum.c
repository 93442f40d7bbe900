#include "checksum.h"

/* Two words of 64 bits: a vector register of every processor that this runs on. */
typedef uint64_t pair __attribute__((vector_size(16)));

uint64_t sum_of_payload(const uint8_t *at, size_t octets, uint64_t sum)
{
	const pair low = {0xffffffff, 0xffffffff};
	pair sums[4] = {{0}};
	for (; octets >= 32; at += 32, octets -= 32) {
		pair first, second;
		memcpy(&first, at, 16);
		memcpy(&second, at + 16, 16);
		sums[0] += first & low;
		sums[1] += first >> 32;
		sums[2] += second & low;
		sums[3] += second >> 32;
	}
	sums[0] += sums[1] + sums[2] + sums[3];
	return sum_of(at, octets, sum + sums[0][0] + sums[0][1]);
}
