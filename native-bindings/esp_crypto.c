/* The ciphers of IPsec for JavaScript: keys by handle, jobs by their words, packets laid out for a backend. */
#include "addon.h"
#include "checksum.h"
#include "esp_crypto.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>

/* Words of a job: src/ipsec/crypto.ts. */
#define JOB_WORDS 16
#define UDP_CHECKSUM 6
enum { KEY, SOURCE, OCTETS, TARGET, SEQUENCE_HIGH, PAD_OCTETS, NEXT_HEADER, STATUS, EXTENDED, SEQUENCE_LOW, IV_OFFSET, CHECKSUM };

/* What an IP packet carries at most, and what AH authenticates at most: that with an IPv6 header. */
#define MAX_PACKET_OCTETS 65535
#define MAX_DIGEST_OCTETS (MAX_PACKET_OCTETS + 40)

/* Keys lie in slabs that are neither swapped nor dumped, and never move: look-ups take no lock. A handle counts from 1. */
#define SLAB_KEYS 256
#define MAX_SLABS 256

static struct {
	pthread_mutex_t lock;
	struct esp_key *slabs[MAX_SLABS];
	unsigned slab_count;
	uint32_t free; /* the handle of a free key; 0: none */
} keys = {.lock = PTHREAD_MUTEX_INITIALIZER};

static struct esp_key *key_at(uint32_t handle)
{
	uint32_t index = handle - 1; /* 0 becomes too large */
	if (index >= SLAB_KEYS * MAX_SLABS || keys.slabs[index / SLAB_KEYS] == NULL) return NULL;
	return &keys.slabs[index / SLAB_KEYS][index % SLAB_KEYS];
}

static struct esp_key *find_key(uint32_t handle)
{
	struct esp_key *key = key_at(handle);
	return key == NULL || key->backend == NULL ? NULL : key;
}

