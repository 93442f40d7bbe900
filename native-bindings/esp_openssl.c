/* The ciphers of IPsec by OpenSSL, as the process exports it. A context holds its key for good; a packet sets the IV. */
#include "esp_crypto.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/params.h>

static const EVP_CIPHER *cipher_of(const struct esp_key *key)
{
	bool is_128 = key->key_octets == 16, is_192 = key->key_octets == 24;
	switch (key->cipher) {
	case ESP_AES_GCM:
	case ESP_AES_GMAC: return is_128 ? EVP_aes_128_gcm() : is_192 ? EVP_aes_192_gcm() : EVP_aes_256_gcm();
	case ESP_AES_CBC: return is_128 ? EVP_aes_128_cbc() : is_192 ? EVP_aes_192_cbc() : EVP_aes_256_cbc();
	default: return EVP_des_ede3_cbc();
	}
}

/* Both directions, so that nothing is left to be made when the first packet comes. What fails is freed with the key. */
bool esp_openssl_open_cipher(struct esp_key *key, const uint8_t *octets)
{
	/* Fetched, it carries what every setting of a context would have to look up. */
	EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, EVP_CIPHER_get0_name(cipher_of(key)), NULL);
	key->encrypt = EVP_CIPHER_CTX_new();
	key->decrypt = EVP_CIPHER_CTX_new();
	bool opened = cipher != NULL && key->encrypt != NULL && key->decrypt != NULL &&
		      EVP_EncryptInit_ex(key->encrypt, cipher, NULL, octets, NULL) == 1 &&
		      EVP_DecryptInit_ex(key->decrypt, cipher, NULL, octets, NULL) == 1;
	/* Whoever has none is spared setting it again with each IV. */
	if (opened && has_cipher(key))
		opened = EVP_CIPHER_CTX_set_padding(key->encrypt, 0) == 1 && EVP_CIPHER_CTX_set_padding(key->decrypt, 0) == 1;
	EVP_CIPHER_free(cipher);
	return opened;
}

static void sha_init(enum esp_mac mac, union esp_sha *sha)
{
	switch (mac) {
	case ESP_SHA1_96: SHA1_Init(&sha->sha1); break;
	case ESP_SHA256_128: SHA256_Init(&sha->sha256); break;
	case ESP_SHA384_192: SHA384_Init(&sha->sha512); break;
	default: SHA512_Init(&sha->sha512);
	}
}

static void sha_update(enum esp_mac mac, union esp_sha *sha, const void *data, size_t octets)
{
	if (mac == ESP_SHA1_96) SHA1_Update(&sha->sha1, data, octets);
	else if (mac == ESP_SHA256_128) SHA256_Update(&sha->sha256, data, octets);
	else SHA512_Update(&sha->sha512, data, octets);
}

/* Returns the length of the digest. */
static size_t sha_final(enum esp_mac mac, union esp_sha *sha, uint8_t *digest)
{
	if (mac == ESP_SHA1_96) return SHA1_Final(digest, &sha->sha1), SHA_DIGEST_LENGTH;
	if (mac == ESP_SHA256_128) return SHA256_Final(digest, &sha->sha256), SHA256_DIGEST_LENGTH;
	/* SHA-384 and SHA-512 differ in how they began. */
	return SHA512_Final(digest, &sha->sha512), mac == ESP_SHA384_192 ? SHA384_DIGEST_LENGTH : SHA512_DIGEST_LENGTH;
}

static void copy_sha(enum esp_mac mac, union esp_sha *into, const union esp_sha *from)
{
	if (mac == ESP_SHA1_96) into->sha1 = from->sha1;
	else if (mac == ESP_SHA256_128) into->sha256 = from->sha256;
	else into->sha512 = from->sha512;
}

/* Keys are never longer than a block (RFC 2404, RFC 4868). */
void esp_openssl_open_mac(struct esp_key *key, const uint8_t *mac_octets)
{
	static const uint8_t lengths[ESP_MACS] = {[ESP_SHA1_96] = 20, [ESP_SHA256_128] = 32, [ESP_SHA384_192] = 48, [ESP_SHA512_256] = 64};
	size_t block = key->mac == ESP_SHA1_96 || key->mac == ESP_SHA256_128 ? 64 : 128;
	uint8_t pad[128];
	memset(pad, 0x36, block);
	for (size_t i = 0; i < lengths[key->mac]; i++) pad[i] ^= mac_octets[i];
	sha_init(key->mac, &key->material.block.inner);
	sha_update(key->mac, &key->material.block.inner, pad, block);
	for (size_t i = 0; i < block; i++) pad[i] ^= 0x36 ^ 0x5c;
	sha_init(key->mac, &key->material.block.outer);
	sha_update(key->mac, &key->material.block.outer, pad, block);
	OPENSSL_cleanse(pad, sizeof pad);
}

void esp_openssl_mac(const struct esp_job *job, uint8_t digest[SHA512_DIGEST_LENGTH])
{
	const struct esp_key *key = job->key;
	union esp_sha sha;
	copy_sha(key->mac, &sha, &key->material.block.inner);
	sha_update(key->mac, &sha, job->packet, job->octets);
	if (job->extended) {
		uint8_t high[4];
		store_be32(high, job->sequence_high);
		sha_update(key->mac, &sha, high, sizeof high);
	}
	size_t octets = sha_final(key->mac, &sha, digest);
	copy_sha(key->mac, &sha, &key->material.block.outer);
	sha_update(key->mac, &sha, digest, octets);
	sha_final(key->mac, &sha, digest);
}

