// A certificate, with what decides whether it is trusted: what node:crypto does not tell of it is read from its octets.

import { createHash, X509Certificate } from 'node:crypto';
import { errorText } from '../core/errors.ts';
import {
  bitString,
  context,
  DerCursor,
  derElement,
  derElements,
  derTime,
  objectIdentifier,
  TAG,
  type DerElement,
} from './der.ts';

/** Of an extended key usage. */
export const SERVER_AUTH = '1.3.6.1.5.5.7.3.1';
export const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';
const ANY_EXTENDED_USAGE = '2.5.29.37.0';

const EXTENSION = {
  keyUsage: '2.5.29.15',
  basicConstraints: '2.5.29.19',
  extendedKeyUsage: '2.5.29.37',
} as const;

/** Extensions that may be critical: those that are heeded, and those that say nothing of what a certificate is for. */
const UNDERSTOOD: ReadonlySet<string> = new Set([
  ...Object.values(EXTENSION),
  // subjectKeyIdentifier, subjectAltName, issuerAltName, cRLDistributionPoints, certificatePolicies, authorityKeyIdentifier.
  ...['2.5.29.14', '2.5.29.17', '2.5.29.18', '2.5.29.31', '2.5.29.32', '2.5.29.35'],
]);

/** Bits of a key usage, as they stand in its first octet. */
export const KEY_USAGE = { digitalSignature: 0x80, keyEncipherment: 0x20, keyCertSign: 0x04, cRLSign: 0x02 } as const;

/** Signature algorithms that are broken, by object identifier. */
const WEAK_SIGNATURES: Readonly<Record<string, string>> = {
  '1.2.840.113549.1.1.2': 'MD2',
  '1.2.840.113549.1.1.4': 'MD5',
  '1.2.840.113549.1.1.5': 'SHA-1',
  '1.3.14.3.2.29': 'SHA-1',
  '1.2.840.10040.4.3': 'SHA-1',
  '1.2.840.10045.4.1': 'SHA-1',
};
const RSA_PSS = '1.2.840.113549.1.1.10';

export type Certificate = {
  readonly x509: X509Certificate;
  readonly der: Uint8Array;
  /** SHA-256 of the certificate, hexadecimal, in lower case without colons. */
  readonly fingerprint: string;
  /** `CN=one.example, O=Example`, in one line; the fingerprint's start where the subject is empty. */
  readonly subject: string;
  readonly issuer: string;
  /** Names as the certificate has them, hexadecimal: equal names are equal texts. */
  readonly subjectName: string;
  readonly issuerName: string;
  /** Hexadecimal, in lower case. */
  readonly serial: string;
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** Whether it may issue certificates. */
  readonly isAuthority: boolean;
  /** How many authorities may stand between it and the last certificate. */
  readonly pathLength: number;
  /** The first octet of its key usage; undefined: all usages. */
  readonly keyUsage: number | undefined;
  /** undefined: all. */
  readonly extendedUsage: readonly string[] | undefined;
  /** `MD5`, when its signature is broken. */
  readonly weakSignature: string | undefined;
  /** `its RSA key has 1024 bits`, when its key is weak. */
  readonly weakKey: string | undefined;
  /** The object identifier of a critical extension that is not understood. */
  readonly unknownCritical: string | undefined;
};

/** Octets that are no certificate: the message says why. */
export class CertificateError extends Error {
  override readonly name = 'CertificateError';
}

/** Reads DER, or one block of PEM; throws a CertificateError. */
export function readCertificate(octets: Uint8Array | string): Certificate {
  try {
    const x509 = new X509Certificate(octets);
    const der = x509.raw;
    const parts = readParts(der);
    return {
      x509,
      der,
      fingerprint: createHash('sha256').update(der).digest('hex'),
      subject: nameText(x509.subject) || `a certificate without a subject, serial number ${parts.serial}`,
      issuer: nameText(x509.issuer) || 'an authority without a name',
      weakKey: weaknessOfKey(x509),
      ...parts,
    };
  } catch (error) {
    if (error instanceof CertificateError) throw error;
    throw new CertificateError(`it is no certificate: ${errorText(error)}`);
  }
}

export function isSelfIssued({ subjectName, issuerName }: Certificate): boolean {
  return subjectName === issuerName;
}

/** Whether it may be used on that side of a TLS connection; a text that says why not. */
export function usageProblem(certificate: Certificate, role: 'server' | 'client'): string | undefined {
  const { extendedUsage, keyUsage } = certificate;
  const wanted = role === 'server' ? SERVER_AUTH : CLIENT_AUTH;
  if (extendedUsage !== undefined && !extendedUsage.some((usage) => usage === wanted || usage === ANY_EXTENDED_USAGE)) {
    return `its extended key usage does not allow TLS ${role === 'server' ? 'servers (serverAuth)' : 'clients (clientAuth)'}`;
  }
  if (keyUsage !== undefined && (keyUsage & (KEY_USAGE.digitalSignature | KEY_USAGE.keyEncipherment)) === 0) {
    return 'its key usage does not allow TLS (digitalSignature)';
  }
  return undefined;
}

type Parts = Pick<
  Certificate,
  | 'subjectName'
  | 'issuerName'
  | 'serial'
  | 'notBefore'
  | 'notAfter'
  | 'isAuthority'
  | 'pathLength'
  | 'keyUsage'
  | 'extendedUsage'
  | 'weakSignature'
  | 'unknownCritical'
>;

