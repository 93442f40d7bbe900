// Certificates and keys in PKCS #12 (RFC 7292), as authorities hand them out.

import { createPrivateKey, X509Certificate } from 'node:crypto';
import forge from 'node-forge';
import { belongTogether, type Pair } from './make-certificate.ts';

/** A file that cannot be opened or lacks something: the message says which. */
export class Pkcs12Error extends Error {
  override readonly name = 'Pkcs12Error';
}

/** The key of the file, and its certificate with those of its authorities behind it. Throws a Pkcs12Error. */
export function readPkcs12(octets: Uint8Array, passphrase: string): Pair {
  const { keys, certificates } = open(octets, passphrase);
  const [key] = keys;
  if (key === undefined) throw new Pkcs12Error('it holds no RSA key');
  if (keys.length > 1) throw new Pkcs12Error(`it holds ${keys.length} keys, and which is meant cannot be told`);
  const secret = createPrivateKey(key);
  const all = certificates.map((pem) => new X509Certificate(pem));
  const own = all.find((certificate) => belongTogether(certificate, secret));
  if (own === undefined) throw new Pkcs12Error('it holds no certificate for its key');
  const chain = [own];
  for (let last = own; chain.length <= all.length;) {
    const issuer = all.find((candidate) => !chain.includes(candidate) && last.checkIssued(candidate));
    if (issuer === undefined) break;
    chain.push(issuer);
    last = issuer;
  }
  return { certificate: chain.map((certificate) => `${certificate.toString().trimEnd()}\n`).join(''), key };
}

function open(octets: Uint8Array, passphrase: string): { keys: string[]; certificates: string[] } {
  try {
    const parsed = forge.asn1.fromDer(forge.util.createBuffer(Buffer.from(octets).toString('binary')));
    const file = forge.pkcs12.pkcs12FromAsn1(parsed, false, passphrase);
    const keys: string[] = [];
    const certificates: string[] = [];
    for (const { safeBags } of file.safeContents) {
      for (const bag of safeBags) {
        if (bag.key) keys.push(forge.pki.privateKeyToPem(bag.key));
        // A certificate with a key that is not RSA comes as ASN.1.
        else if (bag.cert) certificates.push(forge.pki.certificateToPem(bag.cert));
        else if (bag.type === forge.pki.oids.certBag) certificates.push(pemOf(bag.asn1));
      }
    }
    return { keys, certificates };
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    if (/MAC|password/i.test(text)) throw new Pkcs12Error('the passphrase is wrong, or the file is damaged');
    throw new Pkcs12Error(`it is no PKCS #12 that can be read: ${text}`);
  }
}

function pemOf(element: forge.asn1.Asn1): string {
  const body = Buffer.from(forge.asn1.toDer(element).getBytes(), 'binary').toString('base64');
  return `-----BEGIN CERTIFICATE-----\n${body.match(/.{1,64}/g)!.join('\n')}\n-----END CERTIFICATE-----\n`;
}
