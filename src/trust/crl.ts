// Certificate revocation lists (RFC 5280, section 5), PEM or DER, one or several in a file.

import { createHash, verify } from 'node:crypto';
import { errorText } from '../core/errors.ts';
import { KEY_USAGE, type Certificate } from './certificate.ts';
import {
  bitString,
  DerCursor,
  derElement,
  derElements,
  derTime,
  objectIdentifier,
  TAG,
  type DerElement,
} from './der.ts';

export type RevocationList = {
  /** As a certificate's `issuerName`. */
  readonly issuerName: string;
  readonly thisUpdate: Date;
  /** undefined: it does not expire. */
  readonly nextUpdate: Date | undefined;
  /** Serial numbers, as certificates have them, with the time of revocation. */
  readonly revoked: ReadonlyMap<string, Date>;
  readonly fingerprint: string;
  /** Whether the certificate's key has signed it. */
  isSignedBy(certificate: Certificate): boolean;
};

export type RevocationLists = { readonly lists: readonly RevocationList[]; readonly problems: readonly string[] };

const PEM = /-----BEGIN X509 CRL-----([^-]*)-----END X509 CRL-----/g;

/** Digest algorithms of signatures, by object identifier; without one it is part of the key's type. */
const DIGESTS: Readonly<Record<string, string | null>> = {
  '1.2.840.113549.1.1.11': 'sha256',
  '1.2.840.113549.1.1.12': 'sha384',
  '1.2.840.113549.1.1.13': 'sha512',
  '1.2.840.10045.4.3.2': 'sha256',
  '1.2.840.10045.4.3.3': 'sha384',
  '1.2.840.10045.4.3.4': 'sha512',
  '1.3.101.112': null,
};

export function readRevocationLists(octets: Uint8Array): RevocationLists {
  const lists: RevocationList[] = [];
  const problems: string[] = [];
  const text = Buffer.from(octets).toString('latin1');
  const isPem = text.includes('-----BEGIN ');
  const bodies = isPem ? [...text.matchAll(PEM)].map(([, body]) => Buffer.from(body!, 'base64')) : [octets];
  if (text.trim() === '') return { lists, problems };
  if (bodies.length === 0) problems.push('it holds no revocation list (X509 CRL)');
  bodies.forEach((body, index) => {
    try {
      lists.push(readList(body));
    } catch (error) {
      problems.push(`revocation list ${index + 1}: ${errorText(error)}`);
    }
  });
  return { lists, problems };
}

function readList(octets: Uint8Array): RevocationList {
  const outer = new DerCursor(derElement(octets));
  const signed = outer.take(TAG.SEQUENCE);
  const digest = DIGESTS[objectIdentifier(new DerCursor(outer.take(TAG.SEQUENCE)).take(TAG.OBJECT_IDENTIFIER))];
  const signature = bitString(outer.take(TAG.BIT_STRING));
  const inner = new DerCursor(signed);
  inner.takeIf(TAG.INTEGER);
  inner.take(TAG.SEQUENCE);
  const issuerName = Buffer.from(inner.take(TAG.SEQUENCE).content).toString('hex');
  const thisUpdate = derTime(inner.take(TAG.UTC_TIME, TAG.GENERALIZED_TIME));
  const next = inner.takeIf(TAG.UTC_TIME, TAG.GENERALIZED_TIME);
  const entries = inner.takeIf(TAG.SEQUENCE);
  return {
    issuerName,
    thisUpdate,
    nextUpdate: next === undefined ? undefined : derTime(next),
    revoked: entries === undefined ? new Map() : revokedOf(entries),
    fingerprint: createHash('sha256').update(octets).digest('hex'),
    isSignedBy: ({ x509, keyUsage }) => {
      if (digest === undefined || (keyUsage !== undefined && (keyUsage & KEY_USAGE.cRLSign) === 0)) return false;
      try {
        return verify(digest, signed.whole, x509.publicKey, signature);
      } catch {
        return false;
      }
    },
  };
}

function revokedOf(entries: DerElement): Map<string, Date> {
  const revoked = new Map<string, Date>();
  for (const entry of derElements(entries)) {
    const parts = new DerCursor(entry);
    const serial = Buffer.from(parts.take(TAG.INTEGER).content).toString('hex');
    revoked.set(serial, derTime(parts.take(TAG.UTC_TIME, TAG.GENERALIZED_TIME)));
  }
  return revoked;
}