static bool add_slab(void)
{
	if (keys.slab_count == MAX_SLABS) return false;
	size_t octets = SLAB_KEYS * sizeof(struct esp_key);
	struct esp_key *slab = mmap(NULL, octets, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (slab == MAP_FAILED) return false;
	/* Where the limit of locked memory is reached, keys work all the same. */
	mlock(slab, octets);
	madvise(slab, octets, MADV_DONTDUMP);
	uint32_t first = keys.slab_count * SLAB_KEYS + 1;
	for (uint32_t i = 0; i < SLAB_KEYS; i++) slab[i].next_free = i + 1 < SLAB_KEYS ? first + i + 1 : 0;
	keys.slabs[keys.slab_count++] = slab;
	keys.free = first;
	return true;
}

/* 0 when there is no memory. */
static uint32_t take_key(void)
{
	pthread_mutex_lock(&keys.lock);
	uint32_t handle = keys.free != 0 || add_slab() ? keys.free : 0;
	if (handle != 0) keys.free = key_at(handle)->next_free;
	pthread_mutex_unlock(&keys.lock);
	return handle;
}

static void free_key(uint32_t handle)
{
	struct esp_key *key = key_at(handle);
	/* OpenSSL overwrites the key that a context holds. */
	EVP_CIPHER_CTX_free(key->encrypt);
	EVP_CIPHER_CTX_free(key->decrypt);
	OPENSSL_cleanse(key, sizeof *key);
	pthread_mutex_lock(&keys.lock);
	key->next_free = keys.free;
	keys.free = handle;
	pthread_mutex_unlock(&keys.lock);
}

static void describe(struct esp_key *key, enum esp_cipher cipher, enum esp_mac mac, size_t octets)
{
	static const uint8_t ivs[] = {[ESP_AES_GCM] = 8, [ESP_AES_GMAC] = 8, [ESP_AES_CBC] = 16, [ESP_DES3_CBC] = 8, [ESP_NULL] = 0};
	static const uint8_t blocks[] = {[ESP_AES_GCM] = 4, [ESP_AES_GMAC] = 4, [ESP_AES_CBC] = 16, [ESP_DES3_CBC] = 8, [ESP_NULL] = 4};
	static const uint8_t icvs[] = {[ESP_SHA1_96] = 12, [ESP_SHA256_128] = 16, [ESP_SHA384_192] = 24, [ESP_SHA512_256] = 32};
	bool is_combined = cipher == ESP_AES_GCM || cipher == ESP_AES_GMAC;
	key->cipher = cipher;
	key->mac = mac;
	key->key_octets = (uint8_t)(is_combined ? octets - ESP_SALT_OCTETS : octets);
	key->iv_octets = ivs[cipher];
	key->block_octets = blocks[cipher];
	key->icv_octets = is_combined ? ESP_TAG_OCTETS : icvs[mac];
}

static napi_value open_key(napi_env env, napi_callback_info info)
{
	struct arguments arguments = arguments_of(env, info);
	const struct esp_backend *backend = argument_integer(&arguments, 0) == 0 ? &esp_openssl : &esp_mb;
	int32_t transform = argument_integer(&arguments, 1);
	struct span octets = argument_array(&arguments, 2), mac_octets = argument_array(&arguments, 3);
	uint32_t handle = take_key();
	if (handle == 0) return throw_errno(env, "cryptoOpenKey", "mmap", ENOMEM);
	struct esp_key *key = key_at(handle);
	describe(key, transform & 0xff, transform >> 8, octets.count);
	const uint8_t *bytes = octets.data;
	if (key->cipher == ESP_AES_GCM || key->cipher == ESP_AES_GMAC) memcpy(key->salt, bytes + key->key_octets, ESP_SALT_OCTETS);
	if (!backend->open_key(key, bytes, mac_octets.data)) {
		ERR_clear_error();
		free_key(handle);
		return throw_errno(env, "cryptoOpenKey", "EVP_EncryptInit_ex", ENOMEM);
	}
	key->backend = backend;
	return integer_value(env, (int32_t)handle);
}

static napi_value close_key(napi_env env, napi_callback_info info)
{
	struct arguments arguments = arguments_of(env, info);
	uint32_t handle = (uint32_t)argument_integer(&arguments, 0);
	if (find_key(handle) == NULL) return throw_errno(env, "cryptoCloseKey", "handle", EBADF);
	free_key(handle);
	return undefined_value(env);
}

/* IVs that nobody can predict (RFC 3602, section 3), drawn many at a time. */
static bool write_random(uint8_t *at, size_t octets)
{
	static __thread uint8_t drawn[4096];
	static __thread size_t left;
	if (left < octets) {
		if (RAND_bytes(drawn, sizeof drawn) != 1) return false;
		left = sizeof drawn;
	}
	left -= octets;
	memcpy(at, drawn + left, octets);
	return true;
}

static bool is_inside(const struct arena *arena, uint32_t offset, size_t octets)
{
	return offset <= arena->octets && octets <= arena->octets - offset;
}

/* Finishes the transport checksum of a payload: where it starts, and 65,536 times where from there its field is. */
static bool finish_checksum(uint8_t *payload, size_t octets, uint32_t place)
{
	size_t start = place & 0xffff, field = place >> 16;
	if (start + field + 2 > octets) return false;
	uint16_t checksum = (uint16_t)~folded(sum_of_payload(payload + start, octets - start, 0));
	/* For UDP 0 would mean that there is none (RFC 768). */
	if (checksum == 0 && field == UDP_CHECKSUM) checksum = 0xffff;
	memcpy(payload + start + field, &checksum, 2);
	return true;
}

static enum esp_status lay_out(const struct arena *arena, const int32_t *words, struct esp_job *job)
{
	const struct esp_key *key = job->key;
	uint32_t source = (uint32_t)words[SOURCE], target = (uint32_t)words[TARGET];
	uint32_t payload_octets = (uint32_t)words[OCTETS], pad_octets = (uint32_t)words[PAD_OCTETS];
	size_t text_octets = (size_t)payload_octets + pad_octets + 2;
	size_t front_octets = ESP_HEADER_OCTETS + key->iv_octets;
	if (pad_octets > 255 || text_octets % key->block_octets != 0 ||
	    front_octets + text_octets + key->icv_octets > MAX_PACKET_OCTETS ||
	    !is_inside(arena, source, payload_octets) ||
	    !is_inside(arena, target, front_octets + text_octets + key->icv_octets))
		return ESP_MALFORMED;
	job->packet = arena->base + target;
	job->octets = front_octets + text_octets;
	job->text = job->packet + front_octets;
	job->text_octets = text_octets;
	job->icv = job->text + text_octets;
	if (source != target + front_octets) memcpy(job->text, arena->base + source, payload_octets);
	if (words[CHECKSUM] != 0 && !finish_checksum(job->text, payload_octets, (uint32_t)words[CHECKSUM])) return ESP_MALFORMED;
	uint8_t *trailer = job->text + payload_octets;
	for (uint32_t i = 0; i < pad_octets; i++) trailer[i] = (uint8_t)(i + 1);
	trailer[pad_octets] = (uint8_t)pad_octets;
	trailer[pad_octets + 1] = (uint8_t)words[NEXT_HEADER];
	if (has_cipher(key)) return write_random(job->text - key->iv_octets, key->iv_octets) ? ESP_OK : ESP_FAILED;
	if (key->iv_octets != 0) {
		store_be32(job->text - 8, job->sequence_high + (uint32_t)words[IV_OFFSET]);
		memcpy(job->text - 4, job->packet + 4, 4);
	}
	return ESP_OK;
}

static enum esp_status look_at(const struct arena *arena, const int32_t *words, struct esp_job *job)
{
	const struct esp_key *key = job->key;
	uint32_t source = (uint32_t)words[SOURCE], octets = (uint32_t)words[OCTETS];
	size_t front_octets = ESP_HEADER_OCTETS + key->iv_octets, around_octets = front_octets + key->icv_octets;
	if (octets < around_octets + key->block_octets || (octets - around_octets) % key->block_octets != 0 ||
	    octets > MAX_PACKET_OCTETS || !is_inside(arena, source, octets))
		return ESP_MALFORMED;
	job->packet = arena->base + source;
	job->octets = octets - key->icv_octets;
	job->text = job->packet + front_octets;
	job->text_octets = octets - around_octets;
	job->icv = job->text + job->text_octets;
	return ESP_OK;
}

static enum esp_status look_at_digest(const struct arena *arena, enum esp_operation operation, const int32_t *words,
				      struct esp_job *job)
{
	const struct esp_key *key = job->key;
	uint32_t source = (uint32_t)words[SOURCE], octets = (uint32_t)words[OCTETS], target = (uint32_t)words[TARGET];
	size_t iv_octets = key->cipher == ESP_AES_GMAC ? 8 : 0;
	/* Nothing of AH goes with a key that encrypts, or does not authenticate. */
	if (key->cipher != ESP_AES_GMAC && (key->cipher != ESP_NULL || key->mac == ESP_NO_MAC)) return ESP_FAILED;
	if (octets == 0 || octets > MAX_DIGEST_OCTETS || !is_inside(arena, source, octets) ||
	    !is_inside(arena, target, iv_octets + key->icv_octets))
		return ESP_MALFORMED;
	job->packet = arena->base + source;
	job->octets = octets;
	job->icv = arena->base + target + iv_octets;
	if (operation == ESP_VERIFY) {
		memcpy(job->iv, job->icv - iv_octets, iv_octets);
	} else {
		store_be32(job->iv, job->sequence_high + (uint32_t)words[IV_OFFSET]);
		store_be32(job->iv + 4, (uint32_t)words[SEQUENCE_LOW]);
	}
	return ESP_OK;
}

/* Far enough ahead for memory, near enough to stay in the cache. */
#define AHEAD 4

static void prefetch(const struct arena *arena, enum esp_operation operation, const int32_t *words)
{
	uint32_t offset = (uint32_t)words[operation == ESP_SEAL ? TARGET : SOURCE];
	const struct esp_key *key = key_at((uint32_t)words[KEY]);
	if (key != NULL) __builtin_prefetch(key);
	if (is_inside(arena, offset, 1)) __builtin_prefetch(arena->base + offset, 1);
}

static void run_jobs(const struct arena *arena, enum esp_operation operation, int32_t *words, unsigned count)
{
	static __thread struct esp_job jobs[ESP_MAX_JOBS];
	unsigned ready = 0;
	for (unsigned i = 0; i < count; i++, words += JOB_WORDS) {
		if (i + AHEAD < count) prefetch(arena, operation, words + AHEAD * JOB_WORDS);
		struct esp_job *job = &jobs[ready];
		job->key = find_key((uint32_t)words[KEY]);
		job->status = &words[STATUS];
		job->sequence_high = (uint32_t)words[SEQUENCE_HIGH];
		job->extended = words[EXTENDED] != 0;
		*job->status = job->key == NULL       ? ESP_FAILED
			       : operation == ESP_SEAL ? lay_out(arena, words, job)
			       : operation == ESP_OPEN ? look_at(arena, words, job)
						       : look_at_digest(arena, operation, words, job);
		if (*job->status == ESP_OK) ready++;
	}
	for (unsigned first = 0, next; first < ready; first = next) {
		const struct esp_backend *backend = jobs[first].key->backend;
		for (next = first + 1; next < ready && jobs[next].key->backend == backend;) next++;
		backend->run(operation, &jobs[first], next - first);
	}
	if (operation != ESP_DIGEST) return;
	/* What stands in the place of the IV is authenticated as it stood there. */
	for (unsigned i = 0; i < ready; i++)
		if (jobs[i].key->cipher == ESP_AES_GMAC) memcpy(jobs[i].icv - 8, jobs[i].iv, 8);
}

static napi_value run(napi_env env, napi_callback_info info)
{
	struct arguments arguments = arguments_of(env, info);
	struct arena *arena = handle_find(HANDLE_ARENA, argument_integer(&arguments, 0));
	struct span words = argument_array(&arguments, 2);
	unsigned count = (unsigned)argument_integer(&arguments, 3);
	if (arena == NULL) return throw_errno(env, "cryptoRun", "handle", EBADF);
	if (count > ESP_MAX_JOBS || count * JOB_WORDS > words.count) return throw_errno(env, "cryptoRun", "count", EINVAL);
	run_jobs(arena, (enum esp_operation)argument_integer(&arguments, 1), words.data, count);
	return undefined_value(env);
}

static napi_value unavailable(napi_env env, napi_callback_info info)
{
	(void)info;
	const char *reason = esp_mb_unavailable();
	napi_value text = NULL;
	napi_create_string_utf8(env, reason == NULL ? "" : reason, NAPI_AUTO_LENGTH, &text);
	return text;
}

static void leave_thread(void *unused)
{
	(void)unused;
	esp_mb_leave_thread();
}

static const struct function_entry functions[] = {
	{"cryptoMultiBufferUnavailable", unavailable},
	{"cryptoOpenKey", open_key},
	{"cryptoCloseKey", close_key},
	{"cryptoRun", run},
};

void esp_crypto_register(napi_env env, napi_value exports)
{
	export_functions(env, exports, ENTRIES(functions));
	napi_add_env_cleanup_hook(env, leave_thread, NULL);
}
