// The algorithms of IPsec as a BIG-IP names them: what each pair means for packets, and how long its keys are.

/** `ike-phase2-auth-algorithm` and `auth-algorithm`. */
export const AUTH_ALGORITHMS = [
  'sha1',
  'sha256',
  'sha384',
  'sha512',
  'aes-gcm128',
  'aes-gcm192',
  'aes-gcm256',
  'aes-gmac128',
  'aes-gmac192',
  'aes-gmac256',
] as const;
export type AuthAlgorithm = (typeof AUTH_ALGORITHMS)[number];

/** `ike-phase2-encrypt-algorithm` and `encrypt-algorithm`. */
export const ENCRYPT_ALGORITHMS = [
  'null',
  '3des',
  'aes128',
  'aes192',
  'aes256',
  'aes-gcm128',
  'aes-gcm192',
  'aes-gcm256',
  'aes-gmac128',
  'aes-gmac192',
  'aes-gmac256',
] as const;
export type EncryptAlgorithm = (typeof ENCRYPT_ALGORITHMS)[number];

/** What a pair of algorithms means: cipher and MAC in the words of `src/ipsec/crypto.ts`, and the lengths of their keys. */
export type PairOfAlgorithms = {
  readonly cipher: 'aes-gcm' | 'aes-gmac' | 'aes-cbc' | '3des-cbc' | 'null';
  readonly mac: 'none' | 'hmac-sha1-96' | 'hmac-sha256-128' | 'hmac-sha384-192' | 'hmac-sha512-256';
  /** Octets of the key of the cipher, the 4 of the salt of AES-GCM and AES-GMAC included; 0: it has none. */
  readonly keyOctets: number;
  /** Octets of the key of the MAC; 0: it has none, because the cipher authenticates. */
  readonly macKeyOctets: number;
};

/** RFC 2404, section 3; RFC 4868, section 2.1.1: a key is as long as the hash. */
const MACS = {
  sha1: { mac: 'hmac-sha1-96', macKeyOctets: 20 },
  sha256: { mac: 'hmac-sha256-128', macKeyOctets: 32 },
  sha384: { mac: 'hmac-sha384-192', macKeyOctets: 48 },
  sha512: { mac: 'hmac-sha512-256', macKeyOctets: 64 },
} as const;

/** Ciphers that leave authentication to a MAC. */
const PLAIN_CIPHERS = {
  null: { cipher: 'null', keyOctets: 0 },
  '3des': { cipher: '3des-cbc', keyOctets: 24 },
  aes128: { cipher: 'aes-cbc', keyOctets: 16 },
  aes192: { cipher: 'aes-cbc', keyOctets: 24 },
  aes256: { cipher: 'aes-cbc', keyOctets: 32 },
} as const;

/** RFC 4106, section 8.1; RFC 4543, section 5.3. */
const SALT_OCTETS = 4;
const COMBINED = /^(aes-gcm|aes-gmac)(128|192|256)$/;

/** What the pair means; `problem` continues the name of an object, and names what would go. */
export function pairOf(
  protocol: 'esp' | 'ah',
  auth: AuthAlgorithm,
  encrypt: EncryptAlgorithm,
): PairOfAlgorithms | { readonly problem: string; readonly property: 'auth' | 'encrypt'; readonly hint: string } {
  const [, cipher, bits] = COMBINED.exec(auth) ?? [];
  if (cipher === 'aes-gcm' && protocol === 'ah') {
    const hint = `Choose aes-gmac${bits}, or one of sha1, sha256, sha384 and sha512.`;
    return { property: 'auth', problem: `${auth} encrypts, which AH does not`, hint };
  }
  if (cipher === 'aes-gcm' && encrypt !== auth) {
    return {
      property: 'encrypt',
      problem: `${auth} authenticates what ${auth} encrypts, not ${encrypt}`,
      hint: `Choose ${auth}.`,
    };
  }
  if (cipher === 'aes-gmac' && encrypt !== auth && encrypt !== 'null') {
    return { property: 'encrypt', problem: `${auth} does not go with ${encrypt}`, hint: `Choose null or ${auth}.` };
  }
  if (cipher === 'aes-gcm' || cipher === 'aes-gmac') {
    return { cipher, mac: 'none', keyOctets: Number(bits) / 8 + SALT_OCTETS, macKeyOctets: 0 };
  }
  const mac = MACS[auth as keyof typeof MACS];
  if (COMBINED.test(encrypt)) {
    return {
      property: 'auth',
      problem: `${encrypt} authenticates by itself, not with ${auth}`,
      hint: `Choose ${encrypt}.`,
    };
  }
  if (protocol === 'ah' && encrypt !== 'null') {
    return { property: 'encrypt', problem: `AH does not encrypt, so not with ${encrypt}`, hint: 'Choose null.' };
  }
  return { ...mac, ...PLAIN_CIPHERS[encrypt as keyof typeof PLAIN_CIPHERS] };
}
