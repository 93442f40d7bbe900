/* The ciphers of IPsec by ipsec-mb, which encrypts and hashes several packets at once. Loaded at run time, where it is;
 * compiled only where its header is.
 *
 * 3DES is OpenSSL's here as well, and so are HMACs whose data is not in one piece. */
#include "esp_crypto.h"

#include <openssl/crypto.h>

#if __has_include(<intel-ipsec-mb.h>)
#include <dlfcn.h>
#include <intel-ipsec-mb.h>
#include <pthread.h>
#include <stdio.h>

#define LIBRARY "libIPSec_MB.so.1"
#define BURST IMB_MAX_BURST_SIZE

_Static_assert(sizeof(struct gcm_key_data) <= sizeof((struct esp_key *)0)->material.gcm, "a key of AES-GCM has no room");

static struct {
	pthread_once_t once;
	const char *reason;
	char text[256];
	IMB_MGR *(*alloc)(uint64_t flags);
	void (*init)(IMB_MGR *manager, IMB_ARCH *architecture);
	void (*free)(IMB_MGR *manager);
} library = {.once = PTHREAD_ONCE_INIT};

/* A manager is one thread's. */
static __thread struct thread {
	IMB_MGR *manager;
	struct gcm_context_data gcm;
	IMB_JOB jobs[BURST];
	struct esp_job *batch[BURST];
	uint8_t icvs[BURST][ESP_MAX_ICV_OCTETS];
} this_thread;

static void load(void)
{
	void *handle = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
	if (handle == NULL) {
		/* It names the file. */
		snprintf(library.text, sizeof library.text, "%s", dlerror());
		library.reason = library.text;
		return;
	}
	unsigned (*version)(void) = (unsigned (*)(void))dlsym(handle, "imb_get_version");
	library.alloc = (IMB_MGR * (*)(uint64_t)) dlsym(handle, "alloc_mb_mgr");
	library.init = (void (*)(IMB_MGR *, IMB_ARCH *))dlsym(handle, "init_mb_mgr_auto");
	library.free = (void (*)(IMB_MGR *))dlsym(handle, "free_mb_mgr");
	/* Newer ones append to the structures. */
	if (version == NULL || library.alloc == NULL || library.init == NULL || library.free == NULL || version() < IMB_VERSION_NUM)
		library.reason = LIBRARY " is older than the one that this was built for";
}

const char *esp_mb_unavailable(void)
{
	pthread_once(&library.once, load);
	if (library.reason != NULL || this_thread.manager != NULL) return library.reason;
	IMB_MGR *manager = library.alloc(0);
	if (manager == NULL) return LIBRARY " has no memory";
	IMB_ARCH architecture = IMB_ARCH_NONE;
	library.init(manager, &architecture);
	if (architecture < IMB_ARCH_SSE) {
		library.free(manager);
		return "the processor has no instructions for AES";
	}
	this_thread.manager = manager;
	return NULL;
}

void esp_mb_leave_thread(void)
{
	if (this_thread.manager == NULL) return;
	library.free(this_thread.manager);
	this_thread.manager = NULL;
}

static const struct gcm_key_data *gcm_key(const struct esp_key *key) { return (const struct gcm_key_data *)key->material.gcm; }

static bool open_key(struct esp_key *key, const uint8_t *octets, const uint8_t *mac_octets)
{
	if (esp_mb_unavailable() != NULL) return false;
	IMB_MGR *manager = this_thread.manager;
	unsigned size = key->key_octets / 8 - 2;
	if (key->mac != ESP_NO_MAC) esp_openssl_open_mac(key, mac_octets);
	if (key->cipher == ESP_DES3_CBC) return esp_openssl_open_cipher(key, octets);
	if (key->cipher == ESP_NULL) return true;
	if (key->cipher == ESP_AES_CBC) {
		keyexp_t expand = (keyexp_t[]){manager->keyexp_128, manager->keyexp_192, manager->keyexp_256}[size];
		expand(octets, key->material.block.encrypt, key->material.block.decrypt);
	} else {
		aes_gcm_pre_t prepare = (aes_gcm_pre_t[]){manager->gcm128_pre, manager->gcm192_pre, manager->gcm256_pre}[size];
		prepare(octets, (struct gcm_key_data *)key->material.gcm);
	}
	return true;
}

