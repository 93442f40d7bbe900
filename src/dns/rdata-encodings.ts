// Octets as text: hexadecimal, base 64 (RFC 4648, section 4), and times of signatures (RFC 4034, section 3.2).

const BASE64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const BASE64_VALUES = new Map(Array.from(BASE64, (character, value) => [character, value]));

/** Pairs of digits; undefined for anything else. */
export function decodeHex(text: string): Uint8Array | undefined {
  if (text.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(text)) return undefined;
  return Uint8Array.from({ length: text.length / 2 }, (_, i) => Number.parseInt(text.slice(2 * i, 2 * i + 2), 16));
}

/** In capitals, as BIND prints it. */
export function formatHex(octets: Uint8Array): string {
  let text = '';
  for (const octet of octets) text += octet.toString(16).toUpperCase().padStart(2, '0');
  return text;
}

/** Padded, and without bits that are lost; undefined for anything else. */
export function decodeBase64(text: string): Uint8Array | undefined {
  if (text.length % 4 !== 0) return undefined;
  const digits = text.endsWith('==') ? text.length - 2 : text.endsWith('=') ? text.length - 1 : text.length;
  const octets = new Uint8Array((digits * 3) >>> 2);
  let bits = 0;
  let pending = 0;
  let at = 0;
  for (let i = 0; i < digits; i++) {
    const value = BASE64_VALUES.get(text[i]!);
    if (value === undefined) return undefined;
    bits = ((bits << 6) | value) & 0xffff;
    pending += 6;
    if (pending >= 8) {
      pending -= 8;
      octets[at++] = bits >>> pending;
    }
  }
  return (bits & ((1 << pending) - 1)) === 0 ? octets : undefined;
}

export function formatBase64(octets: Uint8Array): string {
  let text = '';
  for (let i = 0; i < octets.length; i += 3) {
    const bits = (octets[i]! << 16) | ((octets[i + 1] ?? 0) << 8) | (octets[i + 2] ?? 0);
    text += BASE64[bits >>> 18]! + BASE64[(bits >>> 12) & 63]!;
    text += i + 1 < octets.length ? BASE64[(bits >>> 6) & 63]! : '=';
    text += i + 2 < octets.length ? BASE64[bits & 63]! : '=';
  }
  return text;
}

/** `YYYYMMDDHHMMSS` as seconds since 1970, modulo 2^32; undefined when it is no such time. */
export function decodeTime(text: string): number | undefined {
  const parts = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)$/.exec(text)?.slice(1).map(Number);
  if (parts === undefined) return undefined;
  const [year, month, day, hour, minute, second] = parts as [number, number, number, number, number, number];
  const seconds = Date.UTC(year, month - 1, day, hour, minute, second) / 1000;
  return formatTime(seconds) === text ? seconds % 2 ** 32 : undefined;
}

export function formatTime(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replaceAll(/[-T:]|\..*/g, '');
}
