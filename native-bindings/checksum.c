#include "checksum.h"

/* Eight sums side by side, which a compiler makes vectors of. */
#if defined(__x86_64__) && defined(__gnu_linux__)
__attribute__((target_clones("avx2", "default"), optimize("O3")))
#endif
uint64_t sum_of_payload(const uint8_t *at, size_t octets, uint64_t sum)
{
	uint64_t sums[8] = {0};
	for (; octets >= 32; at += 32, octets -= 32) {
		uint32_t words[8];
		memcpy(words, at, sizeof words);
		for (int i = 0; i < 8; i++) sums[i] += words[i];
	}
	for (int i = 0; i < 8; i++) sum += sums[i];
	return sum_of(at, octets, sum);
}