static aes_gcm_enc_dec_t gcm_function(const IMB_MGR *manager, unsigned key_octets, bool decrypts)
{
	if (key_octets == 16) return decrypts ? manager->gcm128_dec : manager->gcm128_enc;
	if (key_octets == 24) return decrypts ? manager->gcm192_dec : manager->gcm192_enc;
	return decrypts ? manager->gcm256_dec : manager->gcm256_enc;
}

static void gcm(struct thread *thread, const struct esp_job *job, bool decrypts, uint8_t tag[ESP_TAG_OCTETS])
{
	uint8_t nonce[12], additional[12];
	esp_nonce(nonce, job->key, job->text - 8);
	unsigned length = esp_additional(additional, job);
	gcm_function(thread->manager, job->key->key_octets, decrypts)(gcm_key(job->key), &thread->gcm, job->text, job->text,
								      job->text_octets, nonce, additional, length, tag,
								      ESP_TAG_OCTETS);
}

static enum esp_status gcm_open(struct thread *thread, const struct esp_job *job)
{
	uint8_t tag[ESP_TAG_OCTETS];
	gcm(thread, job, true, tag);
	if (CRYPTO_memcmp(tag, job->icv, ESP_TAG_OCTETS) == 0) return ESP_OK;
	/* Decrypting and checking are one pass: what came out of it is made what it was. */
	gcm(thread, job, false, tag);
	return ESP_ICV_INVALID;
}

static void gmac(struct thread *thread, const struct esp_job *job, bool is_esp, uint8_t tag[ESP_TAG_OCTETS])
{
	IMB_MGR *manager = thread->manager;
	unsigned size = job->key->key_octets / 8 - 2;
	aes_gmac_init_t init =
		(aes_gmac_init_t[]){manager->gmac128_init, manager->gmac192_init, manager->gmac256_init}[size];
	aes_gmac_update_t update =
		(aes_gmac_update_t[]){manager->gmac128_update, manager->gmac192_update, manager->gmac256_update}[size];
	aes_gmac_finalize_t finalize =
		(aes_gmac_finalize_t[]){manager->gmac128_finalize, manager->gmac192_finalize, manager->gmac256_finalize}[size];
	const struct gcm_key_data *key = gcm_key(job->key);
	uint8_t nonce[12], additional[12];
	esp_nonce(nonce, job->key, is_esp ? job->text - 8 : job->iv);
	init(key, &thread->gcm, nonce, sizeof nonce);
	if (is_esp && job->extended) {
		update(key, &thread->gcm, additional, esp_additional(additional, job));
		update(key, &thread->gcm, job->packet + ESP_HEADER_OCTETS, job->octets - ESP_HEADER_OCTETS);
	} else {
		update(key, &thread->gcm, job->packet, job->octets);
		store_be32(additional, job->sequence_high);
		if (job->extended) update(key, &thread->gcm, additional, 4);
	}
	finalize(key, &thread->gcm, tag, ESP_TAG_OCTETS);
}