bool esp_openssl_cipher(EVP_CIPHER_CTX *context, const struct esp_job *job)
{
	int octets;
	return EVP_CipherInit_ex(context, NULL, NULL, NULL, job->text - job->key->iv_octets, -1) == 1 &&
	       EVP_CipherUpdate(context, job->text, &octets, job->text, (int)job->text_octets) == 1;
}

static bool gcm_begin(EVP_CIPHER_CTX *context, const struct esp_job *job)
{
	uint8_t nonce[12], additional[12];
	int octets;
	esp_nonce(nonce, job->key, job->text - 8);
	int length = (int)esp_additional(additional, job);
	return EVP_CipherInit_ex(context, NULL, NULL, NULL, nonce, -1) == 1 &&
	       EVP_CipherUpdate(context, NULL, &octets, additional, length) == 1 &&
	       EVP_CipherUpdate(context, job->text, &octets, job->text, (int)job->text_octets) == 1;
}

static bool gcm_tag(EVP_CIPHER_CTX *context, uint8_t tag[ESP_TAG_OCTETS])
{
	int octets;
	OSSL_PARAM parameters[] = {OSSL_PARAM_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG, tag, ESP_TAG_OCTETS), OSSL_PARAM_END};
	return EVP_CipherFinal_ex(context, tag, &octets) == 1 && EVP_CIPHER_CTX_get_params(context, parameters) == 1;
}

static enum esp_status gcm_open(const struct esp_job *job)
{
	EVP_CIPHER_CTX *context = job->key->decrypt;
	int octets;
	OSSL_PARAM parameters[] = {OSSL_PARAM_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG, job->icv, ESP_TAG_OCTETS), OSSL_PARAM_END};
	if (!gcm_begin(context, job) || EVP_CIPHER_CTX_set_params(context, parameters) != 1) return ESP_FAILED;
	if (EVP_CipherFinal_ex(context, job->text, &octets) == 1) return ESP_OK;
	/* Decrypting and checking are one pass: what came out of it is made what it was. */
	ERR_clear_error();
	return gcm_begin(job->key->encrypt, job) ? ESP_ICV_INVALID : ESP_FAILED;
}

/* AES-GMAC: everything is additional data (RFC 4543, section 3). */
static bool gmac(const struct esp_job *job, const uint8_t *iv, bool is_esp, uint8_t tag[ESP_TAG_OCTETS])
{
	EVP_CIPHER_CTX *context = job->key->encrypt;
	uint8_t nonce[12], additional[12];
	int octets;
	esp_nonce(nonce, job->key, iv);
	if (EVP_CipherInit_ex(context, NULL, NULL, NULL, nonce, -1) != 1) return false;
	const uint8_t *rest = job->packet;
	size_t rest_octets = job->octets;
	if (is_esp) {
		if (EVP_CipherUpdate(context, NULL, &octets, additional, (int)esp_additional(additional, job)) != 1) return false;
		rest += ESP_HEADER_OCTETS;
		rest_octets -= ESP_HEADER_OCTETS;
	}
	if (EVP_CipherUpdate(context, NULL, &octets, rest, (int)rest_octets) != 1) return false;
	if (!is_esp && job->extended) {
		store_be32(additional, job->sequence_high);
		if (EVP_CipherUpdate(context, NULL, &octets, additional, 4) != 1) return false;
	}
	return gcm_tag(context, tag);
}

/* The ICV of a job that does not encrypt at the same time. */
static bool authenticate(enum esp_operation operation, const struct esp_job *job, uint8_t icv[SHA512_DIGEST_LENGTH])
{
	bool is_esp = operation == ESP_SEAL || operation == ESP_OPEN;
	if (job->key->cipher == ESP_AES_GMAC) return gmac(job, is_esp ? job->text - 8 : job->iv, is_esp, icv);
	if (job->key->mac != ESP_NO_MAC) esp_openssl_mac(job, icv);
	return true;
}

static enum esp_status run_one(enum esp_operation operation, const struct esp_job *job)
{
	struct esp_key *key = job->key;
	if (key->cipher == ESP_AES_GCM) {
		if (operation == ESP_OPEN) return gcm_open(job);
		return gcm_begin(key->encrypt, job) && gcm_tag(key->encrypt, job->icv) ? ESP_OK : ESP_FAILED;
	}
	if (operation == ESP_SEAL && has_cipher(key) && !esp_openssl_cipher(key->encrypt, job)) return ESP_FAILED;
	uint8_t icv[SHA512_DIGEST_LENGTH];
	if (!authenticate(operation, job, icv)) return ESP_FAILED;
	if (operation == ESP_SEAL || operation == ESP_DIGEST) memcpy(job->icv, icv, key->icv_octets);
	else if (CRYPTO_memcmp(job->icv, icv, key->icv_octets) != 0) return ESP_ICV_INVALID;
	if (operation == ESP_OPEN && has_cipher(key) && !esp_openssl_cipher(key->decrypt, job)) return ESP_FAILED;
	return ESP_OK;
}

static bool open_key(struct esp_key *key, const uint8_t *octets, const uint8_t *mac_octets)
{
	if (key->mac != ESP_NO_MAC) esp_openssl_open_mac(key, mac_octets);
	return key->cipher == ESP_NULL || esp_openssl_open_cipher(key, octets);
}

static void run(enum esp_operation operation, struct esp_job *jobs, unsigned count)
{
	for (unsigned i = 0; i < count; i++) *jobs[i].status = run_one(operation, &jobs[i]);
}

const struct esp_backend esp_openssl = {.open_key = open_key, .run = run};
