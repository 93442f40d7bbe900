// Makes keys, certificates and signing requests. The key comes from node:crypto, which makes it on another thread.

import { createPrivateKey, generateKeyPair, randomBytes, X509Certificate, type KeyObject } from 'node:crypto';
import { isIP } from 'node:net';
import { promisify } from 'node:util';
import forge from 'node-forge';
import { LEAST_RSA_BITS } from './certificate.ts';

const VALID_YEARS = 10;
/** A new certificate is valid since an hour: the clock of a peer may be slow. */
const SLOW_CLOCK_MS = 3600_000;
const SERIAL_OCTETS = 16;

const DNS_NAME = 2;
const IP_ADDRESS = 7;

/** Both in PEM. */
export type Pair = { readonly certificate: string; readonly key: string };

export async function makeKey(): Promise<string> {
  const { privateKey } = await promisify(generateKeyPair)('rsa', { modulusLength: LEAST_RSA_BITS });
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

/** A certificate that signs itself, and its key: for a device of this name, for both sides of TLS. */
export async function makeDevicePair(hostname: string, now: Date): Promise<Pair> {
  const key = await makeKey();
  const certificate = forge.pki.createCertificate();
  const privateKey = forge.pki.privateKeyFromPem(key);
  const subject = subjectOf(hostname);
  certificate.publicKey = forge.pki.setRsaPublicKey(privateKey.n, privateKey.e);
  certificate.serialNumber = serialNumber();
  certificate.validity.notBefore = new Date(now.getTime() - SLOW_CLOCK_MS);
  certificate.validity.notAfter = yearsLater(now, VALID_YEARS);
  certificate.setSubject(subject);
  certificate.setIssuer(subject);
  certificate.setExtensions([...deviceExtensions(hostname), { name: 'subjectKeyIdentifier' }]);
  certificate.sign(privateKey, forge.md.sha256.create());
  return { certificate: pem(forge.pki.certificateToPem(certificate)), key };
}

/** A request that an authority can answer with a certificate for this key. PEM. */
export function makeRequest(hostname: string, key: string): string {
  const request = forge.pki.createCertificationRequest();
  const privateKey = forge.pki.privateKeyFromPem(rsaPem(createPrivateKey(key)));
  request.publicKey = forge.pki.setRsaPublicKey(privateKey.n, privateKey.e);
  request.setSubject(subjectOf(hostname));
  request.setAttributes([{ name: 'extensionRequest', extensions: deviceExtensions(hostname) }]);
  request.sign(privateKey, forge.md.sha256.create());
  return pem(forge.pki.certificationRequestToPem(request));
}

/** Whether a key is that of a certificate. */
export function belongTogether(certificate: X509Certificate, key: KeyObject): boolean {
  return certificate.checkPrivateKey(key);
}

function rsaPem(key: KeyObject): string {
  return key.export({ type: 'pkcs1', format: 'pem' }).toString();
}

function subjectOf(hostname: string): forge.pki.CertificateField[] {
  // RFC 5280 allows 64 characters; the whole name is in subjectAltName.
  return [{ name: 'commonName', value: hostname.slice(0, 64), valueTagClass: forge.asn1.Type.UTF8 as never }];
}

function deviceExtensions(hostname: string): object[] {
  const name = isIP(hostname) === 0 ? { type: DNS_NAME, value: hostname } : { type: IP_ADDRESS, ip: hostname };
  return [
    { name: 'basicConstraints', cA: false, critical: true },
    { name: 'keyUsage', digitalSignature: true, keyEncipherment: true, critical: true },
    { name: 'extKeyUsage', serverAuth: true, clientAuth: true },
    { name: 'subjectAltName', altNames: [name] },
  ];
}

/** Random and positive, hexadecimal. */
function serialNumber(): string {
  const octets = randomBytes(SERIAL_OCTETS);
  octets[0] = (octets[0]! & 0x7f) | 0x40;
  return octets.toString('hex');
}

function yearsLater(time: Date, years: number): Date {
  const later = new Date(time);
  later.setUTCFullYear(later.getUTCFullYear() + years);
  return later;
}

function pem(text: string): string {
  return `${text.replaceAll('\r\n', '\n').trimEnd()}\n`;
}
