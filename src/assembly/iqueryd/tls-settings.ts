// How TLS is spoken: versions, ciphers, and what is never done.

import { constants } from 'node:crypto';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import { SHIPPED_CIPHER_LIST } from '../../config/tls-kinds.ts';
import { errorText } from '../../core/errors.ts';

export type TlsSettings = {
  /** As the configuration says it. */
  readonly oldest: string;
  readonly ciphers: string;
};

/** What authenticates as it encrypts, with a key that is forgotten afterwards. */
const TLS_13 = 'TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256';
const AUTHENTICATED = ['RSA', 'ECDSA']
  .flatMap((key) => ['AES256-GCM-SHA384', 'CHACHA20-POLY1305', 'AES128-GCM-SHA256'].map((end) => `ECDHE-${key}-${end}`))
  .join(':');

/** Of a context for either side. The list of a BIG-IP as shipped also has ciphers of a time gone by, which nobody has asked for. */
export function contextOptions({ oldest, ciphers }: TlsSettings): SecureContextOptions {
  return {
    minVersion: oldest.endsWith('1.3') ? 'TLSv1.3' : 'TLSv1.2',
    ciphers: `${TLS_13}:${ciphers === SHIPPED_CIPHER_LIST || ciphers === '' ? AUTHENTICATED : ciphers}`,
    honorCipherOrder: true,
    // What was once agreed on is not taken up again without a verdict.
    secureOptions: constants.SSL_OP_NO_RENEGOTIATION | constants.SSL_OP_NO_TICKET,
  };
}

/** What is wrong with a list of ciphers, by OpenSSL; undefined: nothing. */
export function ciphersProblem(ciphers: string): string | undefined {
  try {
    createSecureContext(contextOptions({ oldest: '', ciphers }));
    return undefined;
  } catch (error) {
    return errorText(error);
  }
}
