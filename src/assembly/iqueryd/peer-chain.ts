// What the other side of a TLS connection has shown of itself.

import type { DetailedPeerCertificate, TLSSocket } from 'node:tls';

const MOST_CERTIFICATES = 10;

/** DER, its own certificate first; empty: none. */
export function peerChain(socket: TLSSocket): Uint8Array[] {
  const chain: Uint8Array[] = [];
  let next: Partial<DetailedPeerCertificate> | undefined = socket.getPeerCertificate(true);
  while (next?.raw !== undefined && chain.length < MOST_CERTIFICATES) {
    chain.push(next.raw);
    const issuer: DetailedPeerCertificate | undefined = next.issuerCertificate;
    next = issuer === next ? undefined : issuer;
  }
  return chain;
}

/** An address as others write it: IPv4 in an IPv6 socket is IPv4. */
export const plainAddress = (address: string | undefined): string => (address ?? '').replace(/^::ffff:(?=\d+\.)/i, '');
