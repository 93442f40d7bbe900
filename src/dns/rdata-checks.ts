// What RDATA of well-formed fields may still do wrong. As BIND 9.18 sees it.

/** Octets of a digest by its type: SHA-1, SHA-256, GOST, SHA-384 (RFC 4034, RFC 4509, RFC 5933, RFC 6605). */
const DIGEST_OCTETS = new Map([
  [1, 20],
  [2, 32],
  [3, 32],
  [4, 48],
]);
/** The same of a fingerprint: SHA-1, SHA-256 (RFC 4255, RFC 6594). */
const FINGERPRINT_OCTETS = new Map([
  [1, 20],
  [2, 32],
]);

const DIGEST = 4;
const FINGERPRINT = 2;

/** Of DS. */
export function checkDigest(octets: Uint8Array, at: number, end: number): string | undefined {
  return checkLength(DIGEST_OCTETS.get(octets[at + DIGEST - 1]!), end - at - DIGEST, 'digest');
}

/** Of SSHFP. */
export function checkFingerprint(octets: Uint8Array, at: number, end: number): string | undefined {
  return checkLength(FINGERPRINT_OCTETS.get(octets[at + FINGERPRINT - 1]!), end - at - FINGERPRINT, 'fingerprint');
}

function checkLength(wanted: number | undefined, length: number, what: string): string | undefined {
  if (wanted === undefined || wanted === length) return undefined;
  return `a ${what} of this type has ${wanted} octets, not ${length}`;
}

const FLAGS = 4;
const latin1 = new TextDecoder('latin1');

/** The substitution expression of NAPTR (RFC 3402, section 3.2): delimiter, pattern, replacement, and the flag i. */
export function checkSubstitution(octets: Uint8Array, at: number): string | undefined {
  const flags = at + FLAGS;
  const services = flags + 1 + octets[flags]!;
  const expression = services + 1 + octets[services]!;
  const text = latin1.decode(octets.subarray(expression + 1, expression + 1 + octets[expression]!));
  if (text === '') return undefined;
  const delimiter = text[0]!;
  if (/[0-9\\i\0]/.test(delimiter)) return `"${delimiter}" cannot be the delimiter of a substitution expression`;
  const parts = splitUnescaped(text.slice(1), delimiter);
  if (parts.length !== 3) return 'a substitution expression has a pattern and a replacement between three delimiters';
  const [pattern, replacement, modifiers] = parts as [string, string, string];
  if (!/^i*$/.test(modifiers)) return `unknown flags of a substitution expression: "${modifiers}"`;
  const groups = pattern.replaceAll(/\\.|\[\^?\]?[^\]]*\]/gs, '').split('(').length - 1;
  for (const [, digit] of replacement.matchAll(/\\(.)/gs)) {
    if (/[0-9]/.test(digit!) && (digit === '0' || Number(digit) > groups)) {
      return `the replacement of a substitution expression names a group that is not there: \\${digit!}`;
    }
  }
  return undefined;
}

function splitUnescaped(text: string, delimiter: string): string[] {
  const parts: string[] = [];
  let from = 0;
  for (let at = 0; at < text.length; at++) {
    if (text[at] === '\\') {
      at++;
    } else if (text[at] === delimiter) {
      parts.push(text.slice(from, at));
      from = at + 1;
    }
  }
  return [...parts, text.slice(from)];
}
