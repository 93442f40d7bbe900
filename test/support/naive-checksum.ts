// The Internet checksum as RFC 1071 defines it, without any shortcut: the model that the fast one is compared with.

export function naiveSum(octets: Uint8Array): number {
  let sum = 0;
  for (let at = 0; at < octets.length; at += 2) sum += octets[at]! * 256 + (octets[at + 1] ?? 0);
  while (sum > 0xffff) sum = (sum % 0x10000) + Math.floor(sum / 0x10000);
  return sum;
}

export const naiveChecksum = (octets: Uint8Array): number => 0xffff - naiveSum(octets);