/* AES-CBC of jobs whose keys have one length. */
static void cipher_burst(struct thread *thread, unsigned count, IMB_CIPHER_DIRECTION direction, unsigned key_octets)
{
	for (unsigned i = 0; i < count; i++) {
		struct esp_job *job = thread->batch[i];
		IMB_JOB *burst = &thread->jobs[i];
		burst->enc_keys = job->key->material.block.encrypt;
		burst->dec_keys = job->key->material.block.decrypt;
		burst->key_len_in_bytes = key_octets;
		burst->src = job->text;
		burst->dst = job->text;
		burst->cipher_start_src_offset_in_bytes = 0;
		burst->msg_len_to_cipher_in_bytes = job->text_octets;
		burst->iv = job->text - 16;
		burst->iv_len_in_bytes = 16;
		burst->status = IMB_STATUS_BEING_PROCESSED;
	}
	IMB_SUBMIT_CIPHER_BURST_NOCHECK(thread->manager, thread->jobs, count, IMB_CIPHER_CBC, direction, key_octets);
	for (unsigned i = 0; i < count; i++)
		if (thread->jobs[i].status != IMB_STATUS_COMPLETED) *thread->batch[i]->status = ESP_FAILED;
}

/* HMAC of jobs with one algorithm. ESP has its high sequence number where the ICV comes. */
static void hash_burst(struct thread *thread, enum esp_operation operation, unsigned count, enum esp_mac mac)
{
	static const IMB_HASH_ALG algorithms[ESP_MACS] = {
		[ESP_SHA1_96] = IMB_AUTH_HMAC_SHA_1, [ESP_SHA256_128] = IMB_AUTH_HMAC_SHA_256,
		[ESP_SHA384_192] = IMB_AUTH_HMAC_SHA_384, [ESP_SHA512_256] = IMB_AUTH_HMAC_SHA_512};
	bool checks = operation == ESP_OPEN || operation == ESP_VERIFY;
	uint8_t received[BURST][4];
	for (unsigned i = 0; i < count; i++) {
		struct esp_job *job = thread->batch[i];
		IMB_JOB *burst = &thread->jobs[i];
		if (job->extended) {
			memcpy(received[i], job->icv, 4);
			store_be32(job->icv, job->sequence_high);
		}
		burst->src = job->packet;
		burst->hash_start_src_offset_in_bytes = 0;
		burst->msg_len_to_hash_in_bytes = job->octets + (job->extended ? 4 : 0);
		burst->auth_tag_output = thread->icvs[i];
		burst->auth_tag_output_len_in_bytes = job->key->icv_octets;
		burst->u.HMAC._hashed_auth_key_xor_ipad = (const uint8_t *)&job->key->material.block.inner;
		burst->u.HMAC._hashed_auth_key_xor_opad = (const uint8_t *)&job->key->material.block.outer;
		burst->status = IMB_STATUS_BEING_PROCESSED;
	}
	IMB_SUBMIT_HASH_BURST_NOCHECK(thread->manager, thread->jobs, count, algorithms[mac]);
	for (unsigned i = 0; i < count; i++) {
		struct esp_job *job = thread->batch[i];
		if (job->extended) memcpy(job->icv, received[i], 4);
		if (thread->jobs[i].status != IMB_STATUS_COMPLETED) *job->status = ESP_FAILED;
		else if (!checks) memcpy(job->icv, thread->icvs[i], job->key->icv_octets);
		else if (CRYPTO_memcmp(job->icv, thread->icvs[i], job->key->icv_octets) != 0) *job->status = ESP_ICV_INVALID;
	}
}

static void cipher_jobs(struct thread *thread, struct esp_job *jobs, unsigned count, bool decrypts)
{
	for (unsigned key_octets = 16; key_octets <= 32; key_octets += 8) {
		unsigned used = 0;
		for (unsigned i = 0; i <= count; i++) {
			if (used == BURST || (i == count && used > 0)) {
				cipher_burst(thread, used, decrypts ? IMB_DIR_DECRYPT : IMB_DIR_ENCRYPT, key_octets);
				used = 0;
			}
			if (i == count) break;
			const struct esp_key *key = jobs[i].key;
			if (key->cipher == ESP_AES_CBC && key->key_octets == key_octets && *jobs[i].status == ESP_OK)
				thread->batch[used++] = &jobs[i];
		}
	}
	for (unsigned i = 0; i < count; i++) {
		struct esp_key *key = jobs[i].key;
		if (key->cipher == ESP_DES3_CBC && *jobs[i].status == ESP_OK &&
		    !esp_openssl_cipher(decrypts ? key->decrypt : key->encrypt, &jobs[i]))
			*jobs[i].status = ESP_FAILED;
	}
}

