// Response codes as people read them (RFC 1035, RFC 2136, RFC 6891).

const NAMES = ['NOERROR', 'FORMERR', 'SERVFAIL', 'NXDOMAIN', 'NOTIMP', 'REFUSED', 'YXDOMAIN', 'YXRRSET', 'NXRRSET'];

/** The mnemonic of a code, or RCODE and its number. */
export function rcodeName(rcode: number): string {
  return rcode === 16 ? 'BADVERS' : (NAMES[rcode] ?? `RCODE${rcode}`);
}
