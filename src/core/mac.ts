// MAC addresses: text to octets and back. Canonical text is lower case with colons: `00:ff:0a:03:03:02`.

export const MAC_OCTETS = 6;
export const BROADCAST_MAC = 'ff:ff:ff:ff:ff:ff';

const MAC = /^[0-9a-fA-F]{1,2}([:-])(?:[0-9a-fA-F]{1,2}\1){4}[0-9a-fA-F]{1,2}$/;

/** Six octets, from groups of one or two hexadecimal digits between colons or hyphens; undefined for anything else. */
export function parseMac(text: string): Uint8Array | undefined {
  const separator = MAC.exec(text)?.[1];
  if (separator === undefined) return undefined;
  return Uint8Array.from(text.split(separator), (group) => Number.parseInt(group, 16));
}

/**
 * The 48 bits of a MAC in canonical text as one number; -1 for any other text. Without the array of `parseMac`, for where
 * a million of them are read.
 */
export function parseCanonicalMac(text: string): number {
  if (text.length !== 17) return -1;
  let value = 0;
  for (let at = 0; at < 17; at++) {
    const code = text.charCodeAt(at);
    if (at % 3 === 2) {
      if (code !== 0x3a) return -1;
    } else if (code >= 0x30 && code <= 0x39) {
      value = value * 16 + code - 0x30;
    } else if (code >= 0x61 && code <= 0x66) {
      value = value * 16 + code - 0x57;
    } else {
      return -1;
    }
  }
  return value;
}

/** The canonical text of the six octets from `start`. */
export function formatMac(octets: Uint8Array, start = 0): string {
  let text = '';
  for (let index = 0; index < MAC_OCTETS; index++) {
    text += (index === 0 ? '' : ':') + octets[start + index]!.toString(16).padStart(2, '0');
  }
  return text;
}

/** The canonical text of a MAC in the numeric form of the tables: its first 16 and its last 32 bits. */
export function formatMacNumbers(high16: number, low32: number): string {
  const digits = (high16 & 0xffff).toString(16).padStart(4, '0') + (low32 >>> 0).toString(16).padStart(8, '0');
  return digits.replace(/..(?=.)/g, '$&:');
}

/** The first 16 bits, 0 to 65535. */
export function macHigh16(octets: Uint8Array, start = 0): number {
  return (octets[start]! << 8) | octets[start + 1]!;
}

/** The last 32 bits, signed. */
export function macLow32(octets: Uint8Array, start = 0): number {
  return (octets[start + 2]! << 24) | (octets[start + 3]! << 16) | (octets[start + 4]! << 8) | octets[start + 5]!;
}

/** Multicast or broadcast: the lowest bit of the first octet. */
export function isGroupMac(octets: Uint8Array, start = 0): boolean {
  return (octets[start]! & 1) === 1;
}