/** RFC 5280, section 4.1. */
function readParts(der: Uint8Array): Parts {
  const outer = new DerCursor(derElement(der));
  const inner = new DerCursor(outer.take(TAG.SEQUENCE));
  inner.takeIf(context(0));
  const serial = hex(inner.take(TAG.INTEGER).content);
  const weakSignature = weaknessOfSignature(inner.take(TAG.SEQUENCE));
  const issuerName = hex(inner.take(TAG.SEQUENCE).content);
  const validity = new DerCursor(inner.take(TAG.SEQUENCE));
  const notBefore = derTime(validity.take(TAG.UTC_TIME, TAG.GENERALIZED_TIME));
  const notAfter = derTime(validity.take(TAG.UTC_TIME, TAG.GENERALIZED_TIME));
  const subjectName = hex(inner.take(TAG.SEQUENCE).content);
  inner.take(TAG.SEQUENCE);
  inner.takeIf(0x81);
  inner.takeIf(0x82);
  const list = inner.takeIf(context(3));
  return {
    serial,
    weakSignature,
    issuerName,
    subjectName,
    notBefore,
    notAfter,
    ...(list === undefined ? readExtensions([]) : readExtensions(extensionsOf(list))),
  };
}

export type Extension = { readonly id: string; readonly isCritical: boolean; readonly value: Uint8Array };

/** The extensions within their context-specific element. */
export function* extensionsOf(list: DerElement): Generator<Extension, void> {
  const [sequence] = derElements(list);
  if (sequence === undefined) return;
  for (const element of derElements(sequence)) {
    const parts = new DerCursor(element);
    const id = objectIdentifier(parts.take(TAG.OBJECT_IDENTIFIER));
    const isCritical = parts.takeIf(TAG.BOOLEAN)?.content[0] === 0xff;
    yield { id, isCritical, value: parts.take(TAG.OCTET_STRING).content };
  }
}

function readExtensions(
  extensions: Iterable<Extension>,
): Pick<Parts, 'isAuthority' | 'pathLength' | 'keyUsage' | 'extendedUsage' | 'unknownCritical'> {
  let [isAuthority, pathLength] = [false, Infinity];
  let keyUsage: number | undefined;
  let extendedUsage: string[] | undefined;
  let unknownCritical: string | undefined;
  for (const { id, isCritical, value } of extensions) {
    if (id === EXTENSION.basicConstraints) {
      const parts = new DerCursor(derElement(value));
      isAuthority = parts.takeIf(TAG.BOOLEAN)?.content[0] === 0xff;
      const limit = parts.takeIf(TAG.INTEGER)?.content;
      // A longer number, or a negative one, is no limit that anybody meant: nothing may stand in between.
      if (limit !== undefined) pathLength = limit.length === 1 && limit[0]! < 0x80 ? limit[0]! : 0;
    } else if (id === EXTENSION.keyUsage) {
      keyUsage = bitString(derElement(value))[0] ?? 0;
    } else if (id === EXTENSION.extendedKeyUsage) {
      extendedUsage = [...derElements(derElement(value))].map(objectIdentifier);
    } else if (isCritical && !UNDERSTOOD.has(id)) {
      unknownCritical ??= id;
    }
  }
  return { isAuthority, pathLength, keyUsage, extendedUsage, unknownCritical };
}

function weaknessOfSignature(algorithm: DerElement): string | undefined {
  const parts = new DerCursor(algorithm);
  const id = objectIdentifier(parts.take(TAG.OBJECT_IDENTIFIER));
  if (id !== RSA_PSS) return WEAK_SIGNATURES[id];
  // Without a hash algorithm in its parameters it is SHA-1 (RFC 4055, section 3.1).
  const parameters = parts.takeIf(TAG.SEQUENCE);
  const hash = parameters === undefined ? undefined : new DerCursor(parameters).takeIf(context(0));
  if (hash === undefined) return 'SHA-1';
  const name = objectIdentifier(new DerCursor([...derElements(hash)][0] ?? hash).take(TAG.OBJECT_IDENTIFIER));
  return name === '1.3.14.3.2.26' ? 'SHA-1' : undefined;
}

/** Bits of an RSA key that are the least. */
export const LEAST_RSA_BITS = 2048;
const CURVES: ReadonlySet<string> = new Set([
  'prime256v1',
  'secp384r1',
  'secp521r1',
  'brainpoolP256r1',
  'brainpoolP384r1',
]);

function weaknessOfKey({ publicKey }: X509Certificate): string | undefined {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = publicKey;
  if (type === 'rsa' || type === 'rsa-pss') {
    const bits = details?.modulusLength ?? 0;
    return bits < LEAST_RSA_BITS ? `its RSA key has ${bits} bits, and ${LEAST_RSA_BITS} are the least` : undefined;
  }
  if (type === 'ec') {
    const curve = details?.namedCurve ?? 'explicit parameters';
    return CURVES.has(curve) ? undefined : `its key is on the curve ${curve}, and P-256 is the least`;
  }
  return type === 'ed25519' || type === 'ed448' ? undefined : `its key is of type ${type ?? 'unknown'}`;
}

/** A name as node:crypto prints it, a line an attribute, the last of them the most specific. */
function nameText(lines: string | undefined): string {
  // What comes from a peer goes into log lines.
  const parts = (lines ?? '').split('\n').map((part) => part.replace(/[^\x20-\x7e]/g, '?'));
  return parts
    .filter((part) => part !== '')
    .reverse()
    .join(', ')
    .slice(0, 200);
}

function hex(octets: Uint8Array): string {
  return Buffer.from(octets).toString('hex');
}