/* The octets behind what AH authenticates are not ours to put the high sequence number in; and ipsec-mb counts to 65,534. */
static bool is_for_openssl(enum esp_operation operation, const struct esp_job *job)
{
	bool is_ah = operation == ESP_DIGEST || operation == ESP_VERIFY;
	return is_ah && job->key->mac != ESP_NO_MAC && (job->extended || job->octets > 65534);
}

static void hash_jobs(struct thread *thread, enum esp_operation operation, struct esp_job *jobs, unsigned count)
{
	for (enum esp_mac mac = ESP_SHA1_96; mac < ESP_MACS; mac++) {
		unsigned used = 0;
		for (unsigned i = 0; i <= count; i++) {
			if (used == BURST || (i == count && used > 0)) {
				hash_burst(thread, operation, used, mac);
				used = 0;
			}
			if (i == count) break;
			if (jobs[i].key->mac == mac && *jobs[i].status == ESP_OK && !is_for_openssl(operation, &jobs[i]))
				thread->batch[used++] = &jobs[i];
		}
	}
}

/* A job of AES-GCM or AES-GMAC. */
static enum esp_status run_combined(struct thread *thread, enum esp_operation operation, struct esp_job *job)
{
	if (job->key->cipher == ESP_AES_GCM) {
		if (operation == ESP_OPEN) return gcm_open(thread, job);
		gcm(thread, job, false, job->icv);
		return ESP_OK;
	}
	uint8_t tag[ESP_TAG_OCTETS];
	gmac(thread, job, operation == ESP_SEAL || operation == ESP_OPEN, tag);
	if (operation == ESP_OPEN || operation == ESP_VERIFY)
		return CRYPTO_memcmp(tag, job->icv, ESP_TAG_OCTETS) == 0 ? ESP_OK : ESP_ICV_INVALID;
	memcpy(job->icv, tag, ESP_TAG_OCTETS);
	return ESP_OK;
}

static void run(enum esp_operation operation, struct esp_job *jobs, unsigned count)
{
	struct thread *thread = &this_thread;
	bool has_others = false;
	if (esp_mb_unavailable() != NULL) {
		for (unsigned i = 0; i < count; i++) *jobs[i].status = ESP_FAILED;
		return;
	}
	for (unsigned i = 0; i < count; i++) {
		const struct esp_key *key = jobs[i].key, *next = i + 1 < count ? jobs[i + 1].key : key;
		if (next != key)
			for (size_t at = 0; at < sizeof *next; at += 64) __builtin_prefetch((const uint8_t *)next + at);
		if (key->cipher == ESP_AES_GCM || key->cipher == ESP_AES_GMAC)
			*jobs[i].status = run_combined(thread, operation, &jobs[i]);
		else if (is_for_openssl(operation, &jobs[i])) esp_openssl.run(operation, &jobs[i], 1);
		else has_others = true;
	}
	if (!has_others) return;
	if (operation == ESP_SEAL) cipher_jobs(thread, jobs, count, false);
	hash_jobs(thread, operation, jobs, count);
	if (operation == ESP_OPEN) cipher_jobs(thread, jobs, count, true);
}
#else

const char *esp_mb_unavailable(void) { return "this was built without the header of ipsec-mb"; }
void esp_mb_leave_thread(void) {}
static bool open_key(struct esp_key *key, const uint8_t *octets, const uint8_t *mac_octets)
{
	(void)key, (void)octets, (void)mac_octets;
	return false;
}
static void run(enum esp_operation operation, struct esp_job *jobs, unsigned count)
{
	(void)operation, (void)jobs, (void)count;
}
#endif

const struct esp_backend esp_mb = {.open_key = open_key, .run = run};
