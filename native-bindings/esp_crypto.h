/* The ciphers of IPsec over the arena, in batches: keys, jobs, and what the libraries behind have to do.
 *
 * esp_crypto.c keeps the keys, checks jobs and lays packets out: payload, padding, trailer, IV. A backend encrypts and
 * authenticates what lies there. Keys and jobs mean what src/ipsec/crypto.ts says. */
#ifndef WIDEPLANE_ESP_CRYPTO_H
#define WIDEPLANE_ESP_CRYPTO_H

/* SHA by its own functions: an HMAC of OpenSSL 3 by EVP allocates for every packet (docs/decisions/batch-crypto.md). */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define ESP_HEADER_OCTETS 8 /* SPI, sequence number (RFC 4303, section 2) */
#define ESP_SALT_OCTETS 4
#define ESP_TAG_OCTETS 16
#define ESP_MAX_ICV_OCTETS 32
#define ESP_MAX_JOBS 256

/* In the order of src/net/batch-crypto.ts. */
enum esp_cipher { ESP_AES_GCM, ESP_AES_GMAC, ESP_AES_CBC, ESP_DES3_CBC, ESP_NULL };
enum esp_mac { ESP_NO_MAC, ESP_SHA1_96, ESP_SHA256_128, ESP_SHA384_192, ESP_SHA512_256, ESP_MACS };
enum esp_operation { ESP_SEAL, ESP_OPEN, ESP_DIGEST, ESP_VERIFY };
enum esp_status { ESP_OK, ESP_ICV_INVALID, ESP_MALFORMED, ESP_FAILED };

struct esp_backend;

/* The state of SHA after the first block of an HMAC (RFC 2104). The words of the digest stand first in all of them. */
union esp_sha {
	SHA_CTX sha1;
	SHA256_CTX sha256;
	SHA512_CTX sha512;
};

/* 17 lines of the cache, so that keys in a row do not compete for the same sets. */
struct esp_key {
	const struct esp_backend *backend; /* NULL: free */
	EVP_CIPHER_CTX *encrypt, *decrypt; /* NULL where the backend needs none */
	uint8_t cipher, mac;
	uint8_t key_octets; /* without the salt */
	uint8_t iv_octets, block_octets, icv_octets;
	uint8_t salt[ESP_SALT_OCTETS];
	uint32_t next_free;
	union {
		uint8_t gcm[1024]; /* struct gcm_key_data of ipsec-mb */
		struct {
			uint8_t encrypt[15 * 16], decrypt[15 * 16]; /* expanded keys of AES, for ipsec-mb */
			union esp_sha inner, outer;
		} block;
	} material __attribute__((aligned(64)));
} __attribute__((aligned(64)));

/* A job, checked: where its parts lie. */
struct esp_job {
	struct esp_key *key;
	int32_t *status;
	uint8_t *packet; /* what is authenticated, `octets` of it: from the SPI to the end of the text */
	size_t octets;
	uint8_t *text; /* ESP: what is encrypted, behind the IV */
	size_t text_octets;
	uint8_t *icv;
	uint8_t iv[8]; /* of AES-GMAC in AH */
	uint32_t sequence_high;
	bool extended;
};

struct esp_backend {
	/* False: the library has refused. The lengths are right. */
	bool (*open_key)(struct esp_key *key, const uint8_t *octets, const uint8_t *mac_octets);
	/* Completes the status of each. */
	void (*run)(enum esp_operation operation, struct esp_job *jobs, unsigned count);
};
extern const struct esp_backend esp_openssl;
extern const struct esp_backend esp_mb;
/* NULL when this thread can use ipsec-mb, otherwise the reason why not. */
const char *esp_mb_unavailable(void);
/* Frees what it holds for this thread. */
void esp_mb_leave_thread(void);

/* Of esp_openssl.c, for other backends as well. */
bool esp_openssl_open_cipher(struct esp_key *key, const uint8_t *octets);
void esp_openssl_open_mac(struct esp_key *key, const uint8_t *mac_octets);
/* In place. False: the library has refused. */
bool esp_openssl_cipher(EVP_CIPHER_CTX *context, const struct esp_job *job);
/* HMAC of a job, of full length, with the high sequence number behind where extended. */
void esp_openssl_mac(const struct esp_job *job, uint8_t digest[SHA512_DIGEST_LENGTH]);

static inline void store_be32(uint8_t *at, uint32_t value)
{
	value = __builtin_bswap32(value);
	memcpy(at, &value, sizeof value);
}

static inline bool has_cipher(const struct esp_key *key) { return key->cipher == ESP_AES_CBC || key->cipher == ESP_DES3_CBC; }

/* The nonce of a combined cipher (RFC 4106, section 4). */
static inline void esp_nonce(uint8_t nonce[12], const struct esp_key *key, const uint8_t *iv)
{
	memcpy(nonce, key->salt, ESP_SALT_OCTETS);
	memcpy(nonce + ESP_SALT_OCTETS, iv, 8);
}

/* The additional data of AES-GCM (RFC 4106, section 5); returns its length. */
static inline unsigned esp_additional(uint8_t additional[12], const struct esp_job *job)
{
	memcpy(additional, job->packet, 4);
	if (!job->extended) {
		memcpy(additional + 4, job->packet + 4, 4);
		return 8;
	}
	store_be32(additional + 4, job->sequence_high);
	memcpy(additional + 8, job->packet + 4, 4);
	return 12;
}

#endif
