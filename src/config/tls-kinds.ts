// What properties of iQuery's TLS may say: the words of a BIG-IP for versions, and lists of ciphers as OpenSSL has them.

import type { AnyConfigObject } from './object-type.ts';
import type { ScalarKind } from './property.ts';
import type { ObjectContext } from './remembered.ts';

/** The oldest first. */
export const TLS_VERSIONS = ['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'] as const;
export type TlsVersion = (typeof TLS_VERSIONS)[number];

/** As a BIG-IP is shipped with. */
export const SHIPPED_TLS_VERSION: TlsVersion = 'TLSv1';
export const SHIPPED_CIPHER_LIST = 'AESGCM:AES:!ADH:!AECDH:!PSK:!aECDH:!DSS:!ECDSA:!AES128:-SHA1:AES256-SHA';

/** What is spoken at the least, whatever is allowed. */
export const LEAST_TLS_VERSION: TlsVersion = 'TLSv1.2';

/** For a version that somebody has written. */
export function warnOfOldTls(object: AnyConfigObject, version: TlsVersion, context: Pick<ObjectContext, 'warn'>): void {
  if (TLS_VERSIONS.indexOf(version) >= TLS_VERSIONS.indexOf(LEAST_TLS_VERSION)) return;
  const text = `iquery-minimum-tls-version ${version} is kept, but ${LEAST_TLS_VERSION} is the oldest that is spoken.`;
  context.warn(object, text, { property: 'iquery-minimum-tls-version', value: version });
}

/** Words for groups of ciphers, of openssl-ciphers(1). */
const KEYWORDS: ReadonlySet<string> = new Set(
  (
    'DEFAULT ALL COMPLEMENTOFALL COMPLEMENTOFDEFAULT HIGH MEDIUM LOW EXPORT EXP eNULL NULL aNULL ' +
    'kRSA aRSA RSA kDHr kDHd kDH kDHE kEDH DH DHE EDH ADH kEECDH kECDHE ECDH ECDHE EECDH AECDH kECDH kECDHr kECDHe aECDH aDSS DSS aDH ' +
    'aECDSA ECDSA TLSv1.2 TLSv1.0 TLSv1 SSLv3 SSLv2 AES128 AES256 AES AESGCM AESCCM AESCCM8 ARIA128 ARIA256 ARIA ARIAGCM CAMELLIA128 ' +
    'CAMELLIA256 CAMELLIA CHACHA20 3DES DES RC4 RC2 IDEA SEED MD5 SHA1 SHA SHA256 SHA384 aGOST aGOST01 kGOST GOST94 GOST89MAC PSK kPSK ' +
    'aPSK kECDHEPSK kDHEPSK kRSAPSK SRP kSRP aSRP SUITEB128 SUITEB128ONLY SUITEB192 FIPS CBC'
  ).split(' '),
);

/** Pieces that the name of a cipher is made of: `ECDHE-RSA-AES256-GCM-SHA384`. */
const PIECES: ReadonlySet<string> = new Set(
  (
    'ECDHE DHE EDH ADH AECDH ECDH DH RSA ECDSA DSS PSK SRP EXP AES AES128 AES256 ARIA128 ARIA256 CAMELLIA128 CAMELLIA256 CHACHA20 POLY1305 ' +
    'GCM CCM CCM8 CBC CBC3 128 256 DES RC4 RC2 IDEA SEED NULL MD5 SHA SHA256 SHA384 SHA512'
  ).split(' '),
);

const TLS_13_NAME =
  /^TLS_(?:AES_128_GCM_SHA256|AES_256_GCM_SHA384|CHACHA20_POLY1305_SHA256|AES_128_CCM(?:_8)?_SHA256)$/;

/** What is wrong with a list; undefined: nothing. */
export function cipherListProblem(list: string): string | undefined {
  const words = list.split(/[:, ]/).filter((word) => word !== '');
  if (words.length === 0) return 'must name ciphers';
  let adds = false;
  for (const word of words) {
    if (word.startsWith('@')) {
      if (word === '@STRENGTH' || /^@SECLEVEL=[0-5]$/.test(word)) continue;
      return `must be a list of ciphers: ${word} is neither @STRENGTH nor @SECLEVEL=0 to 5`;
    }
    const operator = /^[!+-]/.test(word) ? word[0]! : '';
    const name = word.slice(operator.length);
    for (const part of name.split('+')) {
      if (!isCipherWord(part)) return `must be a list of ciphers in OpenSSL's words: there is no ${part || word}`;
    }
    adds ||= operator === '';
  }
  return adds ? undefined : 'must add a cipher: it only takes some away';
}

function isCipherWord(word: string): boolean {
  if (KEYWORDS.has(word) || TLS_13_NAME.test(word)) return true;
  const pieces = word.split('-');
  return pieces.length > 1 && pieces.every((piece) => PIECES.has(piece));
}

export const cipherListKind: ScalarKind<string> = {
  shape: 'scalar',
  name: 'cipher-list',
  expects: 'a list of ciphers as OpenSSL has them, with : between them',
  read(word) {
    const problem = cipherListProblem(word);
    return problem === undefined ? { value: word } : { problem };
  },
  print: (value) => value,
};
